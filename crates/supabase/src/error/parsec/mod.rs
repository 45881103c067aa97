//! What PostgREST says of a query string that it cannot read. Its parser is made with Parsec, whose messages follow from the
//! grammar and from how choices were tried; so they are found by walking PostgREST's grammar ([`grammar`]) over the text by
//! Parsec's rules ([`walk`]). Only refusals come here: what is accepted, and what it means, is `query::syntax`'s business.

mod grammar;
mod message;
mod walk;

use bedplate_query::syntax::Subject;

use grammar::Rule;
use walk::Walker;

/// Where and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub line: u32,
    pub column: u32,
    /// `unexpected "x" expecting …`
    pub details: String,
}

/// What Parsec would say. `None` where PostgREST would read on: our grammar is stricter in places, and a text that is nested
/// too deep or too long is not walked to its end.
pub(super) fn explain(subject: Subject, parameter: &str, input: &str) -> Option<Told> {
    let operator;
    let (rule, text): (&Rule, &str) = match subject {
        Subject::Select => (&grammar::FIELD_FOREST, input),
        Subject::Order => (&grammar::ORDER, input),
        Subject::Filter => (&grammar::OPERATION, input),
        Subject::TreePath => (&grammar::TREE_PATH, input),
        Subject::LogicPath => (&grammar::LOGIC_PATH, input),
        Subject::Columns | Subject::OnConflict => (&grammar::COLUMNS, input),
        // The tree is read with its operator before it, and places are counted from there.
        Subject::LogicTree => {
            operator = format!("{}{input}", connective(parameter));
            (&grammar::LOGIC_TREE, &operator)
        }
        Subject::Word => return None,
    };
    let fault = Walker::new(text).refusal(rule)?;
    Some(Told { line: fault.place.line, column: fault.place.column, details: message::show(&fault.messages) })
}

/// `and`, `not.or`: the last word of the key, and whether there is a `not` in it.
fn connective(key: &str) -> String {
    let word = key.rsplit('.').next().unwrap_or(key);
    if key.split('.').any(|part| part == "not") { format!("not.{word}") } else { word.to_owned() }
}

#[cfg(test)]
mod tests;
