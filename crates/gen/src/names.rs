//! Names of the database as identifiers of a language.

use std::collections::HashSet;

/// Letters that every language here takes in an identifier: ASCII, and the scripts that names are usually written in.
pub(crate) fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic()
        || c.is_alphabetic()
            && matches!(c,
                '\u{c0}'..='\u{148}' | '\u{14a}'..='\u{17e}' | '\u{388}'..='\u{3ce}' | '\u{400}'..='\u{481}'
                | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{4e00}'..='\u{9fff}')
}

/// `createdAt`, `created at` and `created-at` are two words, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small_before = false;
    for c in name.chars() {
        let word = c.is_ascii_digit() || is_letter(c);
        if !word || (c.is_uppercase() && small_before) {
            words.push(String::new());
        }
        if let Some(last) = words.last_mut().filter(|_| word) {
            last.extend(c.to_lowercase());
        }
        small_before = word && !c.is_uppercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// `TicketStatus`; `prefix` stands in front of what would start with a digit, or be empty.
pub(crate) fn pascal(name: &str, prefix: &str) -> String {
    let capital = |word: &String| {
        let mut chars = word.chars();
        chars.next().map(|c| c.to_uppercase().chain(chars).collect::<String>()).unwrap_or_default()
    };
    sound(words(name).iter().map(capital).collect(), prefix)
}

/// `ticket_status`.
pub(crate) fn snake(name: &str, prefix: &str) -> String {
    sound(words(name).join("_"), prefix)
}

fn sound(name: String, prefix: &str) -> String {
    if name.starts_with(is_letter) { name } else { format!("{prefix}{name}") }
}

/// Names that are taken.
#[derive(Debug, Default)]
pub(crate) struct Taken(HashSet<String>);

impl Taken {
    pub(crate) fn with(names: &[&str]) -> Self {
        Self(names.iter().map(|name| (*name).to_owned()).collect())
    }

    /// The name, with a number behind it when it is taken.
    pub(crate) fn take(&mut self, name: String) -> String {
        let gap = if name.starts_with(char::is_uppercase) { "" } else { "_" };
        let mut free = name.clone();
        let mut number = 2;
        while !self.0.insert(free.clone()) {
            free = format!("{name}{gap}{number}");
            number += 1;
        }
        free
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        for (name, wanted) in [
            ("ticket_status", "TicketStatus"),
            ("Weird Table", "WeirdTable"),
            ("createdAt", "CreatedAt"),
            ("HTTPCode", "Httpcode"),
            ("1st", "T1st"),
            ("", "T"),
            ("größe", "Größe"),
            ("it's \"done\"", "ItSDone"),
            ("⑤x", "X"),
        ] {
            assert_eq!(pascal(name, "T"), wanted, "{name}");
        }
        assert_eq!(snake("createdAt", "f_"), "created_at");
        assert_eq!(snake("1st", "f_"), "f_1st");
        assert_eq!(snake("?", "f_"), "f_");
    }

    #[test]
    fn a_taken_name_gets_a_number() {
        let mut taken = Taken::with(&["a"]);
        assert_eq!(taken.take("a".into()), "a_2");
        assert_eq!(taken.take("a".into()), "a_3");
        assert_eq!(taken.take("b".into()), "b");
        assert_eq!([taken.take("Open".into()), taken.take("Open".into())], ["Open", "Open2"]);
        assert!(taken.has("a_3") && !taken.has("c"));
    }
}
