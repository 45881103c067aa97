//! Types of a real schema with everything in it that is hard to write down. That the files are what compilers and clients
//! take is tested in tests/types.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod models;

use bedplate_gen::{Error, Language, generate};
use bedplate_query::catalog::introspect::{self, Answer};
use bedplate_query::catalog::{Catalog, assemble};
use bedplate_testkit::Database;
use tokio_postgres::{Client, SimpleQueryMessage};

const SHOP: &str = include_str!("../../../../tests/types/project/migrations/20260101000000_shop.sql");

async fn load(client: &Client, schemas: &[&str]) -> Catalog {
    let mut answer = Answer::default();
    for message in client.simple_query(introspect::script()).await.unwrap() {
        match message {
            SimpleQueryMessage::RowDescription(_) => answer.begin(),
            SimpleQueryMessage::Row(row) => answer.push((0..row.len()).map(|at| row.get(at))),
            _ => {}
        }
    }
    assemble(&answer, schemas).unwrap()
}

async fn catalog(sql: &str, schemas: &[&str]) -> Catalog {
    let database = Database::empty().await;
    let client = database.superuser().await;
    client.batch_execute(sql).await.unwrap();
    load(&client, schemas).await
}

async fn shop() -> Catalog {
    catalog(SHOP, &["public", "odd schema"]).await
}

#[tokio::test]
async fn every_language() {
    let catalog = shop().await;
    insta::assert_snapshot!("typescript", generate(&catalog, Language::TypeScript, &[]).unwrap());
    insta::assert_snapshot!("zod", generate(&catalog, Language::Zod, &[]).unwrap());
    insta::assert_snapshot!("python", generate(&catalog, Language::Python, &[]).unwrap());
}

#[tokio::test]
async fn only_what_is_chosen_is_written_and_other_schemas_are_refused() {
    let catalog = shop().await;
    let odd = generate(&catalog, Language::TypeScript, &["odd schema".to_owned()]).unwrap();
    assert!(odd.contains("\"odd schema\": {") && !odd.contains("\n  public: {"), "{odd}");
    // A table of a schema that is not written is no relationship, and an enum of one stands in full.
    assert!(!odd.contains("referencedRelation: \"people\""), "{odd}");
    assert!(odd.contains("| \"in progress\""), "{odd}");
    let refused = generate(&catalog, Language::TypeScript, &["internal".to_owned()]).unwrap_err();
    let served = vec!["public".to_owned(), "odd schema".to_owned()];
    assert_eq!(refused, Error::NotServed { schema: "internal".to_owned(), served });
}

#[tokio::test]
async fn the_text_does_not_depend_on_the_order_of_making() {
    let one = "create table b (y int, x int); create table a (id int primary key, z text);
        create type m as enum ('1'); create function g() returns int language sql as 'select 1';
        create function f() returns int language sql as 'select 1';";
    let other = "create function f() returns int language sql as 'select 1'; create type m as enum ('1');
        create table a (z text, id int primary key); create function g() returns int language sql as 'select 1';
        create table b (x int, y int);";
    let (one, other) = (catalog(one, &["public"]).await, catalog(other, &["public"]).await);
    for language in [Language::TypeScript, Language::Zod, Language::Python, Language::Rust] {
        let text = |catalog: &Catalog| generate(catalog, language, &[]).unwrap();
        assert_eq!(text(&one), text(&other));
    }
}

#[tokio::test]
async fn a_schema_without_anything_is_valid_too() {
    let text = generate(&catalog("", &["public", "absent"]).await, Language::TypeScript, &[]).unwrap();
    assert!(text.contains("    Tables: {\n      [_ in never]: never\n    }"), "{text}");
    assert!(!text.contains("absent"), "{text}");
}
