// A page on nothing but fetch: it lists and edits tickets through /api/v1 as one of the seeded users.
// The token comes from /dev/token, which exists only while `bedplate dev` runs.

const $ = (id) => document.getElementById(id);
let token = null;
let page = { cursor: null, next: null, prev: null };
let ticket = null;
// Answers may come in another order than their questions; what is not asked for any more is dropped.
const latest = { user: 0, list: 0, ticket: 0 };

function ask(what) {
  const turn = ++latest[what];
  const user = latest.user;
  return () => turn === latest[what] && user === latest.user;
}

// A problem document (RFC 9457): what happened, and which fields are at fault.
class Refused extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title);
    this.status = problem.status;
    this.fields = problem.details ?? {};
  }
}

async function call(method, path, body) {
  const headers = { accept: 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error('The server cannot be reached. Is `bedplate dev` running?');
  }
  if (response.status === 204) return {};
  const answer = await response.json();
  if (!response.ok) throw new Refused(answer);
  return answer;
}

// Shows each fault at its field of the form, and what belongs to no field above everything.
function showFaults(form, error) {
  const rest = [];
  for (const [name, faults] of Object.entries(error.fields ?? {})) {
    const input = form?.elements.namedItem(name);
    if (!input) {
      rest.push(`${name}: ${faults.join(', ')}`);
      continue;
    }
    const note = make('span', { className: 'fault', id: `${form.id}-${name}-fault`, textContent: faults.join(', ') });
    input.setAttribute('aria-invalid', 'true');
    input.setAttribute('aria-describedby', note.id);
    input.after(note);
  }
  form?.querySelector('[aria-invalid]')?.focus();
  $('message').textContent = [error.message, ...rest].join('\n');
}

function clearFaults() {
  $('message').textContent = '';
  for (const note of document.querySelectorAll('.fault')) note.remove();
  for (const input of document.querySelectorAll('[aria-invalid]')) {
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-describedby');
  }
}

function guard(action) {
  return async (event) => {
    event?.preventDefault?.();
    clearFaults();
    try {
      await action(event);
    } catch (error) {
      showFaults(event?.type === 'submit' ? event.target : null, error);
    }
  };
}

function make(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function row(item) {
  const open = make('button', { type: 'button', textContent: item.title });
  const cells = [item.id, open, item.status, item.priority, item.author?.display_name ?? ''];
  const tr = make('tr', {}, ...cells.map((content) => make('td', {}, content)));
  tr.onclick = guard(() => show(item.id));
  tr.dataset.id = item.id;
  return tr;
}

function markCurrent() {
  for (const tr of $('tickets').children) {
    if (Number(tr.dataset.id) === ticket?.id) tr.setAttribute('aria-current', 'true');
    else tr.removeAttribute('aria-current');
  }
}

// What the user typed is text to find, not a pattern.
const literally = (text) => text.replace(/[\\%_*]/g, (c) => (c === '*' ? '_' : `\\${c}`));

async function list(cursor = null) {
  const query = new URLSearchParams({
    select: 'id,title,status,priority,author:profiles!author_id(display_name)',
    order: 'id.desc',
    limit: '10',
    count: 'exact',
  });
  const filters = new FormData($('filters'));
  if (filters.get('status')) query.set('status', `eq.${filters.get('status')}`);
  if (filters.get('search')) query.set('title', `ilike.*${literally(filters.get('search'))}*`);
  if (cursor) query.set('cursor', cursor);
  const wanted = ask('list');
  const { data, meta } = await call('GET', `/api/v1/tickets?${query}`);
  if (!wanted()) return;
  $('tickets').replaceChildren(...data.map(row));
  markCurrent();
  page = { cursor, next: meta.next_cursor, prev: meta.prev_cursor };
  $('next').disabled = !page.next;
  $('prev').disabled = !page.prev;
  $('none').hidden = data.length > 0;
  $('total').textContent = meta.total === 1 ? '1 ticket' : `${meta.total} tickets`;
}

async function show(id, focus = true) {
  const select = '*,author:profiles!author_id(display_name),comments(id,body,created_at,author:profiles(display_name))';
  const query = new URLSearchParams({ select, 'comments.order': 'id' });
  const wanted = ask('ticket');
  const { data } = await call('GET', `/api/v1/tickets/${id}?${query}`);
  if (!wanted()) return;
  ticket = data;
  $('detail-title').textContent = `#${ticket.id} ${ticket.title}`;
  $('detail-meta').textContent = `${ticket.author?.display_name ?? ''}, ${new Date(ticket.created_at).toLocaleString()}`;
  for (const name of ['title', 'body', 'status', 'priority']) $('edit').elements[name].value = ticket[name];
  const comments = ticket.comments.map((comment) =>
    make('li', {}, make('b', { textContent: comment.author?.display_name ?? '' }), ` ${comment.body}`));
  $('comments').replaceChildren(...(comments.length ? comments : [make('li', { textContent: 'None yet.' })]));
  $('detail').hidden = false;
  markCurrent();
  // Also brings it into view where the page is one column.
  if (focus) $('detail-title').focus();
}

function close() {
  ticket = null;
  $('detail').hidden = true;
  markCurrent();
}

function fields(form) {
  const values = Object.fromEntries(new FormData(form));
  if ('priority' in values) values.priority = values.priority === '' ? null : Number(values.priority);
  return values;
}

async function signIn(user) {
  const wanted = ask('user');
  token = null;
  close();
  $('tickets').replaceChildren();
  const { data } = await call('POST', '/dev/token', { user });
  if (!wanted()) return;
  token = data.access_token;
  await list();
}

$('user').onchange = guard(() => signIn($('user').value));
$('filters').oninput = guard(() => list());
$('filters').onsubmit = guard(() => list());
$('next').onclick = guard(() => list(page.next));
$('prev').onclick = guard(() => list(page.prev));
$('create').onsubmit = guard(async () => {
  const { data: [organization] } = await call('GET', '/api/v1/organizations?select=id&limit=1');
  const { data } = await call('POST', '/api/v1/tickets', { organization_id: organization.id, ...fields($('create')) });
  $('create').reset();
  await list();
  await show(data.id);
});
$('edit').onsubmit = guard(async () => {
  await call('PATCH', `/api/v1/tickets/${ticket.id}`, fields($('edit'))).catch(mayNot('change'));
  await show(ticket.id, false);
  await list(page.cursor);
});
$('delete').onclick = guard(async () => {
  if (!confirm(`Delete ticket #${ticket.id}?`)) return;
  await call('DELETE', `/api/v1/tickets/${ticket.id}`).catch(mayNot('delete'));
  close();
  await list(page.cursor);
});
$('comment').onsubmit = guard(async () => {
  await call('POST', `/api/v1/tickets/${ticket.id}/comments`, fields($('comment')));
  $('comment').reset();
  await show(ticket.id, false);
});

// A row that one sees and may not write is 404 to the write: the API does not tell the two apart.
function mayNot(what) {
  return (error) => {
    throw error.status === 404 ? new Error(`You may not ${what} this ticket, or it is gone.`) : error;
  };
}

guard(async () => {
  const response = await fetch('/dev/users');
  if (!response.ok) throw new Error('This page signs in through `bedplate dev`; start that.');
  const { data: users } = await response.json();
  $('user').replaceChildren(...users.map((name) => new Option(name, name)));
  await signIn(users[0]);
})();
