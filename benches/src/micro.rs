//! The parts of the hot path that need no database: parsing a query string, encoding a row, sealing a cursor.

use std::hint::black_box;
use std::time::Instant;

use bedplate_core::Secret;
use bedplate_query::cursor::{Binding, Cursor, Keys};
use bedplate_query::encode::{Fields, json};
use bedplate_query::limits::Limits;
use bedplate_query::output::{Codec, Field, Node, Object, json_key};
use bedplate_query::syntax::{self, Options};
use bytes::BytesMut;

use crate::Outcome;

pub fn run() -> Outcome<()> {
    let limits = Limits::default();
    let queries = [
        "select=id,title,body&author_id=eq.17&order=created_at.desc&limit=20",
        "select=id,title,author(id,name),comments(count)&published=is.true&title=ilike.*rust*&order=id.desc&limit=20",
        "or=(status.in.(open,pending,%22on%20hold%22),and(priority.gte.3,assignee.is.null))&limit=50",
    ];
    for query in queries {
        time(&format!("parse {query}"), || {
            black_box(syntax::parse(black_box(query), &limits, &Options::NATIVE).is_ok());
        });
    }
    rows()?;
    let keys =
        Keys::new(&Secret::new("a secret for the benchmark"), None).map_err(|problem| problem.to_string())?;
    let binding = Binding {
        resource: "public.posts",
        order: "id.asc",
        filter: "published=is.true",
        role: "authenticated",
    };
    let cursor = Cursor {
        keys: vec![Some("2026-01-01T00:00:00+00:00".into()), Some("123456".into())],
        backward: false,
    };
    time("seal a cursor", || {
        black_box(keys.seal(black_box(&cursor), &binding));
    });
    Ok(())
}

fn rows() -> Outcome<()> {
    let text = "Lorem ipsum dolor sit amet, \"consetetur\" sadipscing elitr. ".repeat(5);
    let columns: [(&str, Codec, &[u8]); 6] = [
        ("id", Codec::Int8, &123_456_i64.to_be_bytes()),
        ("title", Codec::String, b"A post with the number 123456"),
        ("body", Codec::String, text.as_bytes()),
        ("score", Codec::Float8, &12.345_f64.to_be_bytes()),
        ("published", Codec::Bool, &[1]),
        ("created_at", Codec::Timestamptz, &757_382_400_123_456_i64.to_be_bytes()),
    ];
    let mut row = Vec::new();
    let mut object = Object { fields: Vec::new() };
    for (index, (name, codec, bytes)) in columns.into_iter().enumerate() {
        row.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        row.extend_from_slice(bytes);
        object.fields.push(Field { key: json_key(name), value: Node::Column { index: index as u16, codec } });
    }
    let (mut fields, mut out) = (Fields::default(), BytesMut::with_capacity(4096));
    let mut failed = None;
    time("encode a row of six columns and 300 bytes", || {
        out.clear();
        let written = fields.split(&row).and_then(|()| json::object(&object, &fields, &row, &mut out));
        failed = written.err();
        black_box(&out);
    });
    failed.map_or(Ok(()), |problem| Err(problem.to_string()))
}

/// Prints the best of several runs: the least disturbed one.
fn time(what: &str, mut work: impl FnMut()) {
    const TIMES: u32 = 20_000;
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let start = Instant::now();
        for _ in 0..TIMES {
            work();
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(TIMES));
    }
    println!("{:>8.0} ns  {what}", best * 1e9);
}
