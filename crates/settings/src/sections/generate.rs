use super::checks;
use crate::table::section;

section! {
    /// Types for clients: the files that `bedplate gen` writes from the database, `bedplate dev` keeps up to date, and
    /// `bedplate gen --check` compares. Commit them.
    pub struct Gen {
        /// TypeScript types for supabase-js: `createClient<Database>`.
        typescript: Option<String> = None, check(checks::optional_project_path);
        /// Zod schemas (TypeScript, zod 4).
        zod: Option<String> = None, check(checks::optional_project_path);
        /// Pydantic 2 models (Python).
        python: Option<String> = None, check(checks::optional_project_path);
        /// serde structs (Rust).
        rust: Option<String> = None, check(checks::optional_project_path);
        /// Schemas in these files; empty: those that the API offers (`database.schemas`).
        schemas: Vec<String> = Vec::new(), check(checks::identifiers);
    }
}
