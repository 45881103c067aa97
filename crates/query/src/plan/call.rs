//! Calls of SQL functions: which overload, with which arguments, and what it answers.

use bedplate_core::{Problem, problem};

use super::level::Place;
use super::negotiate::Offered;
use super::planner::{Planner, Shape, qualified_function};
use super::similar::{CLOSE, RELATED, similar};
use super::tree::{CallResult, Invocation, Limit, PassedArgument, Source, TypeName};
use super::types::oid;
use crate::catalog::{Argument, Function, FunctionId, Oid, Returns, TypeKind, Volatility};
use crate::fault::Fault;
use crate::gate::Denial;
use crate::ident::Ident;
use crate::pgtext::Target;
use crate::problems::{AMBIGUOUS_FUNCTION, QUERY_SYNTAX};
use crate::request::{Arguments, BodyMedia, Call, Name, Node, ValueRef};

/// Settings of a function that must hold from the start of its transaction to have any effect.
const HOISTED: &[&str] = &[
    "statement_timeout",
    "lock_timeout",
    "default_transaction_isolation",
    "plan_filter.statement_cost_limit",
];

impl<'a> Planner<'a> {
    pub(super) fn call(&mut self, call: &'a Call) -> Result<super::tree::Call, Problem> {
        let function = self.overload(call)?;
        // In the PostgREST dialect the read-only transaction decides: 25006 when the function does write.
        if call.read_only && function.volatility == Volatility::Volatile && !self.is_dialect() {
            return Err(Problem::new(&problem::METHOD_NOT_ALLOWED)
                .detail(format!("{:?} may change data, so it is called with POST", function.name.as_str()))
                .header("Allow", "POST, OPTIONS"));
        }
        let invocation = Invocation {
            function: qualified_function(function),
            arguments: self.passed(function, &call.arguments)?,
        };
        let (result, single) = self.result(call, function, invocation)?;
        let representation = self.negotiate(offered(function, &call.node))?;
        Ok(super::tree::Call {
            result,
            representation,
            count: call.count,
            count_max: self.limits.page_max,
            single,
            writes: !call.read_only && function.volatility == Volatility::Volatile,
            settings: hoisted(function),
        })
    }

