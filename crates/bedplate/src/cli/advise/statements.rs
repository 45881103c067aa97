//! What the running server says of its statements.

use bedplate_outgoing::{Client, Request, Target};
use bedplate_settings::Loaded;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::args::AdviseArgs;
use crate::cli::{Exit, Failure};

/// The server's answer at `/statistics`.
#[derive(Debug, Deserialize)]
pub struct Overview {
    /// Unix seconds.
    pub since: u64,
    pub shapes: Vec<Shape>,
}

/// One shape of statement. Times are in microseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shape {
    pub operation: String,
    pub target: String,
    pub role: String,
    pub filters: Vec<String>,
    pub sql: String,
    pub calls: u64,
    pub failures: u64,
    pub rows: u64,
    pub total: u64,
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
    pub bursts: u64,
    pub most_per_second: u32,
}

impl Shape {
    /// `read tickets by status, author_id`.
    pub fn name(&self) -> String {
        match (self.operation.as_str(), self.filters.is_empty()) {
            ("", _) => "all other statements".to_owned(),
            (operation, true) => format!("{operation} {}", self.target),
            (operation, false) => format!("{operation} {} by {}", self.target, self.filters.join(", ")),
        }
    }
}

pub enum Statements {
    Known {
        server: String,
        overview: Overview,
    },
    /// No server, or one that does not tell.
    Unknown {
        server: String,
        why: String,
    },
}

impl Statements {
    pub fn as_json(&self, limit: usize) -> Value {
        match self {
            Self::Known { server, overview } => json!({
                "server": server,
                "since": overview.since,
                "slowest": overview.slowest(limit),
                "most_frequent": overview.most_frequent(limit),
                "suspected_loops": overview.suspected_loops(limit),
            }),
            Self::Unknown { server, why } => json!({ "server": server, "unavailable": why }),
        }
    }
}

impl Overview {
    fn top(&self, limit: usize, wanted: impl Fn(&Shape) -> bool, by: impl Fn(&Shape) -> u64) -> Vec<&Shape> {
        let mut shapes: Vec<&Shape> = self.shapes.iter().filter(|shape| wanted(shape)).collect();
        shapes.sort_by_key(|shape| std::cmp::Reverse(by(shape)));
        shapes.truncate(limit);
        shapes
    }

    /// By the time that one in twenty calls exceeds.
    pub fn slowest(&self, limit: usize) -> Vec<&Shape> {
        self.top(limit, |shape| shape.calls > 0, |shape| shape.p95)
    }

    pub fn most_frequent(&self, limit: usize) -> Vec<&Shape> {
        self.top(limit, |shape| shape.calls > 0, |shape| shape.calls)
    }

    /// Shapes that one caller ran at least ten times within a second: a list fetched row by row (N+1).
    pub fn suspected_loops(&self, limit: usize) -> Vec<&Shape> {
        self.top(limit, |shape| shape.bursts > 0 && !shape.operation.is_empty(), |shape| shape.bursts)
    }
}

/// Asks the server on its admin listener. That there is none is no failure, unless one was named.
pub async fn read(args: &AdviseArgs, loaded: &Loaded) -> Result<Statements, Failure> {
    let settings = &loaded.settings.server;
    let admin = std::net::SocketAddr::new(settings.admin_host, settings.admin_port);
    let server = args.server.clone().unwrap_or_else(|| format!("http://{admin}"));
    match ask(&server).await {
        Ok(overview) => Ok(Statements::Known { server, overview }),
        Err(why) if args.server.is_some() => Err(Failure::new(
            Exit::Failed,
            "no_statistics",
            format!("{server} gives no statistics: {why}"),
            "name the admin listener of a running server, as its first lines show it",
        )),
        Err(why) => Ok(Statements::Unknown { server, why }),
    }
}

async fn ask(server: &str) -> Result<Overview, String> {
    let target = Target::configured(&format!("{}/statistics", server.trim_end_matches('/')));
    let mut request = Request::get("advise", target.map_err(|error| error.to_string())?);
    // There is one server, and whoever waits is a person.
    request = request.limits(bedplate_outgoing::Limits {
        first_byte: std::time::Duration::from_secs(2),
        total: std::time::Duration::from_secs(4),
        ..bedplate_outgoing::Limits::default()
    });
    let answer = Client::default().send(request).await.map_err(|error| error.to_string())?;
    if !answer.status.is_success() {
        return Err(format!("it answers {}", answer.status));
    }
    serde_json::from_slice(&answer.body).map_err(|error| format!("its answer cannot be read: {error}"))
}
