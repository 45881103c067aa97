//! Where a value came from.

use std::fmt;
use std::sync::Arc;

/// The place that decided a setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// `bedplate.toml`; `overlay` names the `[env.NAME]` it stands in. Lines and columns count from 1.
    File {
        file: Arc<str>,
        line: usize,
        column: usize,
        overlay: Option<Arc<str>>,
    },
    /// A line of `.env`.
    Dotenv {
        name: String,
        line: usize,
    },
    Environment {
        name: String,
    },
    CommandLine {
        flag: String,
    },
}

impl Origin {
    /// For the start of a fault: file with line and column, or the variable or flag.
    pub fn location(&self) -> String {
        match self {
            Self::Default => String::new(),
            Self::File { file, line, column, .. } => format!("{file}:{line}:{column}"),
            Self::Dotenv { name, line } => format!(".env:{line} ({name})"),
            Self::Environment { name } => format!("environment variable {name}"),
            Self::CommandLine { flag } => format!("command line {flag}"),
        }
    }

    /// Whether the value stands in the configuration file, which is committed to version control.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// Whether the value was given for the selected environment in particular: in its overlay, or from outside
    /// the file. A default or a line of the common part was not.
    pub fn is_specific(&self) -> bool {
        match self {
            Self::Default => false,
            Self::File { overlay, .. } => overlay.is_some(),
            Self::Dotenv { .. } | Self::Environment { .. } | Self::CommandLine { .. } => true,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line, overlay: None, .. } => write!(f, "{file}:{line}"),
            Self::File { file, line, overlay: Some(name), .. } => write!(f, "{file}:{line} [env.{name}]"),
            other => f.write_str(&other.location()),
        }
    }
}
