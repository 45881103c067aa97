//! Types: how they are written in a cast, how their values become JSON, how JSON becomes them.

use std::sync::Arc;

use bedplate_core::Problem;

use super::planner::Planner;
use super::tree::{Coding, Qualified, TypeName};
use crate::catalog::{Function, Oid, Type, TypeKind};
use crate::fault::Fault;
use crate::gate::Verb;
use crate::output::Codec;
use crate::pgtext::Target;
use crate::problems::QUERY_SYNTAX;

/// PostgreSQL's own types that a request may name in a cast: oid, the name we write, other spellings.
/// `reg*` types are left out on purpose: they would turn numbers into names of objects.
const BUILTIN: &[(Oid, &str, &[&str])] = &[
    (16, "bool", &["boolean"]),
    (17, "bytea", &[]),
    (20, "int8", &["bigint"]),
    (21, "int2", &["smallint"]),
    (23, "int4", &["int", "integer"]),
    (25, "text", &[]),
    (26, "oid", &[]),
    (114, "json", &[]),
    (142, "xml", &[]),
    (600, "point", &[]),
    (700, "float4", &["real"]),
    (701, "float8", &["float", "double precision"]),
    (790, "money", &[]),
    (829, "macaddr", &[]),
    (869, "inet", &[]),
    (650, "cidr", &[]),
    (1042, "bpchar", &["char", "character"]),
    (1043, "varchar", &["character varying"]),
    (1082, "date", &[]),
    (1083, "time", &["time without time zone"]),
    (1114, "timestamp", &["timestamp without time zone"]),
    (1184, "timestamptz", &["timestamp with time zone"]),
    (1186, "interval", &[]),
    (1266, "timetz", &["time with time zone"]),
    (1560, "bit", &[]),
    (1562, "varbit", &["bit varying"]),
    (1700, "numeric", &["decimal", "dec"]),
    (2950, "uuid", &[]),
    (3614, "tsvector", &[]),
    (3615, "tsquery", &[]),
    (3802, "jsonb", &[]),
    (3904, "int4range", &[]),
    (3906, "numrange", &[]),
    (3908, "tsrange", &[]),
    (3910, "tstzrange", &[]),
    (3912, "daterange", &[]),
    (3926, "int8range", &[]),
    (4072, "jsonpath", &[]),
];

/// Array types of the above that requests name: element, array.
const BUILTIN_ARRAYS: &[(Oid, Oid)] = &[
    (16, 1000),
    (17, 1001),
    (20, 1016),
    (21, 1005),
    (23, 1007),
    (25, 1009),
    (26, 1028),
    (114, 199),
    (700, 1021),
    (701, 1022),
    (869, 1041),
    (1042, 1014),
    (1043, 1015),
    (1082, 1182),
    (1083, 1183),
    (1114, 1115),
    (1184, 1185),
    (1186, 1187),
    (1266, 1270),
    (1700, 1231),
    (2950, 2951),
    (3802, 3807),
];

pub(super) mod oid {
    use crate::catalog::Oid;
    pub const BOOL: Oid = 16;
    pub const INT8: Oid = 20;
    pub const INT2: Oid = 21;
    pub const INT4: Oid = 23;
    pub const TEXT: Oid = 25;
    pub const JSON: Oid = 114;
    pub const XML: Oid = 142;
    pub const FLOAT4: Oid = 700;
    pub const FLOAT8: Oid = 701;
    pub const MONEY: Oid = 790;
    pub const INTERVAL: Oid = 1186;
    pub const NUMERIC: Oid = 1700;
    /// The pseudo-type of rows whose columns are not known before they come.
    pub const RECORD: Oid = 2249;
    pub const TSVECTOR: Oid = 3614;
    pub const JSONB: Oid = 3802;
    /// The first oid of objects that are not PostgreSQL's own (`FirstNormalObjectId`).
    pub const FIRST_USER: Oid = 16384;
    /// Not known here; everything is left to PostgreSQL.
    pub const UNKNOWN: Oid = 0;
}

