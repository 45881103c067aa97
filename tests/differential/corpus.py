"""Requests made at random from what the catalog and the data of the fixture say."""

import base64
import hashlib
import hmac
import json
import random
import urllib.parse

from servers import SECRET

TEXTS = ("text", "character varying", "character", "email")
NUMBERS = ("integer", "smallint", "bigint", "numeric", "real", "double precision")
ARRAYS = ("integer[]", "text[]")
RANGES = ("int4range", "tstzrange", "int4multirange")
ORDERED = TEXTS + NUMBERS + ARRAYS + (
    "date", "time without time zone", "timestamp without time zone", "timestamp with time zone", "interval", "uuid", "stage",
    "boolean", "int4range", "inet", "jsonb")
# Values of other rows and of none, and texts that are hard to quote.
FOREIGN = {
    "text": ["", "null", "a,b", 'say "hi"', "(x)", "back\\slash", "ä", "plan", "x", "%", "*", "a*", "{}", "1"],
    "integer": ["0", "1", "2", "-1", "2147483647"], "smallint": ["1", "5"], "bigint": ["100", "9007199254740993"],
    "numeric": ["1.5", "0", "1.50"], "real": ["1.5"], "double precision": ["0.1", "1e20"], "boolean": ["true", "false", "t"],
    "date": ["2024-01-31", "2021-01-01"], "timestamp with time zone": ["2024-01-31T10:00:00Z", "2024-01-31 12:00:00+02"],
    "uuid": ["11111111-1111-1111-1111-111111111111"], "stage": ["open", "draft"], "jsonb": ['{"p": 1}', "[]", "null", '"text"'],
    "integer[]": ["{1,2}", "{}", "{3}"], "text[]": ["{x}", "{}", '{"c,d"}'], "int4range": ["[1,3)", "empty", "(,)"],
}
FORBIDDEN = {"secrets"}


class Model:
    """Tables with their columns and values, and how they are related, as the fixture's database tells."""

    def __init__(self, postgres):
        self.columns, self.values, self.related = {}, {}, {}
        for row in postgres.query(
            "select c.relname as t, a.attname as c, format_type(a.atttypid, null) as type, a.attgenerated <> '' as made,"
            " coalesce((select true from pg_index i where i.indrelid = c.oid and indisprimary and attnum = any (indkey)), false)"
            " as key, c.relkind in ('r', 'p') as written from pg_class c join pg_attribute a on attrelid = c.oid"
            " where relnamespace = 'shop'::regnamespace and relkind in ('r', 'v', 'm', 'p') and not relispartition"
            " and attnum > 0 order by relname, attnum"
        ):
            row["type"] = row["type"].removeprefix("shop.")
            self.columns.setdefault(row["t"], []).append(row)
        for table, columns in self.columns.items():
            for column in columns:
                name = column["c"].replace('"', '""')
                found = postgres.query(f'select distinct "{name}"::text as v from shop."{table}" order by 1')
                self.values[table, column["c"]] = [row["v"] for row in found if row["v"] is not None]
        self.find_related(postgres)

    def find_related(self, postgres):
        keys = postgres.query(
            "select k.conrelid::regclass::text as s, k.confrelid::regclass::text as t, conname as n,"
            " (select array_agg(attname) from pg_attribute where attrelid = conrelid and attnum = any (conkey)) as c,"
            " (select string_agg(attname, ',') from pg_attribute where attrelid = conrelid and attnum = any (conkey)) as col"
            " from pg_constraint k where contype = 'f' and connamespace = 'shop'::regnamespace and conparentid = 0 order by conname")
        shorten = lambda name: name.removeprefix("shop.").strip('"')
        add = lambda source, *rest: self.related.setdefault(source, []).append(rest)
        for key in keys:
            source, target = shorten(key["s"]), shorten(key["t"])
            if source == target:
                add(source, key["col"], target, [], True)
                add(source, target, target, [key["col"]], False)
                continue
            names = [target, target, key["n"]] + ([key["col"]] if "," not in key["col"] else [])
            for name in names:
                add(source, name, target, [key["n"], key["col"]] if name == target else [], True)
            add(target, source, source, [key["n"], key["col"]], False)
        for view, base in (("open_projects", "projects"), ("task_list", "tasks")):
            names = [c["c"] for c in self.columns[view]]
            for key in keys:
                if shorten(key["s"]) == base and key["col"] in names:
                    add(view, shorten(key["t"]), shorten(key["t"]), [key["n"]], True)
                    add(shorten(key["t"]), view, view, [key["n"]], False)
                if shorten(key["t"]) == base:
                    add(view, shorten(key["s"]), shorten(key["s"]), [key["n"]], False)
        add("staff", "tasks", "tasks", ["assignments"], False)
        add("tasks", "staff", "staff", ["assignments"], False)
        add("projects", "main_client", "clients", [], True)
        add("projects", "late_tasks", "tasks", [], False)


