//! Tables and views: lists, single rows, and both below rows of another resource.

use bedplate_query::catalog::{ColumnId, Relation, RelationId};
use bedplate_query::contract::{Record, Source, sample, schema, source};
use bedplate_query::gate::Verb;
use bedplate_query::plan::below;
use serde_json::{Map, Value, json};

use super::answers::{READ, WRITE, answers, body, data, empty, reference, tagged, unchanged};
use super::names::{Names, plain, segment};
use super::{Resource, Scope, parameters};
use crate::{PREFIX, paging};

/// All resources of one description.
pub(super) struct Resources<'a> {
    pub scope: Scope<'a>,
    pub names: &'a Names,
    /// By name.
    pub all: &'a [Resource],
    /// The parameters of lists.
    pub list: Vec<Value>,
}

/// Whether a column that the path says may stand in the body too, with the same value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    Never,
    Perhaps,
}

/// A path, and what names its rows.
struct Place {
    path: String,
    parameters: Vec<Value>,
    /// Before the operations' ids.
    prefix: String,
}

impl<'a> Resources<'a> {
    fn relation(&self, id: RelationId) -> &'a Relation {
        self.scope.catalog.relation(id)
    }

    fn record(&self, id: RelationId, verb: Verb) -> Record<'a> {
        Record::new(self.scope.catalog, Some(self.scope.role), id, verb)
    }

    /// The key that the role can name rows by.
    fn key(&self, id: RelationId) -> Option<&'a [ColumnId]> {
        let key = &self.relation(id).primary_key;
        let record = self.record(id, Verb::Select);
        (!key.is_empty() && key.iter().all(|column| record.reads(*column))).then_some(key.as_slice())
    }

    /// Whether the database makes the key, so that nobody else can give one.
    fn makes_its_keys(&self, id: RelationId) -> bool {
        let relation = self.relation(id);
        relation.primary_key.iter().any(|at| source(&relation.columns[at.0 as usize]) == Source::Made)
    }

    /// The resource's paths: its list, its rows, and the lists of what belongs to them.
    pub fn paths(&self, resource: Resource) -> Vec<(String, Value)> {
        let name = self.scope.name(resource.id);
        let top = Place {
            path: format!("{PREFIX}/{}", segment(name)),
            parameters: Vec::new(),
            prefix: self.names.of(resource.id).to_owned(),
        };
        let mut paths = Vec::new();
        paths.extend(self.collection(resource, &top, None));
        let Some(key) = self.key(resource.id) else { return paths };
        let row = self.row_of(resource.id, key, &top, "");
        paths.extend(self.single(resource, &row));
        if resource.allows(Verb::Select) {
            for child in self.related(resource.id) {
                paths.extend(self.nested(resource.id, child, &top, key));
            }
        }
        paths
    }

    /// The resources that a relationship leads to, by name, each once.
    fn related(&self, id: RelationId) -> Vec<Resource> {
        let mut targets: Vec<RelationId> =
            self.scope.catalog.relationships(id).iter().map(|way| way.target).collect();
        targets.sort_by(|a, b| self.scope.name(*a).cmp(self.scope.name(*b)).then(a.cmp(b)));
        targets.dedup();
        let place = |id: &RelationId| {
            let name = self.scope.name(*id);
            let at = self.all.binary_search_by(|known| self.scope.name(known.id).cmp(name)).ok()?;
            Some(self.all[at]).filter(|known| known.id == *id)
        };
        targets.iter().filter_map(place).collect()
    }

    /// `/parents/{key}/children` and `/parents/{key}/children/{key}`.
    fn nested(
        &self,
        parent: RelationId,
        child: Resource,
        top: &Place,
        key: &[ColumnId],
    ) -> Vec<(String, Value)> {
        let Scope { catalog, gate, limits, role, .. } = self.scope;
        let Some(found) = below(catalog, role, gate, limits, parent, child.id) else { return Vec::new() };
        let above = self.row_of(parent, key, top, &format!("{}_", plain(self.scope.name(parent))));
        let place = Place {
            path: format!("{}/{}", above.path, segment(self.scope.name(child.id))),
            parameters: above.parameters,
            prefix: format!("{}.{}", top.prefix, self.names.of(child.id)),
        };
        let mut paths: Vec<(String, Value)> = self
            .collection(child, &place, Some(found.filled.as_deref().filter(|_| found.creates)))
            .into_iter()
            .collect();
        if let Some(key) = self.key(child.id).filter(|_| child.allows(Verb::Select)) {
            let row = self.row_of(child.id, key, &place, "");
            let item = json!({ "parameters": row.parameters, "get": self.get(child, &row) });
            paths.push((row.path, item));
        }
        paths
    }

    /// The place of one row: `{id}`, or `{a},{b}`.
    fn row_of(&self, id: RelationId, key: &[ColumnId], list: &Place, prefix: &str) -> Place {
        let relation = self.relation(id);
        let mut parameters = list.parameters.clone();
        let mut names = Vec::new();
        for at in key {
            let column = &relation.columns[at.0 as usize];
            let mut name = format!("{prefix}{}", plain(column.name.as_str()));
            while parameters.iter().any(|known| known["name"] == name.as_str()) {
                name.push('_');
            }
            let mut parameter = json!({
                "name": name, "in": "path", "required": true,
                "schema": schema::column(self.scope.catalog, id, *at),
            });
            if let Some(example) = sample::column(self.scope.catalog, id, *at) {
                parameter["example"] = example;
            }
            // An empty segment names nothing.
            if parameter["schema"]["type"] == "string" {
                parameter["schema"]["minLength"] = 1.into();
            }
            parameters.push(parameter);
            names.push(format!("{{{name}}}"));
        }
        Place { path: format!("{}/{}", list.path, names.join(",")), parameters, prefix: list.prefix.clone() }
    }

    /// List and create. `below`: under a parent, with the columns that it fills, where new rows can be made.
    fn collection(
        &self,
        resource: Resource,
        place: &Place,
        below: Option<Option<&[ColumnId]>>,
    ) -> Option<(String, Value)> {
        let mut item = Map::new();
        if !place.parameters.is_empty() {
            item.insert("parameters".to_owned(), place.parameters.clone().into());
        }
        if resource.allows(Verb::Select) {
            item.insert("get".to_owned(), self.list(resource, place));
        }
        let creates = below.is_none_or(|filled| filled.is_some());
        if resource.allows(Verb::Insert) && creates {
            item.insert("post".to_owned(), self.create(resource, place, below.flatten()));
        }
        let any = item.contains_key("get") || item.contains_key("post");
        any.then(|| (place.path.clone(), item.into()))
    }

    fn operation(&self, resource: Resource, place: &Place, verb: &str, summary: &str) -> Value {
        let relation = self.relation(resource.id);
        json!({
            "tags": [relation.name.as_str()],
            "operationId": format!("{}.{verb}", place.prefix),
            "summary": format!("{summary} {}", relation.name.as_str()),
        })
    }

    fn list(&self, resource: Resource, place: &Place) -> Value {
        let mut operation = self.operation(resource, place, "list", "Lists");
        let mut all = self.list.clone();
        // Below a parent they are the same; once is enough where there are thousands of resources.
        if place.parameters.is_empty() {
            all.extend(self.filters(resource.id));
        } else {
            operation["description"] = "Filters on columns as in the list of all.".into();
        }
        operation["parameters"] = all.into();
        let mut page = data(json!({ "type": "array", "items": reference(self.names.of(resource.id)) }));
        page["required"] = json!(["data", "meta"]);
        page["properties"]["meta"] = reference("Meta");
        let mut good = body("A page.", page);
        good["headers"] = json!({ "Link": { "$ref": "#/components/headers/Link" } });
        operation["responses"] = answers(self.scope, vec![("200", tagged(good)), unchanged()], &[READ]);
        operation
    }

    /// A filter for each column, and the keys of a page by keyset.
    fn filters(&self, id: RelationId) -> Vec<Value> {
        let record = self.record(id, Verb::Select);
        let mut all = Vec::new();
        for (at, column) in record.columns().filter(|(at, _)| record.reads(*at)) {
            let Some(name) = key_of(column.name.as_str()) else { continue };
            all.push(json!({
                "name": name, "in": "query", "schema": reference("Filter"),
                "example": sample::filter(self.scope.catalog, column),
            }));
            if self.key(id).is_some_and(|key| key.contains(&at)) {
                all.push(json!({
                    "name": format!("after_{}", column.name.as_str()), "in": "query",
                    "schema": reference("After"),
                }));
            }
        }
        all
    }

    fn create(&self, resource: Resource, place: &Place, filled: Option<&[ColumnId]>) -> Value {
        let mut operation = self.operation(resource, place, "create", "Creates");
        operation["parameters"] = parameters::references(parameters::WRITE).into();
        let name = self.names.of(resource.id);
        let one = match filled {
            None => reference(&format!("{name}.create")),
            Some(columns) => self.without(resource.id, columns, Given::Never),
        };
        let many = json!({ "type": "array", "items": one, "maxItems": self.scope.limits.write_rows });
        let mut media = json!({ "schema": { "oneOf": [one, many] } });
        if let Some(example) = sample::record(&self.record(resource.id, Verb::Insert)) {
            let example = self.leave_out(example, resource.id, filled.unwrap_or_default());
            media["examples"] = json!({ "one": { "value": example }, "many": { "value": [example] } });
        }
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": media } });
        let row = reference(name);
        let mut good = Vec::new();
        if resource.allows(Verb::Select) {
            let rows = json!({ "type": "array", "items": row });
            let mut made = body(
                "Created. Without a body where Prefer: return=minimal was sent.",
                data(json!({ "oneOf": [row, rows] })),
            );
            made["headers"] = json!({ "Location": { "$ref": "#/components/headers/Location" } });
            good.push(("201", made));
        } else {
            good.push(("201", empty("Created. What was created is not for this caller to read.")));
        }
        if self.relation(resource.id).before_insert {
            good.push((
                "200",
                body("A trigger of the database dropped the row.", data(json!({ "type": "null" }))),
            ));
        }
        operation["responses"] = answers(self.scope, good, &[WRITE]);
        operation
    }

    /// The body of a request whose path already says some columns.
    fn without(&self, id: RelationId, filled: &[ColumnId], given: Given) -> Value {
        let mut schema = schema::record(&self.record(id, Verb::Insert), true);
        for at in filled {
            let name = self.relation(id).columns[at.0 as usize].name.as_str();
            if let Some(properties) = schema["properties"].as_object_mut().filter(|_| given == Given::Never) {
                properties.shift_remove(name);
            }
            if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
                required.retain(|known| known != name);
            }
        }
        if let Some(object) = schema.as_object_mut()
            && object.get("required").and_then(Value::as_array).is_some_and(Vec::is_empty)
        {
            object.shift_remove("required");
        }
        schema
    }

    fn leave_out(&self, mut example: Value, id: RelationId, filled: &[ColumnId]) -> Value {
        if let Some(object) = example.as_object_mut() {
            for at in filled {
                object.shift_remove(self.relation(id).columns[at.0 as usize].name.as_str());
            }
        }
        example
    }

    /// One row by its key.
    fn single(&self, resource: Resource, place: &Place) -> Option<(String, Value)> {
        let mut item = Map::new();
        if resource.allows(Verb::Select) {
            item.insert("get".to_owned(), self.get(resource, place));
        }
        if resource.allows(Verb::Update) {
            item.insert("patch".to_owned(), self.patch(resource, place));
        }
        // It creates or replaces, and so needs both rights, and a key that the caller can give.
        if resource.allows(Verb::Insert) && resource.allows(Verb::Update) && !self.makes_its_keys(resource.id)
        {
            item.insert("put".to_owned(), self.put(resource, place));
        }
        if resource.allows(Verb::Delete) {
            item.insert("delete".to_owned(), self.delete(resource, place));
        }
        if item.is_empty() {
            return None;
        }
        item.insert("parameters".to_owned(), place.parameters.clone().into());
        Some((place.path.clone(), item.into()))
    }

    fn get(&self, resource: Resource, place: &Place) -> Value {
        let mut operation = self.operation(resource, place, "get", "One of");
        operation["parameters"] = parameters::references(parameters::ONE).into();
        let good = vec![("200", tagged(self.row_answer(resource, "The row."))), unchanged()];
        operation["responses"] = answers(self.scope, good, &[READ]);
        operation
    }

    fn row_answer(&self, resource: Resource, description: &str) -> Value {
        body(description, data(reference(self.names.of(resource.id))))
    }

    /// What a write of one row answers: the row, where the caller may read it and wants it.
    fn written(&self, resource: Resource) -> Vec<(&'static str, Value)> {
        let mut good = vec![("204", empty("Done; nothing to read."))];
        if resource.allows(Verb::Select) {
            good.push(("200", self.row_answer(resource, "The row as it is now.")));
        }
        good
    }

    fn patch(&self, resource: Resource, place: &Place) -> Value {
        let mut operation = self.operation(resource, place, "update", "Changes one of");
        operation["parameters"] = parameters::references(parameters::CHANGE).into();
        let mut media = json!({ "schema": reference(&format!("{}.update", self.names.of(resource.id))) });
        if let Some(example) = sample::record(&self.record(resource.id, Verb::Update)) {
            media["example"] = example;
        }
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": media, "application/merge-patch+json": media },
        });
        operation["responses"] = answers(self.scope, self.written(resource), &[WRITE]);
        operation
    }

    fn put(&self, resource: Resource, place: &Place) -> Value {
        let mut operation = self.operation(resource, place, "replace", "Creates or replaces one of");
        operation["parameters"] = parameters::references(parameters::CHANGE).into();
        let record = self.record(resource.id, Verb::Insert);
        let key = &self.relation(resource.id).primary_key;
        let mut media = json!({ "schema": self.without(resource.id, key, Given::Perhaps) });
        if let Some(example) = sample::record(&record) {
            media["example"] = self.leave_out(example, resource.id, key);
        }
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": media } });
        let mut good = self.written(resource);
        let reads = resource.allows(Verb::Select);
        good.push(("201", if reads { self.row_answer(resource, "Created.") } else { empty("Created.") }));
        operation["responses"] = answers(self.scope, good, &[WRITE]);
        operation
    }

    fn delete(&self, resource: Resource, place: &Place) -> Value {
        let mut operation = self.operation(resource, place, "delete", "Deletes one of");
        operation["parameters"] = parameters::references(parameters::CHANGE).into();
        let mut good = vec![("204", empty("Deleted."))];
        if resource.allows(Verb::Select) {
            good.push((
                "200",
                self.row_answer(resource, "The row as it was, where select or Prefer asks for it."),
            ));
        }
        operation["responses"] = answers(self.scope, good, &[WRITE]);
        operation
    }

    /// The row, and the bodies that create and change one.
    pub fn schemas(&self, resource: Resource) -> Vec<(String, Value)> {
        let name = self.names.of(resource.id);
        let scope = self.scope;
        let mut all = vec![(name.to_owned(), schema::row(scope.catalog, Some(scope.role), resource.id))];
        for (verb, end) in [(Verb::Insert, "create"), (Verb::Update, "update")] {
            if resource.allows(verb) {
                let record = self.record(resource.id, verb);
                all.push((format!("{name}.{end}"), schema::record(&record, verb == Verb::Insert)));
            }
        }
        all
    }
}

/// A column as the key of a filter: in quotes where the grammar would read it as something else. `None` where even those do
/// not help.
fn key_of(column: &str) -> Option<String> {
    let plain = column.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !column.starts_with(|c: char| c.is_ascii_digit());
    let taken = matches!(
        column,
        "select" | "order" | "limit" | "offset" | "and" | "or" | "not" | "distinct" | "having"
    ) || paging::is_reserved(column);
    match (plain && !taken, column.contains(['"', '\\'])) {
        (true, _) => Some(column.to_owned()),
        (false, false) => Some(format!("\"{column}\"")),
        (false, true) => None,
    }
}
