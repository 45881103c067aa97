// The generated files of two projects, held against the compilers and libraries that they are for.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { copyOfHelpdesk, dev } from '../browser/server.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
// As the [gen] of both projects names them.
const FILES = { typescript: 'database.ts', zod: 'schemas.ts', python: 'models.py', rust: 'models.rs' };
const TABLES = ['people', 'class', 'orders', 'invoices', 'tags', 'events', 'open_orders', 'order_totals'];

function copyOfShop() {
  const folder = mkdtempSync(join(tmpdir(), 'bedplate-types-'));
  // As root, the private PostgreSQL runs as another user, who has to pass through.
  chmodSync(folder, 0o755);
  const path = join(folder, 'shop');
  const ours = (from) => !from.endsWith('/.bedplate') && !from.endsWith('/client');
  cpSync(join(HERE, 'project'), path, { recursive: true, filter: ours });
  return path;
}

/** Runs a program; its output when it fails is the test's message. */
function run(program, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: HERE, encoding: 'utf8', ...options });
  return { status, output: `${stdout}${stderr}` };
}

function passes(program, args, options) {
  const { status, output } = run(program, args, options);
  assert.equal(status, 0, output);
}

describe('generated types', () => {
  const servers = [];
  let rows;

  before(async () => {
    rmSync(join(HERE, 'generated'), { recursive: true, force: true });
    for (const [name, path] of [['shop', copyOfShop()], ['helpdesk', copyOfHelpdesk()]]) {
      const server = await dev(path);
      servers.push(server);
      // `dev` writes the files before it says that it is ready.
      mkdirSync(join(HERE, 'generated', name), { recursive: true });
      for (const file of Object.values(FILES)) {
        assert.ok(existsSync(join(path, 'client', file)), `${name}: ${file}`);
        cpSync(join(path, 'client', file), join(HERE, 'generated', name, file));
      }
    }
    rows = {};
    for (const table of TABLES) {
      const answer = await fetch(`${servers[0].url}/rest/v1/${table}`);
      assert.equal(answer.status, 200, `${table}: ${await answer.clone().text()}`);
      rows[table] = await answer.json();
    }
  });
  after(async () => {
    for (const server of servers) assert.equal(await server.stop(), 0, 'stops cleanly');
  });

  test('supabase-js and zod compile on them, and what is wrong does not', () => {
    passes(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']);
  });

  test('zod parses real rows and refuses wrong ones', () => {
    passes(process.execPath, [join('built', 'rows.js')], { input: JSON.stringify(rows) });
  });

  test('Prettier has nothing to change in the TypeScript', () => {
    const files = ['shop', 'helpdesk'].map((name) => join('generated', name, FILES.typescript));
    const program = join('node_modules', 'prettier', 'bin', 'prettier.cjs');
    passes(process.execPath, [program, '--check', '--no-semi', '--ignore-path', '/dev/null', ...files]);
  });

  const python = join(HERE, '.venv', 'bin', 'python');
  const options = (name) => ({ env: { ...process.env, PYTHONPATH: join(HERE, 'generated', name), MYPYPATH: join(HERE, 'generated', name) } });

  test('Pydantic validates real rows and refuses wrong ones', () => {
    passes(python, ['-W', 'error', 'python/rows.py'], { ...options('shop'), input: JSON.stringify(rows) });
    passes(python, ['-W', 'error', '-c', 'import models'], options('helpdesk'));
  });

  test('descriptions are OpenAPI 3.1, their schemas JSON Schema 2020-12, and their examples valid', async () => {
    const [shop, helpdesk] = servers;
    const body = JSON.stringify({ user: 'alice@acme.example' });
    const signedIn = await fetch(`${helpdesk.url}/dev/token`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const alice = { authorization: `Bearer ${(await signedIn.json()).data.access_token}` };
    for (const [url, headers] of [[shop.url, {}], [helpdesk.url, {}], [helpdesk.url, alice]]) {
      const answer = await fetch(`${url}/openapi.json`, { headers });
      assert.equal(answer.status, 200);
      passes(python, ['-W', 'error::UserWarning', 'python/openapi.py'], { input: await answer.text() });
    }
  });

  test('mypy --strict has no doubt about the models, and finds each wrong line', () => {
    passes(python, ['-m', 'mypy', '--strict', 'python/rows.py'], options('shop'));
    passes(python, ['-m', 'mypy', '--strict', join('generated', 'helpdesk', FILES.python)], options('helpdesk'));
    const { output } = run(python, ['-m', 'mypy', '--strict', 'python/wrong.py'], options('shop'));
    const found = [...output.matchAll(/wrong\.py:(\d+): error/g)].map((match) => Number(match[1]));
    const source = readFileSync(join(HERE, 'python', 'wrong.py'), 'utf8').split('\n');
    const wanted = source.flatMap((line, at) => (/^ {4}\S/.test(line) ? [at + 1] : []));
    assert.deepEqual([...new Set(found)], wanted, output);
  });
});
