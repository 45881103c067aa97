// What is asked for: rows and counts, writes, calls, schemas.

import assert from 'node:assert/strict';
import { data, refused } from './transforms.js';

const names = async (client) => (await data(client.from('shelves').select('name').order('name'))).map((row) => row.name);

export const requests = {
  async 'PostgrestClient.from'({ anon, alice }) {
    assert.deepEqual(await data(anon.from('genres').select().order('id').limit(1)), [{ id: 1, name: 'science' }]);
    // Neither without policies nor without a grant is there such a table.
    for (const client of [anon, alice]) {
      const error = await refused(client.from('drafts').select(), 404, 'PGRST205');
      assert.equal(error.message, "Could not find the table 'public.drafts' in the schema cache");
    }
  },
  async 'PostgrestClient.schema'({ anon, service }) {
    assert.deepEqual(await data(anon.schema('archive').from('boxes').select('label').order('id')), [{ label: 'maps' }, { label: 'letters' }]);
    assert.deepEqual(await data(service.schema('archive').rpc('boxes_like', { pattern: 'm%' }).select('id')), [{ id: 1 }]);
    await data(service.schema('archive').from('boxes').insert({ id: 3, label: 'post' }).select().rollback());
    const error = await refused(anon.schema('auth').from('users').select(), 406, 'PGRST106');
    assert.equal(error.hint, 'Only the following schemas are exposed: public, archive');
  },
  async 'PostgrestClient.rpc'({ anon, alice }) {
    assert.equal(await data(anon.rpc('add', { a: 1, b: 2 })), 3);
    assert.equal(await data(anon.rpc('add', { a: 1 })), 11);
    assert.equal(await data(anon.rpc('add', { a: 1, b: 2 }, { get: true })), 3);
    assert.equal(await data(anon.rpc('total', { parts: [1, 2, 3] }, { get: true })), 6);
    assert.equal(await data(anon.rpc('nothing')), null);
    assert.equal(await data(alice.rpc('who')), 'a1a1a1a1-0000-4000-8000-000000000001');
    const found = anon.rpc('books_by', { author: 'Berta' }).select('id, author:authors!author_id(name)').gt('price', 10);
    assert.deepEqual(await data(found), [{ id: 2, author: { name: 'Berta' } }]);
    const counted = await anon.rpc('books_by', { author: 'Berta' }, { count: 'exact' }).limit(1);
    assert.deepEqual([counted.data.length, counted.count], [1, 2]);
    const head = await anon.rpc('books_by', { author: 'Berta' }, { head: true, count: 'exact' });
    assert.deepEqual([head.data, head.count, head.error], [null, 2, null]);
    assert.deepEqual((await data(alice.rpc('keep', { names: ['k1', 'k2'] }).select('name'))).length, 2);
    assert.equal((await data(alice.rpc('clear').in('name', ['k1']))).length, 1);
    await data(alice.from('shelves').upsert({ id: 1, name: 'Alice reads', place: 1 }));
    await refused(anon.rpc('who'), 404, 'PGRST202');
    await refused(alice.rpc('keep', { names: ['k3'] }, { get: true }), 405, '25006');
    const error = await refused(anon.rpc('teapot'), 418, 'PT418');
    assert.deepEqual([error.message, error.details, error.hint], ['A teapot', 'It is short', 'And stout']);
  },
  async 'PostgrestClient.getOpenApiSpec'({ anon, alice }) {
    const paths = Object.keys((await data(anon.getOpenApiSpec())).paths);
    assert.ok(paths.includes('/books') && paths.includes('/rpc/add'), paths.join());
    assert.ok(!paths.includes('/shelves') && !paths.includes('/drafts'), paths.join());
    assert.ok((await data(alice.getOpenApiSpec())).definitions.shelves.properties.owner);
  },
  async 'PostgrestQueryBuilder.select'({ anon }) {
    const book = await data(anon.from('books').select('*').eq('id', 1).single());
    assert.deepEqual(book, {
      id: 1, title: 'The Analytical Engine', author_id: 1, editor_id: 2, price: 20, pages: 300, tags: ['maths', 'engines'],
      details: { cover: 'hard', prints: { first: 1843 } }, shown: '[1,10)', status: 'here', out_of_print: false,
      words: "'analyt':2 'engin':3",
    });
    assert.deepEqual(await data(anon.from('books').select('name:title, cover:details->>cover, price::text, shout').eq('id', 2)),
      [{ name: 'Engines and Roads', cover: 'soft', price: '12.50', shout: 'ENGINES AND ROADS' }]);
    for (const count of ['exact', 'planned', 'estimated']) {
      const answer = await anon.from('books').select('id', { count });
      assert.equal(answer.error, null);
      assert.ok(Number.isInteger(answer.count), count);
      if (count !== 'planned') assert.equal(answer.count, 4, count);
    }
    const head = await anon.from('books').select('*', { head: true, count: 'exact' });
    assert.deepEqual([head.data, head.count, head.status], [null, 4, 200]);
    await refused(anon.from('books').select('nothing'), 400, '42703');
  },
  async 'PostgrestQueryBuilder.insert'({ alice }) {
    const one = await alice.from('shelves').insert({ name: 'i1', place: 1 });
    assert.deepEqual([one.data, one.status, one.count], [null, 201, null]);
    const many = await alice.from('shelves').insert([{ name: 'i2', place: 2 }, { name: 'i3' }], { count: 'exact' });
    assert.deepEqual([many.status, many.count], [201, 2]);
    const kept = alice.from('shelves').insert([{ name: 'i4', place: 2 }, { name: 'i5' }], { defaultToNull: false });
    await data(kept);
    const rows = await data(alice.from('shelves').select('name, place').like('name', 'i%').order('name'));
    assert.deepEqual(rows.map((row) => row.place), [1, 2, null, 2, 7]);
    await refused(alice.from('shelves').insert({ name: 'i1' }), 409, '23505');
    await refused(alice.from('shelves').insert({ name: '' }), 400, '23514');
    await refused(alice.from('shelves').insert({ colour: 'red' }), 400, 'PGRST204');
    await data(alice.from('shelves').delete().like('name', 'i%'));
  },
  async 'PostgrestQueryBuilder.upsert'({ alice }) {
    const id = (await data(alice.from('shelves').insert({ name: 'u1', note: 'first' }).select('id').single())).id;
    const byKey = await alice.from('shelves').upsert({ id, name: 'u1', note: 'second' }).select('note').single();
    assert.deepEqual([byKey.data, byKey.status], [{ note: 'second' }, 200]);
    const owner = 'a1a1a1a1-0000-4000-8000-000000000001';
    const both = await alice.from('shelves')
      .upsert([{ owner, name: 'u1', note: 'third' }, { owner, name: 'u2', note: 'new' }], { onConflict: 'owner,name', count: 'exact' })
      .select('name, note');
    assert.deepEqual([both.status, both.count], [201, 2]);
    assert.deepEqual(both.data, [{ name: 'u1', note: 'third' }, { name: 'u2', note: 'new' }]);
    const ignored = alice.from('shelves')
      .upsert({ owner, name: 'u1', note: 'fourth' }, { onConflict: 'owner,name', ignoreDuplicates: true });
    assert.deepEqual(await data(ignored.select()), []);
    const filled = alice.from('shelves')
      .upsert([{ owner, name: 'u3', place: 1 }, { owner, name: 'u4' }], { onConflict: 'owner,name', defaultToNull: false });
    assert.deepEqual(await data(filled.select('place')), [{ place: 1 }, { place: 7 }]);
    assert.equal((await data(alice.from('shelves').select('note').eq('name', 'u1').single())).note, 'third');
    await data(alice.from('shelves').delete().like('name', 'u%'));
  },
  async 'PostgrestQueryBuilder.update'({ alice }) {
    await data(alice.from('shelves').insert([{ name: 'c1' }, { name: 'c2' }]));
    const changed = await alice.from('shelves').update({ note: 'changed' }, { count: 'exact' }).like('name', 'c%');
    assert.deepEqual([changed.data, changed.status, changed.count], [null, 204, 2]);
    const none = await alice.from('shelves').update({ note: 'x' }).eq('name', 'nobody').select();
    assert.deepEqual([none.data, none.status], [[], 200]);
    await data(alice.from('shelves').delete().like('name', 'c%'));
  },
  async 'PostgrestQueryBuilder.delete'({ alice }) {
    await data(alice.from('shelves').insert([{ name: 'd1' }, { name: 'd2' }]));
    const gone = await alice.from('shelves').delete({ count: 'exact' }).like('name', 'd%');
    assert.deepEqual([gone.data, gone.status, gone.count], [null, 204, 2]);
    assert.deepEqual(await names(alice), ['Alice reads']);
  },
};