fn builtin_array(array: Oid) -> Option<Oid> {
    BUILTIN_ARRAYS.iter().find(|(_, a)| *a == array).map(|(element, _)| *element)
}

impl<'a> Planner<'a> {
    pub(super) fn type_of(&self, oid: Oid) -> Option<&'a Type> {
        self.catalog.types.get(&oid)
    }

    /// The type below domains.
    pub(super) fn base_type(&self, oid: Oid) -> Oid {
        let mut at = oid;
        while let Some(TypeKind::Domain { base, .. }) = self.type_of(at).map(|t| &t.kind) {
            at = *base;
        }
        at
    }

    /// The element type, when it is an array.
    pub(super) fn element(&self, oid: Oid) -> Option<Oid> {
        match self.type_of(oid).map(|t| &t.kind) {
            Some(TypeKind::Array(element)) => Some(*element),
            Some(_) => None,
            None => builtin_array(oid),
        }
    }

    /// How it is written in a cast.
    pub(super) fn type_name(&self, type_oid: Oid) -> Result<TypeName, Problem> {
        if let Some((_, name, _)) = BUILTIN.iter().find(|(o, ..)| *o == type_oid) {
            return Ok(TypeName::Builtin(name));
        }
        if let Some(element) = self.element(type_oid) {
            return Ok(TypeName::Array(Box::new(self.type_name(element)?)));
        }
        match self.type_of(type_oid) {
            Some(t) => Ok(TypeName::Named(Qualified { schema: t.schema.clone(), name: t.name.clone() })),
            None => Err(Problem::internal_error(format!("type {type_oid} is not in the catalog snapshot"))),
        }
    }

    /// The type that a request names in `::type`.
    pub(super) fn named_type(&self, name: &str) -> Result<(Oid, TypeName), Problem> {
        let unknown = || {
            Problem::new(&QUERY_SYNTAX)
                .detail(format!("There is no type {name:?} to cast to"))
                .hint("Use a type's plain name, as in ::text or ::numeric[]; schema.type for your own")
                .caused_by(Fault::UnknownType { name: name.into() })
        };
        let mut plain = name.trim();
        let mut is_array = false;
        if let Some(element) = plain.strip_suffix("[]") {
            plain = element.trim_end();
            is_array = true;
        } else if let Some(element) = plain.strip_prefix('_').filter(|e| self.plain_type(e).is_some()) {
            // PostgreSQL's own names of array types.
            plain = element;
            is_array = true;
        }
        let found = self.plain_type(plain).ok_or_else(unknown)?;
        if !is_array {
            return Ok((found, self.type_name(found)?));
        }
        let array = BUILTIN_ARRAYS.iter().find(|(e, _)| *e == found).map(|(_, a)| *a).or_else(|| {
            self.catalog.types.values().find(|t| t.kind == TypeKind::Array(found)).map(|t| t.oid)
        });
        Ok((array.unwrap_or(oid::UNKNOWN), TypeName::Array(Box::new(self.type_name(found)?))))
    }

    fn plain_type(&self, name: &str) -> Option<Oid> {
        let lower = name.to_ascii_lowercase();
        let builtin = BUILTIN.iter().find(|(_, n, also)| *n == lower || also.contains(&lower.as_str()));
        if let Some((oid, ..)) = builtin {
            return Some(*oid);
        }
        // Only types of schemas that callers may know of.
        let mut schemas = self.catalog.schemas.iter().map(|s| s.as_str()).chain(["public", "extensions"]);
        match name.split_once('.') {
            Some((schema, name)) => schemas.find(|s| *s == schema).and_then(|s| self.type_in(s, name)),
            None => schemas.find_map(|schema| self.type_in(schema, name)),
        }
    }

    fn type_in(&self, schema: &str, name: &str) -> Option<Oid> {
        let own = |t: &&Type| t.oid >= oid::FIRST_USER && !matches!(t.kind, TypeKind::Pseudo);
        self.catalog
            .types
            .values()
            .filter(own)
            .find(|t| t.schema.as_str() == schema && t.name.as_str() == name)
            .map(|t| t.oid)
            .filter(|oid| self.may_name(*oid))
    }

    /// The row type of a relation that the role may not read is as absent as the relation.
    fn may_name(&self, type_oid: Oid) -> bool {
        match self.catalog.row_types.get(&self.element(type_oid).unwrap_or(type_oid)) {
            Some(relation) => self.gate.relation(self.catalog, self.role, *relation, Verb::Select).is_ok(),
            None => true,
        }
    }

    /// How a value of this type becomes the JSON that `to_json` gives for it.
    pub(super) fn coding(&self, type_oid: Oid) -> Coding {
        let base = self.base_type(type_oid);
        if let Some(codec) = wire_codec(base) {
            let zoned = codec == Codec::Timestamptz && self.is_zoned();
            return if zoned { Coding::ToJson } else { Coding::Wire(codec) };
        }
        let Some(known) = self.type_of(base) else { return Coding::ToJson };
        match &known.kind {
            TypeKind::Enum(_) => Coding::Wire(Codec::String),
            TypeKind::Range(_) | TypeKind::Multirange(_) => Coding::Wire(Codec::Quoted),
            // A type of an extension may have a cast to json that `to_json` uses (hstore has). These have none.
            TypeKind::Base if base >= oid::FIRST_USER => match known.name.as_str() {
                "citext" => Coding::Wire(Codec::String),
                "vector" | "halfvec" | "sparsevec" | "ltree" => Coding::Wire(Codec::Quoted),
                _ => Coding::ToJson,
            },
            // int2vector and oidvector are arrays to json.
            TypeKind::Base if known.category == 'A' => Coding::ToJson,
            TypeKind::Base => Coding::Wire(Codec::Quoted),
            TypeKind::Domain { .. } | TypeKind::Composite(_) | TypeKind::Array(_) | TypeKind::Pseudo => {
                Coding::ToJson
            }
        }
    }

    /// What JSON of a body must become for this type.
    pub(super) fn target(&self, type_oid: Oid) -> Target {
        let base = self.base_type(type_oid);
        if matches!(base, oid::JSON | oid::JSONB) {
            return Target::Json;
        }
        if let Some(element) = self.element(base) {
            return Target::Array(Arc::new(self.target(element)));
        }
        match self.type_of(base).map(|t| &t.kind) {
            Some(TypeKind::Composite(fields)) => {
                Target::Composite(fields.iter().map(|(n, t)| (n.clone(), self.target(*t))).collect())
            }
            _ => Target::Scalar,
        }
    }

    /// The functions that stand for a domain's representation: to json, from json, from text.
    pub(super) fn representation(&self, type_oid: Oid) -> [Option<Qualified>; 3] {
        let Some(TypeKind::Domain { to_json, from_json, from_text, .. }) =
            self.type_of(type_oid).map(|t| &t.kind)
        else {
            return [None, None, None];
        };
        let find = |oid: &Option<Oid>| {
            let function = oid.and_then(|oid| self.catalog.functions.iter().find(|f| f.oid == oid));
            function.map(|f: &Function| Qualified { schema: f.schema.clone(), name: f.name.clone() })
        };
        [find(to_json), find(from_json), find(from_text)]
    }
}

fn wire_codec(base: Oid) -> Option<Codec> {
    Some(match base {
        oid::BOOL => Codec::Bool,
        17 => Codec::Bytea,
        oid::INT8 => Codec::Int8,
        oid::INT2 => Codec::Int2,
        oid::INT4 => Codec::Int4,
        18 | 19 | oid::TEXT | oid::XML | 1042 | 1043 => Codec::String,
        oid::JSON => Codec::Json,
        oid::FLOAT4 => Codec::Float4,
        oid::FLOAT8 => Codec::Float8,
        1082 => Codec::Date,
        1114 => Codec::Timestamp,
        1184 => Codec::Timestamptz,
        oid::NUMERIC => Codec::Number,
        2950 => Codec::Uuid,
        oid::JSONB => Codec::Jsonb,
        // json quotes these: they are no numbers to it.
        26 | oid::MONEY | oid::INTERVAL | 1083 | 1266 => Codec::Quoted,
        _ => return None,
    })
}
