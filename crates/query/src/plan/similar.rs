//! Which known name a caller may have meant by one that was not found.

use std::sync::Arc;

/// More names than this are not compared: the answer to a mistake should not cost more than the request would have.
const MOST_NAMES: usize = 500;

/// PostgREST's bounds on likeness: relations and functions, and everything else.
pub(super) const CLOSE: f64 = 0.75;
pub(super) const RELATED: f64 = 0.33;

/// The known name that is most like `name`: at least `least` (1 is equal, but for case), and with two letters in a row in
/// common. None where there are too many to compare.
pub(super) fn similar<'n>(name: &str, known: impl Iterator<Item = &'n str>, least: f64) -> Option<&'n str> {
    let wanted: Vec<char> = name.to_lowercase().chars().collect();
    let known: Vec<&str> = known.take(MOST_NAMES + 1).collect();
    if known.len() > MOST_NAMES {
        return None;
    }
    let mut best: Option<(f64, &str)> = None;
    for candidate in known {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        let score = likeness(&wanted, &letters, least);
        let better = best.is_none_or(|(top, first)| score > top || score >= top && candidate < first);
        if score >= least && better && shares_letters(&wanted, &letters) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// 1 less the share of letters that differ. 0 where it cannot reach `least`.
fn likeness(a: &[char], b: &[char], least: f64) -> f64 {
    let longest = a.len().max(b.len()).max(1);
    let most = ((1.0 - least) * longest as f64).floor() as usize;
    let far = distance(a, b, most);
    if far > most { 0.0 } else { 1.0 - far as f64 / longest as f64 }
}

/// Two letters in a row, the edges of the name counting as letters.
fn shares_letters(a: &[char], b: &[char]) -> bool {
    let edged = |name: &[char]| -> Vec<char> {
        std::iter::once('-').chain(name.iter().copied()).chain(std::iter::once('-')).collect()
    };
    let (a, b) = (edged(a), edged(b));
    a.windows(2).any(|pair| b.windows(2).any(|other| pair == other))
}

/// The nearest of `known` to a name that was not found, when it is near enough to be a slip of the pen.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<Arc<str>> {
    let letters: Vec<char> = name.chars().collect();
    let most = (letters.len() / 3).max(1);
    known
        .map(|candidate| (distance(&letters, &candidate.chars().collect::<Vec<_>>(), most), candidate))
        .filter(|(far, _)| *far <= most)
        .min()
        .map(|(_, candidate)| candidate.into())
}

/// Levenshtein's distance; `more than most` is all that is told of distant names.
fn distance(a: &[char], b: &[char], most: usize) -> usize {
    if a.len().abs_diff(b.len()) > most {
        return most + 1;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{CLOSE, RELATED, nearest, similar};

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["title", "body", "author_id"];
        assert_eq!(nearest("tilte", known.into_iter()), None);
        assert_eq!(nearest("titel", known.into_iter()), None);
        assert_eq!(nearest("titl", known.into_iter()).as_deref(), Some("title"));
        assert_eq!(nearest("autor_id", known.into_iter()).as_deref(), Some("author_id"));
        assert_eq!(nearest("secret", known.into_iter()), None);
    }

    #[test]
    fn likeness_is_a_share_of_letters() {
        let known = ["projects", "clients", "car_model_sales"];
        assert_eq!(similar("projectx", known.into_iter(), CLOSE), Some("projects"));
        assert_eq!(similar("PROJECXX", known.into_iter(), CLOSE), Some("projects"));
        assert_eq!(similar("projxxxx", known.into_iter(), CLOSE), None);
        assert_eq!(similar("car_model_sales_202101", known.into_iter(), RELATED), Some("car_model_sales"));
        assert_eq!(similar("", known.into_iter(), RELATED), None);
        let many: Vec<String> = (0..1000).map(|at| format!("table{at}")).collect();
        assert_eq!(similar("table1", many.iter().map(String::as_str), CLOSE), None);
    }
}
