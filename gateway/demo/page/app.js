// The demo page: one user's feed, notifications, conversations and jobs, live. It
// stands on feedgate.js as an app would.
import { Bell } from './bell.js';
import { Chat, wireChat } from './chat.js';
import { Feed, wireCompose } from './feed.js';
import { Feedgate } from './feedgate.js';
import { Jobs, wireJobs } from './jobs.js';
import { People } from './people.js';
import { $, attempt, paintAvatar, seconds } from './ui.js';

// One sign-in's state; a new one begins with the next.
let session = null;

class Session {
  line = null; // the socket, for the button that cuts it
  tab = 'feed';

  constructor(user) {
    this.user = user;
    this.gate = new Feedgate({
      getToken: () => devToken(user),
      expand: true,
      onState: (state, detail) => this.showState(state, detail),
      onPage: (page) => this.feed.showPage(page),
      onEvent: (event) => this.apply(event),
      onUnread: (unread) => this.showUnread(unread),
      onReset: (reset) => this.reload(reset),
      onTyping: (typing) => this.chat.showTyping(typing),
      onPresence: (one) => this.people.showPresence(one),
      env: { WebSocket: recordingSocket((socket) => { this.line = socket; }) },
    });
    this.feed = new Feed(this);
    this.bell = new Bell(this);
    this.chat = new Chat(this);
    this.jobs = new Jobs(this);
    this.people = new People(this);
  }

  apply(event) {
    if (event.type === 'read') note(`read mark of ${event.of} moved`);
    for (const part of [this.feed, this.bell, this.chat, this.jobs]) part.apply(event);
    if (event.type === 'notification' && this.tab === 'bell') attempt(this.bell.markAll());
    this.drawPosition();
  }

  async reload(reset) {
    note(`reset: ${reset.reason}`, true);
    this.bell.asked = false;
    await Promise.all([this.feed.reload(), this.chat.reload(), this.bell.reload()].map((done) => attempt(done)));
  }

  showState(state, detail) {
    const wait = detail.delay === undefined ? '' : ` ${seconds(detail.delay)}`;
    $('state').dataset.state = state;
    $('state').textContent = state === 'waiting' ? 'reconnecting' : state;
    $('cut').disabled = state !== 'connected';
    if (state === 'connected') {
      note(detail.resumed ? `resumed; missed events: ${detail.replay}` : 'connected', true);
      this.drawPosition();
      attempt(this.people.load());
      attempt(this.people.loadName());
    } else if (state === 'waiting') {
      note(`lost (${[detail.code, detail.reason].filter(Boolean).join(' ')}), back in${wait}`, true);
    } else if (state === 'stopped') {
      note(`stopped: ${detail.code} ${detail.reason}`, true);
    }
  }

  showUnread({ feed, notifications, messages }) {
    this.feed.showUnread(feed);
    this.bell.showUnread(notifications);
    this.chat.showUnread(messages);
    const all = feed + notifications + messages;
    document.title = all ? `(${all >= 9_999 ? '9999+' : all}) feedgate` : 'feedgate';
    this.drawPosition();
  }

  showTab(name) {
    this.tab = name;
    for (const tab of document.querySelectorAll('[role="tab"]')) {
      const chosen = tab.dataset.tab === name;
      tab.setAttribute('aria-selected', chosen);
      tab.tabIndex = chosen ? 0 : -1;
      $(tab.getAttribute('aria-controls')).hidden = !chosen;
    }
    if (name !== 'chat') this.chat.leave();
    const shown = { bell: this.bell, chat: this.chat, jobs: this.jobs }[name];
    if (shown) attempt(shown.show());
  }

  // remember offers a name for following and writing to, in all tabs.
  remember(name) { remember(name); }

  drawPosition() {
    $('stream').textContent = this.gate.stream ?? '–';
    $('n').textContent = this.gate.n;
  }
}

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

// ---- what the user does ----

// On a narrow screen the feed comes first: what stands beside it begins folded.
if (matchMedia('(max-width: 48rem)').matches) {
  for (const details of document.querySelectorAll('aside details')) details.open = false;
}

const tabs = [...document.querySelectorAll('[role="tab"]')];
for (const tab of tabs) {
  tab.addEventListener('click', () => session.showTab(tab.dataset.tab));
  tab.addEventListener('keydown', (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    session.showTab(next.dataset.tab);
    next.focus();
  });
}

wireCompose(() => session);
wireChat(() => session);
wireJobs(() => session);

$('follow').addEventListener('submit', async (e) => {
  e.preventDefault();
  const user = $('whom').value;
  $('whom').value = '';
  await attempt(session.people.follow(user));
});
$('rename').addEventListener('submit', (e) => {
  e.preventDefault();
  attempt(session.people.rename($('my-name').value), e.submitter);
});
$('mark').addEventListener('click', () => attempt(session.feed.markAll()));
for (const [id, part] of [['older', 'feed'], ['older-notes', 'bell'], ['older-jobs', 'jobs']]) {
  $(id).addEventListener('click', () => attempt(session[part].older(), $(id)));
}
$('cut').addEventListener('click', () => session.line?.close());

// Menus close when something else is chosen.
document.addEventListener('click', (e) => {
  for (const menu of document.querySelectorAll('details.menu[open]')) if (!menu.contains(e.target)) menu.open = false;
});

// No event tells that another tab follows somebody: look when this one is looked at.
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && session?.gate.state === 'connected') attempt(session.people.load());
});

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

function remember(name) {
  const names = new Set(JSON.parse(localStorage.getItem('people') ?? '[]'));
  names.delete(name);
  names.add(name);
  const recent = [...names].slice(-50);
  localStorage.setItem('people', JSON.stringify(recent));
  $('people').replaceChildren(...recent.map((value) => Object.assign(document.createElement('option'), { value })));
}

// The name is kept for the tab, so that two tabs can be two people.
const kept = sessionStorage.getItem('user');
if (kept) signIn(kept);
