// The client's rules, one test each, against a fake WebSocket and a fake clock.
// Run with: node --test gateway/demo/feedgate.test.js
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Feedgate } from './page/feedgate.js';

// A World is a browser with a clock that only advance() moves and sockets whose
// other end is the test.
class World {
  constructor(options = {}) {
    this.time = 1_800_000_000_000;
    this.timers = new Map();
    this.sockets = [];
    this.seen = { events: [], unread: [], pages: [], resets: [], states: [], tokens: [] };
    this.window = new EventTarget();
    this.document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
    this.token = 'token';
    this.random = 0.5;
    this.reported = [];
    const world = this;
    let handles = 0;
    class Socket {
      constructor(url, protocols) {
        Object.assign(this, { url, protocols, sent: [], closed: undefined });
        world.sockets.push(this);
      }
      send(text) { this.sent.push(JSON.parse(text)); }
      close(code) { this.closed = code ?? 'dropped'; }
    }
    this.gate = new Feedgate({
      url: 'ws://gateway/v1/ws',
      getToken: async (why) => {
        this.seen.tokens.push(why);
        if (this.token instanceof Error) throw this.token;
        return this.token;
      },
      onEvent: (event, n) => this.seen.events.push([n, event.type]),
      onUnread: (unread) => this.seen.unread.push(unread.feed),
      onPage: (page) => this.seen.pages.push(page),
      onReset: (reset) => this.seen.resets.push(reset.reason),
      onState: (state, detail) => this.seen.states.push({ state, ...detail }),
      env: {
        WebSocket: Socket,
        window: this.window,
        document: this.document,
        now: () => this.time,
        random: () => this.random,
        report: (error) => this.reported.push(error.message),
        setTimeout: (f, ms) => { this.timers.set(++handles, { at: this.time + ms, f }); return handles; },
        clearTimeout: (handle) => this.timers.delete(handle),
      },
      ...options,
    });
  }

  get socket() { return this.sockets.at(-1); }
  get state() { return this.seen.states.at(-1); }

  // rest lets promises run until nothing is left of them.
  rest() { return new Promise((resolve) => { setImmediate(resolve); }); }

