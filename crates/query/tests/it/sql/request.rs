//! Requests as tests write them.

use std::sync::Arc;

use bedplate_query::limits::Limits;
use bedplate_query::request::{
    Arguments, Call, Conflict, ConflictAction, Count, Delete, Insert, Name, Node, Parent, Read, Returning,
    Rows, Style, Target, Update,
};
use bedplate_query::syntax::{self, Options};
use bedplate_query::{Operation, Request, Value, Values};

pub fn target(name: &str) -> Target {
    Target { schema: None, name: name.into() }
}

fn parse(query: &str, options: &Options) -> (Node, Values) {
    let parsed =
        syntax::parse(query, &Limits::default(), options).unwrap_or_else(|e| panic!("{query}: {e:?}"));
    (parsed.node, parsed.values)
}

/// `users/1/posts?select=…`; `count=exact` among the query is taken out.
pub fn get(request: &str) -> Request {
    styled(request, Style::NATIVE, &Options::NATIVE)
}

pub fn postgrest(request: &str) -> Request {
    styled(request, Style::POSTGREST, &Options::POSTGREST)
}

fn styled(request: &str, style: Style, options: &Options) -> Request {
    let (path, query) = request.split_once('?').unwrap_or((request, ""));
    let count = query.split('&').find_map(|part| match part {
        "count=exact" => Some(Count::Exact),
        "count=planned" => Some(Count::Planned),
        "count=estimated" => Some(Count::Estimated),
        _ => None,
    });
    let query: Vec<&str> = query.split('&').filter(|part| !part.starts_with("count=")).collect();
    let (node, mut values) = parse(&query.join("&"), options);
    let (parents, name) = path_of(path, &mut values);
    Request { operation: Operation::Read(Read { target: target(name), parents, node, count, style }), values }
}

fn path_of<'p>(path: &'p str, values: &mut Values) -> (Vec<Parent>, &'p str) {
    let parts: Vec<&str> = path.split('/').collect();
    let (name, above) = parts.split_last().unwrap();
    let parents = above.chunks(2).map(|pair| {
        let key = pair[1].split(',').map(|part| values.push(Value::Text(part.into())).unwrap()).collect();
        let (name, hint) = pair[0].split_once('!').map_or((pair[0], None), |(n, h)| (n, Some(h.into())));
        Parent { target: target(name), key, hint }
    });
    (parents.collect(), name)
}

pub struct Write {
    pub values: Values,
    pub node: Node,
}

/// `Returning::Rows` of a select string.
pub fn returning(query: &str) -> Write {
    let (node, values) = parse(query, &Options::NATIVE);
    Write { values, node }
}

pub fn insert(path: &str, body: &str, query: &str) -> Request {
    insert_with(path, body, query, |_| {})
}

/// A body that is an object is one row, an array is many.
pub fn insert_with(path: &str, body: &str, query: &str, change: impl FnOnce(&mut Insert)) -> Request {
    let Write { mut values, node } = returning(query);
    let (parents, name) = path_of(path, &mut values);
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    let rows = if let serde_json::Value::Array(items) = &json {
        let mut columns: Vec<Name> = Vec::new();
        for key in items.iter().flat_map(|item| item.as_object().unwrap().keys()) {
            if !columns.iter().any(|c| **c == **key) {
                columns.push(key.as_str().into());
            }
        }
        let body = values.push(Value::Json(body.into())).unwrap();
        Rows::Many { columns, body, matching: Vec::new() }
    } else {
        Rows::One(fields(&json, &mut values))
    };
    let mut insert = Insert {
        target: target(name),
        parents,
        rows,
        conflict: None,
        missing_default: true,
        returning: Returning::Rows(node),
        style: Style::NATIVE,
    };
    change(&mut insert);
    Request { operation: Operation::Insert(insert), values }
}

pub fn on_conflict(action: ConflictAction, columns: &[&str]) -> Conflict {
    Conflict { columns: columns.iter().map(|c| Arc::from(*c)).collect(), action }
}

fn fields(json: &serde_json::Value, values: &mut Values) -> Vec<(Name, bedplate_query::ValueRef)> {
    let object = json.as_object().unwrap();
    object
        .iter()
        .map(|(key, value)| {
            (key.as_str().into(), values.push(Value::Json(value.to_string().into())).unwrap())
        })
        .collect()
}

/// Filters of the query choose the rows, its select the answer.
pub fn update(name: &str, body: &str, query: &str) -> Request {
    let Write { mut values, mut node } = returning(query);
    let set = fields(&serde_json::from_str(body).unwrap(), &mut values);
    let filters = std::mem::take(&mut node.filters);
    let returning = Returning::Rows(node);
    let reset = Vec::new();
    let update = Update { target: target(name), set, reset, filters, returning, style: Style::NATIVE };
    Request { operation: Operation::Update(update), values }
}

pub fn delete(name: &str, query: &str) -> Request {
    let Write { values, mut node } = returning(query);
    let filters = std::mem::take(&mut node.filters);
    let returning = Returning::Rows(node);
    Request {
        operation: Operation::Delete(Delete {
            target: target(name),
            filters,
            returning,
            style: Style::NATIVE,
        }),
        values,
    }
}

pub fn call(name: &str, arguments: &str, query: &str) -> Request {
    let Write { mut values, node } = returning(query);
    let named = fields(&serde_json::from_str(arguments).unwrap(), &mut values);
    let body = values.push(Value::Json(arguments.into())).unwrap();
    let call = Call {
        function: target(name),
        arguments: Arguments::Object { named, body },
        node,
        count: None,
        read_only: false,
        style: Style::NATIVE,
    };
    Request { operation: Operation::Call(call), values }
}
