//! The grammar of PostgREST's query strings, with the names that it gives to its parts in messages.

/// A rule, in the way of Parsec's combinators.
pub(super) enum Rule {
    Char(char),
    OneOf(&'static str),
    NoneOf(&'static str),
    Any,
    Letter,
    Digit,
    Text(&'static str),
    /// Letters of either case.
    AnyCase(&'static str),
    End,
    Seq(&'static [&'static Rule]),
    /// The first that fits, or that took something.
    Either(&'static [&'static Rule]),
    Option(&'static Rule),
    Many(&'static Rule),
    Many1(&'static Rule),
    SepBy1(&'static Rule, &'static Rule),
    /// Takes nothing when it does not fit.
    Try(&'static Rule),
    /// Told by a name instead of by what could have begun it.
    Label(&'static Rule, &'static str),
    LookAhead(&'static Rule),
    NotBefore(&'static Rule),
    /// Anything that fits but this word.
    Except(&'static str, &'static Rule),
}

use Rule::*;

static BLANKS: Rule = Many(&OneOf(" \t"));
static OPEN: Rule = Char('(');
static CLOSE: Rule = Char(')');
static WIDE_OPEN: Rule = Seq(&[&BLANKS, &OPEN, &BLANKS]);
static WIDE_CLOSE: Rule = Seq(&[&BLANKS, &CLOSE, &BLANKS]);
static WIDE_COMMA: Rule = Seq(&[&BLANKS, &Char(','), &BLANKS]);
static DOT: Rule = Label(&Char('.'), "delimiter (.)");

static IDENTIFIER: Rule = Many1(&Either(&[&Letter, &Digit, &OneOf("_ $")]));
static DASH: Rule = Try(&Seq(&[&Char('-'), &NotBefore(&Char('>'))]));
static QUOTED: Rule =
    Seq(&[&Char('"'), &Many(&Either(&[&NoneOf("\\\""), &Seq(&[&Char('\\'), &Any])])), &Char('"')]);
static FIELD_NAME: Rule =
    Label(&Either(&[&QUOTED, &SepBy1(&IDENTIFIER, &DASH)]), "field name (* or [a..z0..9_$])");

static JSON_ARROW: Rule = Either(&[&Try(&Text("->>")), &Try(&Text("->"))]);
static JSON_KEY: Rule = Label(
    &Either(&[&QUOTED, &SepBy1(&Many1(&NoneOf("(-:.,>)")), &DASH)]),
    "any non reserved character different from: .,>()",
);
static JSON_INDEX_END: Rule = Either(&[
    &Try(&LookAhead(&Text("->"))),
    &Try(&LookAhead(&Text("::"))),
    &Try(&LookAhead(&Text("."))),
    &Try(&LookAhead(&Text(","))),
    &Try(&End),
]);
static JSON_INDEX: Rule = Seq(&[&Option(&Char('-')), &Many1(&Digit), &JSON_INDEX_END]);
static JSON_PATH: Rule = Many(&Seq(&[&JSON_ARROW, &Either(&[&Try(&JSON_INDEX), &Try(&JSON_KEY)])]));
static FIELD: Rule = Seq(&[&BLANKS, &FIELD_NAME, &Option(&JSON_PATH), &BLANKS]);

pub(super) static TREE_PATH: Rule = Seq(&[&SepBy1(&FIELD_NAME, &DOT), &Option(&JSON_PATH)]);
pub(super) static LOGIC_PATH: Rule = SepBy1(&FIELD_NAME, &DOT);
pub(super) static COLUMNS: Rule = SepBy1(&FIELD_NAME, &WIDE_COMMA);

// select

pub(super) static FIELD_FOREST: Rule = Option(&SepBy1(&FIELD_TREE, &WIDE_COMMA));
static CHILDREN: Rule = Seq(&[&OPEN, &FIELD_FOREST, &CLOSE]);
static FIELD_TREE: Rule =
    Either(&[&Seq(&[&Try(&SPREAD), &CHILDREN]), &Seq(&[&Try(&RELATION), &CHILDREN]), &FIELD_SELECT]);
static BEFORE_OPEN: Rule = Try(&LookAhead(&Text("(")));
static ALIAS: Rule = Option(&Try(&Seq(&[&FIELD_NAME, &Char(':'), &NotBefore(&Char(':'))])));
static SPREAD: Rule = Seq(&[&BLANKS, &Text("..."), &FIELD_NAME, &HINTS, &BEFORE_OPEN, &BLANKS]);
static RELATION: Rule = Seq(&[&BLANKS, &ALIAS, &Except("count", &FIELD_NAME), &HINTS, &BEFORE_OPEN, &BLANKS]);
static HINT: Rule =
    Seq(&[&Char('!'), &Either(&[&Try(&Text("left")), &Try(&Text("inner")), &Try(&FIELD_NAME)])]);
static HINTS: Rule = Seq(&[&Option(&HINT), &Option(&HINT)]);

static SELECT_END: Rule = Either(&[&Try(&LookAhead(&Text(")"))), &Try(&LookAhead(&Text(","))), &Try(&End)]);
static CAST: Rule = Option(&Seq(&[&Text("::"), &IDENTIFIER]));
static AGGREGATE: Rule =
    Either(&[&Text("sum"), &Text("avg"), &Text("count"), &Try(&Text("max")), &Try(&Text("min"))]);
static FIELD_SELECT: Rule = Seq(&[
    &BLANKS,
    &Either(&[
        &Try(&Seq(&[&Text("*"), &SELECT_END])),
        &Try(&Seq(&[&ALIAS, &Text("count()"), &CAST, &SELECT_END])),
        &Seq(&[
            &ALIAS,
            &FIELD,
            &CAST,
            &Option(&Try(&Seq(&[&Char('.'), &AGGREGATE, &Text("()")]))),
            &CAST,
            &SELECT_END,
        ]),
    ]),
    &BLANKS,
]);

// filters

static NOT: Rule = Try(&Seq(&[&Text("not"), &DOT]));
static SIMPLE: Rule = Label(
    &Either(&[
        &Try(&Text("neq")),
        &Try(&Text("cs")),
        &Try(&Text("cd")),
        &Try(&Text("ov")),
        &Try(&Text("sl")),
        &Try(&Text("sr")),
        &Try(&Text("nxr")),
        &Try(&Text("nxl")),
        &Try(&Text("adj")),
    ]),
    "unknown single value operator",
);
static QUANTIFIABLE: Rule = Label(
    &Either(&[
        &Try(&Text("eq")),
        &Try(&Text("gte")),
        &Try(&Text("gt")),
        &Try(&Text("lte")),
        &Try(&Text("lt")),
        &Try(&Text("like")),
        &Try(&Text("ilike")),
        &Try(&Text("match")),
        &Try(&Text("imatch")),
    ]),
    "unknown single value operator",
);
static QUANTIFIER: Rule = Option(&Try(&Seq(&[&OPEN, &Either(&[&Try(&Text("any")), &Text("all")]), &CLOSE])));
static LANGUAGE: Rule = Option(&Try(&Seq(&[&OPEN, &IDENTIFIER, &CLOSE])));
static FULL_TEXT: Rule =
    Either(&[&Try(&Text("fts")), &Try(&Text("plfts")), &Try(&Text("phfts")), &Try(&Text("wfts"))]);
static IS: Rule = Label(
    &Either(&[
        &Try(&AnyCase("null")),
        &Try(&AnyCase("not_null")),
        &Try(&AnyCase("true")),
        &Try(&AnyCase("false")),
        &Try(&AnyCase("unknown")),
    ]),
    "isVal: (null, not_null, true, false, unknown)",
);
static BARE: Rule = Many(&NoneOf(",)"));
static WHOLE_QUOTED: Rule = Try(&Seq(&[&QUOTED, &NotBefore(&NoneOf(",)"))]));
static LIST: Rule = Seq(&[&WIDE_OPEN, &SepBy1(&Either(&[&WHOLE_QUOTED, &BARE]), &Char(',')), &WIDE_CLOSE]);
static VALUE: Rule = Many(&Any);
static TREE_VALUE: Rule =
    Either(&[&WHOLE_QUOTED, &Try(&Seq(&[&Text("{"), &Many(&NoneOf("{}")), &Text("}")])), &BARE]);

pub(super) static OPERATION: Rule = Seq(&[
    &Option(&NOT),
    &Label(
        &Either(&[
            &Seq(&[&Try(&Seq(&[&Text("in"), &DOT])), &LIST]),
            &Seq(&[&Try(&Seq(&[&Text("is"), &DOT])), &IS]),
            &Seq(&[&Try(&Seq(&[&Text("isdistinct"), &DOT])), &VALUE]),
            &Try(&Seq(&[&FULL_TEXT, &LANGUAGE, &DOT, &VALUE])),
            &Try(&Seq(&[&SIMPLE, &DOT, &VALUE])),
            &Try(&Seq(&[&QUANTIFIABLE, &QUANTIFIER, &DOT, &VALUE])),
        ]),
        "operator (eq, gt, ...)",
    ),
]);
static TREE_OPERATION: Rule = Seq(&[
    &Option(&NOT),
    &Label(
        &Either(&[
            &Seq(&[&Try(&Seq(&[&Text("in"), &DOT])), &LIST]),
            &Seq(&[&Try(&Seq(&[&Text("is"), &DOT])), &IS]),
            &Seq(&[&Try(&Seq(&[&Text("isdistinct"), &DOT])), &TREE_VALUE]),
            &Try(&Seq(&[&FULL_TEXT, &LANGUAGE, &DOT, &TREE_VALUE])),
            &Try(&Seq(&[&SIMPLE, &DOT, &TREE_VALUE])),
            &Try(&Seq(&[&QUANTIFIABLE, &QUANTIFIER, &DOT, &TREE_VALUE])),
        ]),
        "operator (eq, gt, ...)",
    ),
]);

pub(super) static LOGIC_TREE: Rule = Either(&[
    &Try(&Seq(&[&FIELD, &DOT, &TREE_OPERATION])),
    &Seq(&[
        &Label(&Option(&NOT), "negation operator (not)"),
        &Label(&Either(&[&Try(&Text("and")), &Text("or")]), "logic operator (and, or)"),
        &WIDE_OPEN,
        &SepBy1(&LOGIC_TREE, &WIDE_COMMA),
        &WIDE_CLOSE,
    ]),
]);

// order

static ORDER_END: Rule = Either(&[&Try(&LookAhead(&Char(','))), &Try(&End)]);
static DIRECTION: Rule =
    Option(&Either(&[&Try(&Seq(&[&DOT, &Text("asc")])), &Try(&Seq(&[&DOT, &Text("desc")]))]));
static NULLS: Rule =
    Option(&Either(&[&Try(&Seq(&[&DOT, &Text("nullsfirst")])), &Try(&Seq(&[&DOT, &Text("nullslast")]))]));
static ORDERED: Rule = Seq(&[&DIRECTION, &Either(&[&Seq(&[&NULLS, &ORDER_END]), &ORDER_END])]);
static ORDER_TERM: Rule =
    Either(&[&Try(&Seq(&[&FIELD_NAME, &OPEN, &FIELD, &CLOSE, &ORDERED])), &Seq(&[&FIELD, &ORDERED])]);
pub(super) static ORDER: Rule = SepBy1(&Seq(&[&BLANKS, &ORDER_TERM, &BLANKS]), &Char(','));