  async advance(ms) {
    const end = this.time + ms;
    for (;;) {
      const due = [...this.timers].filter(([, t]) => t.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.time = Math.max(this.time, due[1].at);
      due[1].f();
      await this.rest();
    }
    this.time = end;
    await this.rest();
  }

  async say(frame, socket = this.socket) {
    socket.onmessage({ data: JSON.stringify(frame) });
    await this.rest();
  }

  // answer replies to the newest request of the operation.
  async answer(op, outcome = { ok: {} }) {
    const request = this.asked(op).at(-1);
    assert.ok(request, `${op} was not asked`);
    await this.say({ re: request.id, ...outcome });
    return request;
  }

  asked(op) { return this.socket.sent.filter((f) => f.op === op); }
  acks() { return this.socket.sent.filter((f) => f.ack !== undefined).map((f) => f.ack); }

  async close(code = 1006, reason = '') {
    this.socket.onclose({ code, reason });
    await this.rest();
  }

  // open completes the present socket's handshake.
  async open(ok = {}) {
    await this.rest();
    this.socket.onopen();
    await this.answer('connect', {
      ok: { user: 'u', stream: 'a', n: 10, resumed: false, replay: 0, unread: unread(0, 1), heartbeat_ms: 25_000, ...ok },
    });
  }
}

const unread = (feed, v) => ({ feed, notifications: 0, messages: 0, v });
const post = (n, extra = {}) => ({ n, event: { type: 'post', id: String(n) }, ...extra });

async function connected(options, ok) {
  const w = new World(options);
  w.gate.start();
  await w.open(ok);
  return w;
}

// outcome notes how a promise ends.
function outcome(promise) {
  const seen = {};
  promise.then((ok) => { seen.ok = ok; }, (error) => { seen.error = error; });
  return seen;
}

const jwt = (exp) => `e30.${Buffer.from(JSON.stringify({ exp })).toString('base64url')}.x`;

test('the first connect names the subprotocol, the token and the page, and no resume', async () => {
  const w = await connected({}, { feed: { posts: [{ id: '1' }], next: '' } });
  assert.deepEqual(w.socket.protocols, ['feedgate.v1.json']);
  const [connect] = w.asked('connect');
  assert.equal(connect.token, 'token');
  assert.equal(connect.feed, 20);
  assert.equal('resume' in connect, false);
  assert.equal(w.seen.pages.length, 1);
  assert.equal(w.state.state, 'connected');
});

test('events come in order, duplicates are ignored, void ones only count', async () => {
  const w = await connected();
  await w.say(post(11));
  await w.say(post(11));
  await w.say(post(9));
  await w.say({ n: 12, event: { type: 'void' } });
  await w.say(post(13));
  assert.deepEqual(w.seen.events, [[11, 'post'], [13, 'post']]);
  assert.equal(w.gate.n, 13);
  assert.equal(w.asked('sync').length, 0);
});

test('a gap is synced once, and events are dropped until the missing one came', async () => {
  const w = await connected();
  await w.say(post(12));
  await w.say(post(13));
  assert.deepEqual(w.asked('sync').map((f) => f.n), [10]);
  await w.answer('sync');
  for (const n of [11, 12, 13, 14]) await w.say(post(n));
  assert.deepEqual(w.seen.events.map(([n]) => n), [11, 12, 13, 14]);
  assert.equal(w.asked('sync').length, 1);
  await w.say(post(16));
  assert.deepEqual(w.asked('sync').map((f) => f.n), [10, 14], 'a second gap is a second sync');
});

test('a heartbeat is answered with the last n; a higher one is a gap', async () => {
  const w = await connected();
  await w.say({ hb: 10 });
  assert.equal(w.asked('sync').length, 0);
  await w.say({ hb: 12 });
  await w.say({ hb: 12 });
  assert.equal(w.asked('sync').length, 1);
  assert.deepEqual(w.acks(), [10, 10, 10]);
  await w.say(post(11));
  await w.say({ hb: 11 });
  assert.deepEqual(w.acks(), [10, 10, 10, 11]);
});

test('a sync that brings nothing ends the socket, and resume does the rest', async () => {
  const w = await connected();
  await w.say(post(12));
  await w.answer('sync');
  await w.advance(15_000);
  assert.equal(w.socket.closed, 'dropped');
  await w.advance(1_000);
  await w.open({ resumed: true, n: 12, replay: 2 });
  assert.deepEqual(w.asked('connect')[0].resume, { stream: 'a', n: 10 });
});

test('a sync refused for now is asked again; one refused for good ends the socket', async () => {
  const w = await connected();
  await w.say(post(12));
  await w.answer('sync', { error: { code: 'overloaded', retryable: true, retry_ms: 700 } });
  await w.advance(699);
  assert.equal(w.asked('sync').length, 1);
  await w.advance(1);
  assert.equal(w.asked('sync').length, 2);
  await w.answer('sync', { error: { code: 'bad_request', retryable: false } });
  assert.equal(w.socket.closed, 'dropped');
});

test('counters are absolute: a lower v is ignored, until a new stream begins it anew', async () => {
  const w = await connected({}, { unread: unread(4, 7) });
  await w.say({ unread: unread(3, 6) });
  await w.say({ unread: unread(5, 8) });
  await w.say(post(11, { unread: unread(6, 9) }));
  assert.deepEqual(w.seen.unread, [4, 5, 6]);
  await w.say({ reset: { stream: 'a', n: 20, reason: 'slow_consumer' }, unread: unread(1, 2) });
  assert.deepEqual(w.seen.unread, [4, 5, 6], 'the same stream goes on counting v');
  await w.say({ reset: { stream: 'b', n: 0, reason: 'view_rebuilt' }, unread: unread(2, 1) });
  assert.deepEqual(w.seen.unread, [4, 5, 6, 2]);
});

test('the counters of a dropped event still count', async () => {
  const w = await connected();
  await w.say(post(13, { unread: unread(3, 4) }));
  assert.deepEqual(w.seen.unread, [0, 3]);
  assert.deepEqual(w.seen.events, []);
});

test('a reset moves the stream, ends a sync and asks the app to start over', async () => {
  const w = await connected();
  await w.say(post(12));
  await w.say({ reset: { stream: 'b', n: 3, reason: 'too_far_back' }, unread: unread(0, 1) });
  assert.deepEqual(w.seen.resets, ['too_far_back']);
  await w.say(post(4));
  assert.deepEqual(w.seen.events, [[4, 'post']]);
  await w.advance(20_000);
  assert.equal(w.socket.closed, undefined);
  await w.close();
  await w.advance(1_000);
  await w.open({ stream: 'b', resumed: true });
  assert.deepEqual(w.asked('connect')[0].resume, { stream: 'b', n: 4 });
});

test('a resume that is not honoured is told as a reset', async () => {
  const w = await connected();
  await w.close();
  await w.advance(1_000);
  await w.open({ stream: 'c', n: 2, unread: unread(9, 1) });
  assert.equal('feed' in w.asked('connect')[0], false);
  assert.deepEqual(w.seen.resets, ['not_resumed']);
  assert.deepEqual(w.seen.unread, [0, 9]);
  await w.say(post(3));
  assert.deepEqual(w.seen.events, [[3, 'post']]);
});

test('a resume that is honoured goes on where the stream was', async () => {
  const w = await connected();
  await w.say(post(11));
  await w.close();
  await w.advance(1_000);
  await w.open({ n: 13, resumed: true, replay: 2, unread: unread(3, 5) });
  await w.say(post(12));
  await w.say(post(13));
  assert.deepEqual(w.seen.events.map(([n]) => n), [11, 12, 13]);
  assert.deepEqual(w.seen.resets, []);
  assert.equal(w.asked('sync').length, 0);
});

test('45xx: does not come back, and says so to whoever waits', async () => {
  for (const code of [4501, 4503, 4504, 4508]) {
    const w = await connected();
    const waiting = outcome(w.gate.feed());
    await w.say({ bye: { code, reason: 'because' } });
    await w.close(code);
    assert.deepEqual([w.state.state, w.state.code, w.state.reason], ['stopped', code, 'because']);
    assert.equal(waiting.error.code, 'stopped');
    await w.advance(3_600_000);
    assert.equal(w.sockets.length, 1);
  }
});

test('42xx: comes back within retry_ms and spread_ms, with resume', async () => {
  const w = await connected();
  for (let i = 0; i < 5; i++) { // however often: a gateway that drains is no failure
    await w.say({ bye: { code: 4200, reason: 'draining', retry_ms: 100, spread_ms: 200 } });
    await w.close(4200);
    assert.equal(w.state.delay, 100 + 0.5 * 200);
    await w.advance(w.state.delay);
    await w.open({ resumed: true });
  }
  const before = w.sockets.length;
  await w.say({ bye: { code: 4200, reason: 'draining', retry_ms: 500, spread_ms: 5_000 } });
  await w.close(4200);
  await w.advance(2_999);
  assert.equal(w.sockets.length, before);
  await w.advance(1);
  assert.equal(w.sockets.length, before + 1);
  await w.open({ resumed: true });
  assert.deepEqual(w.asked('connect')[0].resume, { stream: 'a', n: 10 });
});

test('a bye counts although its close frame was lost', async () => {
  const w = await connected();
  await w.say({ bye: { code: 4503, reason: 'revoked' } });
  await w.close(1006);
  assert.deepEqual([w.state.state, w.state.code], ['stopped', 4503]);
});

test('41xx and lost lines: exponential back-off with jitter, bounded, reset by a lasting connection', async () => {
  for (const code of [4101, 4102, 1006, 1011, 4300]) {
    const w = await connected();
    const delays = [];
    for (let i = 0; i < 9; i++) {
      w.random = i % 2 ? 0.999 : 0;
      await w.close(code);
      delays.push(Math.round(w.state.delay));
      await w.advance(w.state.delay);
      await w.rest();
    }
    const ceilings = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];
    delays.forEach((d, i) => assert.ok(d >= ceilings[i] / 2 && d <= ceilings[i], `${code}: ${delays}`));
    assert.notEqual(delays[7] / ceilings[7], delays[8] / ceilings[8], 'jitter');
    await w.open({ resumed: true });
    await w.advance(10_000);
    await w.close(code);
    assert.ok(w.state.delay <= 500, `${code}: ${w.state.delay}`);
  }
});

