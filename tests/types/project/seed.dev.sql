-- Rows with a value in every column, and rows with as few as there can be.
insert into public.people (name, email, backup, home, homes, born, wakes, wakes_tz, created_at, local_at, uid, balance, score,
    ratio, small, data, raw, bytes, ip, during, took, mood, moods, flag, price, code, short)
values ('Ann "the first" \ ünï', 'ann@example.com', 'a@b', row('High Street', 7, array['home', 'a,b']),
    array[row('One', 1, null), row(null, null, '{}')]::public.address[], '1999-12-31', '06:30', '06:30:15.5+02',
    '2026-02-03 04:05:06.789+01', '2026-02-03 04:05:06', '00000000-0000-4000-8000-00000000000a', 12.50, 1.5, 1e100, -3,
    '{"a": [1, null, {"b": "c"}]}', '"text"', '\xdeadbeef', '10.0.0.1/8', '[2026-01-01,2026-02-01)', '1 day 02:03:04',
    'not calm', '{calm,"not calm"}', true, 9.99, 'abc', 'short');
insert into public.people (name, email, manager_id) values ('Bob', 'bob@example.com', 1);
insert into public."class" ("class", "self", "import") values ('first', 1, 'open');
insert into public."class" ("class", type, "self", "Self", "crate", "fn", "def", "from", "None", "import", "lambda", "with space",
    "dash-ed", "quote""d", "quote'd", "1st", "createdAt", "created_at", "_private", "model_config", "json", "copy", "str", "int",
    "list", "größe", "日本", "$dollar", "async", "payload", "date", "datetime", "uuid")
values ('second', 't', 2, 3, 'c', 'f', true, 'f', 'n', 'it''s "done"', '{"1st","",Open}', 's', 'd', 'q', 'q', 1, now(), now(), 'p',
    'm', '[]', 'c', 's', 4, '{"x y"}', 5, '日', '$', 'a', 'p', '2026-01-01', now(), gen_random_uuid());
insert into public.orders (id, person_id, gift_for, status, previous, total, parcel, matrix)
values ('00000000-0000-4000-8000-0000000000b0', 1, 2, 'in progress', '{open,class}', 50,
    row(1.25, row('Low Street', 2, '{}'), '{happy}'), '{1,2}');
insert into public.orders (person_id, total) values (2, 5);
insert into public.invoices (order_id, buyer)
    select '00000000-0000-4000-8000-0000000000b0', people from public.people where id = 1;
insert into public.tags values (1, 'red'), (2, 'blue');
insert into public.order_tags values ('00000000-0000-4000-8000-0000000000b0', 1);
insert into public.events (at, what) values ('2026-05-05', 'spring');
insert into "odd schema"."Weird Table" ("Mood", status, person, label) values ('sad', 'back\slash', 1, 3), ('happy', null, null, 1);
