//! The catalog against a real database.

mod objects;
mod relationships;
mod rules;
mod schema;
mod size;
mod validate;

use bedplate_query::catalog::introspect::{self, Answer};
use bedplate_query::catalog::{Catalog, RelationId, assemble};
use bedplate_testkit::Database;
use tokio_postgres::{Client, SimpleQueryMessage};

/// Reads the catalog as `data` does.
pub async fn load(client: &Client, schemas: &[&str]) -> Catalog {
    assemble(&answer(client).await, schemas).unwrap()
}

pub async fn answer(client: &Client) -> Answer {
    let mut answer = Answer::default();
    for message in client.simple_query(introspect::script()).await.unwrap() {
        match message {
            SimpleQueryMessage::RowDescription(_) => answer.begin(),
            SimpleQueryMessage::Row(row) => answer.push((0..row.len()).map(|at| row.get(at))),
            _ => {}
        }
    }
    answer
}

/// A database with this schema, and its catalog with schema `public` served.
async fn catalog_of(sql: &str) -> Catalog {
    let database = Database::empty().await;
    let client = database.superuser().await;
    client.batch_execute(sql).await.unwrap();
    load(&client, &["public"]).await
}

fn relation(catalog: &Catalog, name: &str) -> RelationId {
    catalog.find_relation(None, name).unwrap_or_else(|| panic!("no relation {name}"))
}

fn names(catalog: &Catalog, id: RelationId, columns: &[bedplate_query::catalog::ColumnId]) -> Vec<String> {
    columns.iter().map(|c| catalog.column(id, *c).name.to_string()).collect()
}
