//! Bodies against real catalogs; and what is refused here is refused by PostgreSQL too.

use bedplate_core::FieldFaults;
use bedplate_query::catalog::{Catalog, RelationId, RoleId};
use bedplate_query::contract::{self, Record};
use bedplate_query::gate::Verb;
use bedplate_query::validate::{self, body};
use bedplate_testkit::Database;

use super::{load, relation};

fn object(json: &str) -> body::Object {
    body::parse_object(json.as_bytes(), &body::Limits::default()).unwrap()
}

fn show(result: Result<(), FieldFaults>) -> Vec<String> {
    let faults = result.err().unwrap_or_default();
    faults.iter().map(|(field, faults)| format!("{field} {}", faults.join("; "))).collect()
}

fn create(catalog: &Catalog, role: &str, id: RelationId, json: &str) -> Vec<String> {
    show(validate::create(catalog, catalog.find_role(role).unwrap(), id, &object(json)))
}

const SCHEMA: &str = "
    create type public.mood as enum ('sad', 'ok');
    create type public.address as (street varchar(5), zip int);
    create domain public.percent as numeric check (value between 0 and 100);
    create domain public.handle as varchar(8) not null check (value <> '');
    create table public.t (
        id bigint generated always as identity primary key, twice int generated always as (1 + 1) stored,
        title varchar(10) not null check (char_length(title) >= 3), age smallint check (age > 0), score int,
        big bigint, price numeric(6,2) check (price <= 100), ratio float8, ok boolean, key uuid, born date, at timestamptz,
        for_how_long interval, mood public.mood, moods public.mood[], counts int[], home public.address,
        share public.percent, handle public.handle default 'x', status text check (status in ('open', 'closed')),
        data jsonb, code char(3), during int4range, needed text not null check (needed is not null));";

