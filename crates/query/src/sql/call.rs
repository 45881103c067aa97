//! Function calls as SQL.

use super::gather::{self, Subject};
use super::select::Columns;
use super::text::Text;
use super::{count_of, row_output};
use crate::output::{Codec, Format, Output};
use crate::plan::tree::{Call, CallResult, Coding, Form, Invocation, Level, Source};
use crate::statement::{CountSql, Main, Planned};

impl Text {
    /// `"schema"."function"("name" => $1::type, …)`.
    pub fn invoke(&mut self, invocation: &Invocation) -> &mut Self {
        self.name(&invocation.function).put("(");
        self.list(&invocation.arguments, ", ", |text, argument| text.argument(argument));
        self.put(")")
    }

    /// ` FROM …` of a set of values, each as `f.v`.
    pub fn set_of(&mut self, invocation: &Invocation, record: bool) -> &mut Self {
        if record {
            return self.put(" FROM (SELECT ").invoke(invocation).put(" AS v) f");
        }
        self.put(" FROM ").invoke(invocation).put(" AS f(v)")
    }
}

pub(super) fn write(call: &Call) -> Planned {
    let mut count = None;
    let main = if call.representation.is_gathered() {
        gathered(call)
    } else if let Some(level) = page_behind(call) {
        counted_page(call, level)
    } else {
        let mut text = Text::default();
        let mut columns = Columns::default();
        let mut main = Main { media: call.representation.media.clone(), ..Main::default() };
        match &call.result {
            CallResult::Void(invocation) => {
                text.put("SELECT ");
                text.begin(&mut columns, Format::Text);
                text.invoke(invocation);
            }
            CallResult::Scalar { .. } | CallResult::Scalars { .. } => {
                values(call, &mut text, &mut columns, &mut main);
            }
            CallResult::Rows(level) => count = rows(call, level, &mut text, &mut columns, &mut main),
        }
        main.sql = text.finish(columns.formats);
        main
    };
    let main = Main { single: call.single, ..main };
    Planned { guards: Vec::new(), main, count, writes: call.writes, settings: call.settings.clone() }
}

/// One value, or a set of them.
fn values<'p>(call: &'p Call, text: &mut Text, columns: &mut Columns<'p>, main: &mut Main) {
    let (coding, invocation) = match &call.result {
        CallResult::Scalar { invocation, coding } | CallResult::Scalars { invocation, coding, .. } => {
            (*coding, invocation)
        }
        CallResult::Void(_) | CallResult::Rows(_) => return,
    };
    let behind = matches!(&call.result, CallResult::Scalars { offset: Some(_), .. }) && call.count.is_some();
    if let (true, CallResult::Scalars { record, .. }) = (behind, &call.result) {
        text.put("WITH s(v) AS MATERIALIZED (SELECT f.v").set_of(invocation, *record).put(") ");
    }
    text.put("SELECT ");
    let set = matches!(call.result, CallResult::Scalars { .. });
    let write = |text: &mut Text| {
        if set {
            text.put("f.v")
        } else {
            text.invoke(invocation)
        };
    };
    main.output = match call.representation.form {
        Form::Csv => text.csv_value(columns, write),
        Form::Json { stripped: true, .. } => Output::StrippedValues(value(text, columns, coding, write)),
        _ => Output::Values(value(text, columns, coding, write)),
    };
    let CallResult::Scalars { record, limit, offset, .. } = &call.result else { return };
    if behind {
        // The count comes even when the page lies behind the last value.
        main.present_column = Some(text.begin(columns, Format::Binary));
        text.put("f.here");
        main.total_column = Some(text.begin(columns, Format::Binary));
        text.put("c.n FROM (SELECT count(*) FROM s) c(n) LEFT JOIN (SELECT s.v, true AS here FROM s");
        text.page(*limit, *offset).put(") f ON true");
    } else {
        main.total_column = call.count.map(|_| total(text, columns));
        text.set_of(invocation, *record).page(*limit, *offset);
    }
}

fn rows<'p>(
    call: &'p Call,
    level: &'p Level,
    text: &mut Text,
    columns: &mut Columns<'p>,
    main: &mut Main,
) -> Option<CountSql> {
    let csv = call.representation.form == Form::Csv;
    let selected = if csv { Err(text.csv_select(level, columns)) } else { Ok(text.select(level, columns)) };
    let mut count = None;
    match call.count {
        // A window sees rows before DISTINCT does.
        Some(_) if level.distinct => count = Some(count_of(level)),
        Some(_) => main.total_column = Some(total(text, columns)),
        None => {}
    }
    match selected {
        Ok((rows, places)) => {
            text.rest(level, columns, &places);
            main.output = row_output(rows.object, &call.representation);
        }
        Err(output) => {
            text.csv_rest(level);
            main.output = output;
        }
    }
    main.order = level.order_text.clone();
    count
}

/// What is counted and begins behind the first row.
fn page_behind(call: &Call) -> Option<&Level> {
    match &call.result {
        CallResult::Rows(level) if call.count.is_some() && level.offset.is_some() => Some(level),
        _ => None,
    }
}

/// A page that may lie behind the last row: the count comes even without rows.
fn counted_page(call: &Call, level: &Level) -> Main {
    let mut read = Level::clone(level);
    read.source = Source::Written;
    let mut main = Main { media: call.representation.media.clone(), ..Main::default() };
    let mut text = Text::default();
    let mut columns = Columns::default();
    text.called_once(level);
    text.put("SELECT q.*, c.n FROM (").unpaged(&read, "count(*)").put(") c(n) LEFT JOIN (");
    text.unordered = false;
    let csv = call.representation.form == Form::Csv;
    let selected =
        if csv { Err(text.csv_select(&read, &mut columns)) } else { Ok(text.select(&read, &mut columns)) };
    main.present_column = Some(text.begin(&mut columns, Format::Binary));
    text.put("true");
    main.output = match selected {
        Ok((rows, places)) => {
            text.rest(&read, &columns, &places);
            row_output(rows.object, &call.representation)
        }
        Err(output) => {
            text.csv_rest(&read);
            output
        }
    };
    text.put(") q ON true");
    // `c.n`, which stands behind them all.
    main.total_column = Some(columns.next());
    columns.formats.push(Format::Binary);
    main.order = level.order_text.clone();
    main.sql = text.finish(columns.formats);
    main
}

fn gathered(call: &Call) -> Main {
    let subject = match &call.result {
        CallResult::Void(invocation) => Subject::Void(invocation),
        CallResult::Scalar { invocation, .. } => Subject::Value(invocation),
        CallResult::Scalars { invocation, record, limit, offset, .. } => {
            Subject::Values { invocation, record: *record, limit: *limit, offset: *offset }
        }
        CallResult::Rows(level) if call.count.is_some() && call.representation.explain.is_none() => {
            let mut read = Level::clone(level);
            read.source = Source::Written;
            let once = |text: &mut Text| text.called_once(level);
            return gather::gather(
                &call.representation,
                Subject::Level(&read),
                once,
                |text, columns, main| {
                    text.counted_beside(&read, columns, main);
                },
            );
        }
        CallResult::Rows(level) => Subject::Level(level),
    };
    gather::gather(&call.representation, subject, |_| {}, |_, _, _| {})
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
