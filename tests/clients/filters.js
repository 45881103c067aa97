// Every filter, on the four books of seed.dev.sql: which of them it leaves.

import assert from 'node:assert/strict';

/** What `ask` makes of a select of all books, and the ids that are left. */
const CASES = {
  eq: [
    [(books) => books.eq('title', 'A Garden Year'), [3]],
    [(books) => books.eq('title', 'Peace, (mostly)'), [4]],
    [(books) => books.eq('details->prints->first', 1843), [1]],
    [(books) => books.eq('author.name', 'Berta'), [1, 2, 3, 4]],
  ],
  neq: [[(books) => books.neq('status', 'here'), [2, 4]]],
  gt: [[(books) => books.gt('price', 12.5), [1, 4]]],
  gte: [[(books) => books.gte('price', 12.5), [1, 2, 4]]],
  lt: [[(books) => books.lt('pages', 300), [2]]],
  lte: [[(books) => books.lte('pages', 300), [1, 2]]],
  like: [[(books) => books.like('title', 'The%'), [1]], [(books) => books.like('title', 'the%'), []]],
  likeAllOf: [[(books) => books.likeAllOf('title', ['%Engine%', '%Roads']), [2]]],
  likeAnyOf: [[(books) => books.likeAnyOf('title', ['The%', 'A %']), [1, 3]]],
  ilike: [[(books) => books.ilike('title', 'the%'), [1]]],
  ilikeAllOf: [[(books) => books.ilikeAllOf('title', ['%ENGINE%', '%roads']), [2]]],
  ilikeAnyOf: [[(books) => books.ilikeAnyOf('title', ['the%', 'a %']), [1, 3]]],
  regexMatch: [[(books) => books.regexMatch('title', '^A '), [3]]],
  regexIMatch: [[(books) => books.regexIMatch('title', '^the|year$'), [1, 3]]],
  is: [
    [(books) => books.is('out_of_print', null), [4]],
    [(books) => books.is('out_of_print', true), [3]],
    [(books) => books.is('out_of_print', false), [1, 2]],
  ],
  isDistinct: [[(books) => books.isDistinct('out_of_print', false), [3, 4]]],
  in: [
    [(books) => books.in('title', ['Peace, (mostly)', 'A Garden Year']), [3, 4]],
    [(books) => books.in('id', []), []],
  ],
  notIn: [[(books) => books.notIn('status', ['here', 'lost']), [2]]],
  contains: [
    [(books) => books.contains('tags', ['engines']), [1, 2]],
    [(books) => books.contains('details', { cover: 'hard' }), [1, 4]],
    [(books) => books.contains('shown', '[6,7)'), [1, 2]],
  ],
  containedBy: [
    [(books) => books.containedBy('tags', ['engines', 'roads', 'gardens']), [2, 3, 4]],
    [(books) => books.containedBy('details', { cover: 'soft', more: 1 }), [2]],
    [(books) => books.containedBy('shown', '[0,20)'), [1, 2]],
  ],
  rangeGt: [[(books) => books.rangeGt('shown', '[1,5)'), [2, 3]]],
  rangeGte: [[(books) => books.rangeGte('shown', '[5,10)'), [2, 3]]],
  rangeLt: [[(books) => books.rangeLt('shown', '[20,25)'), [1, 2]]],
  rangeLte: [[(books) => books.rangeLte('shown', '[1,10)'), [1]]],
  rangeAdjacent: [[(books) => books.rangeAdjacent('shown', '[10,20)'), [1, 3]]],
  overlaps: [
    [(books) => books.overlaps('tags', ['roads', 'gardens']), [2, 3]],
    [(books) => books.overlaps('shown', '[8,9)'), [1, 2]],
  ],
  textSearch: [
    [(books) => books.textSearch('words', 'engine & !road', { config: 'english' }), [1]],
    [(books) => books.textSearch('words', 'roads engines', { type: 'plain', config: 'english' }), [2]],
    [(books) => books.textSearch('words', 'analytical engine', { type: 'phrase', config: 'english' }), [1]],
    [(books) => books.textSearch('words', 'engines -roads', { type: 'websearch', config: 'english' }), [1]],
    [(books) => books.textSearch('title', 'garden', { config: 'english' }), [3]],
  ],
  match: [[(books) => books.match({ author_id: 2, status: 'here' }), [3]]],
  not: [
    [(books) => books.not('status', 'eq', 'here'), [2, 4]],
    [(books) => books.not('editor_id', 'is', null), [1, 2, 4]],
    [(books) => books.not('id', 'in', '(1,2)'), [3, 4]],
    [(books) => books.not('tags', 'cs', '{engines}'), [3, 4]],
  ],
  or: [
    [(books) => books.or('id.eq.1,price.gt.25'), [1, 4]],
    [(books) => books.or('id.eq.3,and(status.neq.here,price.lt.20)'), [2, 3]],
    [(books) => books.or('title.eq."Peace, (mostly)",not.and(id.gt.1,id.lt.9)'), [1, 4]],
    [(books) => books.or('name.eq.Ada,name.eq.Carl', { referencedTable: 'author' }), [1, 2, 3, 4]],
  ],
  filter: [
    [(books) => books.filter('price', 'gte', 20), [1, 4]],
    [(books) => books.filter('details->>cover', 'eq', 'hard'), [1, 4]],
    [(books) => books.filter('title', 'not.like', '%Engine%'), [3, 4]],
    [(books) => books.filter('id', 'eq(any)', '{1,4}'), [1, 4]],
  ],
};

/** Cases for `PostgrestFilterBuilder.…`. */
export const filters = Object.fromEntries(
  Object.entries(CASES).map(([method, asked]) => [
    `PostgrestFilterBuilder.${method}`,
    async ({ anon }) => {
      for (const [ask, left] of asked) {
        const { data, error } = await ask(anon.from('books').select('id, author:authors!author_id(name)')).order('id');
        assert.equal(error, null);
        assert.deepEqual(data.map((book) => book.id), left, ask.toString());
      }
    },
  ]),
);
