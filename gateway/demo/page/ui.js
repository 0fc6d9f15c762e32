// What all parts of the page draw with. Text of others goes in through textContent,
// in elements that isolate its direction: whatever stands in it stays where it is.

export const $ = (id) => document.getElementById(id);

/** An element from a template, with the texts of its parts by their class. */
export function stamp(template, texts = {}) {
  const element = $(template).content.cloneNode(true).firstElementChild;
  for (const [name, text] of Object.entries(texts)) part(element, name).textContent = text;
  return element;
}

export function part(element, name) { return element.querySelector(`.${name}`); }

/** Waits for an action of the user and shows its failure; tells whether there was none. */
export async function attempt(promise, button) {
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

/** patiently asks until there is an answer: a reset must not be left half done. */
export async function patiently(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!error.retryable) throw error;
      await new Promise((resolve) => { setTimeout(resolve, 2_000); });
    }
  }
}

let complaint;
function complain(message) {
  $('notice').textContent = message;
  $('notice').hidden = false;
  clearTimeout(complaint);
  complaint = setTimeout(() => { $('notice').hidden = true; }, 6_000);
}

/** A number in a badge, which nothing unread hides. */
export function badge(element, count) {
  const text = count >= 9_999 ? '9999+' : String(count);
  element.textContent = text;
  element.hidden = count === 0;
  element.setAttribute('aria-label', `${text} unread`);
  return text;
}

/** A form that hands over its text and is empty at once; a failure brings the text back. */
export function onText(form, send) {
  const input = form.elements.text;
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    const text = input.value;
    if (text.trim() === '') return;
    input.value = '';
    if (!await attempt(send(text)) && input.value === '') input.value = text;
  });
}

export function paintAvatar(element, name) {
  let hue = 0;
  for (const c of name) hue = (hue * 31 + c.codePointAt(0)) % 360;
  element.style.setProperty('--hue', hue);
  element.textContent = name[0];
}

export function paintTime(element, at) {
  const date = new Date(at);
  element.dateTime = at;
  element.title = date.toLocaleString();
  element.textContent = date.toDateString() === new Date().toDateString()
    ? date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : date.toLocaleString([], { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' });
}

/** Rows by id in the order wanted; those that stay keep their focus and selection. */
export function arrange(list, wanted, make) {
  const have = new Map([...list.children].map((row) => [row.dataset.id, row]));
  const rows = wanted.map((one) => {
    const row = have.get(one.id) ?? make(one);
    row.dataset.id = one.id;
    have.delete(one.id);
    return row;
  });
  for (const gone of have.values()) gone.remove();
  rows.forEach((row, i) => {
    if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
  });
  return rows;
}

// Ids are decimal strings beyond what a number holds: the longer is the greater.
export function compareIds(a, b) {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

export const newestFirst = (things) => [...things].sort((a, b) => compareIds(b.id, a.id));

export function seconds(ms) { return `${(ms / 1000).toFixed(1)} s`; }
