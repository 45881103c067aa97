//! Which representation is answered: the first that the caller takes and the target offers. Aggregates of the database may
//! stand in for the built-in ones, except those of PostgREST's own media types.

use bedplate_core::{Problem, problem};

use super::planner::{Planner, qualified, qualified_function};
use super::tree::{Form, Qualified, Representation};
use super::types::oid;
use crate::catalog::{Function, MediaHandler, Oid, RelationId, Returns, TypeKind};
use crate::fault::Fault;
use crate::media::{Accept, Media, PlanMedia};
use crate::request::{Item, Node};

/// What is to be represented.
#[derive(Clone, Copy)]
pub(super) struct Offered<'a> {
    /// Whose rows they are.
    pub relation: Option<RelationId>,
    /// All columns are answered, and nothing else: what takes rows of the relation can be used.
    pub whole: bool,
    /// A function that returns one value without columns.
    pub scalar: Option<&'a Function>,
}

impl Offered<'_> {
    pub fn rows(relation: Option<RelationId>, node: &Node) -> Self {
        let whole = node.select.is_empty() || node.select == [Item::Star];
        Self { relation, whole, scalar: None }
    }
}

impl<'a> Planner<'a> {
    /// # Errors
    /// 406 when nothing fits.
    pub(super) fn negotiate(&self, offered: Offered<'a>) -> Result<Representation, Problem> {
        let Accept::Listed(accepted) = &self.style.accept else { return Ok(Representation::default()) };
        accepted.iter().find_map(|media| self.offer(offered, media)).ok_or_else(|| {
            let accepted: Vec<String> = accepted.iter().map(Media::name).collect();
            Problem::new(&problem::NOT_ACCEPTABLE)
                .detail(format!("None of these media types are available: {}", accepted.join(", ")))
                .caused_by(Fault::NoRepresentation { accepted })
        })
    }

    fn offer(&self, offered: Offered<'a>, media: &Media) -> Option<Representation> {
        match media {
            Media::Plan(plan) => {
                let found = self.offer(offered, &plan.of)?;
                Some(Representation { media: media.clone(), explain: Some(PlanMedia::clone(plan)), ..found })
            }
            Media::Object { stripped } => Some(json(media, *stripped, true)),
            Media::JsonStripped => Some(json(media, true, false)),
            _ => self.own(offered, media).or_else(|| self.any(media)),
        }
    }

    /// What was made for these very rows, or the function itself.
    fn own(&self, offered: Offered<'a>, media: &Media) -> Option<Representation> {
        if let Some(function) = offered.scalar {
            let (accepted, named) = self.media_of(result_type(function)?)?;
            let fits = accepted == Media::Any || accepted == *media;
            return fits.then_some(Representation { media: named, form: Form::Result, explain: None });
        }
        let relation = offered.relation.filter(|_| offered.whole)?;
        let find = |media| self.handler(Some(relation), media);
        let handler = find(&Media::Any).or_else(|| find(media))?;
        let aggregate = Qualified { schema: handler.schema.clone(), name: handler.name.clone() };
        let form = Form::Handler { aggregate, of: Some(qualified(self.get(relation))) };
        Some(Representation { media: handler.media.clone(), form, explain: None })
    }

    fn any(&self, media: &Media) -> Option<Representation> {
        if let Some(handler) = self.handler(None, media) {
            let aggregate = Qualified { schema: handler.schema.clone(), name: handler.name.clone() };
            let form = Form::Handler { aggregate, of: None };
            return Some(Representation { media: handler.media.clone(), form, explain: None });
        }
        match media {
            Media::Any | Media::Json => Some(json(&Media::Json, false, false)),
            Media::Csv => Some(Representation { media: Media::Csv, form: Form::Csv, explain: None }),
            Media::GeoJson => {
                let form = Form::GeoJson(self.feature_function()?);
                Some(Representation { media: Media::GeoJson, form, explain: None })
            }
            _ => None,
        }
    }

    /// An aggregate that the role may not use is as absent.
    fn handler(&self, of: Option<RelationId>, media: &Media) -> Option<&'a MediaHandler> {
        let found = self.catalog.find_media_handler(of, media)?;
        self.gate.media_handler(self.catalog, self.role, found).then_some(found)
    }

    /// PostGIS's `ST_AsGeoJSON`, wherever it was installed; else one that stands where extensions or the API do.
    fn feature_function(&self) -> Option<Qualified> {
        let of_rows = |f: &&Function| f.arguments.first().is_some_and(|a| a.type_oid == oid::RECORD);
        let named =
            || self.catalog.functions.iter().filter(|f| f.name.as_str() == "st_asgeojson").filter(of_rows);
        let at_home = |f: &&Function| {
            let schema = f.schema.as_str();
            self.catalog.is_served_schema(schema) || matches!(schema, "public" | "extensions")
        };
        named().find(|f| f.extension).or_else(|| named().find(at_home)).map(qualified_function)
    }

    /// What a domain stands for by its name.
    fn media_of(&self, type_oid: Oid) -> Option<(Media, Media)> {
        let found = self.type_of(type_oid).filter(|t| matches!(t.kind, TypeKind::Domain { .. }))?;
        Media::of_domain(found.name.as_str())
    }
}

fn result_type(function: &Function) -> Option<Oid> {
    match function.returns {
        Returns::Scalar { type_oid, set: false } => Some(type_oid),
        _ => None,
    }
}

fn json(media: &Media, stripped: bool, single: bool) -> Representation {
    Representation { media: media.clone(), form: Form::Json { stripped, single }, explain: None }
}
