//! Holds the crates' real dependencies against the table in docs/architecture.md: a dependency that the table does not
//! allow is an error, and so is a crate that the table does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

type Layers = BTreeMap<String, BTreeSet<String>>;

pub fn check() -> Result<String, String> {
    let allowed = table(&root().join("docs/architecture.md"))?;
    let real = dependencies()?;
    let mut faults = Vec::new();
    for (name, used) in &real {
        match allowed.get(name) {
            None => faults.push(format!("crate `{name}` has no row in the table of docs/architecture.md")),
            Some(row) if row.contains("all") => {}
            Some(row) => {
                for other in used.difference(row) {
                    faults.push(format!(
                        "crate `{name}` depends on `{other}`, which the table of docs/architecture.md does not allow"
                    ));
                }
            }
        }
    }
    for name in allowed.keys().filter(|name| !real.contains_key(*name)) {
        faults.push(format!("the table of docs/architecture.md lists `{name}`, which does not exist"));
    }
    if faults.is_empty() {
        Ok(format!("layers: {} crates as drawn", real.len()))
    } else {
        Err(faults.join("\n"))
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Rows ``| `name` | purpose | may depend on | … |`` below the heading `## Crates`.
fn table(path: &Path) -> Result<Layers, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let section =
        text.split("\n## Crates").nth(1).ok_or("docs/architecture.md has no section `## Crates`")?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let name = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
        let allowed = cells.get(3)?.split(',').map(|c| c.trim().trim_matches('`').to_owned());
        Some((name.to_owned(), allowed.filter(|c| !c.is_empty() && c != "-").collect()))
    });
    Ok(rows.collect())
}

/// Each workspace crate with the workspace crates it is built on (development dependencies do not count).
fn dependencies() -> Result<Layers, String> {
    let out = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps", "--locked"])
        .current_dir(root())
        .output()
        .map_err(|e| format!("cargo metadata: {e}"))?;
    let metadata: Value = serde_json::from_slice(&out.stdout).map_err(|e| format!("cargo metadata: {e}"))?;
    let short = |name: &str| name.strip_prefix("bedplate-").unwrap_or(name).to_owned();
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    Ok(packages
        .iter()
        .filter_map(|package| {
            let used = package["dependencies"].as_array()?.iter().filter(|d| d["kind"].is_null());
            let ours = used.filter_map(|d| d["name"].as_str()).filter(|name| name.starts_with("bedplate"));
            Some((short(package["name"].as_str()?), ours.map(short).collect()))
        })
        .collect())
}
