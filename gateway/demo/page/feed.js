// The feed: posts by id, their likes and comments.
import { $, arrange, attempt, badge, newestFirst, onText, paintAvatar, paintTime, part, patiently, stamp } from './ui.js';

const MAX_TEXT = 8_000; // bytes, after trimming

export class Feed {
  posts = new Map(); // id → post, as shown
  gone = new Set(); // ids withdrawn while a page was on its way
  liked = new Set(); // posts that were liked here, as far as this tab knows
  next = ''; // where older posts go on; '' at the end
  unread = 0;

  constructor(session) {
    this.session = session;
    this.gate = session.gate;
  }

  apply(event) {
    switch (event.type) {
      case 'post':
      case 'post_edited':
        if (event.type === 'post_edited' && !this.posts.has(event.id)) return;
        this.posts.set(event.id, { ...event, ...this.counters(event) });
        this.session.remember(event.author);
        break;
      case 'post_deleted':
        this.gone.add(event.post);
        this.posts.delete(event.post);
        break;
      case 'notification':
        this.count(event);
        break;
      case 'hidden':
        for (const [id, post] of this.posts) if (post.author === event.user) this.posts.delete(id);
        break;
      case 'shown':
        attempt(this.reload());
        break;
      default:
        return;
    }
    this.draw();
  }

  // counters are the likes and comments that are shown: an edited post's event
  // does not know what came since.
  counters({ id, likes, comments }) {
    const shown = this.posts.get(id);
    return { likes: Math.max(likes, shown?.likes ?? 0), comments: Math.max(comments, shown?.comments ?? 0) };
  }

  // count has what a notification tells of one's own post change its numbers.
  count({ kind, post: id }) {
    if (kind === 'like' || kind === 'comment') attempt(this.refresh(id));
  }

  async refresh(id) {
    if (!this.posts.has(id)) return;
    const { post } = await this.gate.post(id);
    if (this.posts.has(id)) this.posts.set(id, post);
    this.draw();
  }

  showPage({ posts, next }) {
    for (const post of posts) {
      if (!this.gone.has(post.id)) this.posts.set(post.id, post);
      this.session.remember(post.author);
    }
    this.next = next;
    this.draw();
  }

  // reload shows a fresh first page. What was shown before and is not on it
  // goes; what arrives while it is on its way stays.
  async reload() {
    const before = [...this.posts.keys()];
    const page = await patiently(() => this.gate.feed());
    const fresh = new Set(page.posts.map((post) => post.id));
    for (const id of before) if (!fresh.has(id)) this.posts.delete(id);
    this.showPage(page);
  }

  async older() { this.showPage(await this.gate.feed({ before: this.next })); }

  markAll() {
    const [newest] = newestFirst(this.posts.values());
    return newest && this.gate.read('feed', newest.id);
  }

  showUnread(count) {
    this.unread = count;
    badge($('badge'), count);
    $('mark').disabled = count === 0;
    this.draw();
  }

  // ---- drawing ----

  draw() {
    const wanted = newestFirst(this.posts.values());
    let unread = this.unread; // the newest by others are the unread ones
    arrange($('posts'), wanted, (post) => this.item(post)).forEach((item, i) => {
      const post = wanted[i];
      this.fill(item, post);
      item.classList.toggle('unread', post.author !== this.session.user && unread-- > 0);
    });
    $('empty').hidden = wanted.length > 0;
    $('older').hidden = !this.next;
  }

