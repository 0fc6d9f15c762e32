// Whom the user follows, blocks and mutes, who is there, and the user's own name.
import { $, attempt, paintAvatar, part, stamp } from './ui.js';

export class People {
  following = new Set();
  hidden = { block: new Set(), mute: new Set() };
  changes = 0; // made here: a list asked for before one is out of date
  presence = new Map(); // user → {online, seen}

  constructor(session) {
    this.session = session;
    this.gate = session.gate;
  }

  async load() {
    const changes = this.changes;
    const [following, block, mute] = await Promise.all([
      all((page) => this.gate.following(page)), all((page) => this.gate.blocks(page)), all((page) => this.gate.mutes(page)),
    ]);
    if (changes !== this.changes) return this.load();
    this.following = following;
    this.hidden = { block, mute };
    this.draw();
    this.watch();
  }

  async change(act) {
    await act;
    this.changes++;
    await this.load();
  }

  async follow(user) {
    await this.change(this.gate.follow(user));
    this.session.remember(user);
    await this.session.feed.reload(); // their older posts belong on the page now
  }

  async unfollow(user) {
    await this.change(this.gate.unfollow(user));
    await this.session.feed.reload();
  }

  hide(how, user) { return this.change(this.gate[how](user)); }
  show(how, user) { return this.change(this.gate[`un${how}`](user)); }

  async loadName() {
    try {
      const { profile } = await this.gate.profile();
      this.profile = profile;
      $('my-name').value = profile.name ?? '';
    } catch (error) {
      if (error.code !== 'not_found') throw error; // none yet
    }
  }

  async rename(name) {
    const { user, ...rest } = this.profile ?? {};
    const { profile } = await this.gate.putProfile({ ...rest, name });
    this.profile = profile;
  }

  // ---- who is there ----

  // watch asks to be told of those followed and talked to, at most 100.
  watch() {
    const talked = [...this.session.chat.conversations.values()].flatMap((one) => one.members);
    const users = [...new Set([...this.following, ...talked])].filter((user) => user !== this.session.user).slice(0, 100);
    const key = users.join();
    if (key === this.watched) return;
    this.watched = key;
    this.gate.presence(users).then(({ presence }) => {
      for (const one of presence) this.presence.set(one.user, one);
      this.draw();
      this.session.chat.draw();
    }).catch(() => { this.watched = null; }); // asked again with the next change
  }

  showPresence(one) {
    this.presence.set(one.user, one);
    this.draw();
    this.session.chat.draw();
  }

  paintPresence(dot, users) {
    const others = users.filter((user) => user !== this.session.user);
    const online = others.some((user) => this.presence.get(user)?.online);
    const seen = others.length === 1 ? this.presence.get(others[0])?.seen : undefined;
    dot.hidden = false;
    dot.classList.toggle('online', online);
    dot.title = online ? 'online' : seen ? `last seen ${new Date(seen).toLocaleString()}` : 'offline';
    dot.setAttribute('aria-label', dot.title);
  }

  draw() {
    $('nobody').hidden = this.following.size > 0;
    $('following-count').textContent = this.following.size || '';
    $('following').replaceChildren(...[...this.following].sort().map((user) => {
      const row = this.row(user, 'Unfollow', () => this.unfollow(user));
      this.paintPresence(part(row, 'dot'), [user]);
      return row;
    }));
    const hidden = Object.entries(this.hidden).flatMap(([how, users]) => [...users].map((user) => [how, user]));
    $('hidden-people').hidden = hidden.length === 0;
    $('hidden').replaceChildren(...hidden.map(([how, user]) => this.row(user, how === 'block' ? 'Unblock' : 'Unmute', () => this.show(how, user))));
  }

  row(user, says, act) {
    const row = stamp('person', { name: user });
    paintAvatar(part(row, 'avatar'), user);
    const button = row.querySelector('button');
    button.textContent = says;
    button.setAttribute('aria-label', `${says} ${user}`);
    button.addEventListener('click', () => attempt(act(), button));
    return row;
  }
}

// all is the set of users that a paged list has.
async function all(ask) {
  const users = new Set();
  for (let before; ;) {
    const page = await ask({ before, limit: 100 });
    for (const user of page.users) users.add(user);
    if (!page.next) return users;
    before = page.next;
  }
}
