-- What both servers of the differential run serve. Whatever the dialect can do has something here to do it on, and data
-- that is unkind: NULL, duplicates, quotes, commas, braces, backslashes, empty strings, letters beyond ASCII.
-- Keys come from functions of the data and not from sequences: nothing that a request does outlives its rollback.

create role diff_login login noinherit;
create role diff_anon;
create role diff_author;
grant diff_anon, diff_author to diff_login;

create schema shop;
create schema other;
create schema private;
grant usage on schema shop, other to diff_anon, diff_author;
set search_path = shop;

-- To-one, to-many, self, one-to-one, many-to-many, two ways to one table, keys of two columns.

create table clients (id int primary key, name text not null, rating numeric(6, 2), vip boolean);
insert into clients values
  (1, 'Acme, Inc.', 4.50, true), (2, 'Müller & Söhne', null, false), (3, 'O''Brien "Bob"', 0.00, null),
  (4, '', -1.25, true), (5, '{curly}', 4.50, false);

create table staff (id int primary key, name text not null, boss_id int references staff, hired date);
insert into staff values
  (1, 'Ann', null, '2020-02-29'), (2, 'Bob', 1, '2021-01-01'), (3, 'Cyd', 1, null), (4, 'Dee', 2, '2021-01-01'),
  (5, 'Eve', 2, '2024-12-31'), (6, 'Ann', 5, '1999-12-31');

create table profiles (
  staff_id int primary key references staff, bio text, tags text[] not null default '{}', settings jsonb);
insert into profiles values
  (1, 'likes (round) things', '{a,b}', '{"theme": "dark", "n": 1, "deep": {"list": [1, {"k": "v"}]}}'),
  (2, null, '{}', null), (3, 'back\slash', '{"with, comma","with \"quote\"",NULL}', '[1, "two", null]'),
  (5, 'tab	and line', '{b}', '{"theme": null, "n": 1.50}');

create type stage as enum ('draft', 'open', 'closed');

create table projects (
  id int primary key, name text, client_id int references clients, lead_id int constraint projects_lead references staff,
  deputy_id int constraint projects_deputy references staff, stage stage not null default 'draft', budget bigint,
  starts date, made timestamptz);
insert into projects values
  (1, 'Alpha', 1, 1, 2, 'open', 9007199254740993, '2024-01-31', '2024-01-31 10:00:00+00'),
  (2, 'Beta', 1, 2, null, 'draft', 100, null, '2024-06-01 00:00:00.123456+02'),
  (3, 'Gamma, "the third"', 2, null, 1, 'closed', -5, '2023-12-31', null),
  (4, null, null, null, null, 'draft', null, null, null),
  (5, 'alpha', 3, 3, 3, 'open', 100, '2024-01-31', '1970-01-01 00:00:00+00'),
  (6, 'Zeta %_*', 1, 1, 1, 'closed', 0, '2024-02-29', '2024-01-31 10:00:00+00');

create table tasks (
  id int primary key, project_id int not null references projects, title text not null, done boolean, hours numeric,
  meta jsonb, labels text[], points int[]);
insert into tasks values
  (1, 1, 'plan', true, 1.5, '{"p": 1, "who": {"name": "Ann"}}', '{x,y}', '{1,2,3}'),
  (2, 1, 'build', false, 10, '{"p": 2, "who": null}', '{}', '{}'),
  (3, 1, 'ship', null, null, null, null, null),
  (4, 2, 'plan', true, 0.1, '[1, 2, {"p": 3}]', '{"a b","c,d"}', '{-1,NULL}'),
  (5, 3, 'test: all', false, 100000000000000000000.5, '"text"', '{x}', '{5}'),
  (6, 3, 'ünïcödé 漢字', true, 1.50, '{"p": "2", "a.b": 1}', '{y,x}', '{3,1}'),
  (7, 5, 'null', false, -3, 'null', '{NULL}', '{0}'),
  (8, 6, 'plan', true, 1.5, '{"p": 1}', '{x,y}', '{1,2,3}');

create table assignments (
  staff_id int references staff, task_id int references tasks, role text, primary key (staff_id, task_id));