    fn overload(&self, call: &Call) -> Result<&'a Function, Problem> {
        let name = &call.function.name;
        let mut refused = None;
        let mut hidden = None;
        let mut served: Vec<&'a Function> = Vec::new();
        for id in self.catalog.find_functions(call.function.schema.as_deref(), name) {
            let function = self.function(*id);
            if function.aggregate || function.returns == Returns::Other || !self.takes_anything(function) {
                continue;
            }
            match self.gate.function(self.catalog, self.role, *id) {
                Ok(()) => served.push(function),
                Err(Denial::Forbidden(why)) => refused = Some(why),
                Err(Denial::Hidden(why)) => hidden = Some(why),
            }
        }
        if served.is_empty() {
            return Err(match (refused, hidden) {
                (Some(why), _) => super::access::refused("function", name, why),
                (None, Some(why)) => self.unknown_function(call, &served).internal(why),
                (None, None) => self.unknown_function(call, &served),
            });
        }
        let fitting: Vec<&'a Function> =
            served.iter().copied().filter(|f| self.fits(f, &call.arguments)).collect();
        let fitting = match &call.arguments {
            Arguments::Object { .. } if fitting.is_empty() => {
                served.iter().copied().filter(|f| takes_body(f, BodyMedia::Json)).collect()
            }
            _ => fitting,
        };
        match fitting.as_slice() {
            [one] => Ok(one),
            [] => Err(self.unknown_function(call, &served)),
            several => Err(ambiguous(name, several)),
        }
    }

    /// 404: there is no such function, or none with these arguments.
    fn unknown_function(&self, call: &Call, served: &[&Function]) -> Problem {
        let name = &call.function.name;
        let mut given: Vec<Name> = call.arguments.names().cloned().collect();
        given.sort_unstable();
        let schema = call.function.schema.clone();
        let fault = Fault::NoFunction {
            similar: if self.is_dialect() { self.similar_function(call, served, &given) } else { None },
            schema,
            name: name.clone(),
            arguments: given,
            body: call.arguments.body_media(),
        };
        let problem = Problem::new(&problem::NOT_FOUND);
        let problem = if served.is_empty() {
            problem.detail(format!("There is no function {:?}", &**name))
        } else {
            let known: Vec<String> = served.iter().map(|f| signature(f)).collect();
            problem
                .detail(format!("The function {:?} does not take these arguments", &**name))
                .hint(format!("It is {}", known.join(" or ")))
        };
        problem.caused_by(fault)
    }

    /// The function that may have been meant: by its name, or where the name is right by its arguments. Only of those that
    /// the role may call.
    fn similar_function(&self, call: &Call, served: &[&Function], given: &[Name]) -> Option<String> {
        if matches!(call.arguments, Arguments::Body { .. }) {
            return None;
        }
        let schema = call.function.schema.as_deref()?;
        let name = &call.function.name;
        if served.is_empty() {
            let known = self.catalog.functions.iter().enumerate().filter_map(|(at, function)| {
                let id = FunctionId(at as u32);
                let told = function.schema.as_str() == schema
                    && function.returns != Returns::Other
                    && self.takes_anything(function)
                    && self.gate.function(self.catalog, self.role, id).is_ok()
                    && self.catalog.can_execute(self.role, id);
                told.then(|| function.name.as_str())
            });
            return similar(name, known, CLOSE).map(|near| format!("{schema}.{near}"));
        }
        let list = |mut names: Vec<&str>| {
            names.sort_unstable();
            format!("({})", names.join(", "))
        };
        let known: Vec<String> =
            served.iter().map(|f| list(f.arguments.iter().map(|a| &*a.name).collect())).collect();
        let wanted = list(given.iter().map(|name| &**name).collect());
        similar(&wanted, known.iter().map(String::as_str), RELATED)
            .map(|near| format!("{schema}.{name}{near}"))
    }

    fn passed(&self, function: &Function, arguments: &Arguments) -> Result<Vec<PassedArgument>, Problem> {
        match arguments {
            Arguments::Named(named) => self.passed_by_name(function, named),
            Arguments::Object { named, .. } if takes_names(function, named) => {
                self.passed_by_name(function, named)
            }
            Arguments::Object { body, .. } | Arguments::Body { value: body, .. } => {
                let argument = &function.arguments[0];
                Ok(vec![PassedArgument { name: None, ..self.pass(argument, *body)? }])
            }
        }
    }

    fn passed_by_name(
        &self,
        function: &Function,
        named: &[(Name, ValueRef)],
    ) -> Result<Vec<PassedArgument>, Problem> {
        let mut passed = Vec::with_capacity(named.len());
        for argument in &function.arguments {
            if let Some((_, value)) = named.iter().find(|(name, _)| *name == argument.name) {
                passed.push(self.pass(argument, *value)?);
            }
        }
        Ok(passed)
    }

    fn pass(&self, argument: &Argument, value: ValueRef) -> Result<PassedArgument, Problem> {
        let pseudo = self.type_of(argument.type_oid).is_some_and(|t| t.kind == TypeKind::Pseudo);
        Ok(PassedArgument {
            name: Some(Ident::from_catalog(&argument.name)),
            value,
            target: if pseudo { Target::Scalar } else { self.target(argument.type_oid) },
            type_name: if pseudo { None } else { Some(self.argument_type(argument.type_oid)?) },
            variadic: argument.variadic,
            last: self.is_dialect(),
        })
    }

    /// The type as a cast that cuts nothing off: plain `bit` and `char` mean one bit and one character.
    fn argument_type(&self, type_oid: Oid) -> Result<TypeName, Problem> {
        const BIT: TypeName = TypeName::Builtin("varbit");
        match type_oid {
            1560 => Ok(BIT),
            1561 => Ok(TypeName::Array(Box::new(BIT))),
            _ => self.type_name(type_oid),
        }
    }

    /// What the function answers, and whether that is one value or row.
    fn result(
        &mut self,
        call: &'a Call,
        function: &'a Function,
        invocation: Invocation,
    ) -> Result<(CallResult, bool), Problem> {
        let (shape, set) = match &function.returns {
            Returns::Void => {
                scalar_only(&call.node)?;
                return Ok((CallResult::Void(invocation), true));
            }
            Returns::Scalar { type_oid, set: false } => {
                scalar_only(&call.node)?;
                return Ok((CallResult::Scalar { invocation, coding: self.coding(*type_oid) }, true));
            }
            Returns::Scalar { type_oid, set: true } => {
                scalar_only(&call.node)?;
                let limit = self.limit(&call.node.page, Place::Result);
                let (coding, offset) = (self.coding(*type_oid), call.node.page.offset);
                let record = *type_oid == oid::RECORD;
                return Ok((CallResult::Scalars { invocation, coding, record, limit, offset }, false));
            }
            Returns::Row { relation: Some(id), set, .. } => (self.whole(*id, false), *set),
            Returns::Row { type_oid, set, .. } => match self.type_of(*type_oid).map(|t| &t.kind) {
                Some(TypeKind::Composite(columns)) => (Shape::Columns(columns), *set),
                _ => {
                    return Err(Problem::internal_error(format!(
                        "row type {type_oid} is not in the catalog"
                    )));
                }
            },
            Returns::Table { columns, set } => (Shape::Columns(columns), *set),
            Returns::Other => {
                return Err(Problem::internal_error("a function that cannot be called was chosen"));
            }
        };
        let alias = self.alias();
        let mut level = self.level(&call.node, shape, alias, Source::Function(invocation), Place::Result)?;
        if !set && !call.node.page.is_bounded() {
            level.limit = Limit::None;
        }
        Ok((CallResult::Rows(Box::new(level)), !set))
    }
}

