//! Where a view's columns come from. PostgreSQL knows it only in the parse tree of the view's rule (`pg_rewrite.ev_action`,
//! a `pg_node_tree`): each entry of the top query's target list names the relation and column it is a plain reference
//! to, also through subqueries, joins and CTEs, but not through other views.

use super::model::Oid;

/// One output column that is a plain reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// The view's column number.
    pub(super) column: i16,
    pub(super) relation: Oid,
    /// The column's number in `relation`.
    pub(super) number: i16,
}

/// Reads the origins from a rule's action. Stops at the end of the target list; a text that is no node tree has none.
pub(super) fn origins(action: &str) -> Vec<Origin> {
    let mut tokens = Tokens { text: action, at: 0 };
    let mut found = Vec::new();
    let mut depth = 0usize;
    let mut in_targets = false;
    let mut entry = Entry::default();
    while let Some(token) = tokens.next() {
        match token {
            "(" | "{" => depth += 1,
            ")" | "}" => {
                depth = depth.saturating_sub(1);
                if in_targets && depth == LIST_DEPTH {
                    found.extend(std::mem::take(&mut entry).finish());
                } else if in_targets && depth < LIST_DEPTH {
                    return found;
                }
            }
            ":targetList" if depth == QUERY_DEPTH => in_targets = true,
            // Another field of the query follows at once: the list was `<>`, which is empty.
            name if in_targets && depth == QUERY_DEPTH && name.starts_with(':') => return found,
            name if in_targets && depth == ENTRY_DEPTH => entry.field(name, &mut tokens),
            _ => {}
        }
    }
    found
}

/// `({QUERY … :targetList ({TARGETENTRY …} …) …})`, counting both kinds of brackets.
const QUERY_DEPTH: usize = 2;
const LIST_DEPTH: usize = 3;
const ENTRY_DEPTH: usize = 4;

#[derive(Default)]
struct Entry {
    column: i16,
    relation: Oid,
    number: i16,
    junk: bool,
}

impl Entry {
    fn field(&mut self, name: &str, tokens: &mut Tokens<'_>) {
        let mut value = || tokens.next().unwrap_or_default();
        match name {
            ":resno" => self.column = value().parse().unwrap_or(0),
            ":resorigtbl" => self.relation = value().parse().unwrap_or(0),
            ":resorigcol" => self.number = value().parse().unwrap_or(0),
            ":resjunk" => self.junk = value() == "true",
            _ => {}
        }
    }

    fn finish(self) -> Option<Origin> {
        let real = !self.junk && self.relation != 0 && self.number > 0 && self.column > 0;
        real.then_some(Origin { column: self.column, relation: self.relation, number: self.number })
    }
}

/// Brackets and words; a backslash takes the special meaning from what follows it.
struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        let start = self.at;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'(' | b')' | b'{' | b'}' if self.at > start => break,
                b'(' | b')' | b'{' | b'}' => {
                    self.at += 1;
                    break;
                }
                b'\\' => self.at = (self.at + 2).min(bytes.len()),
                b if b.is_ascii_whitespace() => break,
                _ => self.at += 1,
            }
        }
        // Not a character boundary only when a backslash stood before a multi-byte character.
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        (self.at > start).then(|| &self.text[start..self.at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_top_target_list_only() {
        let action = r"({QUERY :commandType 1 :rtable ({RTE :subquery {QUERY :targetList ({TARGETENTRY :expr {VAR}
            :resno 1 :resorigtbl 99 :resorigcol 9 :resjunk false}) :x 1}}) :targetList (
            {TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname a\ \{b\( :ressortgroupref 0 :resorigtbl 16400 :resorigcol 2 :resjunk false}
            {TARGETENTRY :expr {FUNC :args ({TARGETENTRY :resno 5 :resorigtbl 7 :resorigcol 7})} :resno 2 :resorigtbl 0 :resorigcol 0 :resjunk false}
            {TARGETENTRY :expr {VAR} :resno 3 :resname x :resorigtbl 16401 :resorigcol 1 :resjunk true}
            {TARGETENTRY :expr {VAR} :resno 4 :resname é :resorigtbl 16401 :resorigcol 1 :resjunk false})
            :returningList ({TARGETENTRY :resno 9 :resorigtbl 16401 :resorigcol 1 :resjunk false})})";
        let expected = [
            Origin { column: 1, relation: 16400, number: 2 },
            Origin { column: 4, relation: 16401, number: 1 },
        ];
        assert_eq!(origins(action), expected);
        assert_eq!(origins("({QUERY :targetList <> :returningList ({TARGETENTRY :resno 1})})"), []);
        assert_eq!(origins(r"(\"), []);
        assert_eq!(origins(""), []);
    }
}