#[tokio::test]
async fn all_faults_are_told_by_field() {
    let catalog = super::catalog_of(SCHEMA).await;
    let id = relation(&catalog, "t");
    let faults = create(
        &catalog,
        "supabase_admin",
        id,
        r#"{"id": 1, "twice": 2, "title": "ab", "age": 0, "score": 3000000000, "big": 1.5, "price": 101, "ratio": "x",
            "ok": "maybe", "key": "123", "born": "2026-02-30", "at": "soon", "for_how_long": "long", "mood": "angry",
            "moods": ["ok", "angry", null], "counts": [1, [2, "x"], 3.5], "home": {"street": "too long", "zip": "a", "x": 1},
            "share": 101, "handle": null, "status": "gone", "data": null, "code": "four", "during": 7, "nope": 1}"#,
    );
    assert_eq!(
        faults,
        [
            "age must be greater than 0",
            "at must be a date and time, for example 2026-11-20T19:30:00Z",
            "big must be a whole number",
            "born must be a date, for example 2026-11-20",
            "code must be at most 3 characters",
            "counts.1 must be a whole number",
            "counts.2 must be a whole number",
            "during must be a range, for example \"[1,10)\"",
            "for_how_long must be a duration, for example P1DT2H or 1 day 2 hours",
            "handle must not be null",
            "home.x is not a field here",
            "home.zip must be a whole number",
            "id is set by the database and cannot be given",
            "key must be a UUID",
            "mood must be one of: sad, ok",
            "moods.1 must be one of: sad, ok",
            "needed is required",
            "nope is not a field of this resource",
            "ok must be true or false",
            "price must be at most 100",
            "ratio must be a number",
            "score must be between -2147483648 and 2147483647",
            "share must be between 0 and 100",
            "status must be one of: open, closed",
            "title must be at least 3 characters",
            "twice is set by the database and cannot be given",
        ]
    );
    let admin = catalog.find_role("supabase_admin").unwrap();
    let patch = |json| show(validate::update(&catalog, admin, id, &object(json)));
    assert_eq!(patch(r#"{"title": null, "age": null, "status": null}"#), ["title must not be null"]);
    assert_eq!(patch(r#"{"title": "far too long for it"}"#), ["title must be at most 10 characters"]);
    assert_eq!(
        patch(r#"{"title": {"a": 1}, "needed": "a\u0000b"}"#),
        ["needed must not contain the character U+0000", "title must be text"]
    );
    assert!(patch("{}").is_empty());
}

/// What the edge lets through and what the published schema allows is the same; and a value that is refused although it has
/// its type's form in JSON is refused by PostgreSQL as well.
#[tokio::test]
async fn the_edge_the_schema_and_postgresql_agree() {
    let database = Database::empty().await;
    let client = database.superuser().await;
    client.batch_execute(SCHEMA).await.unwrap();
    let catalog = load(&client, &["public"]).await;
    let id = relation(&catalog, "t");
    let admin: RoleId = catalog.find_role("supabase_admin").unwrap();
    let schema = contract::schema::record(&Record::new(&catalog, Some(admin), id, Verb::Update), false);
    let texts = [
        "",
        " ",
        "a",
        "abc",
        "abcdefghijk",
        "0",
        "1.5",
        "1e2",
        "100.5",
        "NaN",
        "Infinity",
        "-Infinity",
        "inf",
        "true",
        "yes",
        "sad",
        "Sad",
        "open",
        "OPEN",
        "2026-02-28",
        "2026-02-29",
        "2024-02-29",
        "20260228",
        "Feb 28 2026",
        "tomorrow",
        "infinity",
        "2026-02-28T10:00:00Z",
        "2026-02-28 25:00",
        "1 day",
        "P1D",
        "@ 1 hour",
        "10:00",
        "allballs",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "{a0eebc999c0b4ef8bb6d6bb9bd380a11}",
        "a0eebc99",
        "[1,2)",
        "empty",
        "{}",
        "{1,2}",
        "(a,1)",
        "0x10",
        "tödlich",
    ];
    let others = [
        "0",
        "1",
        "-1",
        "7",
        "1.5",
        "100.004",
        "100",
        "101",
        "32767",
        "32768",
        "3000000000",
        "99999999999999999999",
        "9999.5",
        "10000",
        "true",
        "false",
        "[]",
        "[1,2]",
        "[null]",
        "[\"ok\"]",
        "[\"x\"]",
        "[[1]]",
        "{}",
        "{\"zip\":7}",
        "{\"zip\":\"7\"}",
        "{\"street\":\"a\"}",
        "{\"x\":1}",
    ];
    let values: Vec<String> = texts
        .iter()
        .map(|text| serde_json::Value::from(*text).to_string())
        .chain(others.map(str::to_owned))
        .collect();
    let columns = [
        "title",
        "age",
        "score",
        "big",
        "price",
        "ratio",
        "ok",
        "key",
        "born",
        "at",
        "for_how_long",
        "mood",
        "moods",
        "counts",
        "home",
        "share",
        "handle",
        "status",
        "code",
        "during",
        "needed",
    ];
    let (mut refused, mut accepted) = (0, 0);
    for column in columns {
        for json in &values {
            let body = format!("{{\"{column}\": {json}}}");
            let ours = show(validate::update(&catalog, admin, id, &object(&body)));
            let allowed = super::schema::allows(&schema, &serde_json::from_str(&body).unwrap());
            if ours.is_empty() {
                accepted += 1;
                assert!(allowed, "{column} = {json}: accepted, and not by the schema");
            } else if allowed {
                refused += 1;
                // A rule that JSON Schema has no words for: the calendar, a UUID's digits.
                let literal = format!("'{}'", json.trim_matches('"').replace('\'', "''"));
                let value = |name| if name == column { literal.as_str() } else { "'filled'" };
                let more = if matches!(column, "title" | "needed") { "" } else { column };
                let (comma, last) = if more.is_empty() { ("", "") } else { (", ", literal.as_str()) };
                let (title, needed) = (value("title"), value("needed"));
                let sql = format!(
                    "insert into public.t (title, needed{comma}{more}) values ({title}, {needed}{comma}{last})"
                );
                assert!(client.batch_execute(&sql).await.is_err(), "{column} = {json}: we say {ours:?}");
            } else {
                refused += 1;
            }
        }
    }
    assert!(refused > 800 && accepted > 200, "{refused} refused, {accepted} passed on");
}

/// Examples keep what they are examples of.
#[tokio::test]
async fn examples_are_valid() {
    let catalog = super::catalog_of(&format!(
        "{SCHEMA}
         create table public.patterns (id int primary key, slug text not null check (slug ~ '^[a-z]+$'));
         create table public.odd (
            id int primary key, n int not null check (n > 10 and n < 12), m numeric(3,2) not null check (m >= 2),
            t text not null check (char_length(t) between 30 and 40), e public.mood not null, l public.mood[] not null,
            a public.address not null, d date not null, j jsonb not null, neg int not null check (neg <= -5));"
    ))
    .await;
    let admin = catalog.find_role("supabase_admin").unwrap();
    for (name, verb) in
        [("t", Verb::Insert), ("t", Verb::Update), ("odd", Verb::Insert), ("odd", Verb::Update)]
    {
        let id = relation(&catalog, name);
        let record = Record::new(&catalog, Some(admin), id, verb);
        let example = contract::sample::record(&record).unwrap();
        let schema = contract::schema::record(&record, verb == Verb::Insert);
        assert!(super::schema::allows(&schema, &example), "{example} is not by {schema}");
        let fields = object(&example.to_string());
        let checked = match verb {
            Verb::Insert => validate::create(&catalog, admin, id, &fields),
            _ => validate::update(&catalog, admin, id, &fields),
        };
        assert_eq!(show(checked), [""; 0], "{example}");
    }
    let record = Record::new(&catalog, Some(admin), relation(&catalog, "patterns"), Verb::Insert);
    assert_eq!(contract::sample::record(&record), None, "no words are made up for a pattern");
    let schema = contract::schema::record(&record, true);
    assert_eq!(schema["properties"]["slug"]["pattern"], "^[a-z]+$");
}

#[tokio::test]
async fn triggers_and_views_leave_it_to_the_database() {
    let catalog = super::catalog_of(
        "create table public.t (id int primary key, org text not null, n int check (n > 0));
         create function public.fill() returns trigger language plpgsql as 'begin new.org = 1; return new; end';
         create trigger fill before insert on public.t for each row execute function public.fill();
         create view public.v as select id, n, n + 1 as next from public.t;",
    )
    .await;
    let (t, v) = (relation(&catalog, "t"), relation(&catalog, "v"));
    assert!(create(&catalog, "supabase_admin", t, r#"{"id": 1, "org": null, "n": 0}"#).is_empty());
    let admin = catalog.find_role("supabase_admin").unwrap();
    let patch = show(validate::update(&catalog, admin, t, &object(r#"{"org": null, "n": 0}"#)));
    assert_eq!(patch, ["n must be greater than 0", "org must not be null"]);
    assert_eq!(create(&catalog, "supabase_admin", v, r#"{"next": 1}"#), ["next cannot be set"]);
}

#[tokio::test]
async fn what_a_role_may_not_know_reads_like_what_is_not_there() {
    let catalog = super::catalog_of(
        "create table public.t (id int primary key, title text not null, secret text not null, shown text);
         grant insert (id, title) on public.t to pg_monitor;
         grant select (id, title, shown) on public.t to pg_monitor;",
    )
    .await;
    let id = relation(&catalog, "t");
    let faults =
        create(&catalog, "pg_monitor", id, r#"{"id": 1, "secret": "x", "nothing": "x", "shown": "x"}"#);
    assert_eq!(
        faults,
        [
            "nothing is not a field of this resource",
            "secret is not a field of this resource",
            "shown may not be set",
            "title is required",
        ]
    );
    assert_eq!(create(&catalog, "pg_monitor", id, r#"{"id": 1, "title": "x"}"#), [""; 0]);
    let role = catalog.find_role("pg_monitor").unwrap();
    let below = validate::create_below(&catalog, role, id, &object(r#"{"id": 1}"#), &["title".into()]);
    assert!(below.is_ok());
}

#[tokio::test]
async fn arguments_of_functions() {
    let catalog = super::catalog_of(
        "create function public.f(n int, tags text[] default '{}', note text default null) returns int
             language sql as 'select 1';",
    )
    .await;
    let id = catalog.find_functions(None, "f")[0];
    let call = |json| show(validate::call(&catalog, id, &object(json)));
    assert!(call(r#"{"n": 1, "tags": ["a"], "note": null}"#).is_empty());
    assert_eq!(
        call(r#"{"tags": 5, "x": 1}"#),
        ["n is required", "tags must be an array", "x is not an argument of this function"]
    );
}
