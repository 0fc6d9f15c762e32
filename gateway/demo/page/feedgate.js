// feedgate.js: a client for the feedgate wire protocol, version 1
// (docs/protocol.md). One file, no dependency; take it as it is.
//
//   import { Feedgate } from './feedgate.js';
//   const gate = new Feedgate({
//     getToken: async () => (await fetch('/session')).text(),
//     onPage:   (page) => show(page.posts),
//     onEvent:  (event) => apply(event),           // each exactly once, in order
//     onUnread: (unread) => badge(unread.feed, unread.notifications, unread.messages),
//     onReset:  async () => merge((await gate.feed()).posts),
//   });
//   gate.start();
//   await gate.publish('hello');
//
// What it takes care of: numbering, gaps and duplicates; resuming after a lost
// connection; when to come back and when not to; answering heartbeats and
// noticing a dead line; a fresh token before the old one expires; telling the
// gateway when the page is hidden; sending again, under the same key, a write
// whose answer was lost; telling senders that their messages have come. What it
// leaves to the app: after onReset, ask for feed() again and merge by id; a page
// may repeat posts that events brought.

const SUBPROTOCOL = 'feedgate.v1.json';
const MAX_FRAME = 64 * 1024; // bytes the gateway takes in one frame

const DEFAULTS = {
  url: undefined, // ws(s)://host/v1/ws; by default on the page's own host
  getToken: undefined, // async (why) => JWT; why: 'connect', 'expired' or 'refresh'
  page: 20, // newest posts wanted with the first connect, 0 to 100
  onState: () => {}, // ('connecting' | 'connected' | 'waiting' | 'stopped', detail)
  onPage: () => {}, // ({posts, next}) of the first connect
  onEvent: () => {}, // (event, n); withdrawn events are left out
  onUnread: () => {}, // ({feed, notifications, messages, v}), absolute
  onReset: () => {}, // ({stream, n, reason}): events were skipped
  onTyping: () => {}, // ({conversation, user}): now; it says nothing when they stop
  onPresence: () => {}, // ({user, online, seen}) of those asked for with presence()
  expand: false, // true: events and pages carry their authors' display names
  receipts: true, // tell senders that this device has their messages
  requestTimeout: 15_000, // ms from the call to the answer, reconnects included
  publishTimeout: 60_000, // the same for writes with a key
  maxPending: 100, // requests waiting at once; beyond it they are refused
  connectTimeout: 15_000, // ms from fetching the token to the connect reply
  receiptsEvery: 1_000, // ms between two such receipts for one conversation
  hiddenAfter: 5_000, // ms that a page is hidden before it counts as in the background
  backoff: { base: 500, max: 30_000 }, // ms
  env: {}, // stands in for the browser in tests
};

// Requests that belong to one socket; all others outlive it.
const SOCKET_BOUND = new Set(['sync', 'refresh', 'state', 'ping', 'presence', 'typing', 'received']);

/**
 * A refusal by the gateway, or one of the client's own codes: `timeout` and
 * `disconnected` (the outcome is unknown), `stopped`, `overloaded`, `too_large`.
 * `key` is the idempotency key of a refused write: repeat it with that key.
 */
export class FeedgateError extends Error {
  constructor({ code, message = code, retryable = false, retry_ms = undefined }, key) {
    super(message);
    this.name = 'FeedgateError';
    this.code = code;
    this.retryable = retryable;
    this.retryMs = retry_ms;
    this.key = key;
  }
}

/** One user's connection, kept up until stop() or until the gateway says not to come back. */
export class Feedgate {
  // Set at construction.
  #options;
  #env;

  // What the protocol asks a client to keep from socket to socket.
  #stream = null;
  #n = 0;
  #unread = null;
  #user = null;

  // Of the present socket, or of the attempt to get one.
  #ws = null;
  #turn = 0; // numbers attempts: what an older one still has to say is void
  #connected = false;
  #connectedAt = 0;
  #heardAt = 0;
  #bye = null;
  #background = false; // what the gateway was last told
  #timers = new Map(); // name → handle; all end with the socket

