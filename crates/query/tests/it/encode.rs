//! The encoder against `to_json` of a real server, over edge cases and random values of every type.

use std::fmt::Write as _;

use bedplate_query::encode::{Fields, json};
use bedplate_query::output::{Codec, Format};
use bytes::BytesMut;
use tokio_postgres::Client;
use tokio_postgres::types::{FromSql, Type};

use crate::random::Random;

/// A column's bytes as they came.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Encodes each value (given as the type's text) and compares with `to_json`.
async fn agree(client: &Client, kind: &str, codec: Codec, texts: &[String]) {
    // The text form of a string type is its binary form too, and casting a bpchar to text would cut its blanks.
    // format() calls the output function, as a result column in text format does; a cast to text may differ (inet).
    let column = match (codec.format(), codec) {
        (Format::Text, Codec::Number | Codec::Quoted) => "format('%s', v)",
        _ => "v",
    };
    let sql = format!(
        "select {column}, to_json(v)::text, t from unnest($1::text[]) t, lateral (select t::{kind} v offset 0) x"
    );
    let rows = client.query(&sql, &[&texts]).await.unwrap_or_else(|error| panic!("{kind}: {error:?}"));
    assert_eq!(rows.len(), texts.len());
    for row in rows {
        let Raw(bytes) = row.get(0);
        let mut message = (bytes.len() as i32).to_be_bytes().to_vec();
        message.extend_from_slice(&bytes);
        let mut fields = Fields::default();
        fields.split(&message).unwrap();
        let mut out = BytesMut::new();
        json::column(codec, 0, &fields, &message, &mut out).unwrap();
        let (found, expected) = (String::from_utf8(out.to_vec()).unwrap(), row.get::<_, String>(1));
        assert_eq!(found, expected, "{kind} {:?}", row.get::<_, String>(2));
    }
}

