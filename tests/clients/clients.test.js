// The clients that people use, from their registries, on the real program: each method of postgrest-js, supabase-js with
// each kind of credential, and the Python client, which python/ tests in its own language.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PostgrestClient } from '@supabase/postgrest-js';
import { createClient } from '@supabase/supabase-js';
import { behaviour } from './behaviour.js';
import { filters } from './filters.js';
import { methods } from './methods.js';
import { requests } from './requests.js';
import { library } from './server.js';
import { transforms } from './transforms.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const TABLE = new URL('../../docs/compatibility.md', import.meta.url);

const cases = { ...requests, ...filters, ...transforms };
let server;
let clients;

describe('clients', () => {
  before(async () => {
    server = await library();
    const { publishable, secret } = server.keys;
    const client = (apikey, token) => new PostgrestClient(`${server.url}/rest/v1`, {
      headers: token ? { apikey, Authorization: `Bearer ${token}` } : { apikey },
    });
    clients = {
      anon: client(publishable),
      alice: client(publishable, server.tokens.alice),
      bob: client(publishable, server.tokens.bob),
      service: client(secret),
      wrong: client(publishable, `${server.tokens.alice}x`),
    };
  });
  after(async () => assert.equal(await server.stop(), 0, 'stops cleanly'));

  describe('postgrest-js', () => {
    test('each of its methods is tested and in the table of docs/compatibility.md', () => {
      assert.deepEqual(methods().filter((method) => !(method in cases)), [], 'not tested');
      assert.deepEqual(Object.keys(cases).filter((method) => !methods().includes(method)), [], 'no such method');
      const table = readFileSync(TABLE, 'utf8');
      const missing = methods().filter((method) => !table.includes(`| \`${method.split('.')[1]}\``));
      assert.deepEqual(missing, [], 'not in the table');
    });
    for (const [name, run] of Object.entries(cases)) test(name, () => run(clients));
    for (const [name, run] of Object.entries(behaviour)) test(name, () => run(clients));
  });

  describe('supabase-js', () => {
    const who = async (supabase) => {
      const { data, error } = await supabase.rpc('who');
      return error ? error.code : data;
    };
    const shelves = async (supabase) => {
      const { data, error } = await supabase.from('shelves').select('name').order('id');
      return error ? error.code : data.map((shelf) => shelf.name);
    };
    // Older Node.js has no WebSocket, which the client wants from the start; nothing here opens one.
    const realtime = { transport: globalThis.WebSocket ?? class {} };
    const make = (key, options = {}) =>
      createClient(server.url, key, { auth: { persistSession: false }, realtime, ...options });

    test('the publishable key, and the legacy one, is a caller who is not signed in', async () => {
      for (const key of [server.keys.publishable, server.keys.anon]) {
        const supabase = make(key);
        assert.equal(await shelves(supabase), 'PGRST205');
        assert.equal((await supabase.from('books').select('id')).data.length, 4);
        assert.equal((await supabase.schema('archive').from('boxes').select()).data.length, 2);
      }
    });
    test('a user\'s token, given as accessToken or as a header', async () => {
      const { alice, bob } = server.tokens;
      const { publishable } = server.keys;
      assert.deepEqual(await shelves(make(publishable, { accessToken: async () => alice })), ['Alice reads']);
      const headers = { Authorization: `Bearer ${bob}` };
      const supabase = make(publishable, { global: { headers } });
      assert.deepEqual(await shelves(supabase), ['Bob reads']);
      assert.equal(await who(supabase), 'b2b2b2b2-0000-4000-8000-000000000001');
    });
    test('the secret key, and the legacy one, passes row level security', async () => {
      for (const key of [server.keys.secret, server.keys.service]) {
        const supabase = make(key);
        assert.deepEqual(await shelves(supabase), ['Alice reads', 'Bob reads']);
        assert.equal(await who(supabase), null);
      }
    });
    test('a key that is none is refused', async () => {
      const { error, status } = await make('sb_publishable_wrong').from('books').select();
      assert.deepEqual([status, typeof error.message], [401, 'string']);
    });
  });

  test('the Python client', async () => {
    const env = {
      ...process.env, BEDPLATE_URL: server.url, PUBLISHABLE: server.keys.publishable, SECRET: server.keys.secret,
      ALICE: server.tokens.alice, BOB: server.tokens.bob,
    };
    const child = spawn(join(HERE, '.venv/bin/python'), ['-m', 'unittest', 'discover', '-s', 'python'], { cwd: HERE, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { output += text; });
    const code = await new Promise((done) => child.on('exit', done));
    assert.equal(code, 0, output);
    assert.match(output, /Ran [1-9]\d* tests/);
  });
});
