//! Reads.

use bedplate_core::Problem;

use super::level::Place;
use super::negotiate::Offered;
use super::planner::{Planner, qualified};
use super::tree::{Level, Read, Source};
use crate::catalog::RelationId;
use crate::gate::Verb;
use crate::request;

impl<'a> Planner<'a> {
    pub(super) fn read(&mut self, read: &'a request::Read) -> Result<Read, Problem> {
        let id = self.relation(&read.target, Verb::Select)?;
        let path = self.parents(&read.parents, id)?;
        let alias = self.alias();
        let source = Source::Relation(qualified(self.get(id)));
        let mut level = self.level(&read.node, self.whole(id, true), alias, source, Place::Top)?;
        let mut guard = None;
        if let Some(path) = &path {
            let mut filters = self.below(path, alias);
            filters.append(&mut level.filters);
            level.filters = filters;
            guard = Some(self.guard(path));
        }
        let counted = match read.count {
            Some(_) if self.is_dialect() && guard.is_none() => self.counted(read, id, &level)?,
            _ => None,
        };
        let representation = self.negotiate(Offered::rows(Some(id), &read.node))?;
        Ok(Read {
            guard,
            level,
            representation,
            silent: false,
            count: read.count,
            count_max: self.limits.page_max,
            counted,
            locked: self.style.locked,
        })
    }

    /// PostgREST counts without joins: what embeds decide is asked as EXISTS, on which PostgreSQL's estimates depend.
    fn counted(
        &mut self,
        read: &'a request::Read,
        id: RelationId,
        level: &Level,
    ) -> Result<Option<Level>, Problem> {
        if level.joins.is_empty() || level.grouped || level.distinct {
            return Ok(None);
        }
        let mut counted = Level { joins: Vec::new(), fields: Vec::new(), ..level.clone() };
        counted.filters = self.unjoined_filters(&read.node, self.whole(id, true), level.alias)?;
        Ok(Some(counted))
    }
}
