"""Where PostgREST 12.0.2 and 14, whose answers ours are, are known to differ, and the few places where ours differ from both.
Each rule names the aspects that it explains, and holds only for requests and answers that it recognises; whatever no rule
explains counts as a difference. The numbers are those of PostgREST's change log."""

import csv
import re
import urllib.parse

from compare import unordered

RULES = []
EVERYTHING = ("status", "body*", "content-range", "content-type", "location", "preference-applied")


def rule(reason, *aspects):
    """The function decides for (request, theirs, ours); aspects may end with `*` where any with that beginning is meant."""
    def keep(check):
        RULES.append((check.__name__.replace("_", " "), reason, aspects, check))
        return check
    return keep


def explained(request, theirs, ours, found):
    """Names of the rules that together explain all that was found; None when something is left."""
    names, left = [], set(found)
    for name, _, aspects, check in RULES:
        covered = {a for a in left if any(a == x or x.endswith("*") and a.startswith(x[:-1]) for x in aspects)}
        if covered and check(request, theirs, ours):
            names.append(name)
            left -= covered
    return None if left else names


def message(answer):
    return str(answer.value.get("message")) if isinstance(answer.value, dict) else ""


def query(request):
    return urllib.parse.unquote(request["path"].partition("?")[2])


def refused(theirs, ours, code, other):
    return theirs.code() == code and ours.code() == other


# What changed between 12.0.2 and 14, of error messages and codes.

@rule("406 instead of 415 for a media type that is not there (12.0.3, #3224)", "status")
def not_acceptable_is_406(request, theirs, ours):
    return (theirs.status, ours.status) == (415, 406) and theirs.code() == ours.code()


@rule("the message of PGRST116 is clearer, and its type is JSON (13.0, #3795; 12.0.3, #3373)", "body.message", "content-type")
def message_of_one_object(request, theirs, ours):
    return theirs.status == ours.status == 406 and "vnd.pgrst.object" in request["headers"].get("Accept", "")


@rule("PGRST205 for a table that is not there, instead of 42P01 or nothing (13.0, #3697)", "body*", "status", "content-type")
def unknown_tables(request, theirs, ours):
    return ours.code() == "PGRST205" and (theirs.status in (404, 415) or theirs.code() in ("42P01", "PGRST200", "PGRST102", "PGRST108"))


@rule("PGRST125 for a path that means nothing (13.0, #3906)", "body*")
def unknown_paths(request, theirs, ours):
    return theirs.status == ours.status == 404 and theirs.text == "{}" and ours.code() in ("PGRST125", "PGRST126")


@rule("PGRST106 names the schema that was asked for (13.0.7, #4089)", "body.message", "body.hint")
def message_of_unknown_schemas(request, theirs, ours):
    return refused(theirs, ours, "PGRST106", "PGRST106")


@rule("PGRST204 says which column was not found (12.0.3, #3361)", "body.message")
def message_of_unknown_columns(request, theirs, ours):
    return refused(theirs, ours, "PGRST204", "PGRST204")


@rule("refusals of tokens were rewritten (13.0, #3600)", "body*")
def messages_of_tokens(request, theirs, ours):
    return "Authorization" in request["headers"] and theirs.status == ours.status == 401 \
        and theirs.code() in ("PGRST301", "PGRST302") and ours.code() in ("PGRST301", "PGRST303")


@rule("an empty token is refused (13.0, #3600)", "body*", "status", "content-range")
def empty_tokens(request, theirs, ours):
    return request["headers"].get("Authorization") == "Bearer " and ours.code() == "PGRST301"


@rule("a role that does not exist is 401 (13.0.1, #3601)", "status")
def unknown_roles(request, theirs, ours):
    return refused(theirs, ours, "22023", "22023") and ours.status == 401


@rule("hints name the nearest of several that are equally near; which is theirs alone", "body.hint")
def hints_among_equals(request, theirs, ours):
    return theirs.code() == ours.code() in ("PGRST202", "PGRST200")


@rule("`is` takes `not_null` as well (13.0, #3747), which its message tells", "body.details", "body.message")
def message_of_is(request, theirs, ours):
    return refused(theirs, ours, "PGRST100", "PGRST100") and "not_null" in str(ours.value["details"])


