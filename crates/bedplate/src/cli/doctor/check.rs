//! One finding of the doctor.

use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// Works, and is worth a look.
    Warn,
    Fail,
    /// Could not be looked at, for the reason given.
    Skip,
}

#[derive(Debug, Clone)]
pub struct Check {
    /// What was looked at; stable, for scripts.
    pub name: &'static str,
    pub verdict: Verdict,
    pub message: String,
    /// Always there for a failure: the command or line that fixes it.
    pub fix: Option<String>,
}

impl Check {
    pub fn pass(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Pass, message: message.into(), fix: None }
    }

    pub fn skip(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Skip, message: message.into(), fix: None }
    }

    pub fn warn(name: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warn, message: message.into(), fix: Some(fix.into()) }
    }

    pub fn fail(name: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Fail, message: message.into(), fix: Some(fix.into()) }
    }

    pub fn as_json(&self) -> Value {
        let verdict = match self.verdict {
            Verdict::Pass => "pass",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
            Verdict::Skip => "skip",
        };
        json!({ "check": self.name, "verdict": verdict, "message": self.message, "fix": self.fix })
    }
}
