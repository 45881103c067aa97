//! Medians over the rounds, ratios, and the targets they are held against.

use std::fmt::Write as _;

use serde::Serialize;

use crate::contest::{Cell, Contender, Facts};
use crate::workload::Workload;

/// A target of docs/performance.md and what was reached.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    pub what: String,
    pub wanted: f64,
    pub reached: f64,
    /// Whether less is better.
    pub at_most: bool,
    pub met: bool,
}

impl Target {
    fn new(what: impl Into<String>, at_most: bool, wanted: f64, reached: f64) -> Self {
        let met = if at_most { reached <= wanted } else { reached >= wanted };
        Self { what: what.into(), wanted, reached, at_most, met }
    }
}

/// The connections at which ratios are judged.
const JUDGED_AT: usize = 16;

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => values.get(middle).copied(),
        _ => Some(f64::midpoint(*values.get(middle - 1)?, *values.get(middle)?)),
    }
}

struct Group<'c>(Vec<&'c Cell>);

impl<'c> Group<'c> {
    fn of(cells: &'c [Cell], load: &str, connections: usize, contender: Contender) -> Self {
        let fits = |cell: &&Cell| {
            cell.load == load && cell.connections == connections && cell.contender == contender
        };
        Self(cells.iter().filter(fits).collect())
    }

    fn median(&self, of: impl Fn(&Cell) -> Option<f64>) -> Option<f64> {
        median(self.0.iter().filter_map(|cell| of(cell)).collect())
    }

    /// The median of the ratios of the same round: what else the machine did hit both.
    fn ratio(&self, to: &Self) -> Option<f64> {
        let pairs = self.0.iter().filter_map(|mine| {
            let other = to.0.iter().find(|cell| cell.round == mine.round)?;
            Some(mine.per_second / other.per_second)
        });
        median(pairs.collect())
    }

    /// How many times as much CPU, of the server and of PostgreSQL, the other spends on a request: the median of the
    /// ratios of the same round.
    fn cheaper_than(&self, other: &Self) -> Option<f64> {
        let whole = |cell: &Cell| Some(cell.server_cpu? + cell.postgres_cpu);
        let pairs = self.0.iter().filter_map(|mine| {
            let other = other.0.iter().find(|cell| cell.round == mine.round)?;
            Some(whole(other)? / whole(mine)?)
        });
        median(pairs.collect())
    }
}

/// The same dialect, request by request: PostgREST's CPU over ours.
const CHEAPER: [(&str, f64); 5] = [("a", 4.0), ("b", 4.0), ("c", 4.0), ("d", 3.0), ("e", 4.0)];

fn against_postgrest(cells: &[Cell]) -> impl Iterator<Item = Target> + '_ {
    CHEAPER.into_iter().filter_map(|(load, least)| {
        let mine = Group::of(cells, load, JUDGED_AT, Contender::BedplateRest);
        let times = mine.cheaper_than(&Group::of(cells, load, JUDGED_AT, Contender::Postgrest))?;
        let name =
            format!("({load}) PostgREST's CPU for a request / that of /rest/v1, {JUDGED_AT} connections");
        Some(Target::new(name, false, least, times))
    })
}

/// What the issue asks for, as far as it was measured.
pub fn targets(facts: &Facts, cells: &[Cell]) -> Vec<Target> {
    let mut found = Vec::new();
    let wanted = [
        ("a", Contender::PgbenchTextbook, 1.1),
        ("a", Contender::PgbenchOneSync, 0.45),
        ("c", Contender::PgbenchOneSync, 0.50),
        ("e", Contender::PgbenchOneSync, 0.60),
        ("d", Contender::PgbenchOneSync, 0.70),
    ];
    for (load, to, least) in wanted {
        let mine = Group::of(cells, load, JUDGED_AT, Contender::Bedplate);
        let ratio = mine.ratio(&Group::of(cells, load, JUDGED_AT, to));
        let name = format!("({load}) requests a second / {}, {JUDGED_AT} connections", label(to));
        found.extend(ratio.map(|ratio| Target::new(name, false, least, ratio)));
    }
    found.extend(against_postgrest(cells));
    let cpu = Group::of(cells, "a", JUDGED_AT, Contender::Bedplate).median(|cell| cell.server_cpu);
    found.extend(cpu.map(|cpu| Target::new("(a) server CPU for a request, µs", true, 35.0, cpu)));
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    found.push(Target::new("memory idle, MiB resident", true, 40.0, mib(facts.resident_idle)));
    found.push(Target::new("memory loaded, MiB resident", true, 80.0, mib(facts.resident_loaded)));
    let ready = median(facts.start_to_ready.clone());
    found.extend(ready.map(|ready| Target::new("process start to ready, ms", true, 250.0, ready)));
    found
}

fn label(contender: Contender) -> &'static str {
    match contender {
        Contender::PgbenchTextbook => "pgbench textbook",
        Contender::PgbenchOneSync => "pgbench one Sync",
        Contender::Bedplate => "Bedplate",
        Contender::BedplateRest => "Bedplate /rest/v1",
        Contender::Postgrest => "PostgREST",
    }
}