insert into assignments values
  (1, 1, 'owner'), (1, 2, null), (2, 1, 'helper'), (2, 5, 'owner'), (3, 6, 'owner'), (4, 6, ''), (5, 8, 'a,b');

create table sprints (year int, number int, goal text, primary key (year, number));
insert into sprints values (2023, 1, 'first'), (2024, 1, null), (2024, 2, 'go');
create table reviews (
  id int primary key, year int, number int, task_id int references tasks, score smallint, stars real, ratio float8,
  foreign key (year, number) references sprints);
insert into reviews values
  (1, 2023, 1, 1, 5, 1.5, 0.1), (2, 2024, 1, 1, 3, -0.25, 1e20), (3, 2024, null, 2, null, null, null),
  (4, null, null, null, 5, 3, 2.5), (5, 2024, 1, 6, 1, 1e10, -1e-7);

-- Views, a partitioned table, names that need quotes, every type, generated columns.

create view open_projects as select id, name, client_id, lead_id, stage from projects where stage <> 'closed';
create view task_list as
  select t.id, t.title, t.project_id, p.name as project_name from tasks t join projects p on p.id = t.project_id;
create materialized view client_totals as
  select client_id, count(*) as projects, sum(budget) as budget from projects group by client_id;

create table events (id int, day date not null, kind text, client_id int references clients, primary key (id, day))
  partition by range (day);
create table events_2023 partition of events for values from ('2023-01-01') to ('2024-01-01');
create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01');
insert into events values (1, '2023-05-05', 'call', 1), (2, '2023-05-05', null, 2), (3, '2024-05-05', 'mail', 1);

create table "Odd Names" (
  "the id" int primary key, "a.b" text, "c,d" int, "quo""te" text, "größe" numeric, "Client" int references clients);
