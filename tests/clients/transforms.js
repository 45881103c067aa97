// What shapes an answer: order, page, form, and how the request is sent.

import assert from 'node:assert/strict';

/** The data of an answer that is no error. */
export async function data(builder) {
  const answer = await builder;
  assert.equal(answer.error, null);
  return answer.data;
}

export async function refused(builder, status, code) {
  const { data: rows, error, status: answered } = await builder;
  assert.deepEqual([rows, answered, error?.code], [null, status, code], error?.message);
  return error;
}

const ids = async (builder) => (await data(builder)).map((row) => row.id);
const books = (client, columns = 'id') => client.from('books').select(columns);

export const transforms = {
  async 'PostgrestTransformBuilder.order'({ anon }) {
    assert.deepEqual(await ids(books(anon).order('price')), [3, 2, 1, 4]);
    assert.deepEqual(await ids(books(anon).order('price', { ascending: false })), [4, 1, 2, 3]);
    assert.deepEqual(await ids(books(anon).order('pages', { nullsFirst: true })), [3, 2, 1, 4]);
    assert.deepEqual(await ids(books(anon).order('pages', { ascending: false, nullsFirst: false })), [4, 1, 2, 3]);
    assert.deepEqual(await ids(books(anon).order('status').order('id', { ascending: false })), [2, 3, 1, 4]);
    assert.deepEqual(await ids(books(anon, 'id, authors!author_id(name)').order('authors(name)').order('id')), [1, 2, 3, 4]);
    const authors = anon.from('authors').select('id, books!author_id(id)').eq('id', 2);
    const [{ books: listed }] = await data(authors.order('id', { referencedTable: 'books', ascending: false }));
    assert.deepEqual(listed, [{ id: 3 }, { id: 2 }]);
  },
  async 'PostgrestTransformBuilder.limit'({ anon }) {
    assert.deepEqual(await ids(books(anon).order('id').limit(2)), [1, 2]);
    const authors = anon.from('authors').select('id, books!author_id(id)').eq('id', 2);
    const rows = await data(authors.order('id', { referencedTable: 'books' }).limit(1, { referencedTable: 'books' }));
    assert.deepEqual(rows, [{ id: 2, books: [{ id: 2 }] }]);
  },
  async 'PostgrestTransformBuilder.range'({ anon }) {
    assert.deepEqual(await ids(books(anon).order('id').range(1, 2)), [2, 3]);
    const beyond = await anon.from('books').select('id', { count: 'exact' }).order('id').range(9, 12);
    assert.deepEqual([beyond.status, beyond.error.code], [416, 'PGRST103']);
    const part = await anon.from('books').select('id', { count: 'exact' }).order('id').range(0, 1);
    assert.deepEqual([part.status, part.count], [206, 4]);
    const authors = anon.from('authors').select('id, books!author_id(id)').eq('id', 2);
    const rows = await data(authors.order('id', { referencedTable: 'books' }).range(1, 1, { referencedTable: 'books' }));
    assert.deepEqual(rows, [{ id: 2, books: [{ id: 3 }] }]);
  },
  async 'PostgrestTransformBuilder.abortSignal'({ anon }) {
    assert.deepEqual(await ids(books(anon).eq('id', 1).abortSignal(new AbortController().signal)), [1]);
    const { data: none, error } = await books(anon).abortSignal(AbortSignal.abort());
    assert.equal(none, null);
    assert.match(error.message, /abort/i);
  },
  async 'PostgrestTransformBuilder.single'({ anon }) {
    assert.deepEqual(await data(books(anon, 'title').eq('id', 3).single()), { title: 'A Garden Year' });
    const error = await refused(books(anon).single(), 406, 'PGRST116');
    assert.equal(error.details, 'The result contains 4 rows');
    await refused(books(anon).eq('id', 99).single(), 406, 'PGRST116');
  },
  async 'PostgrestTransformBuilder.maybeSingle'({ anon }) {
    assert.deepEqual(await data(books(anon).eq('id', 3).maybeSingle()), { id: 3 });
    assert.equal(await data(books(anon).eq('id', 99).maybeSingle()), null);
    await refused(books(anon).maybeSingle(), 406, 'PGRST116');
  },
  async 'PostgrestTransformBuilder.csv'({ anon }) {
    const text = await data(books(anon, 'id,title,tags').gte('id', 3).order('id').csv());
    assert.equal(text, 'id,title,tags\n3,"A Garden Year",{gardens}\n4,"Peace, (mostly)",{}');
  },
  // There is no PostGIS here, so the form is not offered; as with PostgREST.
  async 'PostgrestTransformBuilder.geojson'({ anon }) {
    await refused(books(anon).geojson(), 406, 'PGRST107');
  },
  async 'PostgrestTransformBuilder.explain'({ anon }) {
    assert.match(await data(books(anon).explain()), /cost=/);
    const [plan] = await data(books(anon).explain({ analyze: true, verbose: true, buffers: true, format: 'json' }));
    assert.ok(plan['Execution Time'] >= 0);
    assert.ok(plan.Plan.Output.length > 0);
  },
  async 'PostgrestTransformBuilder.rollback'({ alice }) {
    const shelf = await data(alice.from('shelves').insert({ name: 'never' }).select('name').rollback().single());
    assert.deepEqual(shelf, { name: 'never' });
    assert.deepEqual(await data(alice.from('shelves').select('name').eq('name', 'never')), []);
  },
  async 'PostgrestTransformBuilder.maxAffected'({ alice }) {
    await data(alice.from('shelves').insert([{ name: 'm1' }, { name: 'm2' }]));
    const mine = (builder) => builder.in('name', ['m1', 'm2']);
    await refused(mine(alice.from('shelves').update({ note: 'x' })).maxAffected(1), 400, 'PGRST124');
    await refused(mine(alice.from('shelves').delete()).maxAffected(1), 400, 'PGRST124');
    await refused(alice.rpc('clear').maxAffected(1), 400, 'PGRST124');
    assert.equal((await data(mine(alice.from('shelves').select('note').is('note', null)))).length, 2, 'all undone');
    assert.equal((await data(mine(alice.from('shelves').delete()).maxAffected(2).select())).length, 2);
  },
  async 'PostgrestTransformBuilder.select'({ alice }) {
    const written = alice.from('shelves').insert({ name: 'shown' }).select('name, place');
    assert.deepEqual(await data(written), [{ name: 'shown', place: 7 }]);
    const changed = alice.from('shelves').update({ place: 8 }).eq('name', 'shown').select('place').single();
    assert.deepEqual(await data(changed), { place: 8 });
    assert.deepEqual(await data(alice.from('shelves').delete().eq('name', 'shown').select('name')), [{ name: 'shown' }]);
  },
  async 'PostgrestBuilder.stripNulls'({ anon }) {
    const rows = await data(books(anon, 'id, pages, editor_id').gte('id', 3).order('id').stripNulls());
    assert.deepEqual(rows, [{ id: 3 }, { id: 4, pages: 800, editor_id: 1 }]);
    assert.deepEqual(await data(books(anon, 'id, pages').eq('id', 3).stripNulls().single()), { id: 3 });
  },
  async 'PostgrestBuilder.throwOnError'({ anon }) {
    assert.equal((await books(anon).throwOnError()).data.length, 4);
    await assert.rejects(async () => anon.from('nowhere').select().throwOnError(), { name: 'PostgrestError', code: 'PGRST205' });
  },
  async 'PostgrestBuilder.setHeader'({ anon }) {
    const csv = books(anon).eq('id', 1).setHeader('Accept', 'text/csv');
    assert.equal(await data(csv), 'id\n1');
    await refused(anon.from('boxes').select().setHeader('Accept-Profile', 'nothing'), 406, 'PGRST106');
  },
  async 'PostgrestBuilder.retry'({ anon }) {
    assert.deepEqual(await ids(books(anon).eq('id', 1).retry(false)), [1]);
  },
  async 'PostgrestBuilder.then'({ anon }) {
    assert.equal(await books(anon).then((answer) => answer.status), 200);
  },
  async 'PostgrestBuilder.returns'({ anon }) {
    assert.deepEqual(await data(books(anon).eq('id', 1).returns()), [{ id: 1 }]);
  },
  async 'PostgrestBuilder.overrideTypes'({ anon }) {
    assert.deepEqual(await data(books(anon).eq('id', 1).single().overrideTypes()), { id: 1 });
  },
};
