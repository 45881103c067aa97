//! Types for clients, made from the catalog: what goes over the wire as TypeScript, Zod, Python or Rust. Catalog in, text
//! out; the same catalog gives the same text, whatever the order in which things were made.

mod comments;
mod depend;
mod describe;
mod model;
mod names;
mod order;
mod python;
mod routines;
mod rust;
mod typescript;
mod values;
mod zod;

use bedplate_query::catalog::Catalog;

/// A language, or a library of one, that types can be written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `Database` as supabase-js takes it: `createClient<Database>`.
    TypeScript,
    /// zod 4 schemas.
    Zod,
    /// Pydantic 2 models.
    Python,
    /// serde structs.
    Rust,
}

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the API does not offer the schema `{schema}`; it offers: {}", served.join(", "))]
    NotServed { schema: String, served: Vec<String> },
}

/// The types of what the API offers in these schemas; of all that it offers when none is named.
///
/// # Errors
/// When a schema is named that the API does not offer.
pub fn generate(catalog: &Catalog, language: Language, schemas: &[String]) -> Result<String, Error> {
    let model = describe::describe(catalog, &chosen(catalog, schemas)?);
    Ok(match language {
        Language::TypeScript => typescript::write(&model),
        Language::Zod => zod::write(&model),
        Language::Python => python::write(&model),
        Language::Rust => rust::write(&model),
    })
}

/// The names of the schemas, in the order of the settings, and those that exist only.
fn chosen<'a>(catalog: &'a Catalog, schemas: &'a [String]) -> Result<Vec<&'a str>, Error> {
    if let Some(schema) = schemas.iter().find(|schema| !catalog.is_served_schema(schema)) {
        let served = catalog.schemas.iter().map(|s| s.as_str().to_owned()).collect();
        return Err(Error::NotServed { schema: schema.clone(), served });
    }
    let offered = catalog.schemas.iter().map(|s| s.as_str());
    let wanted = offered.filter(|name| schemas.is_empty() || schemas.iter().any(|s| s == name));
    Ok(wanted.filter(|name| catalog.namespaces.contains_key(*name)).collect())
}