const CONTENDERS: [Contender; 5] = [
    Contender::PgbenchTextbook,
    Contender::PgbenchOneSync,
    Contender::Bedplate,
    Contender::BedplateRest,
    Contender::Postgrest,
];

/// Above this share of stolen time rates and ratios say more of the host than of what was measured.
const STOLEN: f64 = 0.05;

fn host(facts: &Facts) -> String {
    let Some(stolen) = median(facts.stolen.clone()) else { return String::new() };
    let most = facts.stolen.iter().copied().fold(0.0, f64::max);
    let verdict = if stolen > STOLEN { "; too much to compare with other runs (--quiet 5)" } else { "" };
    format!(
        "The host took {:.1} % of the processors' time for others (median; {:.1} % at most){verdict}\n",
        stolen * 100.0,
        most * 100.0
    )
}

/// The tables, in Markdown.
pub fn tables(facts: &Facts, cells: &[Cell]) -> String {
    let mut text = format!("PostgreSQL {}, {} cores; medians over the rounds\n", facts.postgres, facts.cores);
    text.push_str(&host(facts));
    let mut connections: Vec<usize> = cells.iter().map(|cell| cell.connections).collect();
    connections.sort_unstable();
    connections.dedup();
    for workload in Workload::ALL {
        let load = workload.to_string();
        if !cells.iter().any(|cell| cell.load == load) {
            continue;
        }
        let _ = writeln!(text, "\n### ({load}) {}\n", workload.title());
        text.push_str(
            "| connections | | per second | p50 ms | p99 ms | CPU µs server | CPU µs PostgreSQL | / textbook | / one Sync |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for count in &connections {
            for contender in CONTENDERS {
                row(&mut text, cells, &load, *count, contender);
            }
        }
    }
    text.push_str("\n### Targets\n\n| | wanted | reached | |\n|---|---|---|---|\n");
    for target in targets(facts, cells) {
        let sign = if target.at_most { "≤" } else { "≥" };
        let met = if target.met { "met" } else { "**missed**" };
        let _ =
            writeln!(text, "| {} | {sign} {} | {:.2} | {met} |", target.what, target.wanted, target.reached);
    }
    text
}

fn row(text: &mut String, cells: &[Cell], load: &str, connections: usize, contender: Contender) {
    let group = Group::of(cells, load, connections, contender);
    let Some(rate) = group.median(|cell| Some(cell.per_second)) else { return };
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(String::new, |value| format!("{value:.digits$}"))
    };
    let millis = |of: fn(&Cell) -> Option<u64>| {
        number(group.median(|cell| of(cell).map(|micros| micros as f64 / 1000.0)), 2)
    };
    let mean = group.median(|cell| cell.mean).map(|micros| format!("mean {:.2}", micros / 1000.0));
    let to = |other| number(group.ratio(&Group::of(cells, load, connections, other)), 2);
    let _ = writeln!(
        text,
        "| {connections} | {} | {rate:.0} | {} | {} | {} | {} | {} | {} |",
        label(contender),
        mean.unwrap_or_else(|| millis(|cell| cell.p50)),
        millis(|cell| cell.p99),
        number(group.median(|cell| cell.server_cpu), 1),
        number(group.median(|cell| Some(cell.postgres_cpu)), 1),
        to(Contender::PgbenchTextbook),
        to(Contender::PgbenchOneSync),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(round: usize, contender: Contender, per_second: f64) -> Cell {
        Cell {
            round,
            load: "a".into(),
            connections: 16,
            contender,
            per_second,
            p50: None,
            p99: None,
            mean: None,
            server_cpu: Some(30.0),
            postgres_cpu: 20.0,
        }
    }

    #[test]
    fn ratios_are_of_the_same_round_and_judged() {
        let cells = [
            cell(1, Contender::PgbenchOneSync, 100.0),
            cell(1, Contender::Bedplate, 50.0),
            cell(2, Contender::PgbenchOneSync, 10.0),
            cell(2, Contender::Bedplate, 4.0),
            cell(3, Contender::PgbenchOneSync, 50.0),
            cell(3, Contender::Bedplate, 30.0),
        ];
        let found = targets(&Facts { start_to_ready: vec![300.0], ..Facts::default() }, &cells);
        let ratio = found.iter().find(|target| target.what.contains("one Sync")).unwrap();
        assert!((ratio.reached - 0.5).abs() < 1e-9 && ratio.met);
        assert!(!found.iter().find(|target| target.what.contains("ready")).unwrap().met);
        assert!(tables(&Facts::default(), &cells).contains("| 16 | Bedplate | 30 |"));
    }

    #[test]
    fn the_dialect_is_judged_by_all_cpu_of_a_request() {
        let mut theirs = cell(1, Contender::Postgrest, 5.0);
        theirs.server_cpu = Some(180.0);
        let cells = [cell(1, Contender::BedplateRest, 50.0), theirs];
        let found = targets(&Facts::default(), &cells);
        let times = found.iter().find(|target| target.what.contains("PostgREST's CPU")).unwrap();
        assert!((times.reached - 4.0).abs() < 1e-9 && times.met);
    }
}
