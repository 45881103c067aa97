//! The run itself: everything against everything, in interleaved rounds.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::args::Contest;
use crate::cpu::Processors;
use crate::database::Database;
use crate::pgbench::{self, Style};
use crate::server::{Keys, Server};
use crate::workload::{Dialect, Workload};
use crate::{Outcome, load, report};

/// Who was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contender {
    PgbenchTextbook,
    PgbenchOneSync,
    /// Through `/api/v1`.
    Bedplate,
    /// The same process, through `/rest/v1`.
    BedplateRest,
    Postgrest,
}

impl From<Dialect> for Contender {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Native => Self::Bedplate,
            Dialect::Rest => Self::BedplateRest,
            Dialect::Postgrest => Self::Postgrest,
        }
    }
}

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    pub round: usize,
    pub load: String,
    pub connections: usize,
    pub contender: Contender,
    /// Transactions or requests in a second.
    pub per_second: f64,
    /// Microseconds. pgbench tells the mean only, which stands in `mean`.
    pub p50: Option<u64>,
    pub p99: Option<u64>,
    pub mean: Option<f64>,
    /// CPU microseconds for each request.
    pub server_cpu: Option<f64>,
    pub postgres_cpu: f64,
}

/// What is measured once, beside the cells.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Facts {
    pub postgres: String,
    pub cores: usize,
    /// Milliseconds from process start to ready, each start.
    pub start_to_ready: Vec<f64>,
    /// Bytes.
    pub resident_idle: u64,
    pub resident_loaded: u64,
    /// The share of the processors' time that the host gave to others, 0 to 1: while each load ran in each round.
    pub stolen: Vec<f64>,
}

pub async fn run(contest: &Contest) -> Outcome<()> {
    let bedplate = match &contest.bedplate {
        // It is started in another folder.
        Some(path) => path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?,
        None => beside()?,
    };
    let pgbench = pgbench::find()?;
    eprintln!("starting PostgreSQL and loading the tables");
    let database = Database::start().await?;
    let outcome = measure(contest, &database, (bedplate, pgbench)).await;
    database.stop().await;
    let (facts, cells) = outcome?;
    if contest.json {
        let document =
            serde_json::json!({ "facts": facts, "cells": cells, "targets": report::targets(&facts, &cells) });
        println!("{document:#}");
    } else {
        print!("{}", report::tables(&facts, &cells));
    }
    Ok(())
}

fn beside() -> Outcome<PathBuf> {
    let me = std::env::current_exe().map_err(|error| format!("find this program: {error}"))?;
    let path = me.with_file_name("bedplate");
    if path.exists() {
        return Ok(path);
    }
    Err(format!(
        "{} does not exist: cargo build --release -p bedplate, or give --bedplate PATH",
        path.display()
    ))
}

/// Starts from which the time to ready is taken.
const STARTS: usize = 3;

async fn measure(
    contest: &Contest,
    database: &Database,
    (bedplate, pgbench): (PathBuf, PathBuf),
) -> Outcome<(Facts, Vec<Cell>)> {
    let project = database.fill(&bedplate).await?;
    let keys = Keys::new(&bedplate)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut facts = Facts { postgres: database.version(), cores, ..Facts::default() };
    for _ in 1..STARTS {
        let server = Server::bedplate(&bedplate, &project, database, &keys).await?;
        facts.start_to_ready.push(server.started_in.as_secs_f64() * 1000.0);
        server.stop()?;
    }
    let server = Server::bedplate(&bedplate, &project, database, &keys).await?;
    facts.start_to_ready.push(server.started_in.as_secs_f64() * 1000.0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    facts.resident_idle = server.resident()?;
    let mut servers = vec![server];
    if let Some(program) = &contest.postgrest {
        servers.push(Server::postgrest(program, database, &keys).await?);
    }
    let mut stage = Stage { contest, database, pgbench, token: keys.token()?, cells: Vec::new(), facts };
    for round in 1..=contest.rounds {
        for workload in &contest.loads {
            for connections in &contest.connections {
                stage.quiet_cell(round, *workload, *connections, &servers).await?;
            }
        }
    }
    for server in servers {
        server.stop()?;
    }
    Ok((stage.facts, stage.cells))
}

struct Stage<'c> {
    contest: &'c Contest,
    database: &'c Database,
    pgbench: PathBuf,
    token: String,
    cells: Vec<Cell>,
    facts: Facts,
}

