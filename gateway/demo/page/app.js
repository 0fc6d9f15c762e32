// The demo page: one user's feed, live. It stands on feedgate.js as an app
// would; what comes from others is shown through textContent only.
import { Feedgate } from './feedgate.js';

const $ = (id) => document.getElementById(id);
const MAX_TEXT = 8_000; // bytes, after trimming

// One sign-in's state; a new one begins with the next.
let session = null;

// ---- signing in ----

$('sign-in').addEventListener('submit', (e) => {
  e.preventDefault();
  signIn($('name').value);
});
for (const button of document.querySelectorAll('[data-name]')) {
  button.addEventListener('click', () => signIn(button.dataset.name));
}
$('sign-out').addEventListener('click', () => {
  sessionStorage.removeItem('user');
  location.reload();
});

function signIn(user) {
  sessionStorage.setItem('user', user);
  remember(user);
  $('welcome').hidden = true;
  $('app').hidden = false;
  $('me').textContent = user;
  paintAvatar($('me-avatar'), user);
  session = new Session(user);
  session.gate.start();
}

// ---- one user's feed ----

class Session {
  posts = new Map(); // id → post, as shown
  gone = new Set(); // ids withdrawn while a page was on its way
  following = new Set();
  followed = 0; // changes made here: a list asked for before one is out of date
  next = ''; // where older posts go on; '' at the end
  unread = 0;
  line = null; // the socket, for the button that cuts it

  constructor(user) {
    this.user = user;
    this.gate = new Feedgate({
      getToken: () => devToken(user),
      onState: (state, detail) => this.showState(state, detail),
      onPage: (page) => this.showPage(page),
      onEvent: (event) => this.apply(event),
      onUnread: (unread) => this.showUnread(unread.feed),
      onReset: (reset) => {
        note(`reset: ${reset.reason}`, true);
        this.reload();
      },
      env: { WebSocket: recordingSocket((socket) => { this.line = socket; }) },
    });
  }

  apply(event) {
    switch (event.type) {
      case 'post':
        this.posts.set(event.id, event);
        remember(event.author);
        break;
      case 'post_deleted':
        this.gone.add(event.post);
        this.posts.delete(event.post);
        break;
      case 'read':
        note(`read mark of ${event.of} moved`);
        break;
    }
    this.draw();
  }

  showPage({ posts, next }) {
    this.take(posts);
    this.next = next;
    this.draw();
  }

  // take merges a page: by id, and without what was withdrawn meanwhile.
  take(posts) {
    for (const post of posts) {
      if (!this.gone.has(post.id)) this.posts.set(post.id, post);
      remember(post.author);
    }
  }

  // reload shows a fresh first page. What was shown before and is not on it
  // goes; what arrives while it is on its way stays.
  async reload() {
    const before = [...this.posts.keys()];
    const page = await this.patiently(() => this.gate.feed());
    const fresh = new Set(page.posts.map((post) => post.id));
    for (const id of before) if (!fresh.has(id)) this.posts.delete(id);
    this.showPage(page);
  }

