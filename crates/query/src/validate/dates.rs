//! Dates and times: PostgreSQL reads very many spellings, so only what cannot be one is refused.

/// What it reads without a digit (documentation, "Special Date/Time Inputs"), alone or before other words.
const WORDS: &[&str] = &["epoch", "infinity", "now", "today", "tomorrow", "yesterday", "allballs"];

/// Whether a date, time or timestamp may be meant. An ISO date in front must be one of the calendar.
pub(super) fn is_plausible(text: &str) -> bool {
    let trimmed = text.trim();
    let first = trimmed.split(char::is_whitespace).next().unwrap_or_default().to_ascii_lowercase();
    let word = first.trim_start_matches(['+', '-']);
    if WORDS.contains(&word) {
        return true;
    }
    trimmed.contains(|c: char| c.is_ascii_digit()) && iso_date(trimmed).is_none_or(exists)
}

/// Whether an interval may be meant: at least one digit, or an infinity (PostgreSQL 17).
pub(super) fn is_plausible_interval(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit()) || text.to_ascii_lowercase().contains("infinity")
}

/// `2026-11-20` in front of something that is no further digit.
fn iso_date(text: &str) -> Option<(u32, u32, u32)> {
    let bytes = text.as_bytes();
    let shape = bytes.len() >= 10 && bytes[4] == b'-' && bytes[7] == b'-';
    if !shape || bytes.get(10).is_some_and(|b| b.is_ascii_digit() || *b == b'-') {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        let part = text.get(range)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    Some((number(0..4)?, number(5..7)?, number(8..10)?))
}

fn exists((year, month, day): (u32, u32, u32)) -> bool {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        // Before the common era the year in the text is not the one to count with: "0001-02-29 BC" is a date.
        2 if leap || year < 100 => 29,
        2 => 28,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_impossible_is_refused() {
        for good in [
            "2026-11-20",
            "2026-11-20T19:30:00Z",
            "2024-02-29 10:00+02",
            "20 Nov 2026",
            "20261120",
            "infinity",
            "-infinity",
            "today",
            "tomorrow allballs",
            "04:05:06",
            "0001-02-29 BC",
            "J2451187",
        ] {
            assert!(is_plausible(good), "{good}");
        }
        for bad in ["", "soon", "2026-13-01", "2026-02-30", "2025-02-29T10:00:00Z", "2026-00-10", "November"]
        {
            assert!(!is_plausible(bad), "{bad}");
        }
        assert!(
            is_plausible_interval("1 day")
                && is_plausible_interval("P1DT2H")
                && !is_plausible_interval("long")
        );
    }
}