async fn client(database: &bedplate_testkit::Database) -> Client {
    let client = database.superuser().await;
    client.batch_execute("set timezone to 'UTC'").await.unwrap();
    client
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn numbers() {
    let database = bedplate_testkit::Database::empty().await;
    let client = client(&database).await;
    let mut random = Random::new(1);
    agree(&client, "bool", Codec::Bool, &owned(&["t", "f"])).await;
    agree(&client, "int2", Codec::Int2, &owned(&["0", "-32768", "32767"])).await;
    agree(&client, "int4", Codec::Int4, &owned(&["0", "-2147483648", "2147483647"])).await;
    agree(&client, "int8", Codec::Int8, &owned(&["0", "-9223372036854775808", "9223372036854775807"])).await;
    agree(&client, "oid", Codec::Oid, &owned(&["0", "4294967295"])).await;
    let mut numerics =
        owned(&["NaN", "Infinity", "-Infinity", "0", "-0.000", "1e-20", "12345678901234567890.0100"]);
    for _ in 0..500 {
        let (digits, scale) = (random.next(), random.below(30));
        numerics.push(format!("{digits}e-{scale}"));
    }
    agree(&client, "numeric", Codec::Number, &numerics).await;
}

#[tokio::test]
async fn floats_have_postgres_digits() {
    let database = bedplate_testkit::Database::empty().await;
    let client = client(&database).await;
    let mut random = Random::new(2);
    let named =
        owned(&["NaN", "Infinity", "-Infinity", "0", "-0", "1", "-1.5", "1e20", "1e-5", "0.0001", "5e-324"]);
    let mut wide = named.clone();
    let mut narrow = named[..10].to_vec();
    for exponent in -1074..1024 {
        wide.push(format!("{:e}", 2_f64.powi(exponent)));
        wide.push(format!("{:e}", 3.0 * 2_f64.powi(exponent - 1)));
    }
    for exponent in -149..128 {
        narrow.push(format!("{:e}", 2_f32.powi(exponent)));
    }
    for exponent in -30..30 {
        wide.push(format!("1.5e{exponent}"));
        narrow.push(format!("1.5e{exponent}"));
    }
    for _ in 0..20_000 {
        let value = f64::from_bits(random.next());
        if value.is_finite() {
            wide.push(format!("{value:e}"));
        }
        let value = f32::from_bits(random.next() as u32);
        if value.is_finite() {
            narrow.push(format!("{value:e}"));
        }
        // Whole and short numbers, where the middle between two floats has few digits.
        wide.push(format!("{:e}", (random.next() >> random.below(64)) as f64));
        narrow.push(format!("{:e}", (random.next() >> random.below(64)) as f32));
        wide.push(format!("{}.{}", random.below(100_000), random.below(1000)));
        narrow.push(format!("{}.{}", random.below(10_000), random.below(100)));
    }
    agree(&client, "float8", Codec::Float8, &wide).await;
    agree(&client, "float4", Codec::Float4, &narrow).await;
}

#[tokio::test]
async fn dates_and_times() {
    let database = bedplate_testkit::Database::empty().await;
    let client = client(&database).await;
    let mut random = Random::new(3);
    let days = owned(&[
        "infinity",
        "-infinity",
        "4713-01-01 BC",
        "0001-12-31 BC",
        "0001-01-01",
        "0044-03-15 BC",
        "1999-12-31",
        "2000-01-01",
        "2000-02-29",
        "1900-03-01",
        "9999-12-31",
        "10000-01-01",
        "294276-12-31",
    ]);
    let mut dates = days.clone();
    dates.push("5874897-12-31".into());
    let mut times = days.clone();
    for at in [
        "2024-05-06 07:08:09.1",
        "2024-05-06 07:08:09.120",
        "1999-12-31 23:59:59.999999",
        "0001-01-01 00:00:00.000001 BC",
    ] {
        times.push(at.into());
    }
    for _ in 0..5000 {
        let (day, month, year) = (1 + random.below(28), 1 + random.below(12), 1 + random.below(12_000));
        let era = if random.below(4) == 0 && year < 4000 { " BC" } else { "" };
        let micros = random.below(1_000_000) / 10_u64.pow(random.below(7) as u32);
        dates.push(format!("{year:04}-{month}-{day}{era}"));
        let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
        times.push(format!("{year:04}-{month}-{day} {hour}:{minute}:{second}.{micros:06}{era}"));
    }
    agree(&client, "date", Codec::Date, &dates).await;
    agree(&client, "timestamp", Codec::Timestamp, &times).await;
    agree(&client, "timestamptz", Codec::Timestamptz, &times).await;
    agree(&client, "time", Codec::Quoted, &owned(&["00:00", "24:00", "12:34:56.789"])).await;
    agree(&client, "timetz", Codec::Quoted, &owned(&["00:00+00", "12:34:56.789-11:30"])).await;
    agree(
        &client,
        "interval",
        Codec::Quoted,
        &owned(&["1 year -2 days 3:04:05.6", "0", "-1 mon", "P1Y2M3DT4H5M6S"]),
    )
    .await;
}

#[tokio::test]
async fn texts_and_everything_else() {
    let database = bedplate_testkit::Database::empty().await;
    let client = client(&database).await;
    client.batch_execute("create type mood as enum ('so \"so\"', 'happy')").await.unwrap();
    let mut random = Random::new(4);
    let mut controls = String::new();
    for code in (1..0x20).chain([0x7f, 0x80, 0x2028, 0xfffd, 0x1_f600]) {
        let _ = write!(controls, "{}\"\\/", char::from_u32(code).unwrap());
    }
    let mut texts = vec![String::new(), controls, "x".repeat(31) + "\"", "é".repeat(64)];
    for _ in 0..2000 {
        texts.push(random.text(100));
    }
    agree(&client, "text", Codec::String, &texts).await;
    agree(&client, "varchar", Codec::String, &texts).await;
    agree(&client, "char(7)", Codec::String, &owned(&["ab", "", "ab\"c  "])).await;
    agree(&client, "name", Codec::String, &owned(&["ab", "a\"b"])).await;
    agree(&client, "\"char\"", Codec::String, &owned(&["a", "\""])).await;
    agree(&client, "mood", Codec::String, &owned(&["so \"so\"", "happy"])).await;
    agree(
        &client,
        "uuid",
        Codec::Uuid,
        &owned(&["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "00000000-0000-0000-0000-000000000000"]),
    )
    .await;
    let documents = owned(&["null", "\"a\\u0000\"", " [1, 2.50,\n{\"b\":  1e3}] ", "{}", "true"]);
    agree(&client, "json", Codec::Json, &documents).await;
    agree(&client, "jsonb", Codec::Jsonb, &owned(&["null", " [1, 2.50,\n{\"b\":  1e3}] ", "{}", "\"é\\n\""]))
        .await;
    let mut bytes = owned(&["", "\\x", "\\xdeadbeef00"]);
    bytes.push(format!("\\x{}", "0123456789abcdef".repeat(37)));
    agree(&client, "bytea", Codec::Bytea, &bytes).await;
    agree(&client, "money", Codec::Quoted, &owned(&["1234.5", "-1"])).await;
    agree(&client, "inet", Codec::Quoted, &owned(&["10.0.0.1/8", "::1"])).await;
    agree(&client, "bit varying", Codec::Quoted, &owned(&["101", ""])).await;
    agree(&client, "tsrange", Codec::Quoted, &owned(&["[2020-01-01,2021-01-01)", "empty", "(,)"])).await;
    agree(&client, "xml", Codec::String, &owned(&["<a b=\"c\">\n</a>"])).await;
}