  // patiently asks until there is an answer: a reset must not be left half done.
  async patiently(ask) {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!error.retryable) throw error;
        await new Promise((resolve) => { setTimeout(resolve, 2_000); });
      }
    }
  }

  async older() {
    const page = await this.gate.feed({ before: this.next });
    this.showPage(page);
  }

  async loadFollowing() {
    const followed = this.followed;
    const following = new Set();
    for (let before = ''; ;) {
      const answer = await fetch(`/v1/following?limit=100${before && `&before=${encodeURIComponent(before)}`}`, {
        headers: { Authorization: `Bearer ${await devToken(this.user)}` },
      });
      if (!answer.ok) throw new Error(`following: ${answer.status}`);
      const { users, next } = await answer.json();
      for (const user of users) following.add(user);
      if (!next) break;
      before = next;
    }
    if (followed !== this.followed) return this.loadFollowing();
    this.following = following;
    this.drawFollowing();
  }

  async follow(user) {
    await this.gate.follow(user);
    this.followed++;
    this.following.add(user);
    remember(user);
    this.drawFollowing();
    await this.reload(); // their older posts belong on the page now
  }

  async unfollow(user) {
    await this.gate.unfollow(user);
    this.followed++;
    this.following.delete(user);
    this.drawFollowing();
    await this.reload();
  }

  // ---- drawing ----

  showState(state, detail) {
    const wait = detail.delay === undefined ? '' : ` ${seconds(detail.delay)}`;
    $('state').dataset.state = state;
    $('state').textContent = state === 'waiting' ? 'reconnecting' : state;
    $('cut').disabled = state !== 'connected';
    if (state === 'connected') {
      note(detail.resumed ? `resumed; missed events: ${detail.replay}` : 'connected', true);
      this.drawPosition();
      attempt(this.loadFollowing());
    } else if (state === 'waiting') {
      note(`lost (${[detail.code, detail.reason].filter(Boolean).join(' ')}), back in${wait}`, true);
    } else if (state === 'stopped') {
      note(`stopped: ${detail.code} ${detail.reason}`, true);
    }
  }

  showUnread(count) {
    this.unread = count;
    const text = count >= 9_999 ? '9999+' : String(count);
    $('badge').textContent = text;
    $('badge').hidden = count === 0;
    $('badge').setAttribute('aria-label', `${text} unread`);
    $('mark').disabled = count === 0;
    document.title = count ? `(${text}) feedgate` : 'feedgate';
    this.draw();
  }

  draw() {
    this.drawPosition();
    const newestFirst = [...this.posts.values()].sort((a, b) => compareIds(b.id, a.id));
    let unread = this.unread; // the newest by others are the unread ones
    let place = $('posts').firstElementChild;
    for (const post of newestFirst) {
      let item = place;
      if (item?.dataset.id !== post.id) {
        // Rows that are already there keep their focus and selection.
        item = document.querySelector(`#posts > [data-id="${post.id}"]`) ?? this.postItem(post);
        $('posts').insertBefore(item, place);
      } else {
        place = item.nextElementSibling;
      }
      item.classList.toggle('unread', post.author !== this.user && unread-- > 0);
    }
    while (place) {
      const following = place.nextElementSibling;
      place.remove();
      place = following;
    }
    $('empty').hidden = newestFirst.length > 0;
    $('older').hidden = !this.next;
  }

  postItem(post) {
    const item = $('post').content.cloneNode(true).firstElementChild;
    item.dataset.id = post.id;
    paintAvatar(item.querySelector('.avatar'), post.author);
    item.querySelector('.author').textContent = post.author;
    item.querySelector('.text').textContent = post.text;
    const time = item.querySelector('time');
    time.dateTime = post.at;
    time.title = new Date(post.at).toLocaleString();
    time.textContent = clock(new Date(post.at));
    const remove = item.querySelector('.delete');
    remove.hidden = post.author !== this.user;
    remove.setAttribute('aria-label', `Delete the post of ${time.textContent}`);
    remove.addEventListener('click', () => attempt(this.gate.delete(post.id), remove));
    return item;
  }

  drawFollowing() {
    $('nobody').hidden = this.following.size > 0;
    $('following-count').textContent = this.following.size || '';
    $('following').replaceChildren(...[...this.following].sort().map((user) => {
      const item = $('followed').content.cloneNode(true).firstElementChild;
      paintAvatar(item.querySelector('.avatar'), user);
      item.querySelector('.name').textContent = user;
      const button = item.querySelector('button');
      button.setAttribute('aria-label', `Unfollow ${user}`);
      button.addEventListener('click', () => attempt(this.unfollow(user), button));
      return item;
    }));
  }

  drawPosition() {
    $('stream').textContent = this.gate.stream ?? '–';
    $('n').textContent = this.gate.n;
  }
}

// ---- what the user does ----

// On a narrow screen the feed comes first: what stands beside it begins folded.
if (matchMedia('(max-width: 48rem)').matches) {
  for (const details of document.querySelectorAll('aside details')) details.open = false;
}

