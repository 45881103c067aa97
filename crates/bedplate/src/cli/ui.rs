//! What the user sees: text on a terminal, JSON otherwise or with `--json`.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use bedplate_core::redact::Redactor;
use bedplate_settings::Environment;
use serde::Serialize;
use serde_json::Value;

use super::{Arguments, Failure};

/// How to show things on this terminal.
#[derive(Debug, Clone)]
pub struct Ui {
    json: bool,
    json_asked: bool,
    error_json: bool,
    colour: bool,
    error_colour: bool,
}

pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const WARN: Style = AnsiColor::Yellow.on_default();
pub const NAME: Style = AnsiColor::Cyan.on_default();
pub const STRONG: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();

impl Ui {
    pub fn new(arguments: &Arguments, environment: &Environment) -> Self {
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        // https://no-color.org: present and not empty, whatever the value.
        let plain = environment.find("NO_COLOR").is_some() || environment.find("TERM") == Some("dumb");
        let json = |terminal: bool| arguments.json || (!terminal && !arguments.text);
        Self {
            json: json(out),
            json_asked: arguments.json,
            error_json: json(err),
            colour: out && !plain,
            error_colour: err && !plain,
        }
    }

    /// Whether answers are JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// One answer: the value as JSON, or the text.
    pub fn show(&self, value: impl FnOnce() -> Value, text: impl FnOnce(&Self) -> String) {
        if self.json { self.json_line(&value()) } else { self.out(text(self).trim_end()) }
    }

    /// An answer that is meant for other programs as it is, such as a token: JSON only when asked for.
    pub fn show_raw(&self, value: impl FnOnce() -> Value, text: &str) {
        if self.json_asked { self.json_line(&value()) } else { self.out(text) }
    }

    /// A line of text; nothing in JSON mode.
    pub fn line(&self, text: impl Display) {
        if !self.json {
            self.out(text);
        }
    }

    /// One JSON value on one line; nothing in text mode.
    pub fn event(&self, value: &impl Serialize) {
        if self.json {
            self.json_line(value);
        }
    }

    fn json_line(&self, value: &impl Serialize) {
        if let Ok(text) = serde_json::to_string(value) {
            self.out(text);
        }
    }

    /// To standard output as it is. A closed pipe ends the output, not the program.
    pub fn out(&self, text: impl Display) {
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// Whether standard error is a terminal that shows text, where a line may be overwritten.
    pub fn is_live(&self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    /// Whether a person can be asked: answers are text, and both ends are a terminal.
    pub fn can_ask(&self) -> bool {
        !self.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// To standard error, for progress and warnings on a terminal; nothing in JSON mode.
    pub fn note(&self, text: impl Display) {
        if !self.error_json {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }

    pub fn failure(&self, failure: &Failure) {
        let text = if self.error_json { failure.as_json().to_string() } else { self.failure_text(failure) };
        // A fault may quote what it was given.
        let text = Redactor::default().scrub_values(&text);
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    fn failure_text(&self, failure: &Failure) -> String {
        let painted = |style, text: &str| paint(self.error_colour, style, text);
        let mut text = format!("{} {}", painted(BAD, "error:"), failure.message);
        for fault in &failure.faults {
            text.push_str(
                &format!("\n\n{fault}").replace("\n  fix:", &format!("\n  {}", painted(GOOD, "fix:"))),
            );
        }
        if !failure.faults.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("\n{} {}", painted(GOOD, "fix:"), failure.fix));
        text
    }

    /// Text in a style, where the terminal shows colours.
    pub fn paint(&self, style: Style, text: impl Display) -> String {
        paint(self.colour, style, &text.to_string())
    }
}

fn paint(colour: bool, style: Style, text: &str) -> String {
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}
