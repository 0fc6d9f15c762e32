// Conversations and the messages of the one that is open.
import { $, arrange, attempt, badge, compareIds, newestFirst, onText, paintAvatar, paintTime, part, patiently, stamp } from './ui.js';

const TYPING_SHOWN = 4_000; // ms after the last word of it

export class Chat {
  conversations = new Map(); // id → conversation, as the list shows it
  messages = new Map(); // id → message, of the open one
  seen = new Map(); // member → {got, read}, of the open one
  open = null; // id of the open one
  answering = null; // the message that is being answered
  typers = new Map(); // user → timer
  typed = 0; // when it was last said that the user is writing
  looked = false; // the tab is shown

  constructor(session) {
    this.session = session;
    this.gate = session.gate;
  }

  apply(event) {
    switch (event.type) {
      case 'message':
        this.take(event);
        break;
      case 'receipt':
        if (event.conversation === this.open) this.see(event);
        break;
      case 'read':
        if (event.of !== 'messages') return;
        attempt(this.reload()); // another device has read
        break;
      case 'hidden':
      case 'shown':
        attempt(this.reload());
        break;
      default:
        return;
    }
    this.draw();
  }

  take(message) {
    const known = this.conversations.get(message.conversation);
    const unread = message.from === this.session.user ? 0 : 1;
    if (known) {
      this.conversations.set(known.id, { ...known, last: message, unread: known.unread + unread });
    } else {
      attempt(this.reload());
    }
    if (message.conversation !== this.open) return;
    this.messages.set(message.id, message);
    this.stopTyping(message.from);
    if (this.looked) attempt(this.markRead());
  }

  see({ user, upto, read }) {
    const was = this.seen.get(user) ?? { got: '0', read: '0' };
    const max = (a, b) => (compareIds(a, b) > 0 ? a : b);
    this.seen.set(user, { got: max(was.got, upto), read: read ? max(was.read, upto) : was.read });
  }

  async show() {
    this.looked = true;
    await this.reload();
    if (this.open) await this.markRead();
  }

  leave() { this.looked = false; }

  async reload() {
    const { conversations } = await patiently(() => this.gate.conversations({ limit: 50 }));
    this.conversations = new Map(conversations.map((one) => [one.id, one]));
    this.draw();
    this.session.people.watch();
  }

  showUnread(count) { badge($('chat-badge'), count); }

  /** openWith opens the conversation with somebody, or prepares to begin one. */
  async openWith(user) {
    this.session.showTab('chat');
    await this.reload();
    const members = [user, this.session.user].sort().join();
    const known = [...this.conversations.values()].find((one) => [...one.members].sort().join() === members);
    if (known) return this.choose(known.id);
    $('to').value = user;
    $('new-text').focus();
  }

  async choose(id) {
    const page = await this.gate.messages(id, { limit: 50 });
    this.open = id;
    this.answering = null;
    this.messages = new Map(page.messages.map((message) => [message.id, message]));
    this.seen = new Map(page.seen.map((one) => [one.user, one]));
    this.draw();
    $('thread').scrollTop = $('thread').scrollHeight;
    await this.markRead();
  }

  back() {
    this.open = null;
    this.draw();
  }

  async markRead() {
    const [newest] = newestFirst(this.messages.values());
    const known = this.conversations.get(this.open);
    if (!newest || !known?.unread) return;
    this.conversations.set(known.id, { ...known, unread: 0 });
    this.draw();
    await this.gate.read('messages', newest.id, this.open);
  }

  async send(text) {
    const reply = this.answering?.id;
    this.answer(null);
    const { message } = await this.gate.message({ conversation: this.open }, text, { reply });
    this.typed = 0;
    this.messages.set(message.id, message);
    this.draw();
    $('thread').scrollTop = $('thread').scrollHeight;
  }

  async begin(to, text) {
    const { message } = await this.gate.message(to.length === 1 ? to[0] : to, text);
    await this.reload();
    await this.choose(message.conversation);
  }

  answer(message) {
    this.answering = message;
    $('answering').hidden = message === null;
    $('answered').textContent = message?.text ?? '';
    if (message) $('say').elements.text.focus();
  }

  // ---- who is writing ----

  writes() {
    const now = Date.now();
    if (!this.open || now - this.typed < 2_000) return;
    this.typed = now;
    this.gate.typing(this.open).catch(() => {}); // the next key says it again
  }

