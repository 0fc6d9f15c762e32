// Notifications: one row each, by id; one that changes comes again under its id.
import { $, arrange, badge, newestFirst, paintAvatar, paintTime, part, patiently, stamp } from './ui.js';

const SAYS = {
  like: 'likes your post',
  comment: 'commented on your post',
  follow: 'follows you',
  mention: 'mentioned you',
  job: 'published a job that you look for',
};

export class Bell {
  notes = new Map(); // id → notification
  next = '';
  unread = 0;
  asked = false; // the list has been shown once

  constructor(session) {
    this.session = session;
    this.gate = session.gate;
  }

  apply(event) {
    if (event.type === 'notification') this.notes.set(event.id, event);
    else if (event.type === 'notification_deleted') this.notes.delete(event.notification);
    else if (event.type === 'hidden') this.forget(event.user);
    else return;
    this.draw();
  }

  forget(user) {
    for (const [id, note] of this.notes) if (note.actor === user) this.notes.delete(id);
  }

  // show is called when the tab is looked at: what it shows has been seen.
  async show() {
    if (!this.asked) await this.reload();
    await this.markAll();
  }

  async reload() {
    const page = await patiently(() => this.gate.notifications());
    this.asked = true;
    this.notes = new Map(page.notifications.map((note) => [note.id, note]));
    this.next = page.next;
    this.draw();
  }

  async older() {
    const page = await this.gate.notifications({ before: this.next });
    for (const note of page.notifications) this.notes.set(note.id, note);
    this.next = page.next;
    this.draw();
  }

  async markAll() {
    const [newest] = newestFirst(this.notes.values());
    if (newest && this.unread > 0) await this.gate.read('notifications', newest.id);
  }

  showUnread(count) {
    this.unread = count;
    badge($('bell-badge'), count);
    this.draw();
  }

  draw() {
    const wanted = newestFirst(this.notes.values());
    arrange($('notes'), wanted, () => stamp('note')).forEach((row, i) => {
      const note = wanted[i];
      const others = (note.count ?? 1) - 1;
      paintAvatar(part(row, 'avatar'), note.actor);
      part(row, 'actor').textContent = note.name ?? note.actor;
      part(row, 'others').textContent = others > 0 ? ` and ${others} more` : '';
      part(row, 'says').textContent = others > 0 && note.kind === 'like' ? ' like your post' : ` ${SAYS[note.kind] ?? note.kind}`;
      paintTime(part(row, 'posted'), note.at);
      row.classList.toggle('unread', i < this.unread);
    });
    $('no-notes').hidden = wanted.length > 0;
    $('older-notes').hidden = !this.next;
  }
}
