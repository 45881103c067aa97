//! Bodies: JSON, CSV, forms, and what is none of them.

use serde_json::json;

use super::refusal;
use super::write::shop;
use crate::api::Answer;

const FULL: (&str, &str) = ("prefer", "return=representation");

struct Shop(super::Plain);

impl Shop {
    async fn body(&self, kind: &str, path: &str, body: &[u8]) -> Answer {
        let headers = [("content-type", kind), FULL];
        let headers = if kind.is_empty() { &headers[1..] } else { &headers[..] };
        self.0.send("POST", path, headers, body).await
    }

    #[track_caller]
    fn refused(answer: &Answer) -> (u16, String, String) {
        assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
        refusal(answer)
    }
}

#[tokio::test]
async fn json_is_the_default_and_must_be_json() {
    let shop = Shop(shop().await);
    let posted = shop.body("", "/goods?select=name", b" \t\n{\"name\": \"x\"}\r\n").await;
    assert_eq!((posted.status, posted.json()), (201, json!([{"name": "x"}])));
    for body in ["", "}{ x = 2", "[", "{\"name\":}", "{\"name\":\"x\"} more", "\u{feff}{}"] {
        for path in ["/goods", "/goods?columns=name"] {
            let refused = shop.body("application/json", path, body.as_bytes()).await;
            let wanted = (400, "PGRST102".to_owned(), "Empty or invalid json".to_owned());
            assert_eq!(Shop::refused(&refused), wanted, "{body} {path}");
        }
    }
    let refused = shop.body("application/json", "/goods", b"{\"name\":\"\xff\"}").await;
    assert_eq!(Shop::refused(&refused).1, "PGRST102");
    let nothing = shop.body("application/json", "/goods", b"7").await;
    assert_eq!((nothing.status, nothing.json()), (201, json!([])), "no rows in it");
    let twice = shop.body(
        "application/json",
        "/goods?select=name,notes",
        b"{\"name\":\"a\",\"name\":\"b\",\"notes\":{\"x\":1,\"x\":2}}",
    );
    let twice = twice.await;
    assert_eq!(String::from_utf8(twice.body).unwrap(), r#"[{"name":"b","notes":{"x":1,"x":2}}]"#);
    let deep = format!("{{\"meta\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(shop.body("application/json", "/goods", deep.as_bytes()).await.status, 400);
    let nul = shop.body("application/json", "/goods", b"{\"name\":\"a\\u0000b\"}").await;
    assert_eq!(nul.status, 400);
}

#[tokio::test]
async fn csv_names_its_columns_first() {
    let shop = Shop(shop().await);
    let posted = shop
        .body(
            "text/csv",
            "/goods?select=name,price,tags",
            b"name,price,tags\na,NULL,{x}\r\n\"b, \"\"c\"\"\",2,NULL\n",
        )
        .await;
    assert_eq!(
        posted.json(),
        json!([{"name": "a", "price": null, "tags": ["x"]}, {"name": "b, \"c\"", "price": 2.0, "tags": null}])
    );
    for (body, message) in [
        (&b"name,price\na\n"[..], "All lines must have same number of fields"),
        (b"", "The CSV body has no header line"),
        (b"name\n\"a", "The CSV body is not valid at line 2: a quote is not closed"),
    ] {
        let refused = shop.body("text/csv", "/goods", body).await;
        assert_eq!(Shop::refused(&refused), (400, "PGRST102".to_owned(), message.to_owned()));
    }
    assert_eq!(Shop::refused(&shop.body("text/csv", "/goods", b"nope\n1\n").await).1, "PGRST204");
    let header = [("content-type", "text/csv"), FULL];
    let patched =
        shop.0.send("PATCH", "/goods?id=eq.1&select=name,price", &header, b"name,price\nz,NULL").await;
    assert_eq!(patched.json(), json!([{"name": "z", "price": null}]));
}

#[tokio::test]
async fn forms_are_one_row_of_texts() {
    let shop = Shop(shop().await);
    let form = "application/x-www-form-urlencoded";
    let posted =
        shop.body(form, "/goods?select=name,price,tags", b"name=a+b%26c&price=3.5&tags=%7Bx,y%7D").await;
    assert_eq!(posted.json(), json!([{"name": "a b&c", "price": 3.5, "tags": ["x", "y"]}]));
    assert_eq!(Shop::refused(&shop.body(form, "/goods", b"name=%ff").await).1, "PGRST102");
    assert_eq!(Shop::refused(&shop.body(form, "/goods", b"nope=1").await).1, "PGRST204");
}

#[tokio::test]
async fn other_types_are_refused() {
    let shop = Shop(shop().await);
    for kind in ["text/plain", "application/octet-stream", "multipart/form-data; boundary=x"] {
        let refused = shop.body(kind, "/goods", b"{\"name\":\"x\"}").await;
        let (status, code, message) = Shop::refused(&refused);
        assert_eq!((status, code.as_str()), (400, "PGRST102"));
        assert_eq!(message, format!("Content-Type not acceptable: {kind}"));
    }
    let charset =
        shop.body("application/json; charset=utf-8", "/goods?select=name", b"{\"name\":\"x\"}").await;
    assert_eq!(charset.status, 201);
    // What a DELETE brings along is not looked at.
    let deleted = shop.0.send("DELETE", "/goods?id=eq.1", &[("content-type", "text/plain")], b"x").await;
    assert_eq!(deleted.status, 204);
}

#[tokio::test]
async fn rows_and_values_are_limited() {
    let shop = Shop(shop().await);
    let many = |rows: usize| format!("[{}]", vec!["{\"name\":\"x\"}"; rows].join(","));
    let fits = shop.0.send("POST", "/goods", &[("prefer", "tx=rollback")], many(10_000).as_bytes()).await;
    assert_eq!(fits.status, 201);
    let refused = shop.body("application/json", "/goods", many(10_001).as_bytes()).await;
    assert_eq!(refused.status, 400, "{}", String::from_utf8_lossy(&refused.body));
    let line = vec!["1"; 5000].join(",");
    let lines = |rows: usize| vec![line.as_str(); rows + 1].join("\n");
    let started = std::time::Instant::now();
    for rows in [2, 21] {
        assert_eq!(shop.body("text/csv", "/goods", lines(rows).as_bytes()).await.status, 400);
    }
    assert!(started.elapsed().as_secs() < 10);
}
