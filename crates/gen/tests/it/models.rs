//! The Rust file, compiled into this test and held against real rows.

#[path = "../../../../examples/helpdesk/client/models.rs"]
mod helpdesk;
#[path = "shop_models.rs"]
mod shop;

use bedplate_gen::{Language, generate};
use bedplate_testkit::Database;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::{SHOP, load};
use shop::odd_schema::{MoodType, WeirdTableInsert, WeirdTableRow};
use shop::public::*;

const ROWS: &str = include_str!("../../../../tests/types/project/seed.dev.sql");

/// Every row of a relation, as a client gets it, through the struct; and back to what it was.
async fn rows<Row: DeserializeOwned + Serialize>(client: &Client, relation: &str) -> Vec<Row> {
    let texts = client.query(&format!("select to_json(t)::text from {relation} t"), &[]).await.unwrap();
    let texts: Vec<String> = texts.iter().map(|row| row.get(0)).collect();
    assert!(!texts.is_empty(), "{relation} has rows");
    texts
        .iter()
        .map(|text| {
            let row: Row =
                serde_json::from_str(text).unwrap_or_else(|error| panic!("{relation}: {error}: {text}"));
            let (there, back): (Value, Value) =
                (serde_json::from_str(text).unwrap(), serde_json::to_value(&row).unwrap());
            let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            let (mut wanted, mut found) = (keys(&there), keys(&back));
            wanted.sort();
            found.sort();
            assert_eq!(wanted, found, "{relation}");
            row
        })
        .collect()
}

#[tokio::test]
async fn the_compiled_file_is_what_is_generated_and_takes_every_row() {
    let database = Database::empty().await;
    let client = database.superuser().await;
    client.batch_execute(SHOP).await.unwrap();
    client.batch_execute(ROWS).await.unwrap();
    let text = generate(&load(&client, &["public", "odd schema"]).await, Language::Rust, &[]).unwrap();
    if text != include_str!("shop_models.rs") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/shop_models.rs");
        std::fs::write(path, text).unwrap();
        panic!("{path} was stale and is written anew: look at what changed and run the tests again");
    }

    let people: Vec<PeopleRow> = rows(&client, "public.people").await;
    let ann = people.iter().find(|p| p.name.starts_with("Ann")).unwrap();
    assert_eq!(ann.balance.to_string(), "12.5");
    assert_eq!(ann.home.as_ref().unwrap().house_no, Some(7));
    assert_eq!(ann.created_at.to_rfc3339(), "2026-02-03T03:05:06.789+00:00");
    let odd: Vec<ClassRow> = rows(&client, "public.\"class\"").await;
    assert_eq!(odd[1].r#type.as_deref(), Some("t"));
    assert_eq!((odd[1].self_, odd[1].self_2), (2, Some(3)));
    assert_eq!(odd[1].lambda, [Status::V1st, Status::V, Status::Open2]);
    let orders: Vec<OrdersRow> = rows(&client, "public.orders").await;
    let gift = orders.iter().find(|o| o.gift_for.is_some()).unwrap();
    assert_eq!(gift.status, Status::InProgress);
    assert_eq!(gift.parcel.as_ref().unwrap().moods.as_deref(), Some(&[MoodType::Happy][..]));
    rows::<InvoicesRow>(&client, "public.invoices").await;
    rows::<TagsRow>(&client, "public.tags").await;
    rows::<EventsRow>(&client, "public.events").await;
    rows::<OpenOrdersRow>(&client, "public.open_orders").await;
    rows::<OrderTotalsRow>(&client, "public.order_totals").await;
    rows::<WeirdTableRow>(&client, "\"odd schema\".\"Weird Table\"").await;
}

fn sent(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn what_is_sent_has_what_was_set_and_nulls_that_were_meant() {
    let person = PeopleInsert::new("c@example.com".to_owned(), "Cem".to_owned());
    assert_eq!(sent(&person), json!({ "email": "c@example.com", "name": "Cem" }));
    let update = PeopleUpdate { home: Some(None), flag: Some(true), ..PeopleUpdate::default() };
    assert_eq!(sent(&update), json!({ "home": null, "flag": true }));
    let order = OrdersInsert { status: Some(Status::ItSDone), ..OrdersInsert::new(1, 5) };
    assert_eq!(sent(&order), json!({ "person_id": 1, "total": 5, "status": "it's \"done\"" }));
    assert_eq!(sent(&WeirdTableInsert::new(3)), json!({ "label": 3 }));
    assert!(serde_json::from_value::<Status>(json!("closed")).is_err());

    let ticket = helpdesk::public::TicketsInsert::new(1, "The kettle leaks".to_owned());
    assert_eq!(sent(&ticket), json!({ "organization_id": 1, "title": "The kettle leaks" }));
}
