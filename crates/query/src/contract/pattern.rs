//! PostgreSQL's regular expressions as JSON Schema has them (ECMA-262, which `pattern` is read as).

/// The expression where it means the same in both: letters and digits, sets of them, alternatives, groups, repetitions and
/// anchors. What PostgreSQL reads in its own way (classes, `\w` beyond ASCII, `\m`, directors, back references) has no form
/// here and stays PostgreSQL's to check.
pub(super) fn ecma(pattern: &str) -> Option<String> {
    // `***` and `(?` begin directors and embedded options; PostgreSQL's `{` and `}` are literal in some places only.
    if pattern.starts_with("***") || pattern.contains("(?") {
        return None;
    }
    let mut chars = pattern.chars().peekable();
    let mut in_set = false;
    let mut made = String::with_capacity(pattern.len());
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                // Escaped punctuation, and digits.
                let escaped = chars.next().filter(|e| *e == 'd' || e.is_ascii_punctuation())?;
                made.extend([c, escaped]);
                continue;
            }
            // PostgreSQL's means line ends too.
            '.' if !in_set => {
                made.push_str("[\\s\\S]");
                continue;
            }
            '[' if in_set => return None,
            '[' => {
                in_set = true;
                made.push(c);
                made.extend(chars.next_if_eq(&'^'));
                // A bracket that comes first is a member in PostgreSQL, the end in ECMA-262.
                if chars.peek() == Some(&']') {
                    return None;
                }
                continue;
            }
            ']' if !in_set => return None,
            ']' => in_set = false,
            '{' if !in_set => {
                made.push_str(&repetition(&mut chars)?);
                continue;
            }
            '}' if !in_set => return None,
            c if c.is_control() => return None,
            _ => {}
        }
        made.push(c);
    }
    (!in_set).then_some(made)
}

/// `{2}`, `{2,}`, `{2,40}`: what follows the opening brace.
fn repetition(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '}' => break,
            c if c.is_ascii_digit() || c == ',' => text.push(c),
            _ => return None,
        }
    }
    let (least, most) = text.split_once(',').unwrap_or((&text, ""));
    (!least.is_empty() && !most.contains(',')).then(|| format!("{{{text}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_means_the_same_is_taken() {
        for same in ["^[a-z0-9-]{2,40}$", r"^\+?\d{3,}$", "a|(bc)*", "^[^@ ]+@[^@ ]+$", "^x{3}$"] {
            assert_eq!(ecma(same).as_deref(), Some(same), "{same}");
        }
        assert_eq!(ecma("^.+[.]x$").as_deref(), Some(r"^[\s\S]+[.]x$"));
        for own in [
            r"^\S+$",
            "[[:alpha:]]",
            r"\mword",
            "***=x",
            "(?i)x",
            r"(a)\1",
            "[]x]",
            "[a[b]",
            "x{",
            "x{a}",
            "]",
            "[a",
            r"\w",
            "{2}x}",
        ] {
            assert_eq!(ecma(own), None, "{own}");
        }
    }
}