impl Planner<'_> {
    fn fits(&self, function: &Function, arguments: &Arguments) -> bool {
        match arguments {
            Arguments::Named(named) => takes_names(function, named),
            Arguments::Object { named, .. } => {
                takes_names(function, named) || self.is_dialect() && takes_nameless(function, named)
            }
            Arguments::Body { media, .. } => takes_body(function, *media),
        }
    }

    /// Whether there is a way to pass its arguments: by name, or as a body. PostgREST does not know functions whose
    /// parameters have no names, unless there is one and a body can be it.
    fn takes_anything(&self, function: &Function) -> bool {
        use BodyMedia::{Bytes, Json, Text, Xml};
        let arguments = &function.arguments;
        let named = |argument: &Argument| !argument.name.is_empty();
        let unknown = self.is_dialect() && !arguments.is_empty() && !arguments.iter().any(named);
        !unknown && arguments.iter().all(|argument| named(argument) || argument.has_default)
            || [Json, Text, Xml, Bytes].into_iter().any(|media| takes_body(function, media))
    }
}

/// Reading options mean nothing for a value without columns.
fn scalar_only(node: &Node) -> Result<(), Problem> {
    let plain = node.filters.is_empty() && node.order.is_empty() && !node.distinct;
    let whole = node.select.is_empty() || node.select == [crate::request::Item::Star];
    if plain && whole {
        return Ok(());
    }
    Err(Problem::new(&QUERY_SYNTAX).detail(
        "This function answers a value without columns, so nothing can be selected, filtered or ordered",
    ))
}

impl Arguments {
    fn names(&self) -> impl Iterator<Item = &Name> {
        let named: &[(Name, ValueRef)] = match self {
            Self::Named(named) | Self::Object { named, .. } => named,
            Self::Body { .. } => &[],
        };
        named.iter().map(|(name, _)| name)
    }

    /// Which unnamed parameter would do.
    fn body_media(&self) -> Option<BodyMedia> {
        match self {
            Self::Named(_) => None,
            Self::Object { .. } => Some(BodyMedia::Json),
            Self::Body { media, .. } => Some(*media),
        }
    }
}

fn takes_names(function: &Function, named: &[(Name, ValueRef)]) -> bool {
    let given = |argument: &Argument| named.iter().any(|(name, _)| *name == argument.name);
    named.iter().all(|(name, _)| function.arguments.iter().any(|a| a.name == *name && !name.is_empty()))
        && function.arguments.iter().all(|a| a.has_default || given(a))
}

/// Whether the one parameter has no name, and this body gives it the empty one. Clients of PostgREST generate such
/// calls; the function gets the whole body.
fn takes_nameless(function: &Function, named: &[(Name, ValueRef)]) -> bool {
    let nameless = matches!(function.arguments.as_slice(), [argument] if argument.name.is_empty());
    nameless && matches!(named, [(name, _)] if name.is_empty())
}

fn takes_body(function: &Function, media: BodyMedia) -> bool {
    let [argument] = function.arguments.as_slice() else { return false };
    let fits = match media {
        BodyMedia::Json => matches!(argument.type_oid, 114 | 3802),
        BodyMedia::Text => argument.type_oid == 25,
        BodyMedia::Xml => argument.type_oid == 142,
        BodyMedia::Bytes => argument.type_oid == 17,
    };
    argument.name.is_empty() && fits
}

fn signature(function: &Function) -> String {
    let arguments: Vec<String> = function
        .arguments
        .iter()
        .map(|a| format!("{} {}{}", a.name, a.type_name, if a.has_default { " (optional)" } else { "" }))
        .collect();
    format!("{}({})", function.name, arguments.join(", "))
}

/// 300 in the PostgREST dialect.
fn ambiguous(name: &str, several: &[&Function]) -> Problem {
    let called = |function: &Function| {
        let arguments: Vec<String> =
            function.arguments.iter().map(|a| format!("{} => {}", a.name, a.type_name)).collect();
        format!("{}.{}({})", function.schema, function.name, arguments.join(", "))
    };
    let problem = Problem::new(&AMBIGUOUS_FUNCTION)
        .detail(format!("More than one function {name:?} takes these arguments"))
        .hint("Give the overloads different argument names")
        .caused_by(Fault::ManyFunctions { candidates: several.iter().map(|f| called(f)).collect() });
    let fault = "takes these arguments";
    several.iter().fold(problem, |problem, function| problem.field(signature(function), fault))
}

fn offered<'a>(function: &'a Function, node: &Node) -> Offered<'a> {
    match function.returns {
        Returns::Scalar { set: false, .. } => Offered { relation: None, whole: true, scalar: Some(function) },
        Returns::Row { relation, .. } => Offered::rows(relation, node),
        _ => Offered::rows(None, node),
    }
}

fn hoisted(function: &Function) -> Vec<(String, String)> {
    function
        .settings
        .iter()
        .filter(|(name, _)| HOISTED.contains(&&**name))
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}
