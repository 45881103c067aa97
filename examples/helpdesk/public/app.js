// A page on nothing but fetch: it lists and edits tickets through /api/v1 as one of the seeded users.
// The token comes from /dev/token, which exists only while `bedplate dev` runs.

const $ = (id) => document.getElementById(id);
let token = null;
let page = { cursor: null, next: null, prev: null };
let ticket = null;

async function call(method, path, body) {
  const headers = { accept: 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (response.status === 204) return {};
  const answer = await response.json();
  if (!response.ok) throw new Error(explain(answer));
  return answer;
}

// A problem document (RFC 9457) as text: what happened, and which fields are at fault.
function explain(problem) {
  const fields = Object.entries(problem.details ?? {}).map(([name, faults]) => `${name}: ${faults.join(', ')}`);
  return [problem.detail ?? problem.title, ...fields].join('\n');
}

function guard(action) {
  return async (event) => {
    event?.preventDefault?.();
    $('message').textContent = '';
    try {
      await action(event);
    } catch (error) {
      $('message').textContent = error.message;
    }
  };
}

function cell(text) {
  const td = document.createElement('td');
  td.textContent = text;
  return td;
}

async function list(cursor = null) {
  const query = new URLSearchParams({
    select: 'id,title,status,priority,author:profiles!author_id(display_name)',
    order: 'id.desc',
    limit: '10',
    count: 'exact',
  });
  const filters = new FormData($('filters'));
  if (filters.get('status')) query.set('status', `eq.${filters.get('status')}`);
  if (filters.get('search')) query.set('title', `ilike.*${filters.get('search')}*`);
  if (cursor) query.set('cursor', cursor);
  const { data, meta } = await call('GET', `/api/v1/tickets?${query}`);
  $('tickets').replaceChildren(...data.map((row) => {
    const tr = document.createElement('tr');
    tr.tabIndex = 0;
    tr.append(cell(row.id), cell(row.title), cell(row.status), cell(row.priority), cell(row.author?.display_name ?? ''));
    tr.onclick = guard(() => show(row.id));
    tr.onkeydown = (event) => { if (event.key === 'Enter') tr.onclick(event); };
    return tr;
  }));
  page = { cursor, next: meta.next_cursor, prev: meta.prev_cursor };
  $('next').disabled = !page.next;
  $('prev').disabled = !page.prev;
  $('total').textContent = `${meta.total} tickets`;
}

async function show(id) {
  const select = '*,author:profiles!author_id(display_name),comments(id,body,created_at,author:profiles(display_name))';
  const query = new URLSearchParams({ select, 'comments.order': 'id' });
  ({ data: ticket } = await call('GET', `/api/v1/tickets/${id}?${query}`));
  $('detail').hidden = false;
  $('detail-title').textContent = `#${ticket.id} ${ticket.title}`;
  $('detail-meta').textContent = `${ticket.author?.display_name ?? ''}, ${new Date(ticket.created_at).toLocaleString()}`;
  for (const name of ['title', 'body', 'status', 'priority']) $('edit').elements[name].value = ticket[name];
  $('comments').replaceChildren(...ticket.comments.map((comment) => {
    const li = document.createElement('li');
    li.textContent = `${comment.author?.display_name ?? ''}: ${comment.body}`;
    return li;
  }));
}

function fields(form) {
  const values = Object.fromEntries(new FormData(form));
  if ('priority' in values) values.priority = Number(values.priority);
  return values;
}

async function signIn(user) {
  const response = await fetch('/dev/token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user }),
  });
  if (!response.ok) throw new Error('This page signs in through `bedplate dev`; start that.');
  token = (await response.json()).data.access_token;
  ticket = null;
  $('detail').hidden = true;
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
  await call('PATCH', `/api/v1/tickets/${ticket.id}`, fields($('edit')));
  await show(ticket.id);
  await list(page.cursor);
});
$('delete').onclick = guard(async () => {
  await call('DELETE', `/api/v1/tickets/${ticket.id}`);
  $('detail').hidden = true;
  await list(page.cursor);
});
$('comment').onsubmit = guard(async () => {
  await call('POST', `/api/v1/tickets/${ticket.id}/comments`, fields($('comment')));
  $('comment').reset();
  await show(ticket.id);
});

guard(async () => {
  const response = await fetch('/dev/users');
  if (!response.ok) throw new Error('This page signs in through `bedplate dev`; start that.');
  const { data: users } = await response.json();
  $('user').replaceChildren(...users.map((name) => new Option(name, name)));
  await signIn(users[0]);
})();
