//! What access rules find, told so that a large schema does not drown the screen: the first few of each kind in full,
//! the others by name, and all of them with their SQL in a file.

use std::path::Path;

use bedplate_access::{Finding, Kind};

use super::report::Report;

/// More findings of one kind than this, and only the first [`SHOWN`] are told in full.
const FULL: usize = 5;
const SHOWN: usize = 3;
/// Objects named in the sentence about the others.
const NAMED: usize = 8;
const FILE: &str = "access.sql";

/// Tells the findings; `state_dir` is the project's folder for what can be made again.
pub fn show(findings: &[Finding], state_dir: &Path, report: &dyn Report) {
    let told = digest(findings);
    for text in &told.texts {
        report.warning(text);
    }
    if !told.complete {
        match write(findings, &state_dir.join(FILE)) {
            Ok(()) => {
                let name = state_dir.file_name().map_or_else(Default::default, |n| n.to_string_lossy());
                report.warning(&format!("all of these, with their SQL: {name}/{FILE}"));
            }
            Err(error) => report.warning(&format!("the list of all of these could not be written: {error}")),
        }
    }
}

struct Digest {
    texts: Vec<String>,
    complete: bool,
}

fn digest(findings: &[Finding]) -> Digest {
    let mut kinds: Vec<Kind> = Vec::new();
    for finding in findings {
        if !kinds.contains(&finding.kind) {
            kinds.push(finding.kind);
        }
    }
    let mut told = Digest { texts: Vec::new(), complete: true };
    for kind in kinds {
        let group: Vec<&Finding> = findings.iter().filter(|f| f.kind == kind).collect();
        let shown = if group.len() > FULL { SHOWN } else { group.len() };
        told.texts.extend(group[..shown].iter().map(ToString::to_string));
        if shown < group.len() {
            told.texts.push(others(&group[shown..]));
            told.complete = false;
        }
    }
    told
}

/// `… and 40 more like this: public.a, public.b, … and 38 others`
fn others(rest: &[&Finding]) -> String {
    let mut names: Vec<&str> = rest.iter().map(|f| f.object.as_str()).collect();
    names.dedup();
    let left = names.len().saturating_sub(NAMED);
    let end = if left == 0 { String::new() } else { format!(" and {left} others") };
    format!("and {} more like this: {}{end}", rest.len(), names[..names.len() - left].join(", "))
}

fn write(findings: &[Finding], path: &Path) -> std::io::Result<()> {
    let mut text =
        String::from("-- What `bedplate dev` found. Take what you want into a migration or a policy file.\n");
    for finding in findings {
        text.push_str(&format!("\n-- {}: {}\n", finding.object, finding.message));
        for line in finding.fix.iter().flat_map(|fix| fix.lines()) {
            text.push_str(line);
            text.push('\n');
        }
    }
    std::fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use bedplate_access::Severity;

    use super::*;

    fn finding(kind: Kind, object: &str) -> Finding {
        let fix = Some(format!("alter table {object} enable row level security;"));
        Finding { severity: Severity::Warning, object: object.into(), kind, message: "is open".into(), fix }
    }

    #[test]
    fn a_few_are_told_in_full_and_many_by_name() {
        let few: Vec<Finding> = (0..5).map(|i| finding(Kind::RlsOff, &format!("t{i}"))).collect();
        let told = digest(&few);
        assert!(told.complete);
        assert_eq!(told.texts.len(), 5);
        assert!(told.texts[0].contains("alter table t0 enable"));

        let mut many: Vec<Finding> = (0..40).map(|i| finding(Kind::RlsOff, &format!("t{i:02}"))).collect();
        many.push(finding(Kind::View, "v"));
        let told = digest(&many);
        assert!(!told.complete);
        assert_eq!(told.texts.len(), 5);
        assert_eq!(
            told.texts[3],
            "and 37 more like this: t03, t04, t05, t06, t07, t08, t09, t10 and 29 others"
        );
        assert!(told.texts[4].starts_with("v: is open"));
    }

    #[test]
    fn the_file_has_every_finding_with_its_sql() {
        let dir = tempfile::tempdir().unwrap();
        let many: Vec<Finding> = (0..7).map(|i| finding(Kind::NoPolicy, &format!("t{i}"))).collect();
        write(&many, &dir.path().join(FILE)).unwrap();
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        for i in 0..7 {
            assert!(text.contains(&format!("-- t{i}: is open\nalter table t{i} enable")), "{text}");
        }
    }
}
