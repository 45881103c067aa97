//! Runs one statement over the request pipeline for some seconds and prints requests per second:
//! `cargo run --release -p bedplate-db --example throughput -- <url> <role> <tasks> <seconds> <sql>`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bedplate_core::Problem;
use bedplate_db::{Call, Connector, Context, End, Pool, Row, RowSink, Statement, Target, pool};

struct Count(u64);

impl RowSink for Count {
    fn row(&mut self, _call: usize, row: Row<'_>) -> Result<(), Problem> {
        self.0 += row.columns().flatten().map(|c| c.len() as u64).sum::<u64>();
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, role, tasks, seconds, sql] = &args[..] else {
        eprintln!("usage: throughput <url> <role> <tasks> <seconds> <sql>");
        return Ok(());
    };
    let pool = Pool::new("bench", Connector::new(Target::parse(url)?)?, pool::Settings::reads(2));
    let statement = Statement::new(sql.as_str(), []);
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    let (done, slowest) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..tasks.parse::<usize>()? {
        let (pool, statement, role) = (pool.clone(), statement.clone(), role.clone());
        let (done, slowest) = (Arc::clone(&done), Arc::clone(&slowest));
        running.spawn(async move {
            let settings = [("role", role.as_str()), ("request.jwt.claims", r#"{"sub":"1"}"#)];
            let calls = [Call { statement: &statement, params: &[] }];
            while Instant::now() < end {
                let started = Instant::now();
                let deadline = Some(started + Duration::from_secs(30));
                let context = Context { settings: &settings };
                pool.read(&context, &calls, End::Implicit, &mut Count(0), deadline).await?;
                done.fetch_add(1, Ordering::Relaxed);
                slowest.fetch_max(started.elapsed().as_micros() as u64, Ordering::Relaxed);
            }
            Ok::<_, bedplate_db::Error>(())
        });
    }
    while let Some(result) = running.join_next().await {
        result??;
    }
    let rate = done.load(Ordering::Relaxed) / seconds.parse::<u64>()?;
    println!("{rate} requests/s, slowest {} us, {:?}", slowest.load(Ordering::Relaxed), pool.metrics());
    Ok(())
}
