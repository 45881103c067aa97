//! Functions as `rpc()` reads them: `{ Args, Returns, SetofOptions? }`, one of them for each overload.

use super::super::model::*;
use super::syntax::{Member, Type};
use super::{shape, ty};

pub(super) fn overloads(found: &Overloads) -> Member {
    let comments: Vec<&str> = found.functions.iter().filter_map(|f| f.comment.as_deref()).collect();
    let comment = (!comments.is_empty()).then(|| comments.join("\n\n"));
    let ty = match found.functions.as_slice() {
        [only] => function(only),
        many => Type::Union(many.iter().map(function).collect()),
    };
    Member::new(&found.name, ty).comment(comment.as_deref())
}

fn function(function: &Function) -> Type {
    let mut members =
        vec![Member::new("Args", arguments(function)), Member::new("Returns", returns(function))];
    members.extend(function.rows.as_ref().map(|rows| Member::new("SetofOptions", options(rows))));
    Type::Object { members, open: false }
}

fn arguments(function: &Function) -> Type {
    if function.arguments.is_empty() {
        // Not `never`: that is assignable to everything, and supabase-js would take it for a row.
        return Type::word("Record<PropertyKey, never>");
    }
    let argument = |a: &Argument| Member::new(&a.name, ty(&a.ty)).optional(a.optional);
    Type::Object { members: function.arguments.iter().map(argument).collect(), open: false }
}

fn returns(function: &Function) -> Type {
    let single = match &function.refusal {
        // supabase-js shows the text in place of a result.
        Some(why) => Type::Both(
            Box::new(Type::Object { members: vec![Member::new("error", Type::word("true"))], open: false }),
            Box::new(Type::literal(why)),
        ),
        None => shape(&function.shape),
    };
    if function.list { Type::Array(Box::new(single)) } else { single }
}

fn options(rows: &Rows) -> Type {
    Type::open(vec![
        Member::new("from", Type::literal(&rows.from)),
        Member::new("to", Type::literal(&rows.to)),
        Member::new("isOneToOne", Type::word(rows.one_to_one.to_string())),
        Member::new("isSetofReturn", Type::word(rows.set.to_string())),
    ])
}
