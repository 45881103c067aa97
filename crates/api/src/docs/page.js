// The page: credentials in memory, the description of this caller, and the operations that the search leaves.

import { element, operations, show } from './operation.js';

const by = (id) => document.getElementById(id);
// Nowhere else: not in storage, not in the address.
const credentials = { token: '', apikey: '' };
// So many are listed at once; the search finds the others.
const MOST = 300;

let description;

function headers() {
  const made = {};
  if (credentials.token) made.authorization = `Bearer ${credentials.token}`;
  if (credentials.apikey) made.apikey = credentials.apikey;
  return made;
}

async function load() {
  const options = { headers: headers(), credentials: 'omit', referrerPolicy: 'no-referrer' };
  let text = '';
  try {
    const response = await fetch('/openapi.json', options);
    description = response.ok ? await response.json() : undefined;
    if (!response.ok) text = refused(response.status);
  } catch (error) {
    description = undefined;
    text = `The server does not answer: ${error.message}`;
  }
  by('message').textContent = text;
  by('title').textContent = description?.info.title ?? 'API';
  list();
}

function refused(status) {
  if (status === 401) return 'The server tells signed-in callers only, or the token is no longer good. Enter a token above.';
  if (status === 404) return 'The server describes its API to the service role only: enter the secret key, or see [api] openapi in the settings.';
  return `The server does not tell: ${status}`;
}

function list() {
  const place = by('operations');
  if (!description) return place.replaceChildren();
  const words = by('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (o) => words.every((word) => `${o.method} ${o.path} ${o.summary} ${o.tags}`.toLowerCase().includes(word));
  const found = operations(description).filter(fits);
  const sections = new Map();
  for (const operation of found.slice(0, MOST)) {
    const tag = operation.tags?.[0] ?? '';
    if (!sections.has(tag)) sections.set(tag, []);
    sections.get(tag).push(operation);
  }
  const about = (tag) => description.tags?.find((known) => known.name === tag)?.description;
  place.replaceChildren(...[...sections].map(([tag, all]) => element('section', {},
    element('h2', {}, tag),
    about(tag) && element('p', { class: 'about' }, about(tag)),
    ...all.map((operation) => show(description, operation, headers)))));
  if (found.length > MOST) place.append(element('p', { class: 'small' }, `${found.length - MOST} more: type what you look for.`));
}

by('credentials').addEventListener('submit', (event) => {
  event.preventDefault();
  credentials.token = by('token').value.trim();
  credentials.apikey = by('apikey').value.trim();
  load();
});
by('forget').addEventListener('click', () => {
  for (const name of ['token', 'apikey']) by(name).value = credentials[name] = '';
  load();
});
by('search').addEventListener('input', list);
load();