# What 12.0.2 could not do.

@rule("filters on columns of a function's rows that are not selected (13.0, #3965)", *EVERYTHING)
def filters_on_function_rows(request, theirs, ours):
    return "/rpc/" in request["path"] and theirs.code() == "42703" \
        and ours.code() not in ("42703", "PGRST100")


@rule("order and filters of a written row's columns that are not selected (13.0, #3013; 14.4, #3707)", *EVERYTHING)
def filters_on_written_rows(request, theirs, ours):
    if request["method"] == "DELETE" and re.search(r"order=(nothing|\w+\(\w+\))$", query(request)):
        return ours.code() in ("42703", "PGRST108")
    return request["method"] in ("POST", "PATCH", "PUT", "DELETE") and theirs.code() == "42703" and ours.code() != "42703"


@rule("related order and filters by columns that an embed does not select (13.0, #3013)", *EVERYTHING)
def order_by_unselected_columns(request, theirs, ours):
    return request["method"] in ("GET", "HEAD") and theirs.code() == "42703" \
        and ours.code() not in ("42703", "PGRST100") and re.search(r"order=[^&]*\(", query(request)) is not None


@rule("a column twice in a spread or ordered relation, where 12.0.2 finds it ambiguous", *EVERYTHING)
def columns_twice(request, theirs, ours):
    return theirs.code() == "42702"


@rule("a related row in the groups of an aggregate (13.0, #3693)", *EVERYTHING)
def related_rows_in_groups(request, theirs, ours):
    return theirs.code() == "42803" and ours.status < 300 and re.search(r"\.?(count|sum|avg|max|min)\(\)", query(request)) is not None


@rule("`in`, `any` and `all` on columns of arrays: PostgREST has no arrays of arrays, ours compares each", *EVERYTHING)
def lists_of_arrays(request, theirs, ours):
    return theirs.code() == "42704" and "could not find array type" in message(theirs) and ours.code() != "42704" \
        and re.search(r"(points|labels|tags|ints|texts)\.?=?[^&]*(in\.|\((any|all)\))", query(request)) is not None


@rule("a relation embedded by its name and by an alias: the name means the first, where PostgREST's choice depends on the other"
      " parameters", *EVERYTHING)
def paths_below_aliases(request, theirs, ours):
    text = query(request)
    aliased = set(re.findall(r"e\d\d:(\"[^\"]+\"|\w+)(?=[!(])", text))
    twice = aliased & set(re.findall(r"(?:[=(,]|\.\.\.)(\"[^\"]+\"|\w+)(?=[!(])", text))
    return bool(twice) and (theirs.code() in ("PGRST108", "42703") or theirs.status < 300 and ours.status < 300)


@rule("an or/and tree wants its parenthesis, as 12.0.2 does not see (it reads a column `orid`)", *EVERYTHING)
def trees_without_parenthesis(request, theirs, ours):
    return ours.code() == "PGRST100" and re.search(r"(^|&)(or|and)=[^(]", query(request)) is not None


@rule("one unnamed parameter of json: only such functions take a body without names (14.2, #4553)", *EVERYTHING)
def named_json_parameters(request, theirs, ours):
    return ours.code() == "PGRST202" and (theirs.code() == "42883" or request["path"].startswith("/rpc/json_of"))


@rule("an empty embed of a spread or ordered relation is not answered (12.2.2, #3093)", *EVERYTHING)
def empty_embeds_in_spreads(request, theirs, ours):
    return theirs.code() == "42703" and re.search(r"column .+_\d\..+ does not exist", message(theirs)) is not None and "()" in query(request)


@rule("a filter of an or/and tree chooses what is changed, not once more what is answered (14.4, #3707)", *EVERYTHING)
def trees_of_changes(request, theirs, ours):
    return request["method"] == "PATCH" and theirs.status in (200, 406) and re.search(r"(^|&|\.)(and|or)=", query(request)) is not None


