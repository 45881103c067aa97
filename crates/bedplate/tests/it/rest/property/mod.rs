//! Random schemas and random requests: what the server answers over HTTP is what plain SQL answers, written from the same
//! request without anything of the engine.
//!
//! `make test` runs a few hundred requests, always the same ones; `make property` runs thousands with new seeds. A failure says its seed:
//! `PROPERTY_SEED=<seed>` runs those schemas and requests again, `PROPERTY_REQUESTS=<n>` says how many.

mod dice;
mod generate;
mod json;
mod naive;
mod request;
mod schema;
mod smaller;
mod types;
mod url;

use std::time::{Duration, Instant};

use dice::Dice;
use generate::Generator;
use request::{Action, Request};
use schema::Schema;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::Plain;

/// Schemas of one database, and requests to each of them.
const SCHEMAS: usize = 4;
const REQUESTS: usize = 100;
/// After this, a run that was not told how much to do stops between two requests.
const LONGEST: Duration = Duration::from_secs(18);

#[tokio::test]
async fn answers_are_those_of_plain_sql() {
    let asked = setting("PROPERTY_REQUESTS");
    let new = || if asked.is_some() { rand::random::<u32>().into() } else { 1 };
    let seed = setting("PROPERTY_SEED").unwrap_or_else(new);
    let wanted = usize::try_from(asked.unwrap_or((SCHEMAS * REQUESTS) as u64)).unwrap();
    let end = asked.is_none().then(|| Instant::now() + LONGEST);
    let mut done = Tally::default();
    for round in 0.. {
        println!("seed {}: {done:?}", seed + round);
        Round::start(seed + round).await.run(&mut done, wanted, end).await;
        if done.requests >= wanted || end.is_some_and(|end| Instant::now() > end) {
            break;
        }
    }
    println!("{done:?}");
    assert!(done.rows > done.requests / 4, "hardly any request has an answer: {done:?}");
}

#[allow(clippy::disallowed_methods, reason = "a knob of this test, no setting of the program")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
}

#[derive(Debug, Default)]
struct Tally {
    requests: usize,
    writes: usize,
    /// Requests whose answers have rows.
    rows: usize,
    /// Requests that both refuse, with the same code.
    refused: usize,
}

/// A database with its schemas, and the server on it.
struct Round {
    seed: u64,
    schemas: Vec<Schema>,
    server: Plain,
    client: Client,
}

/// What the request should be answered with.
enum Expected {
    Rows(String),
    /// The SQLSTATE of its failure.
    Refused(String),
}

impl Round {
    async fn start(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let schemas: Vec<Schema> =
            (0..SCHEMAS).map(|at| Schema::random(format!("p{at}"), &mut dice)).collect();
        let sql: String = schemas.iter().map(Schema::ddl).collect();
        let names: Vec<String> = schemas.iter().map(|schema| format!("\"{}\"", schema.name)).collect();
        let rest = format!(
            "db_schemas = [{}]\ndb_aggregates_enabled = true\ndb_tx_end = \"rollback\"\ndb_max_rows = 0\n\
             [limits]\norder_keys = 50\nfilter_terms = 500\nembed_depth = 20\nselect_items = 1000",
            names.join(", ")
        );
        let server = Plain::start(&sql, &rest).await;
        let client = server.db.superuser().await;
        Self { seed, schemas, server, client }
    }

    async fn run(&self, done: &mut Tally, wanted: usize, end: Option<Instant>) {
        for (at, schema) in self.schemas.iter().enumerate() {
            self.client.batch_execute(&format!("set search_path = {}", schema.name)).await.unwrap();
            let mut generator = Generator::new(schema, Dice::new(self.seed ^ (at as u64 + 1) << 40));
            for _ in 0..REQUESTS {
                if done.requests >= wanted || end.is_some_and(|end| Instant::now() > end) {
                    return;
                }
                let request = generator.request();
                let order = generator.dice.next();
                match self.check(schema, &request, order).await {
                    Ok(rows) => done.note(&request, rows),
                    Err(failure) => self.fail(schema, request, order, failure).await,
                }
            }
        }
    }

