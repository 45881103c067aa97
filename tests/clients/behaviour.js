// What the clients' methods are used for together: related rows, aggregates, who sees what, and refusals.

import assert from 'node:assert/strict';
import { data, refused } from './transforms.js';

const ALICE = 'a1a1a1a1-0000-4000-8000-000000000001';
const BOB = 'b2b2b2b2-0000-4000-8000-000000000001';

export const behaviour = {
  async 'row level security holds between two users'({ anon, alice, bob, service }) {
    const shelves = (client) => client.from('shelves').select('id, name').order('id');
    assert.deepEqual(await data(shelves(alice)), [{ id: 1, name: 'Alice reads' }]);
    assert.deepEqual(await data(shelves(bob)), [{ id: 2, name: 'Bob reads' }]);
    assert.deepEqual((await data(shelves(service))).map((row) => row.id), [1, 2]);
    // Nobody has granted it to those who are not signed in: there is no such table.
    await refused(shelves(anon), 404, 'PGRST205');

    assert.deepEqual(await data(alice.from('shelves').update({ name: 'mine' }).eq('id', 2).select()), []);
    assert.deepEqual(await data(alice.from('shelves').delete().eq('id', 2).select()), []);
    const error = await refused(alice.from('shelves').insert({ owner: BOB, name: 'forged' }), 403, '42501');
    assert.equal(error.message, 'new row violates row-level security policy for table "shelves"');
    await refused(alice.from('shelves').update({ owner: BOB }).eq('id', 1), 403, '42501');
    await refused(alice.from('shelves').upsert({ id: 2, owner: ALICE, name: 'taken' }), 403, '42501');
    const { count } = await alice.from('shelves').select('*', { count: 'exact', head: true });
    assert.equal(count, 1);
    assert.deepEqual(await data(shelves(bob)), [{ id: 2, name: 'Bob reads' }], 'untouched');
  },
  async 'related rows: hints, inner joins, junctions, self references, filters on them'({ anon }) {
    const rows = (from, columns, filter = (it) => it) => data(filter(anon.from(from).select(columns).order('id')));
    assert.deepEqual(
      await rows('books', 'id, author:authors!author_id(name), editor:authors!books_editor_id_fkey(name)', (it) => it.gte('id', 3)),
      [{ id: 3, author: { name: 'Berta' }, editor: null }, { id: 4, author: { name: 'Carl' }, editor: { name: 'Ada' } }],
    );
    const ambiguous = await refused(anon.from('books').select('id, authors(name)'), 300, 'PGRST201');
    assert.equal(ambiguous.details.length, 2);
    assert.deepEqual(await rows('books', 'id, genres!inner(name)', (it) => it.eq('genres.name', 'travel')),
      [{ id: 2, genres: [{ name: 'travel' }] }]);
    assert.deepEqual(await rows('genres', 'id, books(id)', (it) => it.eq('books.status', 'here')),
      [{ id: 1, books: [{ id: 1 }] }, { id: 2, books: [] }, { id: 3, books: [] }]);
    assert.deepEqual(await rows('genres', 'id, books()', (it) => it.is('books', null)), [{ id: 3 }]);
    assert.deepEqual(await rows('authors', 'id, mentor:mentor_id(name), taught:authors!mentor_id(name)', (it) => it.lte('id', 2)),
      [{ id: 1, mentor: null, taught: [{ name: 'Berta' }, { name: 'Carl' }] }, { id: 2, mentor: { name: 'Ada' }, taught: [] }]);
    assert.deepEqual(await rows('authors', 'id, books!author_id(id, genres(name))', (it) => it.eq('id', 1)),
      [{ id: 1, books: [{ id: 1, genres: [{ name: 'science' }] }] }]);
    await refused(anon.from('books').select('id, shelves(id)'), 400, 'PGRST200');
  },
  async 'aggregates and spread'({ anon }) {
    assert.deepEqual(await data(anon.from('books').select('count(), price.sum(), least:price.min()')),
      [{ count: 4, sum: 70.5, least: 8 }]);
    assert.deepEqual(await data(anon.from('books').select('status, count()').order('status')),
      [{ status: 'lent', count: 1 }, { status: 'here', count: 2 }, { status: 'lost', count: 1 }]);
    assert.deepEqual(await data(anon.from('authors').select('id, books!author_id(count())').order('id')),
      [{ id: 1, books: [{ count: 1 }] }, { id: 2, books: [{ count: 2 }] }, { id: 3, books: [{ count: 1 }] }]);
    assert.deepEqual(await data(anon.from('books').select('id, ...authors!author_id(author:name)').eq('id', 1)),
      [{ id: 1, author: 'Ada' }]);
    assert.deepEqual(await data(anon.from('authors').select('name, ...books!author_id(ids:id)').eq('id', 2)),
      [{ name: 'Berta', ids: [2, 3] }]);
    assert.deepEqual(await data(anon.rpc('books_by', { author: 'Berta' }).select('count(), pages.sum()')),
      [{ count: 2, sum: 120 }]);
  },
  async 'refusals have the codes that clients look for'({ anon, alice, wrong }) {
    const unknown = await refused(anon.from('bookz').select(), 404, 'PGRST205');
    assert.equal(unknown.hint, "Perhaps you meant the table 'public.books'");
    await refused(anon.from('books').select('id').eq('price', 'dear'), 400, '22P02');
    await refused(anon.from('books').select('id').filter('id', 'near', 1), 400, 'PGRST100');
    await refused(anon.from('books').insert({ title: 'no', author_id: 1, price: 1 }), 401, '42501');
    await refused(alice.from('books').delete().eq('id', 1), 403, '42501');
    await refused(anon.rpc('add', { c: 1 }), 404, 'PGRST202');
    await refused(anon.rpc('missing'), 404, 'PGRST202');
    await refused(wrong.from('books').select(), 401, 'PGRST301');
    await refused(alice.from('shelves').insert([{ name: 'a' }, { name: null }]), 400, '23502');
    assert.equal((await data(alice.from('shelves').select())).length, 1, 'nothing of it is kept');
  },
};