test('a back-off is never shorter than what the bye asks for', async () => {
  const w = await connected();
  await w.say({ bye: { code: 4101, reason: 'overloaded', retry_ms: 2_000, spread_ms: 8_000 } });
  await w.close(4101);
  assert.equal(w.state.delay, 2_000 + 0.5 * 8_000);
});

test('a connect refused for now is tried again; one refused for good waits for its bye', async () => {
  const w = new World();
  w.gate.start();
  await w.rest();
  w.socket.onopen();
  await w.answer('connect', { error: { code: 'unavailable', retryable: true, retry_ms: 3_000 } });
  assert.equal(w.state.state, 'waiting');
  assert.ok(w.state.delay >= 3_000);
  await w.advance(w.state.delay);
  w.socket.onopen();
  await w.answer('connect', { error: { code: 'unauthorized', retryable: false } });
  assert.equal(w.state.state, 'connecting');
  await w.say({ bye: { code: 4501, reason: 'bad_token' } });
  await w.close(4501);
  assert.equal(w.state.state, 'stopped');
});

test('no token, and a connect that hangs: both are tried again', async () => {
  const w = new World();
  w.token = new Error('offline');
  w.gate.start();
  await w.rest();
  assert.equal(w.state.state, 'waiting');
  assert.equal(w.sockets.length, 0);
  w.token = 'token';
  await w.advance(w.state.delay);
  assert.equal(w.sockets.length, 1);
  await w.advance(15_000);
  assert.equal(w.socket.closed, 'dropped');
  assert.equal(w.state.state, 'waiting');
});

