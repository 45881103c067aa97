//! One thing that is wrong with the configuration, and what to do about it.

use std::fmt;

use crate::Origin;

/// A fault in the configuration. Shown as `bedplate.toml:12:8: message. Fix: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where the faulty text stands; `None` for something that is missing.
    pub origin: Option<Origin>,
    /// The setting it is about, dotted.
    pub key: Option<String>,
    pub message: String,
    /// The command to run or the line to write.
    pub fix: String,
}

impl Fault {
    pub fn new(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { origin: None, key: None, message: message.into(), fix: fix.into() }
    }

    #[must_use]
    pub fn at(mut self, origin: &Origin) -> Self {
        self.origin = Some(origin.clone());
        self
    }

    #[must_use]
    pub fn of(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// `bedplate.toml:12:8`, or the name of the variable or flag; empty when there is no place.
    pub fn location(&self) -> String {
        self.origin.as_ref().map(Origin::location).unwrap_or_default()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = self.location();
        if !location.is_empty() {
            write!(f, "{location}: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{}", self.message)?;
        if !self.fix.is_empty() {
            write!(f, "\n  fix: {}", self.fix)?;
        }
        Ok(())
    }
}
