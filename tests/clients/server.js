// The real program on the project of this folder, with everything that its clients need.

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ENVIRONMENT, PROGRAM, dev } from '../browser/server.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));

/** Starts it in a folder of its own. */
export async function library() {
  const folder = mkdtempSync(join(tmpdir(), 'bedplate-clients-'));
  // As root, the private PostgreSQL runs as another user, who has to pass through.
  chmodSync(folder, 0o755);
  const path = join(folder, 'library');
  cpSync(join(HERE, 'project'), path, { recursive: true, filter: (from) => !from.endsWith('/.bedplate') });
  const server = await dev(path);
  const ask = (...args) => JSON.parse(execFileSync(PROGRAM, [...args, '--json'], { cwd: path, env: ENVIRONMENT, encoding: 'utf8' }));
  const { publishable, secret, anon, service_role: service } = ask('keys', '--reveal').keys;
  const [alice, bob] = ['alice', 'bob'].map((name) => ask('token', '--as', `${name}@example.com`).token);
  return { ...server, keys: { publishable, secret, anon, service }, tokens: { alice, bob } };
}
