// One operation: what it takes, what it answers, and a form that tries it.

import { fields, inWords, resolve } from './schema.js';

/** An element with attributes and children; texts become text, never markup. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (key === 'class') made.className = value;
    else made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** All operations of a description, in its order. */
export function operations(description) {
  return Object.entries(description.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      path, method, ...item[method],
      parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map((p) => resolve(description, p)),
    })));
}

/** Closed, it is one line; what is inside is made when it is opened. */
export function show(description, operation, headers) {
  const line = element('summary', {},
    element('span', { class: `method ${operation.method}` }, operation.method.toUpperCase()),
    element('span', { class: 'path' }, operation.path),
    element('span', { class: 'about' }, operation.summary ?? ''));
  const whole = element('details', { id: operation.operationId }, line);
  whole.addEventListener('toggle', () => {
    if (whole.open && whole.children.length === 1) whole.append(inside(description, operation, headers));
  });
  return whole;
}

function inside(description, operation, headers) {
  const form = element('form', { class: 'inside', autocomplete: 'off' });
  if (operation.description) form.append(element('p', { class: 'about' }, operation.description));
  const inputs = operation.parameters.map((parameter) => input(description, parameter));
  if (inputs.length) form.append(element('h3', {}, 'Parameters'), element('div', { class: 'fields' }, ...inputs.map((i) => i.label)));
  const content = operation.requestBody?.content?.['application/json'];
  const body = content && textarea(example(content));
  if (body) form.append(element('h3', {}, 'Body'), body, table(fields(description, content.schema)));
  const answer = element('div', { class: 'answer', 'aria-live': 'polite' });
  form.append(element('div', { class: 'send' }, element('button', { type: 'submit' }, 'Send')), answer, answers(description, operation));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    answer.replaceChildren(element('p', { class: 'small' }, 'Asking…'));
    answer.replaceChildren(...await ask(operation, inputs, body, headers()));
  });
  return form;
}

function input(description, parameter) {
  const schema = resolve(description, parameter.schema) ?? {};
  const names = { name: parameter.name, required: parameter.required };
  const control = schema.enum || schema.type === 'boolean'
    ? element('select', names, ...['', ...(schema.enum ?? ['true', 'false'])].map((value) => element('option', {}, String(value))))
    : element('input', { ...names, placeholder: parameter.example ?? '', spellcheck: 'false' });
  if (parameter.required && parameter.example !== undefined) control.value = parameter.example;
  const about = [parameter.description, inWords(description, parameter.schema)].filter(Boolean).join(' ');
  const label = element('label', { title: about },
    element('span', { class: parameter.required ? 'required' : undefined }, parameter.name), control);
  return { label, control, parameter };
}

function textarea(example) {
  const made = element('textarea', { name: 'body', spellcheck: 'false', 'aria-label': 'Body' });
  made.value = example === undefined ? '{}' : JSON.stringify(example, null, 2);
  return made;
}

const example = (content) => content.example ?? Object.values(content.examples ?? {})[0]?.value;

function table(rows) {
  if (!rows.length) return null;
  return element('table', {}, element('tbody', {}, ...rows.map((row) => element('tr', {},
    element('td', { class: row.required ? 'required' : undefined }, row.name),
    element('td', {}, row.words),
    element('td', {}, row.remark)))));
}

function answers(description, operation) {
  const rows = Object.entries(operation.responses).map(([status, given]) =>
    element('tr', {}, element('td', {}, status), element('td', { class: 'about' }, resolve(description, given)?.description ?? '')));
  return element('details', {}, element('summary', {}, 'Answers'), element('table', { class: 'inside' }, element('tbody', {}, ...rows)));
}

/** The request as it is sent: path and query from the inputs, headers from the credentials. */
function request(operation, inputs, body, headers) {
  let path = operation.path;
  const query = [];
  for (const { control, parameter } of inputs) {
    const value = control.value;
    if (value === '') continue;
    if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (parameter.in === 'query') query.push(`${encodeURIComponent(parameter.name)}=${encodeURIComponent(value)}`);
    else headers[parameter.name] = value;
  }
  if (body) headers['content-type'] = 'application/json';
  return {
    url: query.length ? `${path}?${query.join('&')}` : path,
    options: { method: operation.method.toUpperCase(), headers, body: body?.value, credentials: 'omit', referrerPolicy: 'no-referrer' },
  };
}

async function ask(operation, inputs, body, headers) {
  const { url, options } = request(operation, inputs, body, headers);
  const line = element('p', { class: 'small path' }, `${options.method} ${url}`);
  try {
    const begun = performance.now();
    const response = await fetch(url, options);
    const text = await response.text();
    const took = Math.round(performance.now() - begun);
    const status = element('p', { class: response.ok ? 'good status' : 'bad status' },
      `${response.status} ${response.statusText} in ${took} ms`);
    return [line, status, element('pre', { class: 'text' }, pretty(text)), head(response)];
  } catch (error) {
    return [line, element('p', { class: 'bad status' }, `No answer: ${error.message}`)];
  }
}

function head(response) {
  const lines = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
  return element('details', {}, element('summary', {}, 'Headers'), element('pre', {}, lines));
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text || '(no body)';
  }
}
