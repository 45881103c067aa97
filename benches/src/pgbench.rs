//! What PostgreSQL does for the same authenticated transaction without anything around it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::database::{Database, LOGIN};
use crate::workload::{SUBJECT, Workload};

/// How the transaction is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// begin, set_config, query, commit: four round trips, as nearly every framework does it.
    Textbook,
    /// The same work in one pipeline with one Sync: one round trip, an implicit transaction.
    OneSync,
}

/// What one run of pgbench reports.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub per_second: f64,
    pub transactions: u64,
    /// Mean latency in microseconds.
    pub mean: f64,
}

/// The newest installed pgbench.
pub fn find() -> Outcome<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin/pgbench")))
        })
        .filter(|(_, path)| path.exists())
        .collect();
    found.sort();
    if let Some((_, path)) = found.pop() {
        return Ok(path);
    }
    let on_path =
        Command::new("pgbench").arg("--version").output().is_ok_and(|output| output.status.success());
    if on_path {
        return Ok(PathBuf::from("pgbench"));
    }
    Err("pgbench is not installed; on Debian: apt-get install postgresql-contrib postgresql".to_owned())
}

fn script(style: Style, workload: Workload) -> String {
    let (random, statement) = workload.script();
    let context = format!(
        "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', \
         '{{\"sub\":\"{SUBJECT}\",\"role\":\"authenticated\"}}', true);"
    );
    match style {
        Style::Textbook => format!("{random}\nbegin;\n{context}\n{statement};\ncommit;\n"),
        Style::OneSync => format!("{random}\n\\startpipeline\n{context}\n{statement};\n\\endpipeline\n"),
    }
}

/// One run over so many connections.
pub async fn run(
    program: &Path,
    database: &Database,
    style: Style,
    workload: Workload,
    (connections, seconds): (usize, f64),
) -> Outcome<Run> {
    let file = database.folder.path().join("script.sql");
    std::fs::write(&file, script(style, workload))
        .map_err(|error| format!("write {}: {error}", file.display()))?;
    // pgbench counts whole seconds.
    let seconds = seconds.ceil().max(1.0).to_string();
    let output = tokio::process::Command::new(program)
        .args(["--no-vacuum", "--protocol=prepared", "--client", &connections.to_string()])
        .args(["--jobs", &connections.min(2).to_string(), "--time", &seconds])
        .arg("--file")
        .arg(&file)
        .arg("--host")
        .arg(database.socket_dir())
        .args(["--port", &database.port().to_string(), "--username", LOGIN, "postgres"])
        .output()
        .await
        .map_err(|error| format!("run pgbench: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("pgbench failed:\n{text}{}", String::from_utf8_lossy(&output.stderr)));
    }
    parse(&text).ok_or_else(|| format!("pgbench said something unknown:\n{text}"))
}

fn parse(text: &str) -> Option<Run> {
    let after = |start: &str| text.lines().find_map(|line| line.trim().strip_prefix(start)).map(str::trim);
    let number = |text: &str| text.split([' ', '/']).next()?.parse::<f64>().ok();
    Some(Run {
        per_second: number(after("tps =")?)?,
        transactions: number(after("number of transactions actually processed:")?)? as u64,
        mean: number(after("latency average =")?)? * 1000.0,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_what_pgbench_prints() {
        let text = "transaction type: x\nnumber of transactions actually processed: 1234\nnumber of failed transactions: 0 (0.000%)\n\
                    latency average = 0.250 ms\ninitial connection time = 2 ms\ntps = 4000.5 (without initial connection time)\n";
        let run = super::parse(text).unwrap();
        assert_eq!((run.per_second, run.transactions, run.mean), (4000.5, 1234, 250.0));
        assert!(super::parse("error").is_none());
    }
}
