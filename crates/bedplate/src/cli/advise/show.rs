//! The advice as text.

use std::fmt::Write;

use super::findings::{MissingIndex, Scan};
use super::statements::{Shape, Statements};
use crate::cli::ui::{DIM, GOOD, NAME, STRONG, Ui, WARN};

pub fn text(
    ui: &Ui,
    statements: &Statements,
    indexes: &[MissingIndex],
    scans: &[Scan],
    limit: usize,
) -> String {
    let mut out = String::new();
    match statements {
        Statements::Known { overview, .. } => {
            table(ui, &mut out, "Slowest", &overview.slowest(limit));
            table(ui, &mut out, "Most frequent", &overview.most_frequent(limit));
            loops(ui, &mut out, &overview.suspected_loops(limit));
        }
        Statements::Unknown { server, why } => {
            let text = format!(
                "No statements: {why} ({server}).\nThey are known to a running server; name another one with --server"
            );
            let _ = writeln!(out, "{}\n", ui.paint(DIM, text));
        }
    }
    let _ = writeln!(out, "{}", ui.paint(STRONG, "Missing indexes"));
    if indexes.is_empty() {
        let _ = writeln!(out, "  none found");
    }
    for index in indexes {
        let _ = writeln!(out, "  {}  {}", ui.paint(NAME, &index.table), ui.paint(DIM, &index.because));
        let _ = writeln!(out, "    {}", ui.paint(GOOD, &index.sql));
    }
    if !scans.is_empty() {
        let _ = writeln!(out, "\n{}", ui.paint(STRONG, "Read from end to end"));
    }
    for scan in scans {
        let about = format!("{} times, {} rows each", scan.scans, scan.rows_per_scan);
        let _ = writeln!(out, "  {}  {}", ui.paint(NAME, &scan.table), ui.paint(WARN, about));
    }
    out
}

fn table(ui: &Ui, out: &mut String, title: &str, shapes: &[&Shape]) {
    let _ = writeln!(out, "{}", ui.paint(STRONG, title));
    if shapes.is_empty() {
        let _ = writeln!(out, "  no statement has run yet");
    } else {
        let head =
            format!("  {:>9} {:>9} {:>9} {:>9} {:>9}  what", "calls", "rows/call", "p50", "p95", "p99");
        let _ = writeln!(out, "{}", ui.paint(DIM, head));
    }
    for shape in shapes {
        let rows = shape.rows as f64 / shape.calls.max(1) as f64;
        let (p50, p95, p99) = (millis(shape.p50), millis(shape.p95), millis(shape.p99));
        let name = ui.paint(NAME, shape.name());
        let role = ui.paint(DIM, format!("as {}", shape.role));
        let _ = writeln!(out, "  {:>9} {rows:>9.1} {p50:>9} {p95:>9} {p99:>9}  {name} {role}", shape.calls);
    }
    out.push('\n');
}

fn loops(ui: &Ui, out: &mut String, shapes: &[&Shape]) {
    if shapes.is_empty() {
        return;
    }
    let _ = writeln!(out, "{}", ui.paint(STRONG, "Looks like a loop over rows (N+1)"));
    for shape in shapes {
        let about = format!("up to {} calls of one caller in a second", shape.most_per_second);
        let _ = writeln!(out, "  {}  {}", ui.paint(NAME, shape.name()), ui.paint(WARN, about));
    }
    let hint = "  ask for the rows together: ?id=in.(…), or as a relation in select=id,children(*)";
    let _ = writeln!(out, "{}\n", ui.paint(DIM, hint));
}

/// Microseconds as milliseconds.
fn millis(micros: u64) -> String {
    format!("{:.2} ms", micros as f64 / 1e3)
}
