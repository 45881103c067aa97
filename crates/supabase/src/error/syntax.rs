//! Query strings that cannot be read.

use bedplate_query::syntax::{Error, Kind, Subject};

use super::parsec::{self, Told};
use super::{Rendered, Said, plan};

pub(super) fn translate(error: &Error) -> Rendered {
    match &error.kind {
        Kind::NotEmbedded { name } => plan::not_embedded(name),
        Kind::Range => {
            let said = Said::new("Requested range not satisfiable")
                .details("Limit should be greater than or equal to zero.");
            Rendered::new(416, "PGRST103", said)
        }
        Kind::Syntax { subject, expecting } => {
            let told = parsec::explain(*subject, &error.parameter, &error.input);
            let Told { line, column, details } = told.unwrap_or_else(|| own(error, expecting));
            let input = &error.input;
            let place =
                format!("\"failed to parse {} ({input})\" (line {line}, column {column})", what(*subject));
            Rendered::new(400, "PGRST100", Said::new(place).details(details))
        }
        Kind::Encoding | Kind::Limit | Kind::Repeated => {
            Rendered::new(400, "PGRST100", Said::new(error.to_string()))
        }
    }
}

fn what(subject: Subject) -> &'static str {
    match subject {
        Subject::Select => "select parameter",
        Subject::Order => "order",
        Subject::Filter => "filter",
        Subject::LogicTree => "logic tree",
        Subject::LogicPath => "logic path",
        Subject::TreePath => "tree path",
        Subject::Columns => "columns parameter",
        Subject::OnConflict => "on_conflict parameter",
        Subject::Word => "parameter",
    }
}

/// Where our grammar is stricter than PostgREST's, in its manner.
fn own(error: &Error, expecting: &str) -> Told {
    let near = error.near.chars().next();
    let unexpected = near.map_or_else(|| "end of input".to_owned(), |c| format!("\"{c}\""));
    let details = format!("unexpected {unexpected} expecting {expecting}");
    Told { line: 1, column: error.position as u32 + 1, details }
}
