//! [`Turns`]: requests that cost more than others do run a few at a time, so that however many of them come, connections are
//! left for the rest.

use std::time::{Duration, Instant};

use bedplate_core::Problem;
use bedplate_core::problem::OVERLOADED;
use bedplate_query::Operation;
use bedplate_query::output::Output;
use bedplate_query::request::{Action, Count, Item, Node, Returning};
use bedplate_query::statement::Planned;
use tokio::sync::{Semaphore, SemaphorePermit};

pub(crate) struct Turns {
    places: Semaphore,
    wait: Duration,
}

impl Turns {
    pub fn new(at_once: usize, wait: Duration) -> Self {
        Self { places: Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)), wait }
    }

    /// In the order of coming, within the wait or the request's deadline.
    pub async fn take(&self, deadline: Option<Instant>) -> Result<SemaphorePermit<'_>, Problem> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        let limit = Instant::now() + self.wait;
        let until = deadline.map_or(limit, |deadline| deadline.min(limit));
        match tokio::time::timeout_at(until.into(), self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Problem::new(&OVERLOADED)
                .detail("Too many requests that count, aggregate or export run at once")
                .hint("Try again after Retry-After; lists without counts and aggregates are not affected")
                .retry_after(Duration::from_secs(1))),
        }
    }
}

/// Whether it reads more than it answers, or answers more than a page: exact counts, aggregates, CSV, execution plans.
pub(crate) fn is_expensive(operation: &Operation, planned: &Planned) -> bool {
    let counts = planned.count.as_ref().is_some_and(|count| count.kind == Count::Exact);
    let exports = matches!(planned.main.output, Output::Csv { .. } | Output::Lines);
    counts || exports || node(operation).is_some_and(aggregates)
}

fn node(operation: &Operation) -> Option<&Node> {
    let returning = match operation {
        Operation::Read(read) => return Some(&read.node),
        Operation::Call(call) => return Some(&call.node),
        Operation::Bulk(bulk) => match &bulk.action {
            Action::Fetch { node, .. } => return Some(node),
            _ => return None,
        },
        Operation::Insert(insert) => &insert.returning,
        Operation::Update(update) => &update.returning,
        Operation::Delete(delete) => &delete.returning,
    };
    match returning {
        Returning::Rows(node) => Some(node),
        Returning::Nothing | Returning::Key => None,
    }
}

fn aggregates(node: &Node) -> bool {
    node.select.iter().any(|item| match item {
        Item::Field(field) => field.aggregate.is_some(),
        Item::Embed(embed) => aggregates(&embed.node),
        Item::Star => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_too_long_is_told_so_and_others_get_their_turn() {
        let turns = Turns::new(2, Duration::from_millis(20));
        let first = turns.take(None).await.unwrap();
        let _second = turns.take(None).await.unwrap();
        let problem = turns.take(None).await.unwrap_err();
        assert_eq!(*problem.code(), OVERLOADED);
        assert_eq!(problem.retry_after_value(), Some(Duration::from_secs(1)));
        drop(first);
        assert!(turns.take(None).await.is_ok());
    }
}