test('what an abandoned socket still says is void', async () => {
  const w = await connected();
  const old = w.socket;
  await w.advance(50_000); // twice the heartbeat's interval without a frame
  assert.equal(old.closed, 'dropped');
  await w.say(post(11), old);
  old.onclose({ code: 4503, reason: '' });
  assert.deepEqual(w.seen.events, []);
  assert.notEqual(w.state.state, 'stopped');
});

test('a line on which something comes is not dead', async () => {
  const w = await connected();
  for (let i = 0; i < 5; i++) {
    await w.advance(40_000);
    await w.say({ hb: 10 });
  }
  assert.equal(w.socket.closed, undefined);
});

test('a publish in flight when the socket drops is sent again under the same key', async () => {
  const w = await connected();
  const done = outcome(w.gate.publish('hello'));
  const [first] = w.asked('publish');
  assert.match(first.key, /^[a-z0-9-]{1,64}$/);
  await w.close();
  await w.advance(1_000);
  await w.open({ resumed: true });
  const [again] = w.asked('publish');
  assert.deepEqual(again, first);
  await w.answer('publish', { ok: { post: { id: '5' } } });
  assert.equal(done.ok.post.id, '5');
  await w.close();
  await w.advance(1_000);
  await w.open({ resumed: true });
  assert.equal(w.asked('publish').length, 0, 'an answered one is not');
});

test('two publishes have two keys', async () => {
  const w = await connected();
  w.gate.publish('a').catch(() => {});
  w.random = 0.25;
  w.gate.publish('b').catch(() => {});
  const [a, b] = w.asked('publish');
  assert.notEqual(a.key, b.key);
});

test('a publish refused for now is repeated after retry_ms; for good, it is rejected with its key', async () => {
  const w = await connected();
  const done = outcome(w.gate.publish('hello', { key: 'k1' }));
  await w.answer('publish', { error: { code: 'rate_limited', retryable: true, retry_ms: 800 } });
  await w.advance(799);
  assert.equal(w.asked('publish').length, 1);
  await w.advance(1);
  assert.equal(w.asked('publish').length, 2);
  await w.answer('publish', { error: { code: 'conflict', message: 'other content', retryable: false } });
  assert.deepEqual([done.error.code, done.error.key], ['conflict', 'k1']);
});

test('a refused publish keeps its wait on the next socket', async () => {
  const w = await connected();
  w.gate.publish('hello').catch(() => {});
  await w.answer('publish', { error: { code: 'overloaded', retryable: true, retry_ms: 5_000 } });
  await w.close();
  await w.advance(1_000);
  await w.open({ resumed: true });
  assert.equal(w.asked('publish').length, 0);
  await w.advance(4_000);
  assert.equal(w.asked('publish').length, 1);
});

test('requests made offline wait for the connection; each has its time', async () => {
  const w = new World();
  w.gate.start();
  const feed = outcome(w.gate.feed());
  const publish = outcome(w.gate.publish('hello'));
  await w.advance(14_000);
  assert.equal(feed.error, undefined);
  await w.advance(1_000);
  assert.equal(feed.error.code, 'timeout');
  assert.equal(publish.error, undefined);
  await w.advance(1_000);
  await w.open();
  assert.equal(w.asked('feed').length, 0);
  assert.equal(w.asked('publish').length, 1);
  await w.advance(44_000);
  assert.equal(publish.error.code, 'timeout');
  assert.ok(publish.error.key);
});

