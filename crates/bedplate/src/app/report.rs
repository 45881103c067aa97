//! What `dev` and `serve` tell while they run. The command line shows it as text or as JSON.

use serde_json::Value;

/// One line of progress: a label, a sentence, and the same as data.
#[derive(Debug, Clone)]
pub struct Line {
    /// `postgres`, `migrate`, `policy`, `seed`, `ready`, `change`, `stop`.
    pub label: &'static str,
    pub text: String,
    pub data: Value,
}

impl Line {
    pub fn new(label: &'static str, text: impl Into<String>, data: Value) -> Self {
        Self { label, text: text.into(), data }
    }
}

/// Where lines go. Shared by tasks.
pub trait Report: Send + Sync {
    /// A step is done.
    fn line(&self, line: Line);
    /// A step is under way; may be overwritten by the next.
    fn progress(&self, text: &str);
    /// Something needs the developer's attention, with what to do about it.
    fn warning(&self, text: &str);
}