@rule("a number at the end of a JSON path in an embed, which 12.0.2 cannot read", *EVERYTHING)
def numbers_at_the_end(request, theirs, ours):
    refusal = theirs.code() == "PGRST100" and "')' expecting digit" in str(theirs.value["details"])
    return re.search(r"->>?-?\d+\)", query(request)) is not None and (refusal or theirs.status == ours.status == 200)


@rule("a CSV has the columns as they are selected, in the same order, and its head names all of them", "body")
def heads_of_csv(request, theirs, ours):
    def rows(text):
        return sorted(sorted(cells) for cells in list(csv.reader(text.split("\n")))[1:])
    return "text/csv" in request["headers"].get("Accept", "") and rows(theirs.text) == rows(ours.text)


@rule("counts with computed relationships, which 12.0.2 does not write as SQL", *EVERYTHING)
def counts_of_computed_relations(request, theirs, ours):
    return theirs.code() == "42846" and "cannot cast type jsonb to" in message(theirs)


@rule("limited updates and deletes are gone (13.0, #3013)", *EVERYTHING)
def limited_changes(request, theirs, ours):
    return request["method"] in ("PATCH", "DELETE") and theirs.code() == "PGRST109" and re.search("(limit|offset)=", query(request)) is not None


@rule("a value of json in the URL of a function is taken as SQL takes it (13.0, #2858)", *EVERYTHING)
def json_arguments(request, theirs, ours):
    return request["path"].startswith("/rpc/json_of?") and request["method"] in ("GET", "HEAD") and theirs.status == 200


@rule("one scalar of a set as an object is the scalar (12.1)", "body")
def one_scalar(request, theirs, ours):
    return "pgrst_scalar" in theirs.text and "pgrst_scalar" not in ours.text and ours.status == theirs.status


@rule("500 for a cardinality violation (12.0.3, #3205)", "status")
def cardinality_violations(request, theirs, ours):
    return refused(theirs, ours, "21000", "21000") and ours.status == 500


@rule("texts are searched through to_tsvector (13.0, #2255), which numbers do not have", "body.hint", "body.message")
def text_search_in_numbers(request, theirs, ours):
    return refused(theirs, ours, "42883", "42883") and "to_tsvector" in message(ours)


@rule("text search by a configuration takes it for the column as well (13.0, #2255)", "body", "content-range", "status")
def text_search_by_configuration(request, theirs, ours):
    return theirs.status < 300 and ours.status < 300 and re.search(r"fts(\((any|all)\))?\((simple|english)\)\.", query(request)) is not None


# Where ours goes its own way.

@rule("PostgreSQL's hints name columns that are not granted; ours only those that are", "body.hint")
def hints_of_columns(request, theirs, ours):
    return refused(theirs, ours, "42703", "42703")


@rule("a list in braces is wanted before PostgreSQL sees it", *EVERYTHING)
def lists_without_braces(request, theirs, ours):
    return ours.code() == "PGRST100" and re.search(r"\((any|all)\)\.1", query(request)) is not None


@rule("HEAD with a count: 12.0.2 refuses what it answers to GET, and the other way round", "status", "content-range", "content-type",
      "preference-applied")
def head_is_not_get(request, theirs, ours):
    return request["method"] == "HEAD" and not theirs.text and ours.status < 300 and theirs.status == 400


@rule("HEAD says what GET says; of a function's single row that an inner embed leaves out 12.0.2 says another range", "content-range")
def head_is_get(request, theirs, ours):
    return request["method"] == "HEAD" and theirs.headers.get("content-range") == ours.headers.get("content-range")


@rule("of several mistakes in one request another one is told: preferences, pages and keys of PUT first, and of a body's values"
      " the first that is met", "body*", "status")
def order_of_refusals(request, theirs, ours):
    told = (theirs.code(), ours.code())
    if request["method"] == "PUT" and told in (("PGRST105", "PGRST114"), ("PGRST201", "PGRST105"), ("PGRST200", "PGRST105")):
        return True
    values = ("22001", "22P02", "22007", "23514", "23502", "23503", "23505")
    return ours.code() == "PGRST122" and theirs.status >= 400 or request["body"] is not None and all(code in values for code in told)


