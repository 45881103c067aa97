//! The order of names. It is what JavaScript's `localeCompare` gives for ASCII (the Unicode collation: punctuation,
//! digits, letters; case decides last), because the files replace ones that were sorted by it.

use std::cmp::Ordering;

/// ASCII punctuation in the order of the Unicode collation's root table (UTS 10, DUCET).
const PUNCTUATION: &str = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$";

pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let primary = |text: &str| text.chars().map(rank).collect::<Vec<_>>();
    // At the last level a small letter stands before its capital.
    let case = |text: &str| text.chars().map(char::is_uppercase).collect::<Vec<_>>();
    primary(a).cmp(&primary(b)).then_with(|| case(a).cmp(&case(b))).then_with(|| a.cmp(b))
}

fn rank(c: char) -> (u8, u32) {
    if c.is_whitespace() || c.is_control() {
        return (0, u32::from(c));
    }
    if let Some(at) = PUNCTUATION.find(c) {
        return (1, at as u32);
    }
    if c.is_ascii_digit() {
        return (2, u32::from(c));
    }
    (3, u32::from(c.to_lowercase().next().unwrap_or(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_as_local_compare_does() {
        let mut names = ["b", "B", "a1", "a_b", "a", "Z", "a-b", "1a", "users", "user_id", "é", "$x", " x"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(
            names,
            [" x", "$x", "1a", "a", "a_b", "a-b", "a1", "b", "B", "user_id", "users", "Z", "é"]
        );
    }
}
