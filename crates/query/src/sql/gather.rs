//! Answers in other forms than JSON row by row: CSV, whose columns come as text, and answers that PostgreSQL puts together
//! in one value (aggregates of the database, GeoJSON), or whose plan is asked for.

use super::select::{Columns, json_groups};
use super::text::Text;
use crate::ident::Ident;
use crate::media::PlanMedia;
use crate::output::{Format, Output};
use crate::plan::tree::{
    Alias, FieldValue, Form, Invocation, Level, Limit, Qualified, Representation, Source,
};
use crate::request::ValueRef;
use crate::statement::{Main, Param};

/// What a value without a name is called where it needs one. PostgREST's name, which its CSV header shows.
const SCALAR: &str = "pgrst_scalar";

/// What there is to gather.
#[derive(Clone, Copy)]
pub(super) enum Subject<'p> {
    Level(&'p Level),
    Value(&'p Invocation),
    Values { invocation: &'p Invocation, record: bool, limit: Limit, offset: Option<ValueRef> },
    Void(&'p Invocation),
}

/// One statement whose only row holds the answer. `before` writes what stands before its SELECT, `beside` further columns.
pub(super) fn gather(
    representation: &Representation,
    subject: Subject<'_>,
    before: impl FnOnce(&mut Text),
    beside: impl FnOnce(&mut Text, &mut Columns<'_>, &mut Main),
) -> Main {
    let mut text = Text::default();
    let mut columns = Columns::default();
    let mut main = Main { media: representation.media.clone(), output: Output::Body, ..Main::default() };
    if let Some(plan) = &representation.explain {
        text.explain(plan, subject);
        before(&mut text);
        text.begin(&mut columns, Format::Text);
        text.explained(representation, subject);
        main.output = Output::Lines;
        main.sql = text.finish(columns.formats);
        return main;
    }
    before(&mut text);
    text.put("SELECT ");
    // As PostgreSQL sends it: that is how PostgREST answers it.
    text.begin(&mut columns, Format::Binary);
    text.body(&representation.form, subject);
    if let Subject::Level(_) | Subject::Values { .. } = subject {
        main.rows_column = Some(text.begin(&mut columns, Format::Binary));
        // Not of the row: its subselects would be evaluated for it once more.
        text.put("count(*)");
    }
    beside(&mut text, &mut columns, &mut main);
    text.gathered_from(subject);
    main.sql = text.finish(columns.formats);
    main
}

impl Text {
    /// `SELECT …` of a level with one column of text for each field, up to and without FROM. More columns may follow.
    pub fn csv_select(&mut self, level: &Level, columns: &mut Columns<'_>) -> Output {
        self.put(if level.distinct { "SELECT DISTINCT " } else { "SELECT " });
        for field in &level.fields {
            self.begin(columns, Format::Text);
            self.flat(&field.value);
        }
        let names: Vec<&str> = level.fields.iter().map(|field| field.name.as_str()).collect();
        Output::Csv { header: names.join(",").into_bytes().into(), columns: level.fields.len() as u16 }
    }

    /// FROM to OFFSET behind [`Text::csv_select`].
    pub fn csv_rest(&mut self, level: &Level) -> &mut Self {
        let groups = if level.grouped { json_groups(&level.fields) } else { Vec::new() };
        let places: Vec<usize> = (1..=level.fields.len()).collect();
        self.tail(level, &groups, &places)
    }

    /// A value as a column of its own type; what is nested is jsonb.
    fn flat(&mut self, value: &FieldValue) -> &mut Self {
        match value {
            FieldValue::Value { expr, .. } => self.expr(expr),
            FieldValue::Object { .. } => self.json_value(value, true),
            FieldValue::List(_) | FieldValue::One(_) | FieldValue::Array { .. } => {
                self.put("(").json_value(value, false).put(")::jsonb")
            }
        }
    }

    fn flat_rows(&mut self, level: &Level) -> &mut Self {
        self.put(if level.distinct { "SELECT DISTINCT" } else { "SELECT" });
        for (index, field) in level.fields.iter().enumerate() {
            self.put(if index > 0 { ", " } else { " " }).flat(&field.value).put(" AS ").ident(&field.name);
        }
        self.csv_rest(level)
    }

    fn gathered_from(&mut self, subject: Subject<'_>) -> &mut Self {
        match subject {
            Subject::Level(level) => self.put(" FROM (").flat_rows(level).put(") r"),
            Subject::Value(_) | Subject::Void(_) => self,
            Subject::Values { invocation, record, limit, offset } => {
                self.put(" FROM (SELECT f.v AS ").put(SCALAR);
                self.set_of(invocation, record).page(limit, offset).put(") r")
            }
        }
    }

    fn body(&mut self, form: &Form, subject: Subject<'_>) -> &mut Self {
        match (form, subject) {
            (Form::GeoJson(function), Subject::Level(_) | Subject::Values { .. }) => self.features(function),
            (Form::Handler { aggregate, of }, Subject::Level(_) | Subject::Values { .. }) => {
                self.name(aggregate).put("(r");
                if let Some(of) = of {
                    self.put("::").name(of);
                }
                self.put(")")
            }
            // An aggregate needs no FROM.
            (Form::Handler { aggregate, .. }, Subject::Value(invocation) | Subject::Void(invocation)) => {
                self.name(aggregate).put("(").invoke(invocation).put(")")
            }
            (_, Subject::Value(invocation) | Subject::Void(invocation)) => self.invoke(invocation),
            (Form::Json { .. } | Form::Csv | Form::Result, _) => self.put("coalesce(json_agg(r), '[]')"),
        }
    }

    fn features(&mut self, function: &Qualified) -> &mut Self {
        self.put("json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(");
        self.name(function).put("(r)::json), '[]'))")
    }
}

/// Plans: of the statement in the form in which PostgREST would run it, so that its output, costs and estimates can be
/// compared. What is below its topmost step is what is run for an answer.
impl Text {
    fn explain(&mut self, plan: &PlanMedia, subject: Subject<'_>) {
        self.put(if plan.json { "EXPLAIN (FORMAT JSON" } else { "EXPLAIN (FORMAT TEXT" });
        for option in plan.options() {
            self.put(", ").put(option);
        }
        self.put(") ");
        if let Subject::Level(level) = subject {
            let name = match &level.source {
                Source::Relation(name) => Some(&name.name),
                Source::Function(invocation) => Some(&invocation.function.name),
                Source::Rows { .. } | Source::Written | Source::Keys { .. } => None,
            };
            self.speak(level.alias, name);
        }
    }

    fn explained(&mut self, representation: &Representation, subject: Subject<'_>) -> &mut Self {
        self.put("SELECT NULL::bigint, ");
        let row = match subject {
            Subject::Level(_) | Subject::Values { .. } => {
                self.put("count(*), ");
                "r"
            }
            Subject::Value(_) | Subject::Void(_) => {
                self.put("1, ");
                "v"
            }
        };
        if let Subject::Level(Level { source: Source::Written, .. }) = subject {
            self.put("NULL::text[], ");
        }
        match (&representation.form, subject) {
            (Form::Json { stripped, single }, _) => self.json_body(subject, row, *stripped, *single),
            (Form::Csv, Subject::Level(_) | Subject::Values { .. }) => {
                self.put("string_agg(substring(r::text, 2, length(r::text) - 2), E'\\n')")
            }
            (Form::Handler { .. } | Form::GeoJson(_), Subject::Level(_) | Subject::Values { .. }) => {
                self.body(&representation.form, subject)
            }
            (_, Subject::Value(invocation) | Subject::Void(invocation)) => {
                self.ident(&invocation.function.name).put(".").put(SCALAR)
            }
            (Form::Result, _) => self.put("NULL"),
        };
        self.put(", nullif(current_setting('response.headers', true), ''), ");
        self.put("nullif(current_setting('response.status', true), '')");
        match subject {
            Subject::Value(invocation) | Subject::Void(invocation) => {
                self.put(" FROM (SELECT ").invoke(invocation).put(" AS ").put(SCALAR).put(") ");
                self.ident(&invocation.function.name)
            }
            _ => self.gathered_from(subject),
        }
    }

    fn json_body(&mut self, subject: Subject<'_>, row: &str, stripped: bool, single: bool) -> &mut Self {
        let (single, empty) = match subject {
            Subject::Value(_) | Subject::Void(_) => (true, "null"),
            _ => (single, if single { "null" } else { "[]" }),
        };
        self.put(if stripped { "coalesce(json_strip_nulls(" } else { "coalesce(" });
        self.put("json_agg(");
        match subject {
            Subject::Level(_) => self.put(row),
            Subject::Values { .. } => self.put("r.").put(SCALAR),
            Subject::Value(invocation) | Subject::Void(invocation) => {
                self.ident(&invocation.function.name).put(".").put(SCALAR)
            }
        };
        self.put(")").put(if single { " -> 0" } else { "" }).put(if stripped { ")" } else { "" });
        self.put(", '").put(empty).put("')")
    }
}

impl Text {
    /// In plans, what is read or written goes by its name: unless that looks like one of ours.
    pub fn speak(&mut self, alias: Alias, name: Option<&Ident>) {
        let ours = |name: &&Ident| {
            let rest = name.as_str().strip_prefix('t');
            name.as_str().len() < 2 || rest.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
        };
        self.named = name.filter(|name| !ours(name)).map(|name| (alias, name.clone()));
    }

    /// `WITH w AS (…) ` of what a function answers, so that it can be read and counted and is called once.
    pub fn called_once(&mut self, level: &Level) {
        self.put("WITH w AS (SELECT * FROM ").source(&level.source, level.alias).put(") ");
    }

    /// How many rows a level has without its page, as one more column.
    pub fn counted_beside(&mut self, level: &Level, columns: &mut Columns<'_>, main: &mut Main) {
        main.total_column = Some(self.begin(columns, Format::Binary));
        self.put("(").unpaged(level, "count(*)").put(")");
        self.unordered = false;
    }

    /// The whole result of a function as one column of text.
    pub fn csv_value(&mut self, columns: &mut Columns<'_>, write: impl FnOnce(&mut Self)) -> Output {
        self.begin(columns, Format::Text);
        write(self);
        Output::Csv { header: SCALAR.as_bytes().into(), columns: 1 }
    }

    /// One argument of a call.
    pub fn argument(&mut self, argument: &crate::plan::tree::PassedArgument) {
        if argument.variadic {
            self.put("VARIADIC ");
        }
        if let Some(name) = &argument.name {
            self.ident(name).put(" => ");
        }
        let (value, target) = (argument.value, argument.target.clone());
        self.param(match (argument.variadic, argument.last) {
            (true, _) => Param::Items(value, target),
            (false, true) => Param::Last(value, target),
            (false, false) => Param::Json(value, target),
        });
        if let Some(type_name) = &argument.type_name {
            self.put("::").type_name(type_name);
        }
    }
}
