// The real program on a project of its own in a temporary folder.

import { spawn, execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
// The program refuses variables with its prefix that are none of its settings.
const { BEDPLATE_PROGRAM, ...environment } = process.env;
export const ENVIRONMENT = environment;
export const PROGRAM = resolve(BEDPLATE_PROGRAM ?? join(ROOT, 'target/debug/bedplate'));

function folder() {
  const path = mkdtempSync(join(tmpdir(), 'bedplate-browser-'));
  // As root, the private PostgreSQL runs as another user, who has to pass through.
  chmodSync(path, 0o755);
  return path;
}

/** A copy of examples/helpdesk, without the state of whoever ran it before. */
export function copyOfHelpdesk() {
  const path = join(folder(), 'helpdesk');
  cpSync(join(ROOT, 'examples/helpdesk'), path, { recursive: true, filter: (from) => !from.endsWith('/.bedplate') });
  return path;
}

/** What `bedplate new` makes. */
export function newProject(name) {
  const path = folder();
  execFileSync(PROGRAM, ['new', name], { cwd: path, env: ENVIRONMENT });
  return join(path, name);
}

/** Starts `bedplate dev` on free ports; resolves once it is ready. */
export async function dev(project) {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: cargo build -p bedplate`);
  const free = ['--set', 'server.port=0', '--set', 'server.admin_port=0'];
  const child = spawn(PROGRAM, ['dev', '--json', ...free], { cwd: project, env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.on('data', (text) => { log += text; });
  const ended = new Promise((done) => child.on('exit', done));
  const events = createInterface({ input: child.stdout });
  const url = await new Promise((done, fail) => {
    events.on('line', (line) => {
      const event = JSON.parse(line);
      if (event.event === 'ready') done(event.url);
    });
    ended.then((code) => fail(new Error(`bedplate dev ended with ${code}:\n${log}`)));
  });
  return {
    url,
    /** Ends it as Ctrl-C does; its exit code. */
    async stop() {
      child.kill('SIGINT');
      const code = await ended;
      rmSync(dirname(project), { recursive: true, force: true });
      return code;
    },
  };
}