    /// The number of rows of the answer, or that it is rightly refused; else what is wrong.
    async fn check(&self, schema: &Schema, request: &Request, order: u64) -> Result<Option<usize>, String> {
        let sent = url::render(schema, request, &mut Dice::new(order));
        let headers: Vec<(&str, &str)> =
            sent.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.server.send(sent.method, &sent.path, &headers, sent.body.as_bytes()).await;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        let shown = || format!("{} {:?}\n{body}", answer.status, answer.headers.get("content-range"));
        let rows = match self.expected(schema, request).await {
            Expected::Refused(code) => {
                let same = answer.status >= 400 && answer.json()["code"] == *code;
                return if same { Ok(None) } else { Err(format!("expected {code}, got {}", shown())) };
            }
            Expected::Rows(rows) => rows,
        };
        if !(200..300).contains(&answer.status) && answer.status != 416 {
            return Err(format!("expected {rows}\ngot {}", shown()));
        }
        let mut expected = json::parse(&rows);
        json::settle(&mut expected, &request.level, schema);
        let json::Json::List(list) = &expected else { unreachable!("the reference answers a list") };
        let count = list.len();
        let (status, range) = self.status(schema, request, count).await;
        // Where no row of a merge is answered, it is not known whether there are new ones.
        let unknown = status == 201 && answer.status == 200 && count == 0;
        let same_range =
            range.as_ref().is_none_or(|range| answer.headers.get("content-range") == Some(range));
        if !same_range || status != answer.status && !unknown {
            return Err(format!("expected {status} {range:?}\n{rows}\ngot {}", shown()));
        }
        if status == 416 {
            return Ok(Some(0));
        }
        let mut got = json::parse(&body);
        json::settle(&mut got, &request.level, schema);
        if got == expected { Ok(Some(count)) } else { Err(format!("expected {rows}\ngot {}", shown())) }
    }

    async fn expected(&self, schema: &Schema, request: &Request) -> Expected {
        let sql = naive::answer(schema, request);
        self.client.batch_execute("begin").await.unwrap();
        let rows = self.client.simple_query(&sql).await;
        let expected = match rows {
            Ok(rows) => Expected::Rows(first(&rows)),
            Err(error) => {
                let code = error.code().unwrap_or_else(|| panic!("{error:?}: {sql}")).code().to_owned();
                let of_data = code.starts_with("23") || code == "21000";
                assert!(of_data && !matches!(request.action, Action::Read { .. }), "{error:?}: {sql}");
                Expected::Refused(code)
            }
        };
        self.client.batch_execute("rollback").await.unwrap();
        expected
    }

    /// Status, and Content-Range where it is foreseen.
    async fn status(&self, schema: &Schema, request: &Request, rows: usize) -> (u16, Option<String>) {
        let counted = match &request.action {
            Action::Read { count } => *count,
            Action::Insert(insert) if insert.upsert == Some(true) => {
                let sql = naive::known(schema, request.level.table, insert);
                let known: usize = first(&self.client.simple_query(&sql).await.unwrap()).parse().unwrap();
                return (if known == insert.rows.len() { 200 } else { 201 }, None);
            }
            Action::Insert(_) => return (201, None),
            Action::Delete | Action::Update(_) => return (200, None),
        };
        let offset = request.level.offset.unwrap_or(0);
        let part = if rows == 0 { "*".to_owned() } else { format!("{offset}-{}", offset + rows - 1) };
        if !counted {
            return (200, Some(format!("{part}/*")));
        }
        let all = self.client.simple_query(&naive::count(schema, request)).await.unwrap();
        let total: usize = first(&all).parse().unwrap();
        let status = if offset > total {
            416
        } else if rows < total {
            206
        } else {
            200
        };
        (status, Some(format!("{part}/{total}")))
    }

    /// Looks for the smallest request that still fails, and panics with it.
    async fn fail(&self, schema: &Schema, mut request: Request, order: u64, mut failure: String) -> ! {
        let mut tries = 0;
        'smaller: while tries < 400 {
            for less in smaller::smaller(&request, schema) {
                tries += 1;
                if let Err(still) = self.check(schema, &less, order).await {
                    (request, failure) = (less, still);
                    continue 'smaller;
                }
            }
            break;
        }
        let sent = url::render(schema, &request, &mut Dice::new(order));
        panic!(
            "PROPERTY_SEED={} schema {}\n{} {}\n{:?} {}\n{}\n{}\n{failure}\n{}",
            self.seed,
            schema.name,
            sent.method,
            sent.path,
            sent.headers,
            sent.body,
            decoded(&sent.path),
            naive::answer(schema, &request),
            schema.ddl()
        );
    }
}

impl Tally {
    fn note(&mut self, request: &Request, rows: Option<usize>) {
        self.requests += 1;
        self.writes += usize::from(!matches!(request.action, Action::Read { .. }));
        self.rows += usize::from(rows.is_some_and(|rows| rows > 0));
        self.refused += usize::from(rows.is_none());
    }
}

fn first(rows: &[SimpleQueryMessage]) -> String {
    let row = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    row.unwrap().to_owned()
}

/// For the eyes of who reads a failure.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = (first == b'%').then(|| std::str::from_utf8(&after[..2]).unwrap());
        bytes.push(code.map_or(first, |code| u8::from_str_radix(code, 16).unwrap()));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
