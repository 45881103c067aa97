//! [`Text`]: SQL under construction. Values go in as parameters, names through [`Ident::push_quoted`]; everything else
//! is one of our own literals.

use crate::ident::Ident;
use crate::output::Format;
use crate::plan::tree::{Alias, Qualified, TypeName};
use crate::statement::{Param, Sql};

#[derive(Default)]
pub(super) struct Text {
    sql: String,
    params: Vec<Param>,
    /// The alias that stands for the rows of the statement's own write; their whole row is a column named `row`.
    pub written: Option<Alias>,
    /// Rows are counted only, so their order does not matter.
    pub unordered: bool,
    /// An alias that goes by another name, in plans that people read.
    pub named: Option<(Alias, Ident)>,
}

impl Text {
    pub fn put(&mut self, text: &str) -> &mut Self {
        self.sql.push_str(text);
        self
    }

    pub fn ident(&mut self, name: &Ident) -> &mut Self {
        name.push_quoted(&mut self.sql);
        self
    }

    pub fn number(&mut self, number: impl std::fmt::Display) -> &mut Self {
        self.sql.push_str(&number.to_string());
        self
    }

    pub fn alias(&mut self, alias: Alias) -> &mut Self {
        if let Some((named, name)) = &self.named
            && *named == alias
        {
            name.push_quoted(&mut self.sql);
            return self;
        }
        self.put("t").number(alias.0)
    }

    /// `t0."name"`.
    pub fn column(&mut self, of: Alias, name: &Ident) -> &mut Self {
        self.alias(of).put(".").ident(name)
    }

    /// The whole row of an alias, as a function takes it.
    pub fn row(&mut self, of: Alias) -> &mut Self {
        let whole = if self.written == Some(of) { ".\"row\"" } else { ".*" };
        self.alias(of).put(whole)
    }

    /// A schema-qualified name. PostgreSQL's own schema is always searched first, so it is left out.
    pub fn name(&mut self, name: &Qualified) -> &mut Self {
        if name.schema.as_str() != "pg_catalog" {
            self.ident(&name.schema).put(".");
        }
        self.ident(&name.name)
    }

    pub fn type_name(&mut self, name: &TypeName) -> &mut Self {
        match name {
            TypeName::Builtin(name) => self.put(name),
            TypeName::Named(name) => self.name(name),
            TypeName::Array(element) => self.type_name(element).put("[]"),
        }
    }

    /// Each use of a value is a parameter of its own, so that PostgreSQL can give each the type its place asks for.
    pub fn param(&mut self, param: Param) -> &mut Self {
        self.params.push(param);
        let number = self.params.len();
        self.put("$").number(number)
    }

    /// Writes the items with a separator between them.
    pub fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        between: &str,
        mut each: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.put(between);
            }
            each(self, item);
        }
        self
    }

    pub fn finish(self, formats: Vec<Format>) -> Sql {
        Sql { text: self.sql.into(), params: self.params, formats: formats.into() }
    }
}
