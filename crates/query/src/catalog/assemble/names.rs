//! Names and other short texts in one copy: `id`, `created_at`, `text` stand thousands of times in a catalog.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::ident::Ident;

#[derive(Default)]
pub(super) struct Names(HashSet<Arc<str>, RandomState>);

impl Names {
    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        new
    }

    pub(super) fn ident(&mut self, name: &str) -> Ident {
        Ident::from_shared(self.text(name))
    }
}
