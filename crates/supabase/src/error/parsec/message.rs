//! Parsec's messages about one place, and how they become a sentence.

use std::borrow::Cow;

/// In the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Message {
    /// The letter that fitted nothing; `None` at the end.
    Found(Option<char>),
    /// A letter that must not be here.
    Unexpected(char),
    Expecting(What),
}

/// What could have stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Letter(char),
    Text(&'static str),
    /// A part of the grammar by its name.
    Named(&'static str),
}

/// `unexpected "x" expecting a, b or c`.
pub(super) fn show(messages: &[Message]) -> String {
    let found = messages.iter().find_map(|message| match message {
        Message::Found(found) => Some(*found),
        _ => None,
    });
    let mut unexpected: Vec<Cow<'_, str>> = Vec::new();
    let mut expecting: Vec<Cow<'_, str>> = Vec::new();
    for message in messages {
        match message {
            Message::Found(_) => {}
            Message::Unexpected(letter) => push_new(&mut unexpected, quoted(*letter, '\'').into()),
            Message::Expecting(What::Letter(letter)) => push_new(&mut expecting, quoted(*letter, '"').into()),
            Message::Expecting(What::Text(text)) => push_new(&mut expecting, format!("\"{text}\"").into()),
            Message::Expecting(What::Named(name)) => push_new(&mut expecting, Cow::Borrowed(*name)),
        }
    }
    let mut parts = Vec::new();
    match found {
        _ if !unexpected.is_empty() => parts.push(format!("unexpected {}", listed(&unexpected))),
        Some(Some(letter)) => parts.push(format!("unexpected {}", quoted(letter, '"'))),
        Some(None) => parts.push("unexpected end of input".to_owned()),
        None => {}
    }
    if !expecting.is_empty() {
        parts.push(format!("expecting {}", listed(&expecting)));
    }
    if parts.is_empty() { "unknown parse error".to_owned() } else { parts.join(" ") }
}

fn push_new<'a>(list: &mut Vec<Cow<'a, str>>, item: Cow<'a, str>) {
    if !item.is_empty() && !list.contains(&item) {
        list.push(item);
    }
}

fn listed(items: &[Cow<'_, str>]) -> String {
    match items {
        [] => String::new(),
        [one] => one.to_string(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// As Haskell shows a letter in quotes: what is not printable ASCII by its escape (Haskell 2010 report, §2.6).
fn quoted(letter: char, quote: char) -> String {
    let escaped = match letter {
        '\\' => "\\\\".to_owned(),
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\u{7f}' => "\\DEL".to_owned(),
        letter if letter == quote => format!("\\{letter}"),
        letter if letter < ' ' => format!("\\{}", CONTROLS[letter as usize]),
        ' '..='~' => letter.to_string(),
        letter => format!("\\{}", u32::from(letter)),
    };
    format!("{quote}{escaped}{quote}")
}

const CONTROLS: [&str; 32] = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "a", "b", "t", "n", "v", "f", "r", "SO", "SI", "DLE",
    "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
];