  #received = new Map(); // conversation → newest message that its sender is still to hear of

  // Of the client.
  #watched = []; // whose presence the app wants to know
  #state = 'stopped';
  #requests = new Map(); // id → request without an answer, oldest first
  #nextId = 1;
  #attempt = 0;
  #tokenWhy = 'connect';
  #retryTimer = null;
  #hiddenTimer = null;
  #hidden = false;
  #unlisten = [];

  constructor(options) {
    this.#options = { ...DEFAULTS, ...options };
    if (typeof this.#options.getToken !== 'function') throw new TypeError('getToken is required');
    this.#env = {
      WebSocket: globalThis.WebSocket,
      window: globalThis.window,
      document: globalThis.document,
      setTimeout: (f, ms) => setTimeout(f, ms),
      clearTimeout: (handle) => clearTimeout(handle),
      now: () => Date.now(),
      random: () => Math.random(),
      report: (error) => queueMicrotask(() => { throw error; }), // to the console, as uncaught
      ...this.#options.env,
    };
    this.#options.url ??= new URL('/v1/ws', this.#env.window.location.href).href.replace(/^http/, 'ws');
  }

  get state() { return this.#state; }
  get stream() { return this.#stream; }
  get n() { return this.#n; }
  get unreadCounts() { return this.#unread; }

  /** Connects, and stays connected. */
  start() {
    if (this.#state !== 'stopped') return;
    this.#attempt = 0;
    this.#listen();
    this.#open();
  }

  /** Disconnects. Requests without an answer are rejected with `stopped`. */
  stop() { this.#halt({ code: 1000, reason: 'stopped by the app' }); }

  /**
   * Publishes a post, with `kind`, `job`, `visibility` and `media` if wanted; kept and
   * repeated under one key until it is durable or time is up.
   */
  publish(text, { key = this.#newKey(), timeout, ...more } = {}) {
    return this.request('publish', { text, key, ...more }, { timeout });
  }

  /** Sends to a user, a list of users, or `{ conversation }`; kept and repeated like publish. */
  message(to, text, { reply, media, key = this.#newKey(), timeout } = {}) {
    const whom = to.conversation === undefined ? { to } : { conversation: to.conversation };
    return this.request('message', { ...whom, text, reply, media, key }, { timeout });
  }

  /** Comments on a post; kept and repeated like publish. */
  comment(post, text, { key = this.#newKey(), timeout } = {}) {
    return this.request('comment', { post, text, key }, { timeout });
  }

  delete(post) { return this.request('delete', { post }); }
  edit(post, changes) { return this.request('edit', { post, ...changes }); }
  like(post) { return this.request('like', { post }); }
  unlike(post) { return this.request('unlike', { post }); }
  post(post) { return this.request('post', { post }); }
  comments(post, page) { return this.#page('comments', { post }, page); }

  /** Follows one user, who is told, or several, who are not. */
  follow(...users) { return this.request('follow', some(users.flat())); }
  unfollow(...users) { return this.request('unfollow', some(users.flat())); }
  following(page) { return this.#page('following', {}, page); }
  followers(page) { return this.#page('followers', {}, page); }
  block(user) { return this.request('block', { user }); }
  unblock(user) { return this.request('unblock', { user }); }
  blocks(page) { return this.#page('blocks', {}, page); }
  mute(user) { return this.request('mute', { user }); }
  unmute(user) { return this.request('unmute', { user }); }
  mutes(page) { return this.#page('mutes', {}, page); }

  feed(page) { return this.#page('feed', {}, page); }
  notifications(page) { return this.#page('notifications', {}, page); }
  conversations(page) { return this.#page('conversations', {}, page); }
  messages(conversation, page) { return this.#page('messages', { conversation }, page); }

  /** Moves the read mark of 'feed', 'notifications', or of 'messages' of a conversation. */
  read(of, upto, conversation) { return this.request('read', { of, upto, conversation }); }
  unread() { return this.request('unread'); }

  /** Says that the user is writing. To be called while they do; what is too often is dropped. */
  typing(conversation) { return this.request('typing', { conversation }); }

  /** Resolves with how these users are, of whom onPresence tells from now on instead of others. */
  presence(users) {
    this.#watched = [...users];
    return this.request('presence', { users });
  }

  jobs(query = {}) { return this.#page('jobs', {}, query); }
  searches() { return this.request('searches'); }
  saveSearch(query, name) { return this.request('save_search', { query, name }); }
  deleteSearch(search) { return this.request('delete_search', { search }); }

  /** Whose profile: `{ user }`, `{ handle }`, …; by default one's own. */
  profile(whose = {}) { return this.request('profile', whose); }
  putProfile(profile) { return this.request('put_profile', profile); }

  /**
   * Any operation of the protocol. Resolves with its `ok`, rejects with a
   * FeedgateError. While there is no connection it waits for one; what was in
   * flight when a connection was lost is asked again on the next.
   */
  request(op, fields = {}, { timeout } = {}) {
    timeout ??= fields.key === undefined ? this.#options.requestTimeout : this.#options.publishTimeout;
    const id = this.#nextId++;
    const frame = JSON.stringify({ id, op, ...fields });
    const refuse = (code, message) => Promise.reject(new FeedgateError({ code, message, retryable: code === 'overloaded' }, fields.key));
    if (this.#state === 'stopped') return refuse('stopped', 'the client is stopped');
    if (frame.length > MAX_FRAME || new TextEncoder().encode(frame).length > MAX_FRAME) {
      return refuse('too_large', 'the request does not fit into one frame');
    }
    // Bounded: an app that goes on asking while it is offline is told so.
    if (this.#requests.size >= this.#options.maxPending) return refuse('overloaded', 'too many requests are waiting');
    return new Promise((resolve, reject) => {
      const request = { id, op, key: fields.key, frame, resolve, reject, sent: 0, retry: null };
      request.timer = this.#env.setTimeout(() => this.#settle(request, new FeedgateError({
        code: 'timeout', message: `no answer to ${op} in ${timeout} ms`, retryable: true,
      }, request.key)), timeout);
      this.#requests.set(id, request);
      this.#transmit(request);
    });
  }

  // #page asks for a page: {before, limit, …}.
  #page(op, fields, { limit = 20, ...page } = {}) {
    const expand = this.#options.expand || undefined;
    return this.request(op, { ...fields, limit, expand, ...page });
  }

  // ---- requests ----

  #transmit(request) {
    if (!this.#connected || request.retry !== null) return;
    request.sent++;
    this.#ws.send(request.frame);
  }

  // #settle ends a request with its ok object or an error.
  #settle(request, outcome) {
    if (!this.#requests.delete(request.id)) return;
    this.#env.clearTimeout(request.timer);
    this.#env.clearTimeout(request.retry);
    if (outcome instanceof Error) request.reject(outcome);
    else request.resolve(outcome);
  }

  #reply(frame) {
    const request = this.#requests.get(frame.re);
    if (!request) return; // it has timed out meanwhile
    if (frame.ok) {
      this.#count(frame.ok.unread);
      this.#settle(request, frame.ok);
      return;
    }
    const error = new FeedgateError(frame.error, request.key);
    if (request.op === 'delete' && request.sent > 1 && error.code === 'not_found') {
      this.#settle(request, {}); // the first attempt got through; its answer did not
    } else if (request.key !== undefined && error.retryable) {
      const wait = error.retryMs ?? jittered(this.#options.backoff, request.sent, this.#env.random);
      request.retry = this.#env.setTimeout(() => {
        request.retry = null;
        this.#transmit(request);
      }, wait);
    } else {
      this.#settle(request, error);
    }
  }

  #newKey() {
    const part = () => Math.floor(this.#env.random() * 2 ** 48).toString(36);
    return `${this.#env.now().toString(36)}-${part()}${part()}`;
  }

  // ---- the stream ----

  #frame(frame) {
    this.#heardAt = this.#env.now();
    if ('re' in frame) this.#reply(frame);
    else if (frame.reset) this.#reset(frame);
    else if (frame.event) this.#event(frame);
    else if ('hb' in frame) this.#heartbeat(frame.hb);
    else if (frame.bye) this.#bye = frame.bye;
    else if (frame.typing) this.#tell('onTyping', frame.typing);
    else if (frame.presence) this.#tell('onPresence', frame.presence);
    else if (frame.unread) this.#count(frame.unread);
  }

  #event({ n, event, unread }) {
    if (n === this.#n + 1) {
      this.#n = n;
      this.#clear('sync'); // if one was missing, this is it
      if (event.type === 'message') this.#receive(event);
      if (event.type !== 'void') this.#tell('onEvent', event, n);
    } else if (n > this.#n) {
      this.#sync(); // and dropped: it comes again, in its place
    } // else a duplicate
    this.#count(unread); // absolute: right whatever became of the event
  }

  // #receive lets the senders of a conversation know how far it has come, now and
  // then. What gets lost is made up for by the next, which says as much.
  #receive({ conversation, id, from }) {
    if (!this.#options.receipts || from === this.#user) return;
    this.#received.set(conversation, id);
    const name = `received ${conversation}`;
    if (this.#timers.has(name)) return;
    this.#after(name, this.#options.receiptsEvery, () => {
      this.#clear(name);
      const upto = this.#received.get(conversation);
      this.#received.delete(conversation);
      this.request('received', { conversation, upto }).catch(() => {});
    });
  }

  #heartbeat(n) {
    if (n > this.#n) this.#sync();
    this.#ws.send(JSON.stringify({ ack: this.#n }));
  }

  // #sync asks for what is missing, once. If it does not come, a new socket
  // and its resume are the better way.
  #sync() {
    if (this.#timers.has('sync')) return;
    this.#after('sync', this.#options.requestTimeout, () => this.#drop('sync was not answered'));
    this.request('sync', { n: this.#n }).catch((error) => {
      if (!this.#connected || error.code === 'timeout') return; // the drop comes, or has been
      if (!error.retryable) return this.#drop(`sync was refused: ${error.code}`);
      this.#after('sync', error.retryMs ?? this.#options.backoff.base, () => {
        this.#clear('sync');
        this.#sync();
      });
    });
  }

  #reset({ reset, unread }) {
    this.#clear('sync');
    this.#moveTo(reset.stream, reset.n, unread);
    this.#tell('onReset', reset);
  }

  #moveTo(stream, n, unread) {
    if (stream !== this.#stream) this.#unread = null; // v begins anew
    this.#stream = stream;
    this.#n = n;
    this.#count(unread);
  }

  #count(unread) {
    if (!unread || (this.#unread && unread.v <= this.#unread.v)) return;
    this.#unread = unread;
    this.#tell('onUnread', unread);
  }

  // ---- the connection ----

  async #open() {
    const turn = ++this.#turn;
    this.#env.clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#setState('connecting');
    this.#after('connect', this.#options.connectTimeout, () => this.#drop('connecting took too long'));
    let token;
    try {
      token = await this.#options.getToken(this.#tokenWhy);
    } catch (error) {
      if (turn === this.#turn) this.#drop(`no token: ${error.message}`);
      return;
    }
    if (turn !== this.#turn) return;

    const id = this.#nextId++;
    const ws = new this.#env.WebSocket(this.#options.url, [SUBPROTOCOL]);
    const current = (f) => (e) => { if (turn === this.#turn) f(e); };
    this.#ws = ws;
    ws.onopen = current(() => {
      const resume = this.#stream === null ? undefined : { stream: this.#stream, n: this.#n };
      // With a resume the page is seldom needed; it can be asked for afterwards.
      const feed = resume ? undefined : this.#options.page;
      const expand = this.#options.expand || undefined;
      ws.send(JSON.stringify({ id, op: 'connect', token, resume, feed, expand }));
    });
    ws.onmessage = current((e) => {
      const frame = JSON.parse(e.data);
      if (this.#connected) this.#frame(frame);
      else if (frame.bye) this.#bye = frame.bye;
      else if (frame.re === id && frame.ok) this.#welcome(frame.ok, token);
      else if (frame.re === id && frame.error.retryable) this.#drop(`connect was refused: ${frame.error.code}`, frame.error.retry_ms);
      // else a bye and the close follow, and say whether to come back
    });
    ws.onclose = current((e) => this.#closed(e.code, e.reason));
  }

  #welcome(ok, token) {
    const wantedResume = this.#stream !== null;
    this.#clear('connect');
    this.#connected = true;
    this.#connectedAt = this.#heardAt = this.#env.now();
    this.#tokenWhy = 'connect';
    this.#background = false;
    this.#user = ok.user;
    // First what waits since before: the callbacks below may ask for more.
    for (const request of this.#requests.values()) this.#transmit(request);
    if (ok.resumed) this.#count(ok.unread);
    else this.#moveTo(ok.stream, ok.n, ok.unread);
    this.#watch(2 * ok.heartbeat_ms);
    this.#refreshBefore(token);
    this.#setState('connected', { user: ok.user, resumed: ok.resumed, replay: ok.replay });
    if (ok.feed) this.#tell('onPage', ok.feed);
    if (wantedResume && !ok.resumed) this.#tell('onReset', { stream: ok.stream, n: ok.n, reason: 'not_resumed' });
    if (this.#watched.length > 0) this.#watchAgain();
    this.#tellBackground();
  }

  // #watchAgain asks on a new socket for the presence that the app wants to know.
  #watchAgain() {
    this.request('presence', { users: this.#watched }).then(({ presence }) => {
      for (const one of presence) this.#tell('onPresence', one);
    }).catch(() => {}); // the next socket asks again
  }

  // #watch drops a line on which nothing has come for so long: an idle client
  // hears at least the heartbeats.
  #watch(limit) {
    const silent = this.#env.now() - this.#heardAt;
    if (silent >= limit) this.#drop('the line is dead');
    else this.#after('watch', limit - silent, () => this.#watch(limit));
  }

  // #refreshBefore asks for the next token when a fifth of this one's remaining
  // life, at most a minute, is left.
  #refreshBefore(token) {
    const left = expiry(token) - this.#env.now();
    if (Number.isNaN(left)) return; // not a JWT that says when it ends
    const wait = Math.min(Math.max(10_000, left - Math.min(60_000, left / 5)), 24 * 3_600_000);
    const turn = this.#turn;
    this.#after('refresh', wait, async () => {
      try {
        const next = await this.#options.getToken('refresh');
        if (turn !== this.#turn) return;
        await this.request('refresh', { token: next });
        token = next;
      } catch { /* tried again in a while; at the end the gateway closes with 4203 */ }
      if (turn === this.#turn) this.#refreshBefore(token);
    });
  }

  // #drop gives up the present socket or attempt without waiting for its close
  // event, which a dead line delays by a minute.
  #drop(reason, retryMs) {
    if (retryMs !== undefined) this.#bye ??= { code: 4101, reason, retry_ms: retryMs, spread_ms: retryMs };
    this.#ws?.close();
    this.#closed(1006, reason);
  }

  #closed(code, reason) {
    const bye = this.#bye;
    const stable = this.#connected && this.#env.now() - this.#connectedAt >= 10_000;
    this.#leave();
    code = bye?.code ?? code; // a bye counts, even if its close frame was lost
    reason = bye?.reason || reason;
    if (code >= 4500 && code <= 4999) return this.#halt({ code, reason });

    if (code === 4203) this.#tokenWhy = 'expired';
    if (stable) this.#attempt = 0; // one that fails at once after each connect keeps backing off
    const delay = returnAfter(code, bye, this.#options.backoff, this.#attempt++, this.#env.random);
    this.#retryTimer = this.#env.setTimeout(() => this.#open(), delay);
    this.#setState('waiting', { code, reason, delay });
  }

  // #leave forgets the socket and all that belonged to it.
  #leave() {
    this.#turn++;
    this.#ws = null;
    this.#connected = false;
    this.#bye = null;
    for (const name of [...this.#timers.keys()]) this.#clear(name);
    this.#received.clear();
    for (const request of [...this.#requests.values()]) {
      if (SOCKET_BOUND.has(request.op)) {
        this.#settle(request, new FeedgateError({ code: 'disconnected', retryable: true }));
      }
    }
  }

  #halt(detail) {
    if (this.#state === 'stopped') return;
    this.#ws?.close(1000);
    this.#leave();
    this.#env.clearTimeout(this.#retryTimer);
    this.#env.clearTimeout(this.#hiddenTimer);
    for (const off of this.#unlisten.splice(0)) off();
    this.#setState('stopped', detail);
    for (const request of [...this.#requests.values()]) {
      this.#settle(request, new FeedgateError({ code: 'stopped', message: detail.reason }, request.key));
    }
  }

  // ---- the browser ----

  #listen() {
    const on = (target, type, f) => {
      if (!target) return;
      target.addEventListener(type, f);
      this.#unlisten.push(() => target.removeEventListener(type, f));
    };
    const { window, document } = this.#env;
    this.#hidden = document?.visibilityState === 'hidden';
    on(window, 'online', () => this.#hurry());
    on(document, 'visibilitychange', () => {
      this.#env.clearTimeout(this.#hiddenTimer);
      if (document.visibilityState === 'hidden') {
        this.#hiddenTimer = this.#env.setTimeout(() => this.#setHidden(true), this.#options.hiddenAfter);
      } else {
        this.#setHidden(false);
        this.#hurry();
      }
    });
  }

  // #hurry: the network or the user is back. Neither waits for a timer.
  #hurry() {
    if (this.#state === 'waiting') this.#open();
    else if (this.#connected) {
      const turn = this.#turn;
      this.request('ping', {}, { timeout: 5_000 }).catch((error) => {
        if (turn === this.#turn && error.code === 'timeout') this.#drop('the line is dead');
      });
    }
  }

  #setHidden(hidden) {
    this.#hidden = hidden;
    this.#tellBackground();
  }

  #tellBackground() {
    if (!this.#connected || this.#hidden === this.#background) return;
    this.#background = this.#hidden;
    const turn = this.#turn;
    this.request('state', { state: this.#hidden ? 'background' : 'active' }).catch((error) => {
      // Not knowing which state holds could mean to miss events: start afresh.
      if (turn === this.#turn) this.#drop(`state was refused: ${error.code}`);
    });
  }

  // ---- small things ----

  #setState(state, detail = {}) {
    this.#state = state;
    this.#tell('onState', state, detail);
  }

  // #tell calls the app. What the app throws is the app's, and reported as such.
  #tell(callback, ...args) {
    try {
      this.#options[callback](...args);
    } catch (error) {
      this.#env.report(error);
    }
  }

  #after(name, ms, f) {
    this.#clear(name);
    this.#timers.set(name, this.#env.setTimeout(f, ms));
  }

  #clear(name) {
    this.#env.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

// some names one user or several, as follow and unfollow want it.
function some(users) { return users.length === 1 ? { user: users[0] } : { users }; }

// returnAfter is when to come back, in ms: by what the gateway asks for when it
// hands its clients on (42xx), else by an exponential back-off with jitter that
// is never shorter than what a bye asks for.
function returnAfter(code, bye, backoff, attempt, random) {
  if (code >= 4200 && code <= 4299) return (bye?.retry_ms ?? 200) + random() * (bye?.spread_ms ?? 2_000);
  return Math.max(bye?.retry_ms ?? 0, jittered(backoff, attempt, random)) + random() * (bye?.spread_ms ?? 0);
}

// jittered is between one half and all of base · 2^attempt, at most max.
function jittered({ base, max }, attempt, random) {
  return Math.min(max, base * 2 ** attempt) * (0.5 + random() / 2);
}

// expiry is a JWT's `exp` in ms since 1970, or NaN. It is not verified here:
// that is the gateway's part.
function expiry(token) {
  try {
    const claims = token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    return JSON.parse(atob(claims)).exp * 1000;
  } catch {
    return NaN;
  }
}
