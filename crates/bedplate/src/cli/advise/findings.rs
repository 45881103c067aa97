//! What the tables say, together with the statements that ran on them.

use bedplate_query::ident::Ident;
use serde::Serialize;
use tokio_postgres::Row;

use super::statements::Overview;

/// Below so many rows reading all of them is as quick as an index.
const SMALL: i64 = 1_000;
/// Full scans of a table are worth a line when they read so many rows each.
const LONG_SCAN: i64 = 10_000;

pub struct ForeignKey {
    schema: String,
    table: String,
    constraint: String,
    columns: Vec<String>,
    rows: i64,
}

pub struct Table {
    schema: String,
    name: String,
    rows: i64,
    /// Columns that an index begins with.
    indexed: Vec<String>,
    scans: i64,
    scanned_rows: i64,
}

impl ForeignKey {
    pub fn read(row: &Row) -> Self {
        Self {
            schema: row.get(0),
            table: row.get(1),
            constraint: row.get(2),
            columns: row.get(3),
            rows: row.get(4),
        }
    }
}

impl Table {
    pub fn read(row: &Row) -> Self {
        Self {
            schema: row.get(0),
            name: row.get(1),
            rows: row.get(2),
            indexed: row.get(3),
            scans: row.get(4),
            scanned_rows: row.get(5),
        }
    }
}

/// An index that would help, and the SQL that makes it.
#[derive(Debug, Serialize)]
pub struct MissingIndex {
    pub table: String,
    pub columns: Vec<String>,
    /// `foreign_key` or `filter`.
    pub reason: &'static str,
    pub because: String,
    pub rows: i64,
    pub sql: String,
}

/// A table that is read from end to end.
#[derive(Debug, Serialize)]
pub struct Scan {
    pub table: String,
    pub rows: i64,
    pub scans: i64,
    pub rows_per_scan: i64,
}

/// Indexes for foreign keys, then for columns that statements look rows up by; the largest tables first.
pub fn missing_indexes(
    keys: &[ForeignKey],
    tables: &[Table],
    overview: Option<&Overview>,
    schemas: &[String],
) -> Vec<MissingIndex> {
    let of_key = |key: &ForeignKey| {
        let because = format!(
            "foreign key {} has no index: deleting what it points to reads the whole table",
            key.constraint
        );
        index(&key.schema, &key.table, &key.columns, "foreign_key", because, key.rows)
    };
    let mut found: Vec<MissingIndex> = keys.iter().map(of_key).collect();
    for shape in overview.into_iter().flat_map(|overview| &overview.shapes) {
        let Some(table) = find(tables, &shape.target, schemas).filter(|table| table.rows >= SMALL) else {
            continue;
        };
        let served = shape.filters.iter().any(|column| table.indexed.contains(column));
        let known = found.iter().any(|other| {
            other.table == full_name(table)
                && other.columns.first().is_some_and(|first| shape.filters.contains(first))
        });
        if shape.filters.is_empty() || served || known {
            continue;
        }
        let because = format!("{} calls look rows up by it and no index begins with it", shape.calls);
        found.push(index(&table.schema, &table.name, &shape.filters, "filter", because, table.rows));
    }
    found.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.sql.cmp(&b.sql)));
    found
}

fn full_name(table: &Table) -> String {
    format!("{}.{}", table.schema, table.name)
}

/// The table that a request means: in the schema that it names, else in the first one that has it.
fn find<'a>(tables: &'a [Table], target: &str, schemas: &[String]) -> Option<&'a Table> {
    let named = tables.iter().find(|table| full_name(table) == target);
    named.or_else(|| {
        let mut within = schemas
            .iter()
            .filter_map(|schema| tables.iter().find(|table| table.schema == *schema && table.name == target));
        within.next()
    })
}

fn index(
    schema: &str,
    table: &str,
    columns: &[String],
    reason: &'static str,
    because: String,
    rows: i64,
) -> MissingIndex {
    let quoted = |name: &str| {
        let mut text = String::new();
        Ident::from_catalog(name).push_quoted(&mut text);
        text
    };
    let list: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    MissingIndex {
        table: format!("{schema}.{table}"),
        columns: columns.to_vec(),
        reason,
        because,
        rows,
        sql: format!("create index on {}.{} ({});", quoted(schema), quoted(table), list.join(", ")),
    }
}

/// Tables that are read from end to end, and large.
pub fn scans(tables: &[Table], limit: usize) -> Vec<Scan> {
    let mut found: Vec<Scan> = tables
        .iter()
        .filter(|table| table.scans > 0 && table.scanned_rows / table.scans >= LONG_SCAN)
        .map(|table| Scan {
            table: full_name(table),
            rows: table.rows,
            scans: table.scans,
            rows_per_scan: table.scanned_rows / table.scans,
        })
        .collect();
    found.sort_by_key(|scan| std::cmp::Reverse(scan.scans.saturating_mul(scan.rows_per_scan)));
    found.truncate(limit);
    found
}
