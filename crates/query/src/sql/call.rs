//! Function calls as SQL.

use super::select::Columns;
use super::text::Text;
use crate::output::{Codec, Format, Output};
use crate::plan::tree::{Call, CallResult, Coding, Invocation};
use crate::request::Count;
use crate::statement::{CountSql, Main, Param, Planned};

impl Text {
    /// `"schema"."function"("name" => $1::type, …)`.
    pub fn invoke(&mut self, invocation: &Invocation) -> &mut Self {
        self.name(&invocation.function).put("(");
        self.list(&invocation.arguments, ", ", |text, argument| {
            if argument.variadic {
                text.put("VARIADIC ");
            }
            if let Some(name) = &argument.name {
                text.ident(name).put(" => ");
            }
            text.param(if argument.variadic {
                Param::Items(argument.value, argument.target.clone())
            } else {
                Param::Json(argument.value, argument.target.clone())
            });
            if let Some(type_name) = &argument.type_name {
                text.put("::").type_name(type_name);
            }
        });
        self.put(")")
    }
}

pub(super) fn write(call: &Call) -> Planned {
    let mut text = Text::default();
    let mut columns = Columns::default();
    let mut main = Main { single: call.single, ..Main::default() };
    let mut count = None;
    match &call.result {
        CallResult::Void(invocation) => {
            text.put("SELECT ");
            text.begin(&mut columns, Format::Text);
            text.invoke(invocation);
        }
        CallResult::Scalar { invocation, coding } => {
            text.put("SELECT ");
            main.output = Output::Values(value(&mut text, &mut columns, *coding, |text| {
                text.invoke(invocation);
            }));
        }
        CallResult::Scalars { invocation, coding, limit, offset } => {
            text.put("SELECT ");
            main.output = Output::Values(value(&mut text, &mut columns, *coding, |text| {
                text.put("f.v");
            }));
            main.total_column = call.count.map(|_| total(&mut text, &mut columns));
            text.put(" FROM ").invoke(invocation).put(" AS f(v)").page(*limit, *offset);
        }
        CallResult::Rows(level) => {
            let (rows, places) = text.select(level, &mut columns);
            match call.count {
                // A window sees rows before DISTINCT does.
                Some(_) if level.distinct => {
                    let mut counted = Text::default();
                    counted.unpaged(level, "count(*)");
                    let sql = counted.finish(vec![Format::Binary]);
                    count = Some(CountSql { sql, kind: Count::Exact, estimate: None });
                }
                Some(_) => main.total_column = Some(total(&mut text, &mut columns)),
                None => {}
            }
            text.rest(level, &columns, &places);
            main.output = Output::Rows(rows.object);
            main.order = level.order_text.clone();
        }
    }
    main.sql = text.finish(columns.formats);
    Planned { guards: Vec::new(), main, count, writes: call.writes, settings: call.settings.clone() }
}

fn value(text: &mut Text, columns: &mut Columns<'_>, coding: Coding, write: impl FnOnce(&mut Text)) -> Codec {
    match coding {
        Coding::Wire(codec) => {
            text.begin(columns, codec.format());
            write(text);
            codec
        }
        Coding::ToJson => {
            text.begin(columns, Codec::Json.format());
            text.put("to_json(");
            write(text);
            text.put(")");
            Codec::Json
        }
    }
}

/// How many rows there are without the page. In the same statement, because a function may have side effects.
fn total(text: &mut Text, columns: &mut Columns<'_>) -> u16 {
    let at = text.begin(columns, Format::Binary);
    text.put("count(*) OVER ()");
    at
}