@rule("PUT: filters of embedded relations and quoted names of the key are no reason to refuse", *EVERYTHING)
def filters_of_put(request, theirs, ours):
    return request["method"] == "PUT" and theirs.code() == "PGRST105" and ours.code() != "PGRST105" \
        and (re.search(r"[?&](not\.)?\w+\.[^=]+=|\"the id\"=", "?" + query(request)) is not None or ours.code() == "PGRST205")


@rule("the count of rows looks at the limits of inner embeds as well", "status", "content-range")
def counts_with_limited_embeds(request, theirs, ours):
    return "count=exact" in request["headers"].get("Prefer", "") and re.search(r"\.(limit|offset)=", query(request)) is not None \
        and re.search(r"!inner|=(not\.)?is\.null", query(request)) is not None \
        and unordered(theirs.value) == unordered(ours.value)


@rule("the count of groups is that of groups, and not of the rows in them", "status", "content-range")
def counts_of_groups(request, theirs, ours):
    return "count=exact" in request["headers"].get("Prefer", "") and unordered(theirs.value) == unordered(ours.value) \
        and re.search(r"(count|sum|avg|max|min)\(\)", query(request)) is not None


@rule("limits of what is embedded hold in the answer of a write as well, inner embeds included", "body*", "content-range")
def limits_in_written_rows(request, theirs, ours):
    return request["method"] in ("POST", "PATCH", "PUT", "DELETE") and re.search(r"\.(limit|offset)=", query(request)) is not None \
        and theirs.status == ours.status and theirs.status < 300


@rule("a key alone is answered where only the key may be read", *EVERYTHING)
def less_privileges(request, theirs, ours):
    return request["path"].startswith(("/salaries", "/secrets")) and theirs.code() == "42501" and ours.code() != "42501"


@rule("one object wants one written row, not only one answered", *EVERYTHING)
def one_object_of_written_rows(request, theirs, ours):
    return request["method"] in ("POST", "PATCH", "PUT", "DELETE") and ours.code() == "PGRST116" \
        and (theirs.code() == "PGRST116" or theirs.status < 300) and "!inner" in query(request)


@rule("200 for a merge whose rows are all kept from the answer by an inner embed", "status")
def merges_without_answer(request, theirs, ours):
    return (theirs.status, ours.status) == (201, 200) and theirs.text == ours.text == "[]" and "!inner" in query(request)


@rule("an empty update needs the privileges of its filters", *EVERYTHING)
def filters_of_empty_updates(request, theirs, ours):
    return request["method"] == "PATCH" and request["body"] == "{}" and theirs.status < 300 and ours.code() == "42501"


@rule("a function is called for HEAD as well", *EVERYTHING)
def head_of_functions(request, theirs, ours):
    return request["method"] == "HEAD" and "/rpc/" in request["path"] and theirs.status == 200 and ours.status >= 400


@rule("a Location is a URI, with spaces encoded", "location")
def locations(request, theirs, ours):
    return theirs.headers.get("location", "").replace(" ", "%20") == ours.headers.get("location")


@rule("a refusal of a range is JSON, whatever was accepted", "content-type")
def type_of_refusals(request, theirs, ours):
    return theirs.status == ours.status == 416


@rule("`select` of a write is not looked at where no rows are answered", *EVERYTHING)
def unused_select(request, theirs, ours):
    return request["method"] in ("POST", "PATCH", "PUT", "DELETE") and theirs.code() in ("PGRST200", "PGRST201") \
        and ours.code() != theirs.code() and "representation" not in request["headers"].get("Prefer", "")


@rule("limits of embeds that are not there are refused in writes as in reads", *EVERYTHING)
def limits_of_nothing(request, theirs, ours):
    return request["method"] in ("POST", "PATCH", "PUT", "DELETE") and ours.code() == "PGRST108" and ".limit=" in query(request)


# Where SQL leaves something open.

@rule("SQL leaves the order of rows open where `order` is not given; only the order differs", "body")
def rows_in_another_order(request, theirs, ours):
    if not (theirs.is_json and ours.is_json and theirs.status < 300):
        return False
    return unordered(theirs.value) == unordered(ours.value)