  showTyping({ conversation, user }) {
    if (conversation !== this.open) return;
    clearTimeout(this.typers.get(user));
    this.typers.set(user, setTimeout(() => this.stopTyping(user), TYPING_SHOWN));
    this.drawTyping();
  }

  stopTyping(user) {
    clearTimeout(this.typers.get(user));
    this.typers.delete(user);
    this.drawTyping();
  }

  drawTyping() {
    const names = [...this.typers.keys()];
    $('typing').textContent = names.length ? `${names.join(', ')} ${names.length > 1 ? 'are' : 'is'} writing…` : '';
  }

  // ---- drawing ----

  title(conversation) {
    const others = conversation.members.filter((user) => user !== this.session.user);
    return others.join(', ');
  }

  draw() {
    const list = [...this.conversations.values()].sort((a, b) => compareIds(b.last?.id ?? b.id, a.last?.id ?? a.id));
    arrange($('conversations'), list, ({ id }) => {
      const row = stamp('conversation');
      part(row, 'choose').addEventListener('click', () => attempt(this.choose(id)));
      return row;
    }).forEach((row, i) => {
      const one = list[i];
      const title = this.title(one);
      paintAvatar(part(row, 'avatar'), title);
      part(row, 'name').textContent = title;
      part(row, 'last').textContent = one.last ? `${one.last.from === this.session.user ? 'you: ' : ''}${one.last.text}` : '';
      badge(part(row, 'badge'), one.unread);
      part(row, 'choose').setAttribute('aria-current', one.id === this.open);
      this.session.people.paintPresence(part(row, 'dot'), one.members);
    });
    $('no-conversations').hidden = list.length > 0;
    $('chat').classList.toggle('open', this.open !== null);
    $('talk').hidden = this.open === null;
    if (this.open) this.drawThread(this.conversations.get(this.open));
  }

  drawThread(conversation) {
    $('talk-with').textContent = conversation ? this.title(conversation) : '';
    const atEnd = $('thread').scrollHeight - $('thread').scrollTop - $('thread').clientHeight < 80;
    const oldestFirst = newestFirst(this.messages.values()).reverse();
    arrange($('thread'), oldestFirst, (message) => this.row(message)).forEach((row, i) => {
      part(row, 'ticks').textContent = this.ticks(oldestFirst[i]);
      part(row, 'ticks').title = this.explain(oldestFirst[i]);
    });
    if (atEnd) $('thread').scrollTop = $('thread').scrollHeight;
  }

  row(message) {
    const own = message.from === this.session.user;
    const row = stamp('message', { from: own ? '' : (message.name ?? message.from), text: message.text });
    row.classList.toggle('own', own);
    paintTime(part(row, 'posted'), message.at);
    const quoted = message.reply && this.messages.get(message.reply);
    part(row, 'quote').hidden = !message.reply;
    part(row, 'quote').textContent = quoted ? quoted.text : 'an earlier message';
    part(row, 'answer').addEventListener('click', () => this.answer(message));
    return row;
  }

  // how far the others are with one's own message
  reach(message) {
    const others = [...this.seen.values()];
    const all = (what) => others.length > 0 && others.every((one) => compareIds(one[what], message.id) >= 0);
    return { read: all('read'), got: all('got') };
  }

  ticks(message) {
    if (message.from !== this.session.user) return '';
    const { read, got } = this.reach(message);
    return read ? '✓✓ read' : got ? '✓✓' : '✓';
  }

  explain(message) {
    if (message.from !== this.session.user) return '';
    const { read, got } = this.reach(message);
    return read ? 'read' : got ? 'delivered' : 'sent';
  }
}

export function wireChat(session) {
  const chat = () => session().chat;
  onText($('say'), (text) => chat().send(text));
  $('say').elements.text.addEventListener('input', () => chat().writes());
  $('back').addEventListener('click', () => chat().back());
  $('unanswer').addEventListener('click', () => chat().answer(null));
  $('begin').addEventListener('submit', async (e) => {
    e.preventDefault();
    const to = $('to').value.split(/[\s,]+/).filter(Boolean);
    const text = $('new-text').value;
    if (to.length && text.trim() && await attempt(chat().begin(to, text))) e.target.reset();
  });
}
