//! `bedplate doctor`: looks at everything that has to be right, and says for each failure how to fix it.

mod check;
mod configuration;
mod database;
mod machine;

use bedplate_settings::{Loaded, Settings, Source};
use serde_json::json;

use self::check::{Check, Verdict};
use super::progress::block_on;
use super::ui::{BAD, DIM, GOOD, STRONG, Ui, WARN};
use super::{Context, Exit, Failure};

pub fn run(context: &Context) -> Result<Exit, Failure> {
    let mut checks = machine::environment(&context.environment);
    let loaded = load(context)?;
    match &loaded {
        Ok(loaded) => {
            checks.extend(configuration::settings(loaded));
            checks.extend(machine::ports(loaded));
            checks.extend(machine::resources(loaded));
            checks.extend(configuration::keys(loaded));
            checks.extend(block_on(async { Ok(database::checks(loaded, context).await) })?);
        }
        Err(faults) => checks.extend(faults.iter().map(configuration::fault)),
    }
    let failed = checks.iter().filter(|check| check.verdict == Verdict::Fail).count();
    context.ui.show(
        || json!({ "ok": failed == 0, "failed": failed, "checks": checks.iter().map(Check::as_json).collect::<Vec<_>>() }),
        |ui| text(ui, &checks, failed),
    );
    Ok(if failed == 0 { Exit::Done } else { Exit::Checks })
}

/// The settings, or their faults, which are findings here and not the end.
fn load(context: &Context) -> Result<Result<Loaded, Vec<bedplate_settings::Fault>>, Failure> {
    let source = Source {
        dir: context.dir()?,
        env_name: context.env_name("development"),
        environment: context.environment.clone(),
        overrides: context.set_overrides()?,
    };
    Ok(Settings::load(&source))
}

fn text(ui: &Ui, checks: &[Check], failed: usize) -> String {
    let mut text = String::new();
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in checks {
        let (style, mark) = match check.verdict {
            Verdict::Pass => (GOOD, "ok  "),
            Verdict::Warn => (WARN, "warn"),
            Verdict::Fail => (BAD, "FAIL"),
            Verdict::Skip => (DIM, "skip"),
        };
        text.push_str(&format!("{}  {:width$}  {}\n", ui.paint(style, mark), check.name, check.message));
        if let Some(fix) = &check.fix {
            text.push_str(&format!("      {:width$}  {} {fix}\n", "", ui.paint(STRONG, "fix:")));
        }
    }
    let warned = checks.iter().filter(|check| check.verdict == Verdict::Warn).count();
    let verdict = match (failed, warned) {
        (0, 0) => "all well".to_owned(),
        (0, warned) => format!("no failures, {warned} to look at"),
        (failed, _) => format!("{failed} failed"),
    };
    text.push_str(&format!("\n{verdict}"));
    text
}