test('a delete whose answer was lost is done when the repetition finds nothing', async () => {
  const w = await connected();
  const missing = { error: { code: 'not_found', retryable: false } };
  const first = outcome(w.gate.delete('1'));
  await w.answer('delete', missing);
  assert.equal(first.error.code, 'not_found');
  const second = outcome(w.gate.delete('2'));
  await w.close();
  await w.advance(1_000);
  await w.open({ resumed: true });
  await w.answer('delete', missing);
  assert.deepEqual(second.ok, {});
});

test('too many waiting requests, too big a frame and a stopped client are refused at once', async () => {
  const w = await connected({ maxPending: 2 });
  w.gate.feed().catch(() => {});
  w.gate.feed().catch(() => {});
  await assert.rejects(w.gate.feed(), { code: 'overloaded' });
  await assert.rejects(w.gate.publish('ä'.repeat(40_000)), { code: 'too_large' });
  w.gate.stop();
  await assert.rejects(w.gate.feed(), { code: 'stopped' });
  assert.equal(w.socket.closed, 1000);
  assert.equal(w.timers.size, 0, 'a stopped client leaves no timer behind');
});

test('what a callback asks for while connecting is asked once', async () => {
  const w = new World({ onPage: () => { w.gate.read('feed', '1').catch(() => {}); } });
  w.gate.start();
  w.gate.unread().catch(() => {});
  await w.open({ feed: { posts: [], next: '' } });
  assert.deepEqual(w.socket.sent.map((f) => f.op), ['connect', 'unread', 'read']);
});

test('the reply of a read brings its counters', async () => {
  const w = await connected({}, { unread: unread(4, 7) });
  const done = outcome(w.gate.read('feed', '99'));
  await w.answer('read', { ok: { unread: unread(0, 8), upto: '99' } });
  assert.equal(done.ok.upto, '99');
  assert.deepEqual(w.seen.unread, [4, 0]);
});

test('the token is refreshed before it expires, and fetched anew after 4203', async () => {
  const w = new World();
  w.token = jwt(w.time / 1000 + 100);
  w.gate.start();
  await w.open({ heartbeat_ms: 1_000_000 });
  await w.advance(79_000);
  assert.equal(w.asked('refresh').length, 0);
  w.token = jwt(w.time / 1000 + 1_000);
  await w.advance(1_000);
  assert.equal(w.asked('refresh')[0].token, w.token);
  await w.answer('refresh', { ok: { expires: '…' } });
  await w.advance(900_000);
  assert.equal(w.asked('refresh').length, 1, 'the next one a minute before its end');
  await w.close(4203);
  await w.advance(5_000);
  assert.deepEqual(w.seen.tokens, ['connect', 'refresh', 'expired']);
});

test('a refresh that failed is tried again', async () => {
  const w = new World();
  w.token = jwt(w.time / 1000 + 100);
  w.gate.start();
  await w.open({ heartbeat_ms: 1_000_000 });
  const good = w.token;
  w.token = new Error('auth server away');
  await w.advance(80_000);
  assert.equal(w.asked('refresh').length, 0);
  w.token = good;
  await w.advance(16_000);
  assert.equal(w.asked('refresh').length, 1);
});

test('a hidden page counts as in the background after a while, and tells a new socket too', async () => {
  const w = await connected();
  const look = (visibility) => {
    w.document.visibilityState = visibility;
    w.document.dispatchEvent(new Event('visibilitychange'));
  };
  look('hidden');
  await w.advance(4_000);
  look('visible');
  await w.answer('ping');
  await w.advance(6_000);
  assert.equal(w.asked('state').length, 0);
  look('hidden');
  await w.advance(5_000);
  assert.deepEqual(w.asked('state').map((f) => f.state), ['background']);
  await w.answer('state');
  await w.close();
  await w.advance(1_000);
  await w.open({ resumed: true });
  assert.deepEqual(w.asked('state').map((f) => f.state), ['background']);
  look('visible');
  assert.deepEqual(w.asked('state').map((f) => f.state), ['background', 'active']);
});

test('back online or back on show: no waiting for a timer, and a silent line is found out', async () => {
  const w = await connected();
  w.window.dispatchEvent(new Event('online'));
  assert.equal(w.asked('ping').length, 1);
  await w.answer('ping');
  await w.advance(5_000);
  assert.equal(w.socket.closed, undefined);
  w.window.dispatchEvent(new Event('online'));
  await w.advance(5_000);
  assert.equal(w.socket.closed, 'dropped');
  assert.equal(w.state.state, 'waiting');
  w.window.dispatchEvent(new Event('online'));
  await w.rest();
  assert.equal(w.state.state, 'connecting');
  assert.equal(w.sockets.length, 2);
  await w.advance(1_000);
  assert.equal(w.sockets.length, 2, 'the timer it overtook is off');
});