def quoted(name):
    plain = name.isascii() and name.replace("_", "a").isalnum()
    return name if plain else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def in_list(value):
    hard = any(mark in value for mark in ',()"\\:.{} ') or value == ""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if hard else value


def token(claims):
    coded = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    head = coded(b'{"alg":"HS256","typ":"JWT"}') + "." + coded(json.dumps(claims).encode())
    return head + "." + coded(hmac.new(SECRET.encode(), head.encode(), hashlib.sha256).digest())


def encoded(parameters):
    safe = ".-_~!*():,$@/"
    return "&".join(urllib.parse.quote(k, safe=safe) + "=" + urllib.parse.quote(v, safe=safe) for k, v in parameters)


class Corpus:
    """One request after the other; the same ones for the same seed."""

    def __init__(self, model, seed):
        self.model, self.r = model, random.Random(seed)
        self.tables = [t for t in model.columns if t not in FORBIDDEN]
        # Tables with relations are more interesting.
        self.weighted = self.tables + [t for t in self.tables if t in model.related] * 2

    def chance(self, p):
        return self.r.random() < p

    def request(self):
        kinds = {
            self.read: 50, self.grouped: 7, self.represented: 8, self.insert: 10, self.change: 9, self.remove: 4, self.put: 3,
            self.call: 12, self.other_schema: 2, self.mistake: 12, self.as_someone: 3,
        }
        make = self.r.choices(list(kinds), list(kinds.values()))[0]
        method, path, parameters, headers, body = make()
        self.r.shuffle(parameters)
        query = encoded(parameters)
        target = "/" + urllib.parse.quote(path, safe="/") + ("?" + query if query else "")
        return {"kind": make.__name__, "method": method, "path": target, "headers": headers, "body": body}

    # Filters.

    def value(self, table, column):
        own = self.model.values[table, column["c"]]
        kind = "text" if column["type"] in TEXTS else column["type"]
        strange = FOREIGN.get(kind, [])
        if own and (not strange or self.chance(0.7)):
            return self.r.choice(own)
        return self.r.choice(strange) if strange else "1"

    def operators(self, kind):
        names = ["is"]
        if kind in ORDERED:
            names += ["eq", "neq", "gt", "gte", "lt", "lte", "in", "isdistinct", "quantified"] * 2
        if kind in TEXTS:
            names += ["like", "ilike", "match", "imatch", "liked", "fts"] * 2
        if kind in ARRAYS or kind in RANGES or kind == "jsonb":
            names += ["cs", "cd"] * 3
        if kind in ARRAYS or kind in RANGES:
            names += ["ov"] * 3
        if kind in RANGES:
            names += ["sl", "sr", "nxl", "nxr", "adj"] * 2
        if kind == "tsvector":
            names += ["fts"] * 4
        return names

    def condition(self, table, column, tree=False):
        kind = column["type"]
        name = self.r.choice(self.operators(kind))
        negated = "not." if self.chance(0.2) else ""
        value = self.value(table, column)
        plain = in_list if tree else (lambda text: text)
        if name == "is":
            return negated + "is." + self.r.choice(["null", "NULL", "true", "false", "unknown"] if kind == "boolean" else ["null"])
        if name == "in":
            items = [in_list(self.value(table, column)) for _ in range(self.r.randint(0, 3))]
            return f"{negated}in.({','.join(items)})" if items != [""] else f"{negated}in.()"
        if name == "quantified":
            items = [self.value(table, column) for _ in range(self.r.randint(1, 3))]
            array = "{" + ",".join(json.dumps(item, ensure_ascii=False) for item in items) + "}"
            return f"{negated}{self.r.choice(['eq', 'gt', 'gte', 'lt', 'lte'])}({self.r.choice(['any', 'all'])}).{plain(array)}"
        if name == "liked":
            items = [self.value(table, column)[:2] + "*" for _ in range(2)]
            array = "{" + ",".join(json.dumps(item, ensure_ascii=False) for item in items) + "}"
            return f"{negated}{self.r.choice(['like', 'ilike', 'match'])}({self.r.choice(['any', 'all'])}).{plain(array)}"
        if name in ("like", "ilike"):
            return negated + name + "." + plain(self.r.choice(["{}*", "*{}", "*{}*", "{}%"]).format(value[:2]))
        if name in ("match", "imatch"):
            return negated + name + "." + plain("^" + "".join(c for c in value[:2] if c.isalnum()))
        if name == "fts":
            words = "".join(c for c in value if c.isalnum())[:8] or "cat"
            how = self.r.choice(["fts", "plfts", "phfts", "wfts"]) + self.r.choice(["", "(english)", "(simple)"])
            return f"{negated}{how}.{plain(words)}"
        return f"{negated}{name}.{plain(value)}"

    def field(self, table):
        """A column, or a place in a JSON one: its text and a column that tells its type."""
        column = self.r.choice(self.model.columns[table])
        name = quoted(column["c"])
        if column["type"] in ("json", "jsonb") and self.chance(0.6):
            keys = ["p", "a", "n", "0", "-1", "theme", "who->name", "deep->list->1->k", "nothing"]
            steps = self.r.choice(keys)
            if self.chance(0.5):
                head, _, last = steps.rpartition("->")
                return name + "->" + (head + "->>" if head else ">") + last, {"c": column["c"], "type": "text"}
            return f"{name}->{steps}", {"c": column["c"], "type": "jsonb" if column["type"] == "jsonb" else "json"}
        return name, column

    def tree(self, table, depth=0):
        members = []
        for _ in range(self.r.randint(1, 3)):
            if depth < 2 and self.chance(0.25):
                members.append(self.r.choice(["and", "or", "not.and", "not.or"]) + self.tree(table, depth + 1))
            else:
                name, column = self.field(table)
                members.append(f"{name}.{self.condition(table, column, True)}")
        return "(" + ",".join(members) + ")"

    def filters(self, table, prefix="", most=2):
        parameters = []
        for _ in range(self.r.choice([0, 0, 1, 1, most])):
            name, column = self.field(table)
            parameters.append((prefix + name, self.condition(table, column)))
        if self.chance(0.15):
            key = self.r.choice(["and", "or", "not.and", "not.or"])
            name = prefix + key if not prefix or not key.startswith("not.") else "not." + prefix + key.removeprefix("not.")
            parameters.append((prefix + key, self.tree(table)))
        return parameters

    # What is selected.

    def order(self, table):
        """All keys at the end, so that pages are the same for everybody."""
        columns = [c for c in self.model.columns[table] if c["type"] in ORDERED]
        keys = [c for c in columns if c["key"] or c["c"] in ("id", "client_id")]
        terms = []
        for column in self.r.sample(columns, min(len(columns), self.r.randint(0, 2))):
            ending = self.r.choice(["", "", ".asc", ".desc"]) + self.r.choice(["", "", ".nullsfirst", ".nullslast"])
            terms.append(quoted(column["c"]) + ending)
        return ",".join(terms + [quoted(c["c"]) for c in keys if not any(t.split(".")[0] == quoted(c["c"]) for t in terms)])

    def page(self, table, prefix=""):
        parameters = []
        bounded = self.chance(0.3 if not prefix else 0.15)
        if bounded or self.chance(0.4):
            order = self.order(table)
            if order:
                parameters.append((prefix + "order", order))
            if bounded and order:
                parameters.append((prefix + "limit", str(self.r.randint(0, 4))))
                if self.chance(0.4):
                    parameters.append((prefix + "offset", str(self.r.randint(0, 3))))
        return parameters

    def fields(self, table):
        if self.chance(0.25):
            return ["*"]
        items, names = [], set()
        for _ in range(self.r.randint(1, 4)):
            name, column = self.field(table)
            if self.chance(0.15):
                name += self.r.choice(["::text"] if column["type"] not in NUMBERS else ["::text", "::numeric"])
            if self.chance(0.2) or "->" in name:
                name = f"{quoted(self.r.choice(['x', 'y', 'an alias ']) + str(len(items)))}:{name}"
            if name not in names:
                names.add(name)
                items.append(name)
        return items

    def select(self, table, parameters, prefix="", depth=0):
        items = self.fields(table)
        if table == "projects" and self.chance(0.2):
            items += self.r.sample(["shouted", "total_hours"], 1)
        relations = self.model.related.get(table, [])
        if depth < 3 and relations:
            for at in range(self.r.choice([0, 1, 1, 2] if depth == 0 else [0, 0, 1])):
                items.append(self.embed(self.r.choice(relations), parameters, prefix, depth, at))
        return ",".join(items)

    def embed(self, relation, parameters, prefix, depth, at):
        name, target, hints, to_one = relation
        # Two embeds of one level need different names.
        alias = f"e{depth}{at}" if at > 0 or self.chance(0.5) else None
        output = alias or quoted(name)
        path = f"{prefix}{output}."
        hint = "!" + quoted(self.r.choice(hints)) if hints and self.chance(0.6) and "," not in hints[-1] else ""
        spread = to_one and at == 0 and self.chance(0.12)
        join = self.r.choice(["", "", "", "!inner", "!left"])
        inner = "" if self.chance(0.07) and not spread else self.select(target, parameters, path, depth + 1)
        parameters += self.filters(target, path, 1) if self.chance(0.4) else []
        if not to_one:
            parameters += self.page(target, path)
        if self.chance(0.1) and not spread:
            parameters.append((prefix + output, self.r.choice(["is.null", "not.is.null"])))
        if to_one and self.chance(0.15) and depth == 0 and not spread:
            column = self.r.choice([c for c in self.model.columns[target] if c["type"] in ORDERED])
            parameters.append(("related order", f"{output}({quoted(column['c'])}){self.r.choice(['', '.desc', '.nullsfirst'])}"))
        shown = ("..." if spread else "") + (alias + ":" if alias and not spread else "")
        if spread and alias:
            parameters[:] = [(k.replace(path, prefix + quoted(name) + "."), v) for k, v in parameters]
        return f"{shown}{quoted(name)}{hint}{join}({inner})"

    def read_parameters(self, table):
        parameters = []
        select = self.select(table, parameters)
        parameters.append(("select", select))
        parameters += self.filters(table)
        paged = self.page(table)
        related = [v for k, v in parameters if k == "related order"]
        parameters = [(k, v) for k, v in parameters if k != "related order"]
        if related:
            own = [v for k, v in paged if k == "order"] or [self.order(table)]
            paged = [(k, v) for k, v in paged if k != "order"] + [("order", ",".join(related + [o for o in own if o]))]
        return parameters + paged

    def read_headers(self, parameters):
        headers = {}
        if self.chance(0.3):
            headers["Prefer"] = "count=exact"
        if self.chance(0.08) and any(k == "order" for k, _ in parameters):
            headers["Range-Unit"] = "items"
            headers["Range"] = self.r.choice(["0-1", "1-3", "2-", "0-0", "5-9", "100-200"])
        return headers

    # Requests.

    def read(self):
        table = self.r.choice(self.weighted)
        parameters = self.read_parameters(table)
        return self.r.choice(["GET"] * 9 + ["HEAD"]), table, parameters, self.read_headers(parameters), None

    def grouped(self):
        table = self.r.choice(["projects", "tasks", "reviews", "kinds", "events", "no_key", "clients"])
        columns = self.model.columns[table]
        keys = [quoted(c["c"]) for c in self.r.sample(columns, self.r.randint(0, 2)) if c["type"] in ORDERED]
        items = list(keys)
        for at in range(self.r.randint(1, 3)):
            column = self.r.choice([c for c in columns if c["type"] in NUMBERS and c["c"] not in ("real4", "real8", "num")])
            function = self.r.choice(["count", "sum", "avg", "min", "max"])
            cast = self.r.choice(["", "", "::text", "::numeric"])
            items.append(self.r.choice([f"a{at}:", f"b{at}:"]) + self.r.choice(
                [f"{quoted(column['c'])}.{function}(){cast}", "count()", f"{quoted(column['c'])}::text.max()"]))
        if self.chance(0.2) and self.model.related.get(table):
            name, target, hints, to_one = self.r.choice(self.model.related[table])
            if to_one:
                hint = f"!{hints[0]}" if hints else ""
                items.append(f"{quoted(name)}{hint}({quoted(self.model.columns[target][0]['c'])})")
        parameters = [("select", ",".join(items))] + self.filters(table)
        if keys and self.chance(0.5):
            parameters.append(("order", ",".join(keys)))
        return "GET", table, parameters, {"Prefer": "count=exact"} if self.chance(0.2) else {}, None

    def represented(self):
        table = self.r.choice(self.tables)
        accept = self.r.choice([
            "text/csv", "application/vnd.pgrst.object+json", "application/vnd.pgrst.object", "application/vnd.pgrst.array+json",
            "application/vnd.pgrst.object+json;nulls=stripped", "application/vnd.pgrst.array+json;nulls=stripped", "*/*",
            "text/html", "application/json;q=0.5, text/csv", "application/octet-stream", "application/json;charset=utf-8",
            "text/csv;charset=utf-8", "text/plain", "application/vnd.pgrst.object+json, application/json", "application/xml"])
        parameters = []
        if "csv" in accept:
            parameters = [("select", ",".join(self.fields(table)))] + self.filters(table) + self.page(table)
        else:
            parameters = self.read_parameters(table)
        if "object" in accept and self.chance(0.7):
            key = self.model.columns[table][0]
            parameters.append((quoted(key["c"]), f"eq.{self.value(table, key)}"))
        return self.r.choice(["GET"] * 5 + ["HEAD"]), table, parameters, {"Accept": accept} | self.read_headers(parameters), None

    # Values of bodies.

    def json_value(self, table, column):
        kind = column["type"]
        if self.chance(0.12):
            return None
        text = self.value(table, column)
        if kind == "boolean":
            return text in ("true", "t")
        if kind in ("integer", "smallint", "bigint") and self.chance(0.9):
            return int(text)
        if kind == "numeric" and text != "NaN" and self.chance(0.7):
            return float(text)
        if kind in ("json", "jsonb"):
            return json.loads(text) if text.strip()[:1] in '{["nt0123456789' else text
        if kind == "integer[]" and self.chance(0.8):
            return [self.r.choice([1, 2, None]) for _ in range(self.r.randint(0, 3))]
        if kind == "text[]" and self.chance(0.8):
            return [self.r.choice(["a", "b,c", 'q"', None, ""]) for _ in range(self.r.randint(0, 3))]
        return text

    def row(self, table, columns, key=None):
        row = {}
        for column in columns:
            row[column["c"]] = self.json_value(table, column)
            if key is not None and column["key"] and column["type"] == "integer":
                row[column["c"]] = key
        return row

    def written(self):
        tables = [t for t in self.tables if self.model.columns[t][0]["written"]]
        table = self.r.choice(tables)
        return table, [c for c in self.model.columns[table] if not c["made"]]

    def preferences(self, *more):
        words = [self.r.choice(["return=representation"] * 4 + ["return=minimal", "return=headers-only"])] if self.chance(0.9) else []
        words += [self.r.choice(choice) for choice in more if self.chance(0.5)]
        if self.chance(0.2):
            words.append(self.r.choice(["tx=rollback", "handling=strict", "handling=lenient", "timezone=Europe/Berlin"]))
        if self.chance(0.03):
            words.append(self.r.choice(["anything=else", "return=nonsense", "timezone=Nowhere/Land"]))
        self.r.shuffle(words)
        return {"Prefer": ", ".join(words)} if words else {}

    def returned(self, table, headers):
        if "representation" in headers.get("Prefer", "") and self.chance(0.5):
            parameters = []
            select = self.select(table, parameters)
            # Of a write, `embed=is.null` asks for a column of that name.
            kept = [(k, v) for k, v in parameters if k != "related order" and not ("." not in k and v.endswith("is.null"))]
            return [("select", select)] + kept
        return []

    def insert(self):
        table, columns = self.written()
        optional = [c for c in columns if not c["key"]]
        used = [c for c in columns if c["key"]] + self.r.sample(optional, self.r.randint(0, len(optional)))
        rows = [self.row(table, used, 1000 + n if self.chance(0.8) else self.r.randint(1, 3)) for n in range(self.r.randint(1, 3))]
        headers = self.preferences(
            ["resolution=merge-duplicates", "resolution=ignore-duplicates"], ["missing=default", "missing=null"], ["count=exact"])
        parameters = self.returned(table, headers)
        if self.chance(0.15) and any(c["key"] for c in columns):
            parameters.append(("on_conflict", ",".join(quoted(c["c"]) for c in columns if c["key"])))
        if self.chance(0.2):
            names = [c["c"] for c in used if c["key"] or self.chance(0.7)]
            if names:
                parameters.append(("columns", ",".join(quoted(n) for n in names)))
        if self.chance(0.15):
            for row in rows:
                for name in [n for n in row if self.chance(0.3)]:
                    del row[name]
        if self.chance(0.12) and rows[0]:
            return "POST", table, parameters, headers | {"Content-Type": "text/csv"}, self.csv(rows)
        if self.chance(0.06):
            form = urllib.parse.urlencode({k: v for k, v in rows[0].items() if isinstance(v, (str, int))})
            return "POST", table, parameters, headers | {"Content-Type": "application/x-www-form-urlencoded"}, form
        body = rows[0] if len(rows) == 1 and self.chance(0.7) else rows
        return "POST", table, parameters, self.typed(headers), self.dumped(body)

    def csv(self, rows):
        names = list(rows[0])
        hard = lambda text: '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n\\') or text in ("", "NULL") else text
        cell = lambda v: "NULL" if v is None else hard(v if isinstance(v, str) else json.dumps(v))
        lines = [",".join(hard(n) for n in names)] + [",".join(cell(row.get(n)) for n in names) for row in rows]
        return self.r.choice(["\n", "\r\n"]).join(lines) + self.r.choice(["", "\n"])

    def dumped(self, value):
        return json.dumps(value, ensure_ascii=self.chance(0.3))

    def typed(self, headers):
        choices = [{"Content-Type": "application/json"}] * 8 + [{}, {"Content-Type": "application/json; charset=utf-8"}]
        return headers | self.r.choice(choices)

    def change(self):
        table, columns = self.written()
        used = self.r.sample(columns, self.r.randint(0, min(3, len(columns))))
        used = [c for c in used if not c["key"] or self.chance(0.1)]
        headers = self.preferences(["count=exact"])
        parameters = self.returned(table, headers) + self.filters(table)
        if self.chance(0.4):
            key = self.model.columns[table][0]
            parameters.append((quoted(key["c"]), f"eq.{self.value(table, key)}"))
        if self.chance(0.1):
            headers["Accept"] = self.r.choice(["application/vnd.pgrst.object+json", "text/csv"])
        return "PATCH", table, parameters, self.typed(headers), self.dumped(self.row(table, used))

    def remove(self):
        table, _ = self.written()
        headers = self.preferences(["count=exact"])
        return "DELETE", table, self.returned(table, headers) + self.filters(table), headers, None

    def put(self):
        table, columns = self.written()
        key = [c for c in columns if c["key"]]
        row = self.row(table, columns, 1000 if self.chance(0.5) else 1)
        parameters = [(quoted(c["c"]), f"eq.{row[c['c']]}") for c in key]
        if self.chance(0.2):
            parameters = self.r.choice([[], parameters[:1], parameters + [("name", "eq.x")], [(quoted(columns[0]["c"]), "gt.1")]])
        headers = self.preferences()
        return "PUT", table, parameters + self.returned(table, headers), self.typed(headers), self.dumped(row)

    def call(self):
        scalars = {
            "add": {"a": [1, 2, "x"], "b": [3]}, "greet": {"name": ["Ann", "", "a,b", "ü"]}, "whoami": {}, "nothing": {}, "truth": {},
            "null_text": {}, "json_of": {"v": [{"a": [1, None]}, [], "text", 5]}, "list_of": {"v": [[1, 2], []]},
            "numbers": {"n": [0, 1, 3]}, "split_name": {"name": ["Ann Lee", "x"]}, "over": {"a": [1], "b": [2], "c": ["x"]},
            "amount_of": {"m": [{"amount": 1.5, "currency": "EUR"}]}, "stage_of": {"s": ["open", "none"]},
            "day_after": {"d": ["2024-02-28", "x"]}, "divide": {"a": [6], "b": [2, 0]},
            "fail": {"code": ["P0001", "PT418", "23505", "42501", "22000"], "message": ["why", "be\"cause"]},
            "count_of": {"v": [["a", "b"], []]}, "one_project": {"id": [1, 99]}, "projects_of": {"client": [1, 3, 99]},
            "all_projects": {}, "pairs": {}, "add_client": {"id": [50, 1], "name": ["new"]}, "missing": {"x": [1]},
        }
        name = self.r.choice(list(scalars))
        given = {k: self.r.choice(v) for k, v in scalars[name].items() if self.chance(0.9)}
        if self.chance(0.05):
            given["unknown"] = 1
        parameters, headers = [], {}
        if name in ("one_project", "projects_of", "all_projects", "add_client"):
            table = "clients" if name == "add_client" else "projects"
            if self.chance(0.7):
                parameters = self.read_parameters(table)
                headers = self.read_headers(parameters)
                if name in ("one_project", "add_client"):
                    parameters = [(k, v) for k, v in parameters if k not in ("order", "limit", "offset")]
        elif name == "pairs" and self.chance(0.6):
            parameters = [self.r.choice([("select", "a"), ("order", "a.desc"), ("a", "gt.1"), ("b", "is.null"), ("limit", "1")])]
        if self.chance(0.15):
            headers["Accept"] = self.r.choice([
                "text/csv", "application/vnd.pgrst.object+json", "text/plain", "application/octet-stream", "application/xml"])
        if self.chance(0.08):
            unnamed = self.r.choice([
                ("json_body", "application/json", '{"a": [1, "x"]}'), ("text_body", "text/plain", "some\ntext"),
                ("bytes_body", "application/octet-stream", "bytes"), ("text_body", "application/json", "{}")])
            return "POST", "rpc/" + unnamed[0], [], {"Content-Type": unnamed[1]} | headers, unnamed[2]
        if self.chance(0.5):
            body = self.dumped(given) if given or self.chance(0.8) else None
            return "POST", f"rpc/{name}", parameters, self.typed(headers), body
        for key, value in given.items():
            text = value if isinstance(value, str) else "{1,2}" if isinstance(value, list) and name == "list_of" else json.dumps(value)
            if isinstance(value, list) and name == "count_of":
                parameters += [(key, item) for item in value]
            else:
                parameters.append((key, text))
        return self.r.choice(["GET"] * 5 + ["HEAD"]), f"rpc/{name}", parameters, headers, None

    def other_schema(self):
        profile = self.r.choice(["other", "other", "shop", "private"])
        path = self.r.choice(["projects", "projects", "tasks", "rpc/whoami"])
        if self.chance(0.3) and not path.startswith("rpc"):
            return "POST", path, [], {"Content-Profile": profile, "Prefer": "return=representation"}, '{"id": 77}'
        return "GET", path, [("order", "id")] if path == "projects" else [], {"Accept-Profile": profile}, None

    def as_someone(self):
        bearer = self.r.choice([
            token({"role": "diff_author"}), token({"role": "diff_author", "exp": 1}), token({}), token({"role": "nobody"}), "x.y.z",
            "", token({"role": "diff_author"})[:-2] + "aa"])
        table = self.r.choice(["notes", "salaries", "secrets", "clients", "rpc/whoami"])
        return "GET", table, [] if table.startswith("rpc") else [("order", "id")], {"Authorization": f"Bearer {bearer}"}, None

    def mistake(self):
        table = self.r.choice(["projects", "tasks", "clients", "secrets", "salaries", "notes", "unknown", "kinds"])
        broken = [
            ("select", "id,,name"), ("select", "id,nothing"), ("select", "id)"), ("select", "tasks(id"), ("select", "nowhere(id)"),
            ("select", "staff(id)"), ("select", "id::nothing"), ("select", "*,clients!wrong(id)"), ("select", "name.sum()"),
            ("select", "name->x"), ("select", "a b"), ("select", ""), ("select", "id.nothing()"),
            ("id", "1"), ("id", "eq"), ("id", "equals.1"), ("id", "eq.x"), ("id", "in.1,2"), ("id", "in.(x)"), ("id", "is.nothing"),
            ("id", "not.1"), ("id", "like.1*"), ("id", "eq.99999999999"), ("id", "cs.{1}"), ("nothing", "eq.1"), ("id", "fts.x"),
            ("id", "eq(some).{1}"), ("id", "eq(any).1"), ("name", "match.("), ("id", "not.not.eq.1"), ("id", "."), ("", "eq.1"),
            ("order", "nothing"), ("order", "id.down"), ("order", "id.desc.nullsmiddle"), ("order", ""), ("order", "tasks(id)"),
            ("order", "clients(name)"), ("order", "id,"), ("limit", "x"), ("limit", "-1"), ("offset", "-1"), ("offset", "1000"),
            ("limit", "0"), ("or", "(id.eq.1"), ("or", "id.eq.1"), ("and", "()"), ("or", "(id.eq.1,nothing.eq.1)"),
            ("or", "(id.1)"), ("not.or", "(id.eq.1)"), ("tasks.id", "eq.1"), ("clients.limit", "1"), ("tasks.or", "(id.eq.1)"),
            ("columns", "id,nothing"), ("on_conflict", "nothing"), ("select", "id,id"), ("select", "*,tasks(*,nothing)"),
        ]
        # One mistake at a time: which of two is told is not the same in all versions.
        parameters = [self.r.choice(broken)] if self.chance(0.7) else []
        headers = {} if parameters else self.r.choice([{"Prefer": "count=exact"}, {"Range": "5-2"}, {"Range": "1000-2000"}, {"Range": "x"},
                                 {"Prefer": "handling=strict, nothing=1"}, {"Accept": "nothing/here"}, {"Prefer": "count=none"}])
        method = self.r.choice(["GET"] * 12 + ["POST", "PATCH", "DELETE", "PUT"] * 2 + ["HEAD", "OPTIONS", "TRACE", "LINK"])
        body = None
        if method in ("POST", "PATCH", "PUT"):
            body = '{"id": 900}' if parameters or headers else self.r.choice([
                "{", "", "[]", "{}", "null", "1", '"x"', '{"nothing": 1}', '{"id": "x"}', '{"id": 1}', '[{"id": 900}, {"name": "x"}]',
                '[1]', '{"id": null}', '{"id": 900, "project_id": 99, "title": "x"}', '{"id": 901}x', '[{"id": 1}, 2]'])
            headers = self.r.choice([
                {"Content-Type": "application/json"}] + [] if parameters or headers else [
                {"Content-Type": "application/json"}, {"Content-Type": "text/csv"}, {"Content-Type": "text/plain"}, {},
                {"Content-Type": "application/xml"}]) | headers
        if method == "DELETE" and self.chance(0.5):
            headers = {"Prefer": "return=representation"}
        if method in ("OPTIONS", "TRACE", "LINK"):
            parameters, headers = [], {}
        path = self.r.choice([table] * 10 if parameters or headers or body else [table] * 3 + [f"{table}/1", "rpc", "rpc/nothing", "rpc/add/x", "x/y/z"])
        if path == "rpc" or method == "OPTIONS":
            path = table
        return method, path, parameters, headers, body
