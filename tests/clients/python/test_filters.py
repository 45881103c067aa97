"""Every filter, on the four books of seed.dev.sql: which of them it leaves."""

import unittest

from library import client, ids

CASES = {
    "eq": [
        (lambda books: books.eq("title", "A Garden Year"), [3]),
        (lambda books: books.eq("title", "Peace, (mostly)"), [4]),
        (lambda books: books.eq("out_of_print", False), [1, 2]),
    ],
    "neq": [(lambda books: books.neq("status", "here"), [2, 4])],
    "gt": [(lambda books: books.gt("price", 12.5), [1, 4])],
    "gte": [(lambda books: books.gte("price", 12.5), [1, 2, 4])],
    "lt": [(lambda books: books.lt("pages", 300), [2])],
    "lte": [(lambda books: books.lte("pages", 300), [1, 2])],
    "is_": [
        (lambda books: books.is_("out_of_print", None), [4]),
        (lambda books: books.is_("out_of_print", True), [3]),
        (lambda books: books.is_("out_of_print", "not_null"), [1, 2, 3]),
    ],
    "like": [(lambda books: books.like("title", "The%"), [1])],
    "like_all_of": [(lambda books: books.like_all_of("title", "%Engine%,%Roads"), [2])],
    "like_any_of": [(lambda books: books.like_any_of("title", "The%,A %"), [1, 3])],
    "ilike": [(lambda books: books.ilike("title", "the%"), [1])],
    "ilike_all_of": [(lambda books: books.ilike_all_of("title", "%ENGINE%,%roads"), [2])],
    "ilike_any_of": [(lambda books: books.ilike_any_of("title", "the%,a %"), [1, 3])],
    "or_": [
        (lambda books: books.or_("id.eq.1,price.gt.25"), [1, 4]),
        (lambda books: books.not_.or_("id.eq.1,price.gt.25"), [2, 3]),
        (lambda books: books.or_("name.eq.Ada,name.eq.Carl", reference_table="author"), [1, 2, 3, 4]),
    ],
    "fts": [(lambda books: books.fts("words", "engin & !road"), [1])],
    "plfts": [(lambda books: books.plfts("words", "road engin"), [2])],
    "phfts": [(lambda books: books.phfts("words", "analyt engin"), [1])],
    "wfts": [(lambda books: books.wfts("words", "engin -road"), [1])],
    "text_search": [
        (lambda books: books.text_search("words", "engine & !road", {"config": "english"}), [1]),
        (lambda books: books.text_search("words", "roads engines", {"type": "plain", "config": "english"}), [2]),
        (lambda books: books.text_search("words", "analytical engine", {"type": "phrase", "config": "english"}), [1]),
        (lambda books: books.text_search("words", "engines -roads", {"type": "web_search", "config": "english"}), [1]),
    ],
    "in_": [
        (lambda books: books.in_("title", ["Peace, (mostly)", "A Garden Year"]), [3, 4]),
        (lambda books: books.not_.in_("id", [1, 2]), [3, 4]),
    ],
    "cs": [(lambda books: books.cs("tags", ["engines"]), [1, 2])],
    "cd": [(lambda books: books.cd("tags", ["engines", "roads", "gardens"]), [2, 3, 4])],
    "ov": [(lambda books: books.ov("tags", ["roads", "gardens"]), [2, 3])],
    "contains": [
        (lambda books: books.contains("tags", ["engines"]), [1, 2]),
        (lambda books: books.contains("details", {"cover": "hard"}), [1, 4]),
        (lambda books: books.contains("shown", "[6,7)"), [1, 2]),
    ],
    "contained_by": [
        (lambda books: books.contained_by("tags", ["engines", "roads", "gardens"]), [2, 3, 4]),
        (lambda books: books.contained_by("details", {"cover": "soft", "more": 1}), [2]),
        (lambda books: books.contained_by("shown", "[0,20)"), [1, 2]),
    ],
    "overlaps": [(lambda books: books.overlaps("tags", ["roads", "gardens"]), [2, 3])],
    # The client writes both bounds as exclusive: (0,6) is [1,6).
    "sl": [(lambda books: books.sl("shown", (19, 25)), [1, 2])],
    "range_lt": [(lambda books: books.range_lt("shown", (19, 25)), [1, 2])],
    "sr": [(lambda books: books.sr("shown", (0, 5)), [2, 3])],
    "range_gt": [(lambda books: books.range_gt("shown", (0, 5)), [2, 3])],
    "nxl": [(lambda books: books.nxl("shown", (4, 10)), [2, 3])],
    "range_gte": [(lambda books: books.range_gte("shown", (4, 10)), [2, 3])],
    "nxr": [(lambda books: books.nxr("shown", (0, 10)), [1])],
    "range_lte": [(lambda books: books.range_lte("shown", (0, 10)), [1])],
    "adj": [(lambda books: books.adj("shown", (9, 20)), [1, 3])],
    "range_adjacent": [(lambda books: books.range_adjacent("shown", (9, 20)), [1, 3])],
    "match": [(lambda books: books.match({"author_id": 2, "status": "here"}), [3])],
    "not_": [
        (lambda books: books.not_.eq("status", "here"), [2, 4]),
        (lambda books: books.not_.is_("editor_id", "null"), [1, 2, 4]),
    ],
    "filter": [
        (lambda books: books.filter("price", "gte", "20"), [1, 4]),
        (lambda books: books.filter("details->>cover", "eq", "hard"), [1, 4]),
        (lambda books: books.filter("title", "match", "^A "), [3]),
        (lambda books: books.filter("out_of_print", "isdistinct", "false"), [3, 4]),
    ],
}


class Filters(unittest.TestCase):
    def test_each(self):
        with client() as anon:
            for name, cases in CASES.items():
                for ask, left in cases:
                    with self.subTest(name, left=left):
                        books = anon.from_("books").select("id", "author:authors!author_id(name)")
                        self.assertEqual(ids(ask(books).order("id")), left)
