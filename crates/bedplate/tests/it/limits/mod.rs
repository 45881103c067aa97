//! Rate limits, budgets and overload, from outside. Quotas are of an hour, so that nothing is earned while a test runs.

mod budgets;
mod overload;
mod rates;

use tokio::process::Command;

use crate::api::server::Server;

/// A server on the helpdesk with these settings, and `sql` run as the owner before it starts.
async fn server(settings: &[&str], sql: &str) -> Server {
    let set = |command: &mut Command| {
        for setting in settings {
            command.args(["--set", setting]);
        }
    };
    Server::start_with(set, sql).await
}

/// A counter of the metrics, with its labels; 0 where it is not there.
async fn metric(server: &Server, name: &str) -> f64 {
    let metrics = crate::api::server::send(&server.admin, "GET", "/metrics", &[], b"").await;
    let text = String::from_utf8(metrics.body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.map_or(0.0, |value| value.parse().unwrap())
}