insert into "Odd Names" values (1, 'x.y', 1, 'q"q', 1.5, 1), (2, '(p)', null, '''', -0.5, null), (3, null, 7, '\', 2, 3);

create domain email as text check (value like '%@%');
create type money_amount as (amount numeric, currency text);
create table kinds (
  id int primary key, small smallint, real4 real, real8 float8, num numeric, big bigint, txt text, vc varchar(10), ch char(4),
  b boolean, d date, t time, ts timestamp, tz timestamptz, i interval, u uuid, bin bytea, j json, jb jsonb, ints int[],
  texts text[], e stage, r int4range, rt tstzrange, mr int4multirange, ip inet, mail email, m money_amount, x xml, tsv tsvector,
  twice int generated always as (small * 2) stored);
insert into kinds values
  (1, 1, 1.5, 0.1, 1.10, 1, 'one', 'v', 'ch', true, '2024-01-01', '10:00', '2024-01-01 10:00', '2024-01-01 10:00+00', '1 day',
   '11111111-1111-1111-1111-111111111111', '\x00ff', '{"a":  1}', '{"a": 1, "b": [true, null]}', '{1,2}', '{a,b}', 'open',
   '[1,5)', '[2024-01-01 00:00+00,2024-02-01 00:00+00)', '{[1,3),[5,9)}', '10.0.0.1', 'a@b', '(1.50,EUR)', '<a>1</a>',
   'fat cat sat'),
  (2, -32768, -1e30, 1e300, -0.0001, -9223372036854775808, '', '', '', false, '0001-01-01', '23:59:59.999999',
   '1999-12-31 23:59:59.999999', '2024-06-30 23:59:59+02', '-1 mon 3 days 04:05:06', '00000000-0000-0000-0000-000000000000', '',
   '[]', '[]', '{}', '{}', 'draft', 'empty', 'empty', '{}', '::1', '@', '(,)', '<b/>', ''),
  (3, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
   null, null, null, null, null, null, null, null, null),
  (4, 7, 'NaN', 'Infinity', 'NaN', 9223372036854775807, E'a"b\\c\nd\t,()', 'ä,b', 'x y', true, 'infinity', '00:00', '-infinity',
   'infinity', '00:00:00.5', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\xdeadbeef', 'null', 'null', '{NULL,-1}',
   '{"a,b","c\"d",NULL,"",null}', 'closed', '(,3]', null, null, '10.0.0.0/8', 'x@y', '(-1,"a""b,c")', null,
   'the:1 rat:2A ate:3');

create table defaults (
  id int primary key default 100, name text default 'nobody', stage stage default 'open', made date default '2020-01-01',
  required text not null default 'yes', note text);
insert into defaults (id) values (1), (2);

create table empty (id int primary key, name text);
create table no_key (a int, b text);
insert into no_key values (1, 'x'), (1, 'x'), (2, null);

-- Row-level security, columns that are not granted, nothing granted.

create table notes (id int primary key, owner text not null default current_user, body text);
insert into notes values (1, 'diff_anon', 'mine'), (2, 'diff_author', 'theirs'), (3, 'diff_anon', null);
alter table notes enable row level security;
create policy own on notes using (owner = current_user) with check (owner = current_user);
create table salaries (id int primary key, name text, amount int);
insert into salaries values (1, 'Ann', 10);
create table secrets (id int primary key);

-- Computed columns and relationships.

create function shouted(projects) returns text stable language sql as $$ select upper($1.name) $$;
create function total_hours(projects) returns numeric stable language sql as
  $$ select sum(hours) from shop.tasks where project_id = $1.id $$;
create function main_client(projects) returns setof clients rows 1 stable language sql as
  $$ select * from shop.clients where id = $1.client_id $$;
create function late_tasks(projects) returns setof tasks stable language sql as
  $$ select * from shop.tasks where project_id = $1.id and done is not true $$;

-- Functions.

create function add(a int, b int default 10) returns int immutable language sql as $$ select a + b $$;
create function greet(name text default 'you') returns text stable language sql as $$ select 'Hello, ' || name $$;
create function whoami() returns text stable language sql as $$ select current_user::text $$;
create function nothing() returns void language sql as '';
create function null_text() returns text stable language sql as 'select null::text';
create function truth() returns boolean stable language sql as 'select true';
create function json_of(v jsonb) returns jsonb immutable language sql as 'select v';
create function list_of(v int[]) returns int[] immutable language sql as 'select v';
create function count_of(variadic v text[]) returns int immutable language sql as 'select cardinality(v)';
create function numbers(n int) returns setof int immutable language sql as 'select generate_series(1, n)';
create function all_projects() returns setof projects stable language sql as 'select * from shop.projects';
create function projects_of(client int) returns setof projects stable language sql as
  'select * from shop.projects where client_id = client';
create function one_project(id int) returns projects stable language sql as
  'select * from shop.projects p where p.id = one_project.id';
create function pairs() returns table (a int, b text) stable language sql as $$ values (1, 'x'), (2, null), (3, 'y,z') $$;
create function split_name(name text, out first text, out last text) immutable language sql as
  $$ select split_part(name, ' ', 1), split_part(name, ' ', 2) $$;
create function json_body(json) returns json immutable language sql as 'select $1';
create function text_body(text) returns text immutable language sql as 'select $1';
create function bytes_body(bytea) returns bytea immutable language sql as 'select $1';
create function over(a int) returns text immutable language sql as $$ select 'one' $$;
create function over(a int, b int) returns text immutable language sql as $$ select 'two' $$;
create function over(a text, c text) returns text immutable language sql as $$ select 'texts' $$;
create function amount_of(m money_amount) returns numeric immutable language sql as 'select m.amount';
create function stage_of(s stage) returns stage immutable language sql as 'select s';
create function day_after(d date) returns date immutable language sql as 'select d + 1';
create function add_client(id int, name text) returns clients language sql as
  'insert into shop.clients (id, name) values (id, name) returning *';
create function fail(code text, message text) returns void language plpgsql as
  $$ begin raise exception using errcode = code, message = message, hint = 'a hint', detail = 'a detail'; end $$;
create function divide(a int, b int) returns int immutable language sql as 'select a / b';

grant select, insert, update, delete on all tables in schema shop to diff_anon, diff_author;
revoke all on salaries, secrets from diff_anon;
grant select (id, name), insert (id, name), update (name) on salaries to diff_anon;
revoke all on secrets from diff_author;

create table other.projects (id int primary key, label text);
insert into other.projects values (1, 'of the other schema'), (2, null);
create function other.whoami() returns text stable language sql as $$ select 'other ' || current_user $$;
grant select, insert, update, delete on all tables in schema other to diff_anon;