/// How often a load is measured again because the host was busy with others, and the pause before.
const ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_secs(5);

impl Stage<'_> {
    /// One load in one round, again while the host takes more of the time than the contest allows.
    async fn quiet_cell(
        &mut self,
        round: usize,
        workload: Workload,
        connections: usize,
        servers: &[Server],
    ) -> Outcome<()> {
        for attempt in 1..=ATTEMPTS {
            let (kept, before) = (self.cells.len(), Processors::now()?);
            self.cell(round, workload, connections, servers).await?;
            let stolen = Processors::now()?.stolen_since(before);
            let limit = self.contest.quiet.filter(|_| attempt < ATTEMPTS);
            if limit.is_none_or(|percent| stolen * 100.0 <= percent) {
                self.facts.stolen.push(stolen);
                break;
            }
            eprintln!("  the host took {:.0} % of the processors' time: again", stolen * 100.0);
            self.cells.truncate(kept);
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// One load at one number of connections: every contender in turn.
    async fn cell(
        &mut self,
        round: usize,
        workload: Workload,
        connections: usize,
        servers: &[Server],
    ) -> Outcome<()> {
        eprintln!(
            "round {round}/{}: ({workload}) {}, {connections} connections",
            self.contest.rounds,
            workload.title()
        );
        if workload == Workload::Insert {
            let client = self.database.connect().await?;
            self.database.checkpoint(&client).await?;
        }
        for (style, contender) in
            [(Style::Textbook, Contender::PgbenchTextbook), (Style::OneSync, Contender::PgbenchOneSync)]
        {
            let before = self.database.cpu_micros()?;
            let size = (connections, self.contest.seconds);
            let run = pgbench::run(&self.pgbench, self.database, style, workload, size).await?;
            let postgres_cpu = share(self.database.cpu_micros()?, before, run.transactions);
            self.cells.push(Cell {
                round,
                load: workload.to_string(),
                connections,
                contender,
                per_second: run.per_second,
                p50: None,
                p99: None,
                mean: Some(run.mean),
                server_cpu: None,
                postgres_cpu,
            });
        }
        for server in servers {
            for dialect in server.dialects {
                let cell = self.served(round, workload, connections, (server, *dialect)).await?;
                self.cells.push(cell);
            }
        }
        Ok(())
    }

    async fn served(
        &mut self,
        round: usize,
        workload: Workload,
        connections: usize,
        (server, dialect): (&Server, Dialect),
    ) -> Outcome<Cell> {
        let order = load::Order {
            address: &server.address,
            token: &self.token,
            workload,
            dialect,
            connections,
            seconds: self.contest.seconds,
        };
        let measure = || Ok((server.cpu_micros()?, self.database.cpu_micros()?));
        let (seen, before, after) = load::start(&order, measure).await?;
        if let Some(failure) = &seen.failure {
            return Err(format!(
                "{}: {} requests failed, the first with:\n{failure}",
                server.name, seen.failures
            ));
        }
        if server.name == "bedplate" {
            self.facts.resident_loaded = self.facts.resident_loaded.max(server.resident()?);
        }
        Ok(Cell {
            round,
            load: workload.to_string(),
            connections,
            contender: dialect.into(),
            per_second: seen.requests as f64 / seen.seconds,
            p50: Some(seen.p50),
            p99: Some(seen.p99),
            mean: None,
            server_cpu: Some(share(after.0, before.0, seen.requests)),
            postgres_cpu: share(after.1, before.1, seen.requests),
        })
    }
}

/// Microseconds for each of so many.
fn share(after: u64, before: u64, count: u64) -> f64 {
    after.saturating_sub(before) as f64 / count.max(1) as f64
}
