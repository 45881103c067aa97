//! Query strings that cannot be read.

use bedplate_query::syntax::{Error, Kind, Subject};

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
            let what = match subject {
                Subject::Select => "select parameter",
                Subject::Order => "order",
                Subject::Filter => "filter",
                Subject::LogicTree | Subject::LogicPath => "logic tree",
                Subject::TreePath => "tree path",
                Subject::Columns => "columns parameter",
                Subject::OnConflict => "on_conflict parameter",
                Subject::Word => "parameter",
            };
            let said = Said::new(format!(
                "\"failed to parse {what} ({})\" (line 1, column {})",
                error.input,
                error.position + 1
            ));
            let near = error.near.chars().next();
            let unexpected = near.map_or_else(|| "end of input".to_owned(), |c| format!("\"{c}\""));
            Rendered::new(
                400,
                "PGRST100",
                said.details(format!("unexpected {unexpected} expecting {expecting}")),
            )
        }
        Kind::Encoding | Kind::Limit | Kind::Repeated => {
            Rendered::new(400, "PGRST100", Said::new(error.to_string()))
        }
    }
}
