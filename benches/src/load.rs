//! A process of its own that makes load, so that its CPU time is nobody else's. Prints one line when the warm-up ends
//! and one JSON line with the result. The token comes by stdin, as nobody should see it in a list of processes.

use std::io::{BufRead as _, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::Outcome;
use crate::args::Load;
use crate::client::Client;
use crate::workload::{Dialect, Workload};

/// What a load process saw.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Seen {
    pub requests: u64,
    pub failures: u64,
    pub seconds: f64,
    /// Latency in microseconds.
    pub p50: u64,
    pub p99: u64,
    /// Bytes of all bodies.
    pub bytes: u64,
    /// The first answer that was not a success.
    pub failure: Option<String>,
}

/// A load to start.
pub struct Order<'a> {
    pub address: &'a str,
    pub token: &'a str,
    pub workload: Workload,
    pub dialect: Dialect,
    pub connections: usize,
    pub seconds: f64,
}

/// Seconds before the measured part.
const WARM_UP: f64 = 0.5;

/// Runs a load process; `measure` is called when its measured part begins and when it ends.
pub async fn start<T>(order: &Order<'_>, mut measure: impl FnMut() -> Outcome<T>) -> Outcome<(Seen, T, T)> {
    let program = std::env::current_exe().map_err(|error| format!("find this program: {error}"))?;
    let number = |value: f64| value.to_string();
    let dialect = match order.dialect {
        Dialect::Native => "native",
        Dialect::Rest => "rest",
        Dialect::Postgrest => "postgrest",
    };
    let mut child = tokio::process::Command::new(program)
        .args(["load", "--address", order.address, "--workload", &order.workload.to_string()])
        .args(["--dialect", dialect, "--connections", &order.connections.to_string()])
        .args(["--warm-up", &number(WARM_UP), "--seconds", &number(order.seconds)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("start the load: {error}"))?;
    let io = |error: std::io::Error| format!("talk to the load: {error}");
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the load has no pipes".to_owned());
    };
    input.write_all(format!("{}\n", order.token).as_bytes()).await.map_err(io)?;
    let mut lines = BufReader::new(output).lines();
    let ended = || "the load ended early".to_owned();
    lines.next_line().await.map_err(io)?.ok_or_else(ended)?;
    let before = measure()?;
    let result = lines.next_line().await.map_err(io)?.ok_or_else(ended)?;
    let after = measure()?;
    child.wait().await.map_err(io)?;
    let seen = serde_json::from_str(&result).map_err(|error| format!("read the load's result: {error}"))?;
    Ok((seen, before, after))
}

/// The load process itself.
pub async fn run(load: &Load) -> Outcome<()> {
    let mut token = String::new();
    std::io::stdin().lock().read_line(&mut token).map_err(|error| format!("read the token: {error}"))?;
    let token = token.trim();
    let start = Instant::now() + Duration::from_secs_f64(load.warm_up);
    let end = start + Duration::from_secs_f64(load.seconds);
    let mut clients = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        clients.push(Client::connect(&load.address).await?);
    }
    let local = tokio::task::LocalSet::new();
    let tasks: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(at, client)| {
            let (load, token) = ((load.address.clone(), load.workload, load.dialect), token.to_owned());
            local.spawn_local(worker(client, load, token, at as u64, (start, end)))
        })
        .collect();
    local.spawn_local(async move {
        tokio::time::sleep_until(start.into()).await;
        line("started");
    });
    let mut seen = Seen { seconds: load.seconds, ..Seen::default() };
    let mut latencies = histogram()?;
    local
        .run_until(async {
            for task in tasks {
                let one = task.await.map_err(|error| format!("a connection's task: {error}"))??;
                seen.requests += one.seen.requests;
                seen.failures += one.seen.failures;
                seen.bytes += one.seen.bytes;
                seen.failure = seen.failure.take().or(one.seen.failure);
                latencies.add(&one.latencies).map_err(|error| format!("histograms: {error}"))?;
            }
            Ok::<(), String>(())
        })
        .await?;
    seen.p50 = latencies.value_at_quantile(0.5);
    seen.p99 = latencies.value_at_quantile(0.99);
    line(&serde_json::to_string(&seen).map_err(|error| format!("write the result: {error}"))?);
    Ok(())
}

fn line(text: &str) {
    println!("{text}");
    // Whoever reads it has gone when this fails, and then nothing matters.
    let _ = std::io::stdout().flush();
}

/// Microseconds up to a minute, three digits exact.
fn histogram() -> Outcome<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000, 3).map_err(|error| format!("histogram: {error}"))
}

struct One {
    seen: Seen,
    latencies: Histogram<u64>,
}

async fn worker(
    mut client: Client,
    (address, workload, dialect): (String, Workload, Dialect),
    token: String,
    number: u64,
    (start, end): (Instant, Instant),
) -> Outcome<One> {
    let mut one = One { seen: Seen::default(), latencies: histogram()? };
    let mut request = Vec::with_capacity(1024);
    let mut random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(std::process::id());
    loop {
        // SplitMix64.
        random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (random ^ random >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        workload.request(dialect, &address, &token, mixed >> 8, &mut request);
        let sent = Instant::now();
        if sent >= end {
            return Ok(one);
        }
        let (status, length) = client.send(&request).await?;
        let done = Instant::now();
        if done < start {
            continue;
        }
        if (200..300).contains(&status) {
            one.seen.requests += 1;
            one.seen.bytes += length as u64;
            one.latencies.saturating_record((done - sent).as_micros() as u64);
        } else {
            one.seen.failures += 1;
            if one.seen.failure.is_none() {
                one.seen.failure = Some(client.answer());
            }
        }
    }
}
