//! Walks the README as a new user would: runs its commands in a clean folder and holds what they print against what the
//! README prints.
//!
//! ```` ```sh walk ```` is run; the ```` ```text ```` right behind it is its output. ```` ```sh dev ```` is the terminal in which
//! `bedplate dev` runs, ```` ```text dev ```` what appears there next. In the README's output `…` stands for anything, on a
//! line of its own for any lines; times, numbers, keys and folders may differ.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const README: &str = include_str!("../../../../README.md");
const PROGRAM: &str = env!("CARGO_BIN_EXE_bedplate");
/// The port that the README names.
const PORT: &str = "54321";
const PATIENCE: Duration = Duration::from_mins(1);

struct Block {
    line: usize,
    info: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = README.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let text: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        blocks.push(Block { line: at + 1, info: info.to_owned(), text: text.join("\n") });
    }
    blocks
}

/// What differs from run to run becomes the same: digits, ids, keys, tokens, the project's folder.
fn normal(line: &str) -> String {
    let words = line.trim_end().split(' ').map(|word| match word {
        w if w.starts_with("sb_publishable_") => "sb_publishable_KEY".to_owned(),
        w if w.starts_with('/') && w.ends_with("/todos") && !w.contains("api") => "/FOLDER/todos".to_owned(),
        w => w.to_owned(),
    });
    let mut normal = String::new();
    for c in words.collect::<Vec<_>>().join(" ").chars() {
        let digit = c.is_ascii_digit();
        if !(digit && normal.ends_with('0')) {
            normal.push(if digit { '0' } else { c });
        }
    }
    normal
}

/// Whether a line is as the README has it, with `…` for anything.
fn is_like(expected: &str, line: &str) -> bool {
    let (expected, line) = (normal(expected), normal(line));
    let mut parts = expected.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// Holds lines against the README's; the first that is missing, or how many lines were used.
fn compare(expected: &str, lines: &[&str], mut skip: bool) -> Result<usize, String> {
    let mut at = 0;
    for wanted in expected.lines() {
        if wanted == "…" {
            skip = true;
            continue;
        }
        let found = if skip {
            lines[at..].iter().position(|line| is_like(wanted, line))
        } else {
            lines.get(at).filter(|line| is_like(wanted, line)).map(|_| 0)
        };
        let Some(found) = found else { return Err(format!("expected: {wanted}\ngot: {:#?}", &lines[at..])) };
        at += found + 1;
        skip = false;
    }
    if skip || at == lines.len() { Ok(at) } else { Err(format!("more than expected: {:#?}", &lines[at..])) }
}

/// The new user's terminals.
struct Walk {
    root: tempfile::TempDir,
    port: u16,
    dev: Option<Child>,
    /// Lines of `bedplate dev` that the README has shown.
    shown: usize,
}

impl Walk {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        // The private server may run as another user, who has to pass through.
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let home = root.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::write(root.path().join("state"), format!("cd '{}'\n", home.display())).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { root, port, dev: None, shown: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A shell where the last block left it, with the answers that a terminal gets.
    fn shell(&self, script: &str) -> Command {
        let program = Path::new(PROGRAM).display();
        let state = self.path("state");
        let state = state.display();
        let script = script.replace(PORT, &self.port.to_string());
        let mut command = Command::new("bash");
        command.env_clear().env("HOME", self.path("home")).env("BEDPLATE_SERVER__ADMIN_PORT", "0");
        for name in ["PATH", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.args([
            "-euc",
            &format!(
                "bedplate() {{ '{program}' --text \"$@\"; }}\n. '{state}'\nset -a\n{script}\nset +a\n\
             {{ echo \"cd '$PWD'\"; export -p; }} > '{state}'\n"
            ),
        ]);
        command
    }

    fn run(&self, block: &Block) -> String {
        let out = self.shell(&format!("exec 2>&1\n{}", block.text)).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(out.status.success(), "README line {}: {}\n{text}", block.line, out.status);
        text
    }

    fn start_dev(&mut self, block: &Block) {
        let port = format!("exec '{PROGRAM}' --text --set server.port={PORT} dev");
        let script = block.text.replace("bedplate dev", &port);
        let out = File::create(self.path("dev.out")).unwrap();
        let err = File::create(self.path("dev.err")).unwrap();
        let mut command = self.shell(&script);
        self.dev = Some(command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().unwrap());
    }

    /// Waits until the other terminal shows this, behind what it has shown before.
    fn wait_for_dev(&mut self, block: &Block) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(self.path("dev.out")).unwrap();
            let lines: Vec<&str> = text.lines().skip(self.shown).collect();
            match compare(&format!("{}\n…", block.text), &lines, true) {
                Ok(used) => {
                    self.shown += used;
                    return;
                }
                Err(what) if Instant::now() > deadline => {
                    let log = fs::read_to_string(self.path("dev.err")).unwrap();
                    panic!("README line {}: {what}\nlog:\n{log}", block.line);
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Ctrl-C in the other terminal.
    fn stop_dev(&mut self) {
        let Some(mut child) = self.dev.take() else { return };
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        // Ended already when the walk went well.
        if let Some(mut child) = self.dev.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn the_readme_does_what_it_says() {
    let mut walk = Walk::new();
    let mut output = None;
    let mut ran = 0;
    for block in blocks() {
        match block.info.as_str() {
            "sh walk" => {
                output = Some(walk.run(&block));
                ran += 1;
            }
            "sh dev" => walk.start_dev(&block),
            "text dev" => walk.wait_for_dev(&block),
            "text" => {
                let text = output.take().expect("output behind a command");
                let lines: Vec<&str> = text.lines().collect();
                if let Err(what) = compare(&block.text, &lines, false) {
                    panic!("README line {}: {what}", block.line);
                }
            }
            _ => {}
        }
    }
    assert!(ran >= 8, "the walk has become short: {ran}");
    walk.stop_dev();
}

#[test]
fn the_links_of_the_readme_and_the_docs_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    pages.extend(fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    for page in pages.iter().filter(|page| page.extension().is_some_and(|e| e == "md")) {
        let text = fs::read_to_string(page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") {
                let target = page.parent().unwrap().join(path);
                assert!(target.exists(), "{}: {link}", page.display());
            }
        }
    }
}

#[test]
fn likeness_forgives_what_differs_from_run_to_run_and_nothing_else() {
    assert!(is_like("ready     in 1.84 s (cold)", "ready     in 12.3 s (cold)"));
    assert!(!is_like("ready     in 1.84 s (cold)", "ready     in 12.3 s (warm)"));
    assert!(is_like("{\"a\":1,…,\"c\":…}", "{\"a\":1,\"b\":[2],\"c\":null}"));
    assert!(!is_like("{\"a\":1,…}", "{\"a\":x,\"b\":2}"));
    assert!(compare("a\n…\nc", &["a", "b", "b", "c"], false).is_ok());
    assert!(compare("a\nc", &["a", "b", "c"], false).is_err());
    assert!(compare("a", &["a", "b"], false).is_err());
}
