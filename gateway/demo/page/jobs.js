// The jobs board: a search, its results, and searches to be told of.
import { $, attempt, paintTime, part, stamp } from './ui.js';

export class Jobs {
  query = {};
  next = '';

  constructor(session) {
    this.session = session;
    this.gate = session.gate;
  }

  // apply takes a job off the board that was deleted: who was notified of it, and does
  // not follow its author, hears of that by the notification, which has the job's id.
  apply({ type, post, notification }) {
    const gone = { post_deleted: post, notification_deleted: notification }[type];
    if (gone) $('jobs').querySelector(`[data-id="${gone}"]`)?.remove();
  }

  async show() {
    await Promise.all([this.search(this.query), this.drawSearches()]);
  }

  async search(query) {
    this.query = query;
    const page = await this.gate.jobs(query);
    $('jobs').replaceChildren();
    this.add(page);
    $('no-jobs').hidden = page.posts.length > 0;
  }

  async older() { this.add(await this.gate.jobs({ ...this.query, before: this.next })); }

  add({ posts, next }) {
    this.next = next;
    $('jobs').append(...posts.map((post) => this.row(post)));
    $('older-jobs').hidden = !next;
  }

  row(post) {
    const { job } = post;
    const row = stamp('job', {
      title: job.title,
      where: [job.category, job.location].filter(Boolean).join(' · '),
      salary: salary(job),
      text: post.text,
      author: post.name ?? post.author,
    });
    row.dataset.id = post.id;
    paintTime(part(row, 'posted'), post.at);
    part(row, 'closes').hidden = !job.closes;
    if (job.closes) part(row, 'closes').textContent = `until ${new Date(job.closes).toLocaleDateString()}`;
    const own = post.author === this.session.user;
    part(row, 'apply').hidden = own;
    part(row, 'apply').addEventListener('click', () => attempt(this.session.chat.openWith(post.author)));
    part(row, 'delete').hidden = !own;
    part(row, 'delete').addEventListener('click', (e) => attempt(this.gate.delete(post.id), e.currentTarget));
    return row;
  }

  async publish(fields) {
    const { text, ...job } = fields;
    await this.gate.publish(text, { kind: 'job', job });
    await this.search(this.query);
  }

  async save(query) {
    const name = Object.values(query).join(', ') || 'all jobs';
    await this.gate.saveSearch(query, name);
    await this.drawSearches();
  }

  async drawSearches() {
    const { searches } = await this.gate.searches();
    $('searches').replaceChildren(...searches.map((search) => {
      const row = stamp('search', { name: search.name || 'all jobs' });
      part(row, 'run').addEventListener('click', () => attempt(this.search(search.query)));
      part(row, 'drop').addEventListener('click', (e) => attempt(this.drop(search.id), e.currentTarget));
      return row;
    }));
  }

  async drop(id) {
    await this.gate.deleteSearch(id);
    await this.drawSearches();
  }
}

function salary({ salary_min: min, salary_max: max, currency = '' }) {
  if (!min && !max) return '';
  const say = (n) => n.toLocaleString();
  const range = min && max && min !== max ? `${say(min)} – ${say(max)}` : min ? `from ${say(min)}` : `up to ${say(max)}`;
  return `${range} ${currency}`.trim();
}

// fields are what a form says, without what was left empty.
function fields(form) {
  const out = {};
  for (const { name, value, type } of form.elements) {
    if (!name || value === '') continue;
    out[name] = type === 'number' ? Number(value) : type === 'date' ? `${value}T23:59:59.000Z` : value;
  }
  return out;
}

export function wireJobs(session) {
  const jobs = () => session().jobs;
  $('find').addEventListener('submit', (e) => {
    e.preventDefault();
    attempt(jobs().search(fields(e.target)));
  });
  $('save-search').addEventListener('click', () => attempt(jobs().save(fields($('find')))));
  $('offer').addEventListener('submit', async (e) => {
    e.preventDefault();
    const form = e.target;
    const offered = fields(form);
    if ((offered.salary_min || offered.salary_max) && !offered.currency) offered.currency = 'EUR';
    if (await attempt(jobs().publish(offered))) {
      form.reset();
      form.closest('details').open = false;
    }
  });
}
