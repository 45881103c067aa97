//! `bedplate dev` and `bedplate serve` as a user starts and stops them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::{Bedplate, failure, json, project, text};

/// A running server, ended with the test.
pub struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    pub events: Vec<Value>,
}

impl Running {
    pub fn start(dir: &Path, args: &[&str]) -> Self {
        let free = ["--json", "--set", "server.admin_port=0", "--set", "server.port=0"];
        let mut child = Bedplate::new(dir, &[args, &free].concat()).spawn();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::channel();
        // Ends with the output, or with the test.
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines, events: Vec::new() }
    }

    /// Reads events up to the named one.
    pub fn wait_for(&mut self, event: &str) -> Value {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|why| panic!("no `{event}` ({why}); had {:?}", self.events));
            let value: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
            self.events.push(value.clone());
            if value["event"] == event {
                return value;
            }
        }
    }

    pub fn ready(&mut self) -> SocketAddr {
        let ready = self.wait_for("ready");
        ready["url"].as_str().unwrap().trim_start_matches("http://").parse().unwrap()
    }

    /// Asks it to stop as a service manager does, and waits; its exit code.
    pub fn stop(&mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "does not stop");
            std::thread::yield_now();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already when the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and JSON body of a GET.
pub fn get(address: SocketAddr, path: &str, token: Option<&str>) -> (u16, Value) {
    let answer = whole(address, path, token);
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn whole(address: SocketAddr, path: &str, token: Option<&str>) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_new_project_serves_each_user_their_own_rows_while_other_commands_share_its_database() {
    let (_root, project) = project();
    let mut dev = Running::start(&project, &["dev"]);
    let address = dev.ready();
    for event in ["postgres", "migrate", "policy", "seed"] {
        assert!(dev.events.iter().any(|e| e["event"] == event), "{event} in {:?}", dev.events);
    }
    let titles = |user: &str| {
        let token = text(&project, &["token", "--as", user]);
        let (status, answer) = get(address, "/api/v1/todos?select=title&order=id", Some(token.trim()));
        assert_eq!(status, 200, "{answer}");
        answer["data"].as_array().unwrap().len()
    };
    assert_eq!(titles("alice@example.com"), 2);
    assert_eq!(titles("bob@example.com"), 1);
    let (status, _) = get(address, "/api/v1/todos", None);
    assert!(matches!(status, 401 | 403 | 404), "{status}");
    let uncounted = whole(address, "/nowhere", None);
    assert!(!uncounted.contains("ratelimit"), "nothing is set in [rate_limit]: {uncounted}");
    assert!(text(&project, &["migrate", "status"]).contains("applied"));
    // The folder is taken: a second one is refused, and told so.
    let err = failure(&project, &["dev", "--port", "0", "--set", "server.admin_port=0"], 3);
    assert!(err.contains("in use by another Bedplate"), "{err}");
    assert_eq!(dev.stop(), 0);
}

#[test]
fn saving_a_file_applies_it() {
    let (_root, project) = project();
    let mut dev = Running::start(&project, &["dev"]);
    let address = dev.ready();
    let policy = project.join("policies/todos.sql");
    let sql = std::fs::read_to_string(&policy).unwrap();
    let open = "grant select on public.todos to anon;\ndrop policy if exists p on public.todos;\n\
                create policy p on public.todos for select to anon using (not done);\n";
    std::fs::write(&policy, format!("{sql}\n{open}")).unwrap();
    dev.wait_for("change");
    let (status, answer) = get(address, "/api/v1/todos", None);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    assert_eq!(dev.stop(), 0);
}

#[test]
fn a_new_migration_waits_for_its_sql() {
    let (_root, project) = project();
    let mut dev = Running::start(&project, &["dev"]);
    let address = dev.ready();
    let made = json(&project, &["migrate", "new", "due date"]);
    let held = dev.wait_for("change");
    assert_eq!(held["done"], "waiting for its SQL", "{held}");
    std::fs::write(made["up"].as_str().unwrap(), "alter table public.todos add due_on date;").unwrap();
    while dev.wait_for("change")["done"] == "waiting for its SQL" {}
    let token = text(&project, &["token", "--as", "bob@example.com"]);
    let (status, answer) = get(address, "/api/v1/todos?select=due_on", Some(token.trim()));
    assert_eq!((status, &answer["data"][0]["due_on"]), (200, &Value::Null), "{answer}");
    assert_eq!(dev.stop(), 0);
}

#[test]
fn serve_wants_the_migrations_applied_and_then_serves() {
    let (_root, project) = project();
    let free = ["--set", "server.admin_port=0", "--port", "0"];
    let ran = Bedplate::new(&project, &[&["--text", "serve"], &free[..]].concat()).run();
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains("init") && ran.err.contains("bedplate migrate up"), "{}", ran.err);
    let mut serve = Running::start(&project, &["serve", "--migrate", "--set", "server.pre_drain=0s"]);
    let address = serve.ready();
    assert_eq!(get(address, "/health/ready", None).0, 200);
    assert_eq!(get(address, "/dev/users", None).0, 404, "development's routes do not exist here");
    let counted = whole(address, "/nowhere", None);
    assert!(counted.contains("ratelimit-policy: \"address\";q=300;w=10\r\n"), "{counted}");
    assert_eq!(serve.stop(), 0);
}