test('an app whose callback throws does not stop the stream', async () => {
  const w = await connected({ onEvent: () => { throw new Error('app'); } });
  await w.say(post(11));
  await w.say(post(12, { unread: unread(2, 3) }));
  assert.deepEqual(w.reported, ['app', 'app']);
  assert.equal(w.gate.n, 12);
  assert.deepEqual(w.seen.unread, [0, 2]);
});

const message = (n, conversation, from, id = String(n)) => ({ n, event: { type: 'message', id, conversation, from } });

test('senders hear at most once a second, per conversation, how far their messages have come', async () => {
  const w = await connected();
  await w.say(message(11, '77', 'bob'));
  await w.say(message(12, '77', 'bob'));
  await w.say(message(13, '78', 'carol'));
  await w.say(message(14, '79', 'u')); // one's own, from another device
  assert.equal(w.asked('received').length, 0);
  await w.advance(1_000);
  assert.deepEqual(w.asked('received').map((f) => [f.conversation, f.upto]), [['77', '12'], ['78', '13']]);
  await w.say(message(15, '77', 'bob'));
  await w.advance(1_000);
  assert.deepEqual(w.asked('received').map((f) => f.upto), ['12', '13', '15']);
});

test('an app that does not want receipts sends none', async () => {
  const w = await connected({ receipts: false });
  await w.say(message(11, '77', 'bob'));
  await w.advance(5_000);
  assert.equal(w.asked('received').length, 0);
});

test('whose presence was asked for is asked for again on the next socket', async () => {
  const told = [];
  const w = await connected({ onPresence: (one) => told.push(one) });
  w.gate.presence(['bob']);
  await w.answer('presence', { ok: { presence: [{ user: 'bob', online: true }] } });
  await w.say({ presence: { user: 'bob', online: false, seen: 't' } });
  assert.deepEqual(told, [{ user: 'bob', online: false, seen: 't' }]);
  await w.close();
  await w.advance(1_000);
  await w.open({ resumed: true });
  assert.deepEqual(w.asked('presence').map((f) => f.users), [['bob']]);
  await w.answer('presence', { ok: { presence: [{ user: 'bob', online: true }] } });
  assert.equal(told.at(-1).online, true);
});

test('typing is handed on and moves nothing', async () => {
  const told = [];
  const w = await connected({ onTyping: (one) => told.push(one) });
  await w.say({ typing: { conversation: '77', user: 'bob' } });
  assert.deepEqual(told, [{ conversation: '77', user: 'bob' }]);
  assert.equal(w.gate.n, 10);
});

test('one who is followed is named as one, several as a list', async () => {
  const w = await connected();
  outcome(w.gate.follow('bob'));
  outcome(w.gate.follow('bob', 'carol'));
  assert.deepEqual(w.asked('follow').map((f) => [f.user, f.users]), [['bob', undefined], [undefined, ['bob', 'carol']]]);
});

test('a message is sent again under its key when its answer was lost', async () => {
  const w = await connected();
  const sent = outcome(w.gate.message({ conversation: '77' }, 'hi', { reply: '5' }));
  await w.close();
  await w.advance(1_000);
  await w.open({ resumed: true });
  const [first] = w.sockets[0].sent.filter((f) => f.op === 'message');
  const again = await w.answer('message', { ok: { message: { id: '9' } } });
  assert.deepEqual(again, first);
  assert.deepEqual([first.conversation, first.to, first.reply, typeof first.key], ['77', undefined, '5', 'string']);
  assert.equal(sent.ok.message.id, '9');
});

test('names are asked for where the app wants them', async () => {
  const w = await connected({ expand: true });
  assert.equal(w.asked('connect')[0].expand, true);
  outcome(w.gate.comments('5', { limit: 3 }));
  assert.deepEqual(w.asked('comments').map((f) => [f.post, f.limit, f.expand]), [['5', 3, true]]);
});

test('a post may be a job, for followers only, and have media', async () => {
  const w = await connected();
  outcome(w.gate.publish('come', { kind: 'job', job: { title: 't' }, visibility: 'followers', media: [] }));
  const [frame] = w.asked('publish');
  assert.deepEqual([frame.kind, frame.job, frame.visibility, frame.media, typeof frame.key], ['job', { title: 't' }, 'followers', [], 'string']);
});
