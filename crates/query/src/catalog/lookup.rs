//! Finding things in a catalog.

use std::sync::Arc;

use super::model::*;
use crate::ident::Ident;
use crate::media::Media;

impl Catalog {
    pub fn relation(&self, id: RelationId) -> &Relation {
        &self.relations[id.0 as usize]
    }

    pub fn column(&self, relation: RelationId, column: ColumnId) -> &Column {
        &self.relation(relation).columns[column.0 as usize]
    }

    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.0 as usize]
    }

    pub fn role(&self, id: RoleId) -> Option<&Role> {
        self.roles.get(id.0 as usize)
    }

    pub fn relationships(&self, id: RelationId) -> &[Relationship] {
        self.relationships.get(id.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether front doors serve objects of the schema.
    pub fn is_served_schema(&self, schema: &str) -> bool {
        self.schemas.iter().any(|s| s.as_str() == schema)
    }

    /// Whether the relation is a resource: in a served schema, and no partition of another table.
    pub fn is_resource(&self, id: RelationId) -> bool {
        let relation = self.relation(id);
        !relation.is_partition && self.is_served_schema(relation.schema.as_str())
    }

    /// A resource by name; without a schema the first served schema that has it. What is not a resource is not found.
    pub fn find_relation(&self, schema: Option<&str>, name: &str) -> Option<RelationId> {
        let id = self.first(schema, |schema| self.find_any_relation(schema, name))?;
        self.is_resource(id).then_some(id)
    }

    /// Any relation that is known, served or not.
    pub fn find_any_relation(&self, schema: &str, name: &str) -> Option<RelationId> {
        self.relation_names.get(&key(schema, name)).copied()
    }

    /// The overloads of a function in a served schema; without a schema those of the first served schema that has one.
    pub fn find_functions(&self, schema: Option<&str>, name: &str) -> &[FunctionId] {
        let found = self.first(schema, |schema| self.function_names.get(&key(schema, name)));
        found.map_or(&[], Vec::as_slice)
    }

    /// The function `name(row of the relation)`: a computed column or relationship. Looked for in the relation's schema
    /// first, then in the served ones.
    pub fn find_row_function(&self, relation: RelationId, name: &str) -> Option<FunctionId> {
        let home = self.relation(relation);
        let schemas = std::iter::once(&home.schema).chain(&self.schemas);
        let overloads = schemas.filter_map(|s| self.function_names.get(&(s.shared(), name.into()))).flatten();
        overloads.copied().find(|id| {
            let arguments = &self.function(*id).arguments;
            arguments.len() == 1 && arguments[0].type_oid == home.row_type
        })
    }

    pub fn find_column(&self, relation: RelationId, name: &str) -> Option<ColumnId> {
        self.relation(relation).column_names.get(name).copied()
    }

    pub fn find_role(&self, name: &str) -> Option<RoleId> {
        self.role_names.get(name).copied()
    }

    /// The aggregate that makes a representation of rows of the relation, or (`None`) of any rows.
    pub fn find_media_handler(&self, of: Option<RelationId>, media: &Media) -> Option<&MediaHandler> {
        self.media_handlers.get(&(of, media.clone()))
    }

    /// `None` for row types that nothing refers to and for those of PostgreSQL's own catalogs.
    pub fn type_of(&self, oid: Oid) -> Option<&Type> {
        self.types.get(&oid)
    }

    /// The type under all domains.
    pub fn base_type(&self, oid: Oid) -> Option<&Type> {
        let mut found = self.type_of(oid)?;
        while let TypeKind::Domain { base, .. } = &found.kind {
            found = self.type_of(*base)?;
        }
        Some(found)
    }

    fn first<T>(&self, schema: Option<&str>, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        match schema {
            Some(schema) => self.is_served_schema(schema).then(|| find(schema)).flatten(),
            None => self.schemas.iter().map(Ident::as_str).find_map(find),
        }
    }
}

fn key(schema: &str, name: &str) -> (Arc<str>, Arc<str>) {
    (schema.into(), name.into())
}
