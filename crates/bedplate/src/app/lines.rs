//! The sentences of the start-up lines.

use std::time::Duration;

use bedplate_cluster::{Cluster, Event};
use bedplate_migrate::{PoliciesReport, Report, SeedReport, Seeded};
use bedplate_settings::Loaded;
use serde_json::json;

use super::database::Database;
use super::report::Line;
use super::service::Service;

pub fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

/// `1 file`, `2 files`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Progress of the private server's start that is worth showing.
pub fn is_notable(event: &Event) -> bool {
    !matches!(event, Event::Searching | Event::Found { .. } | Event::Started { .. })
}

pub fn postgres(loaded: &Loaded, database: &Database) -> Line {
    match &database.cluster {
        Some(cluster) => private(loaded, cluster),
        None => {
            let target = database.owner.target();
            let hosts: Vec<String> = target.hosts.iter().map(ToString::to_string).collect();
            let text = format!("external, {} database {}", hosts.join(", "), target.database);
            Line::new(
                "postgres",
                text,
                json!({ "managed": false, "hosts": hosts, "database": target.database }),
            )
        }
    }
}

fn private(loaded: &Loaded, cluster: &Cluster) -> Line {
    let version = cluster.version().to_string();
    let data = cluster.data_dir();
    let shown = data.strip_prefix(&loaded.dir).unwrap_or(data).display().to_string();
    let new = if cluster.created() { ", new" } else { "" };
    let text = format!("private {version}, socket only, data in {shown}   {}{new}", seconds(cluster.startup));
    let data = json!({
        "managed": true, "version": version, "data": shown, "created": cluster.created(),
        "seconds": cluster.startup.as_secs_f64(),
    });
    Line::new("postgres", text, data)
}

pub fn migrate(report: &Report) -> Line {
    let ran = report.ran.len();
    let mut text = match (ran, report.already) {
        (0, already) => format!("{already} applied before, nothing to do"),
        (ran, 0) => format!("{ran} applied"),
        (ran, already) => format!("{ran} applied, {already} before"),
    };
    if !report.missing.is_empty() {
        text.push_str(&format!("; applied but not in the folder: {}", report.missing.join(", ")));
    }
    if !report.held.is_empty() {
        text.push_str(&format!("; without SQL yet: {}", report.held.join(", ")));
    }
    Line::new("migrate", text, json!(report))
}

pub fn policy(report: &PoliciesReport, coverage: bedplate_access::Coverage) -> Line {
    let applied = if report.applied {
        format!("{} applied", count(report.files, "file"))
    } else {
        "unchanged".to_owned()
    };
    let text = format!("{coverage}; {applied}");
    let data = json!({
        "files": report.files, "applied": report.applied, "tables": coverage.tables, "covered": coverage.covered,
        "open": coverage.open,
    });
    Line::new("policy", text, data)
}

pub fn seed(report: &SeedReport) -> Line {
    let ran = report.files.iter().filter(|(_, outcome)| *outcome == Seeded::Now).count();
    let rows: Vec<String> = report.rows.iter().map(|(table, rows)| format!("{rows} {table}")).collect();
    let text = match (report.files.len(), ran) {
        (0, _) => "no seed files".to_owned(),
        (_, 0) => "applied before".to_owned(),
        _ if rows.is_empty() => format!("{} applied", count(ran, "file")),
        _ => rows.join(", "),
    };
    Line::new("seed", text, json!({ "files": report.files.len(), "ran": ran, "rows": report.rows }))
}

pub fn ready(service: &Service, took: Duration, cold: bool) -> Line {
    let kind = if cold { "cold" } else { "warm" };
    let text = format!("http://{}   first answer after {} ({kind})", service.address, seconds(took));
    let data = json!({
        "url": format!("http://{}", service.address), "admin": service.admin_address.map(|a| format!("http://{a}")),
        "seconds": took.as_secs_f64(), "start": kind,
    });
    Line::new("ready", text, data)
}

/// What can be reached, behind the ready line.
pub fn doors(loaded: &Loaded, service: &Service) -> String {
    let mut doors = Vec::new();
    if loaded.settings.api.enabled {
        doors.push(format!("api {}", bedplate_api::PREFIX));
    }
    if loaded.settings.rest.enabled {
        doors.push(format!("rest {}", bedplate_supabase::PREFIX));
    }
    if loaded.dir.join("public/index.html").is_file() {
        doors.push("page /".to_owned());
    }
    doors.push("health /health/ready".to_owned());
    if let Some(admin) = service.admin_address {
        doors.push(format!("metrics http://{admin}/metrics"));
    }
    doors.push("keys: bedplate keys".to_owned());
    doors.join("   ")
}
