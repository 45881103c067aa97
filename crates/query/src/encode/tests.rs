use bytes::BytesMut;

use super::{Encoder, Page};
use crate::output::{Codec, Field, Node, Object, Output, json_key};
use crate::statement::{Main, Sql};

/// A DataRow message behind its column count.
fn data_row(columns: &[Option<&[u8]>]) -> Vec<u8> {
    let mut row = Vec::new();
    for column in columns {
        row.extend_from_slice(&column.map_or(-1, |bytes| bytes.len() as i32).to_be_bytes());
        row.extend_from_slice(column.unwrap_or_default());
    }
    row
}

fn main(output: Output, reversed: bool) -> Main {
    let sql = Sql { text: "".into(), params: Vec::new(), formats: Vec::new().into() };
    Main {
        sql,
        output,
        order_columns: vec![1],
        order: "id.asc".into(),
        reversed,
        key_columns: vec![1],
        ..Main::default()
    }
}

fn ids() -> Output {
    let value = Node::Column { index: 0, codec: Codec::Int4 };
    Output::Rows(Object { fields: vec![Field { key: json_key("id"), value }] })
}

fn page(main: &Main, limit: Option<u64>, ids: &[i32]) -> (String, Page) {
    let mut out = BytesMut::from("[");
    let mut encoder = Encoder::new(main, limit);
    for id in ids {
        let text = id.to_string();
        encoder.row(&data_row(&[Some(&id.to_be_bytes()), Some(text.as_bytes())]), &mut out).unwrap();
    }
    let page = encoder.finish(&mut out).unwrap();
    out.extend_from_slice(b"]");
    (String::from_utf8(out.to_vec()).unwrap(), page)
}

fn captured(id: i32) -> Vec<Option<String>> {
    vec![Some(id.to_string())]
}

#[test]
fn pages_forward_and_in_reverse() {
    let (text, found) = page(&main(ids(), false), Some(3), &[1, 22, 3, 4]);
    assert_eq!(text, r#"[{"id":1},{"id":22},{"id":3}]"#);
    let expected = Page {
        rows: 3,
        has_more: true,
        first: Some(captured(1)),
        last: Some(captured(3)),
        key: Some(captured(1)),
    };
    assert_eq!(found, expected);
    let (text, found) = page(&main(ids(), true), Some(3), &[4, 33, 2, 1]);
    assert_eq!(text, r#"[{"id":2},{"id":33},{"id":4}]"#);
    let expected = Page {
        rows: 3,
        has_more: true,
        first: Some(captured(2)),
        last: Some(captured(4)),
        key: Some(captured(4)),
    };
    assert_eq!(found, expected);
    let (text, found) = page(&main(ids(), true), Some(3), &[5]);
    assert_eq!((text.as_str(), found.has_more, found.rows), (r#"[{"id":5}]"#, false, 1));
    let (text, found) = page(&main(ids(), false), None, &[]);
    assert_eq!((text.as_str(), found), ("[]", Page::default()));
    let (text, found) = page(&main(Output::Nothing, false), None, &[1, 2]);
    assert_eq!((text.as_str(), found.rows), ("[]", 2));
    let (text, _) = page(&main(Output::Values(Codec::Int4), true), None, &[1, 2]);
    assert_eq!(text, "[2,1]");
}

#[test]
fn objects_nest_and_may_be_absent() {
    let column = |index, codec| Node::Column { index, codec };
    let field = |key: &str, value| Field { key: json_key(key), value };
    let author = Object {
        fields: vec![field("na\"me", column(1, Codec::String)), field("none", column(2, Codec::Date))],
    };
    let empty = Node::Object { present: None, object: Object { fields: Vec::new() } };
    let output = Output::Rows(Object {
        fields: vec![
            field("ok", column(0, Codec::Bool)),
            field("a", Node::Object { present: Some(0), object: author }),
            field("e", empty),
        ],
    });
    let main = Main { order_columns: Vec::new(), key_columns: Vec::new(), ..main(output, false) };
    let mut out = BytesMut::new();
    let mut encoder = Encoder::new(&main, None);
    encoder.row(&data_row(&[Some(&[1]), Some("\u{1}x\"é".as_bytes()), None]), &mut out).unwrap();
    encoder.row(&data_row(&[Some(&[0]), None, None]), &mut out).unwrap();
    encoder.row(&data_row(&[None, None, None]), &mut out).unwrap();
    let rows = [
        r#"{"ok":true,"a":{"na\"me":"\u0001x\"é","none":null},"e":{}}"#,
        r#"{"ok":false,"a":null,"e":{}}"#,
        r#"{"ok":null,"a":null,"e":{}}"#,
    ];
    assert_eq!(std::str::from_utf8(&out).unwrap(), rows.join(","));
}

#[test]
fn odd_bytes_are_a_problem_and_never_a_panic() {
    let every = [
        Codec::Bool,
        Codec::Int2,
        Codec::Int4,
        Codec::Int8,
        Codec::Oid,
        Codec::Float4,
        Codec::Float8,
        Codec::Uuid,
        Codec::Timestamp,
        Codec::Timestamptz,
        Codec::Date,
        Codec::Jsonb,
    ];
    for codec in every {
        let bytes = vec![7; 31];
        assert!(super::json::value(codec, &bytes, &mut BytesMut::new()).is_err(), "{codec:?}");
        assert!(super::json::value(codec, &[], &mut BytesMut::new()).is_err(), "{codec:?}");
    }
    let main = main(ids(), false);
    for row in [
        &[][..],
        &[0, 0, 0],
        &[0, 0, 0, 9, 1],
        &[0, 0, 0, 0],
        &[127, 255, 255, 255, 1],
        &[0, 0, 0, 4, 0, 0, 0, 1],
    ] {
        assert!(Encoder::new(&main, None).row(row, &mut BytesMut::new()).is_err(), "{row:?}");
    }
    assert!(
        Encoder::new(&main, None)
            .row(&data_row(&[Some(&[0, 0, 0, 1]), Some(&[0xff])]), &mut BytesMut::new())
            .is_err()
    );
}

#[test]
fn extreme_dates_do_not_overflow() {
    for micros in [i64::MIN + 1, i64::MAX - 1, 0, -1] {
        super::json::value(Codec::Timestamptz, &micros.to_be_bytes(), &mut BytesMut::new()).unwrap();
    }
    for days in [i32::MIN + 1, i32::MAX - 1, 0, -1] {
        super::json::value(Codec::Date, &days.to_be_bytes(), &mut BytesMut::new()).unwrap();
    }
}