  item({ id, author, at }) {
    const item = stamp('post');
    const current = () => this.posts.get(id);
    paintAvatar(part(item, 'avatar'), author);
    paintTime(part(item, 'posted'), at);
    part(item, 'like').addEventListener('click', (e) => attempt(this.toggleLike(id), e.currentTarget));
    part(item, 'discuss').addEventListener('click', () => attempt(this.toggleComments(item, id)));
    onText(part(item, 'reply'), (text) => this.comment(item, id, text));
    part(item, 'cancel').addEventListener('click', () => this.showEditor(item, false));
    part(item, 'editor').addEventListener('submit', async (e) => {
      e.preventDefault();
      const text = e.target.elements.text.value;
      if (await attempt(this.gate.edit(id, { text }), e.submitter)) this.showEditor(item, false);
    });

    const own = author === this.session.user;
    for (const name of ['delete', 'edit']) part(item, name).hidden = !own;
    for (const name of ['mute', 'block', 'write']) part(item, name).hidden = own;
    const menu = part(item, 'menu');
    const choose = (name, act) => part(item, name).addEventListener('click', (e) => {
      menu.open = false;
      attempt(act(), e.currentTarget);
    });
    part(item, 'delete').setAttribute('aria-label', `Delete the post of ${part(item, 'posted').textContent}`);
    choose('delete', () => this.gate.delete(id));
    choose('edit', async () => this.edit(item, current()));
    choose('mute', () => this.session.people.hide('mute', author));
    choose('block', () => this.session.people.hide('block', author));
    choose('write', () => this.session.chat.openWith(author));
    return item;
  }

  fill(item, post) {
    part(item, 'author').textContent = post.name ?? post.author;
    part(item, 'author').title = post.author;
    part(item, 'text').textContent = post.text;
    part(item, 'job').hidden = !post.job;
    if (post.job) part(item, 'job').textContent = [post.job.title, post.job.location].filter(Boolean).join(', ');
    part(item, 'edited').hidden = !post.edited;
    part(item, 'private').hidden = post.visibility !== 'followers';
    const liked = this.liked.has(post.id);
    part(item, 'like').setAttribute('aria-pressed', liked);
    part(item, 'like').setAttribute('aria-label', `${liked ? 'Unlike' : 'Like'}, ${post.likes} likes`);
    part(item, 'likes').textContent = post.likes || '';
    part(item, 'discuss').setAttribute('aria-label', `Comments, ${post.comments}`);
    part(item, 'remarks').textContent = post.comments || '';
  }

  async toggleLike(id) {
    const on = !this.liked.has(id);
    const { likes } = await (on ? this.gate.like(id) : this.gate.unlike(id));
    if (on) this.liked.add(id); else this.liked.delete(id);
    const post = this.posts.get(id);
    if (post) this.posts.set(id, { ...post, likes });
    this.draw();
  }

  async toggleComments(item, id) {
    const thread = part(item, 'thread');
    thread.hidden = !thread.hidden;
    part(item, 'discuss').setAttribute('aria-expanded', !thread.hidden);
    if (thread.hidden) return;
    await this.showComments(item, id);
    part(item, 'reply').elements.text.focus();
  }

  async showComments(item, id) {
    const { comments, next } = await this.gate.comments(id, { limit: 50 });
    part(item, 'more').hidden = next === '';
    part(item, 'comments').replaceChildren(...comments.reverse().map((comment) => {
      const row = stamp('comment', { author: comment.name ?? comment.author, text: comment.text });
      paintTime(part(row, 'posted'), comment.at);
      return row;
    }));
  }

  async comment(item, id, text) {
    await this.gate.comment(id, text);
    await Promise.all([this.showComments(item, id), this.refresh(id)]);
  }

  // edit has the text changed where it stands.
  edit(item, post) {
    const form = part(item, 'editor');
    form.elements.text.value = post.text;
    this.showEditor(item, true);
    form.elements.text.focus();
  }

  showEditor(item, on) {
    part(item, 'editor').hidden = !on;
    part(item, 'text').hidden = on;
  }
}

/** wireCompose lets the form at the top publish. */
export function wireCompose(session) {
  const text = $('text');
  const check = () => {
    const bytes = new TextEncoder().encode(text.value.trim()).length;
    $('publish').disabled = bytes === 0 || bytes > MAX_TEXT;
    $('left').textContent = bytes > MAX_TEXT - 500 ? `${MAX_TEXT - bytes} bytes left` : '';
  };
  text.addEventListener('input', check);
  text.addEventListener('keydown', (e) => {
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) $('compose').requestSubmit($('publish'));
  });
  $('compose').addEventListener('submit', async (e) => {
    e.preventDefault();
    const written = text.value;
    const visibility = $('visibility').value === 'followers' ? 'followers' : undefined;
    text.value = '';
    check();
    const posted = await attempt(session().gate.publish(written, { visibility }));
    if (!posted && text.value === '') text.value = written; // nothing typed is lost
    check();
  });
}