$('text').addEventListener('input', checkText);
$('text').addEventListener('keydown', (e) => {
  if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) $('compose').requestSubmit($('publish'));
});

function checkText() {
  const bytes = new TextEncoder().encode($('text').value.trim()).length;
  $('publish').disabled = bytes === 0 || bytes > MAX_TEXT;
  $('left').textContent = bytes > MAX_TEXT - 500 ? `${MAX_TEXT - bytes} bytes left` : '';
}

$('compose').addEventListener('submit', async (e) => {
  e.preventDefault();
  const text = $('text').value;
  $('text').value = '';
  checkText();
  const posted = await attempt(session.gate.publish(text));
  if (!posted && $('text').value === '') $('text').value = text; // nothing typed is lost
  checkText();
});

$('follow').addEventListener('submit', async (e) => {
  e.preventDefault();
  const user = $('whom').value;
  $('whom').value = '';
  await attempt(session.follow(user));
});

$('mark').addEventListener('click', () => {
  const newest = $('posts').firstElementChild;
  if (newest) attempt(session.gate.read('feed', newest.dataset.id));
});

// No event tells that another tab follows somebody: look when this one is looked at.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && session?.gate.state === 'connected') attempt(session.loadFollowing());
});

$('older').addEventListener('click', () => attempt(session.older(), $('older')));

$('cut').addEventListener('click', () => session.line?.close());

// attempt shows a failure to the user; it tells whether there was none.
async function attempt(promise, button) {
  if (button) button.disabled = true;
  try {
    await promise;
    return true;
  } catch (error) {
    if (error.code !== 'stopped') complain(error.message);
    return false;
  } finally {
    if (button) button.disabled = false;
  }
}

let complaint;
function complain(message) {
  $('notice').textContent = message;
  $('notice').hidden = false;
  clearTimeout(complaint);
  complaint = setTimeout(() => { $('notice').hidden = true; }, 6_000);
}

// ---- small things ----

async function devToken(user) {
  const answer = await fetch('/dev/token', { method: 'POST', body: JSON.stringify({ user }) });
  if (!answer.ok) throw new Error(`no token: HTTP ${answer.status}`);
  return (await answer.json()).token;
}

// recordingSocket is the browser's WebSocket, each one shown as it is made.
function recordingSocket(show) {
  return class extends WebSocket {
    constructor(...args) {
      super(...args);
      show(this);
    }
  };
}

// note writes a line into the connection log; the newest 50 stay.
function note(text, strong = false) {
  const line = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = new Date().toLocaleTimeString([], { hour12: false });
  const what = document.createElement('span');
  what.textContent = text;
  what.classList.toggle('strong', strong);
  line.append(time, what);
  $('log').prepend(line);
  while ($('log').children.length > 50) $('log').lastElementChild.remove();
}

// remember offers a name for following, in all tabs.
function remember(name) {
  const names = new Set(JSON.parse(localStorage.getItem('people') ?? '[]'));
  names.delete(name);
  names.add(name);
  const recent = [...names].slice(-50);
  localStorage.setItem('people', JSON.stringify(recent));
  $('people').replaceChildren(...recent.map((value) => Object.assign(document.createElement('option'), { value })));
}

function paintAvatar(element, name) {
  let hue = 0;
  for (const c of name) hue = (hue * 31 + c.codePointAt(0)) % 360;
  element.style.setProperty('--hue', hue);
  element.textContent = name[0];
}

// Ids are decimal strings beyond what a number holds: the longer is the greater.
function compareIds(a, b) {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

function clock(date) {
  const today = date.toDateString() === new Date().toDateString();
  return today
    ? date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : date.toLocaleString([], { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' });
}

function seconds(ms) { return `${(ms / 1000).toFixed(1)} s`; }

// The name is kept for the tab, so that two tabs can be two people.
const kept = sessionStorage.getItem('user');
if (kept) signIn(kept);
