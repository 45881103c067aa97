//! PostgreSQL's types as JSON carries them.

use bedplate_query::catalog::{Catalog, Oid, RelationKind, Type, TypeKind};

use super::model::{Named, Ty};

/// The catalog, and the schemas that are written.
pub(crate) struct Scope<'a> {
    pub catalog: &'a Catalog,
    pub schemas: &'a [&'a str],
}

impl Scope<'_> {
    pub(crate) fn writes(&self, schema: &str) -> bool {
        self.schemas.contains(&schema)
    }

    /// The JSON of a value of the type; domains are what they are made of.
    pub(crate) fn ty(&self, oid: Oid) -> Ty {
        let Some(found) = self.catalog.type_of(oid) else { return Ty::Unknown };
        match &found.kind {
            TypeKind::Base => base(found),
            TypeKind::Enum(_) if self.writes(found.schema.as_str()) => Ty::Enum(named(found)),
            TypeKind::Enum(labels) => Ty::Labels(labels.clone()),
            // A cast of the domain decides what JSON looks like, and casts can do anything.
            TypeKind::Domain { to_json, from_json, .. } if to_json.is_some() || from_json.is_some() => {
                Ty::Unknown
            }
            TypeKind::Domain { base, .. } => self.ty(*base),
            TypeKind::Composite(_) => self.composite(found),
            TypeKind::Array(element) => Ty::Array(Box::new(self.ty(*element))),
            TypeKind::Range(_) | TypeKind::Multirange(_) => Ty::OtherText,
            TypeKind::Pseudo if found.name.as_str() == "void" => Ty::Void,
            TypeKind::Pseudo if found.name.as_str() == "record" => Ty::Record,
            TypeKind::Pseudo => Ty::Unknown,
        }
    }

    fn composite(&self, found: &Type) -> Ty {
        if !self.writes(found.schema.as_str()) {
            return Ty::Unknown;
        }
        match self.catalog.row_types.get(&found.oid) {
            None => Ty::Composite(named(found)),
            Some(id) if !self.catalog.is_resource(*id) || self.catalog.relation(*id).extension => Ty::Unknown,
            Some(id) => Ty::Row { of: named(found), view: is_view(self.catalog.relation(*id).kind) },
        }
    }
}

pub(crate) fn is_view(kind: RelationKind) -> bool {
    matches!(kind, RelationKind::View | RelationKind::MaterializedView)
}

fn named(found: &Type) -> Named {
    Named { schema: found.schema.as_str().to_owned(), name: found.name.as_str().to_owned() }
}

/// By name, as the types of extensions have no fixed number.
fn base(found: &Type) -> Ty {
    match found.name.as_str() {
        "bool" => Ty::Bool,
        "int2" => Ty::Int2,
        "int4" => Ty::Int4,
        "int8" => Ty::Int8,
        "float4" => Ty::Float4,
        "float8" => Ty::Float8,
        "numeric" => Ty::Numeric,
        "uuid" => Ty::Uuid,
        "date" => Ty::Date,
        "time" => Ty::Time,
        "timestamp" => Ty::Timestamp,
        "timestamptz" => Ty::Timestamptz,
        "json" | "jsonb" => Ty::Json,
        "bytea" | "bpchar" | "varchar" | "text" | "citext" | "timetz" | "interval" | "vector" => Ty::Text,
        // Arrays to PostgreSQL's own eyes, but not by their entry in the catalog.
        "int2vector" | "oidvector" => Ty::Unknown,
        // What JSON has no form for becomes a text, unless an extension says otherwise by a cast.
        _ if found.schema.as_str() == "pg_catalog" => Ty::OtherText,
        _ => Ty::Unknown,
    }
}