#[test]
fn unsafe_settings_are_refused_before_anything_starts() {
    let (_root, project) = project();
    text(&project, &["keys"]);
    let err = failure(&project, &["serve", "--host", "0.0.0.0"], 4);
    assert!(
        err.contains("development keys") && err.contains("bedplate keys rotate --env production"),
        "{err}"
    );
    let err = failure(&project, &["dev", "--set", "server.host=0.0.0.0"], 4);
    assert!(err.contains("this machine only"), "{err}");
    let err = failure(&project, &["dev", "--env", "production"], 4);
    assert!(err.contains("bedplate serve"), "{err}");
    let ran =
        Bedplate::new(&project, &["--text", "serve"]).env("DATABASE_URL", "postgres://u@127.0.0.1:1/d").run();
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(
        ran.err.contains("BEDPLATE_AUTH__SECRET_KEY") && ran.err.contains("bedplate keys new"),
        "{}",
        ran.err
    );
    assert!(!project.join(".bedplate/pg").exists());
}

#[test]
fn dev_says_why_something_is_not_served_and_what_postgresql_said() {
    let (_root, project) = project();
    let definer = "create function public.secrets() returns int language sql security definer set search_path = '' as 'select 1';
        grant execute on function public.secrets() to authenticated;
        create table public.closed (id int primary key);
        create function public.broken() returns int language plpgsql stable as $$ begin return (select 1 from public.gone); end $$;
        grant execute on function public.broken() to authenticated;";
    std::fs::write(project.join("migrations/20990101000000_closed.sql"), definer).unwrap();
    let mut dev = Running::start(&project, &["dev"]);
    let address = dev.ready();
    let token = text(&project, &["token", "--as", "bob@example.com"]);
    let hint = |path: &str, expected: u16| {
        let (status, answer) = get(address, path, Some(token.trim()));
        assert_eq!(status, expected, "{answer}");
        answer["hint"].as_str().unwrap_or_default().to_owned()
    };
    assert!(hint("/api/v1/closed", 404).contains("row-level security is off"));
    assert!(hint("/api/v1/closed/1", 404).contains("row-level security is off"));
    assert!(hint("/api/v1/rpc/secrets", 404).contains("SECURITY DEFINER"));
    assert!(hint("/api/v1/rpc/broken", 500).contains("public.gone"));
    assert_eq!(hint("/api/v1/rpc/nothing", 404), "");
    assert_eq!(dev.stop(), 0);
}
