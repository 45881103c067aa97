//! Comments of the database, made harmless for comments of a language.

use std::sync::Arc;

/// The text without what could end a comment early, hide what follows it, or be taken for code: carriage returns end a
/// comment in Python, characters that turn the reading direction deceive reviewers and are refused by rustc, and fences
/// and indentation make code blocks, which Rust's documentation tests would compile. `None` when nothing is left.
pub(crate) fn harmless(comment: Option<&Arc<str>>) -> Option<Arc<str>> {
    let text = comment?.replace("\r\n", "\n").replace('\r', "\n").replace("```", "'''").replace("~~~", "---");
    let is_hidden = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let clean = |line: &str| {
        line.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect::<String>().trim().to_owned()
    };
    let lines: Vec<String> = text.trim().lines().map(clean).collect();
    let text = lines.join("\n");
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_comment_is_code() {
        let made = |text: &str| harmless(Some(&Arc::from(text))).map(|text| text.to_string());
        assert_eq!(
            made("a\rimport os\r\n    indented\u{202e}x").as_deref(),
            Some("a\nimport os\nindented x")
        );
        assert_eq!(made("```rust\nfn main() {}\n~~~").as_deref(), Some("'''rust\nfn main() {}\n---"));
        assert_eq!(made(" \n\t "), None);
        assert_eq!(harmless(None), None);
    }
}
