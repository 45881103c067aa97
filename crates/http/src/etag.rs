//! Entity tags (RFC 9110 §8.8.3). A compressed answer carries the tag of its own representation,
//! `"abc;gzip"` for `"abc"`; comparing takes the part before the mark, so that a client may send back what it got.

/// The tag of `tag`'s representation under a content coding. Weak tags stay as they are: they are meant to be
/// the same for all representations.
pub(crate) fn for_encoding(tag: &str, coding: &str) -> String {
    match tag.strip_suffix('"') {
        Some(open) if tag.starts_with('"') => format!("{open};{coding}\""),
        _ => tag.to_owned(),
    }
}

/// Whether one of the tags of an `If-None-Match` is ours, by weak comparison; `*` always is.
pub fn matches_weakly(list: &str, tag: &str) -> bool {
    find_weakly(list, tag).is_some()
}

/// The tag by which the sender of an `If-None-Match` knows ours, with its coding mark, by weak comparison. For `*` it is
/// ours.
pub fn find_weakly(list: &str, tag: &str) -> Option<String> {
    tags(list).find_map(|(candidate, _)| match candidate {
        "*" => Some(tag.to_owned()),
        _ if without_coding(candidate) == opaque(tag) => Some(format!("\"{candidate}\"")),
        _ => None,
    })
}

/// Whether one of the tags of an `If-Match` is ours, by strong comparison; `*` always is.
pub fn matches_strongly(list: &str, tag: &str) -> bool {
    let ours_is_strong = !tag.starts_with("W/");
    tags(list).any(|(candidate, strong)| {
        candidate == "*" || (strong && ours_is_strong && without_coding(candidate) == opaque(tag))
    })
}

/// The tags of a list, without their quotes, and whether each is strong.
fn tags(list: &str) -> impl Iterator<Item = (&str, bool)> {
    // A comma may stand inside the quotes; what is between two quotes is a tag.
    let mut rest = list.trim();
    let star = rest == "*";
    std::iter::from_fn(move || {
        if star {
            return (!std::mem::take(&mut rest).is_empty()).then_some(("*", true));
        }
        let (before, after) = rest.split_once('"')?;
        let (tag, remaining) = after.split_once('"')?;
        rest = remaining;
        Some((tag, !before.ends_with("W/")))
    })
}

fn opaque(tag: &str) -> &str {
    without_coding(tag.trim_start_matches("W/").trim_matches('"'))
}

fn without_coding(tag: &str) -> &str {
    match tag.rsplit_once(';') {
        Some((base, "gzip" | "br" | "zstd")) => base,
        _ => tag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_again_in_every_encoding() {
        let sent = for_encoding("\"abc\"", "gzip");
        assert_eq!(sent, "\"abc;gzip\"");
        assert_eq!(for_encoding("W/\"abc\"", "gzip"), "W/\"abc\"");
        assert!(matches_weakly(&sent, "\"abc\""));
        assert!(matches_strongly(&sent, "\"abc\""));
        assert!(matches_weakly("\"x,y\", W/\"abc\"", "\"abc\""));
        assert!(!matches_strongly("\"x\", W/\"abc\"", "\"abc\""));
        assert!(matches_strongly("*", "\"abc\""));
        assert!(!matches_weakly("\"abcd\", abc", "\"abc\""));
        assert!(!matches_weakly("", "\"abc\""));
    }
}
