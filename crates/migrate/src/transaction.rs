//! A whole script in one transaction, with its row in the ledger.

use crate::classify::Kind;
use crate::exec::{Fault, Prepared};
use crate::session::Session;
use std::future::Future;

pub(crate) struct Transaction<'a, 's> {
    pub session: &'a Session<'s>,
    pub prepared: &'a Prepared<'a>,
}

impl Transaction<'_, '_> {
    /// Runs every statement, then `record`, then commits. On a failure all is undone; the answer says which statement
    /// it was (one past the last: the ledger or COMMIT, where deferred constraints speak up).
    ///
    /// BEGIN and COMMIT in the script are left out: this is the transaction they ask for.
    pub(crate) async fn run(
        &self,
        mut notice: impl FnMut(String) + Send,
        mut inserted: impl FnMut(String, u64) + Send,
        record: impl Future<Output = Result<(), tokio_postgres::Error>> + Send,
    ) -> Result<(), (usize, Fault)> {
        let result = self.inside(&mut notice, &mut inserted, record).await;
        if result.is_err()
            && let Err(error) = self.session.client.batch_execute("rollback").await
        {
            tracing::debug!(%error, "rolling back failed as well; the session's end does it");
        }
        result
    }

    async fn inside(
        &self,
        notice: &mut (impl FnMut(String) + Send),
        inserted: &mut (impl FnMut(String, u64) + Send),
        record: impl Future<Output = Result<(), tokio_postgres::Error>> + Send,
    ) -> Result<(), (usize, Fault)> {
        let client = self.session.client;
        let end = self.prepared.statements.len();
        let at = |index: usize| move |error: tokio_postgres::Error| (index, Fault::from(error));
        client.batch_execute("begin").await.map_err(at(0))?;
        self.statements(notice, inserted).await?;
        // The script may have left another role behind; the ledger is the owner's.
        client.batch_execute("reset role").await.map_err(at(end))?;
        record.await.map_err(at(end))?;
        client.batch_execute("commit").await.map_err(at(end))
    }

    /// Every statement of the script, in the transaction that is open.
    pub(crate) async fn statements(
        &self,
        notice: &mut (impl FnMut(String) + Send),
        inserted: &mut (impl FnMut(String, u64) + Send),
    ) -> Result<(), (usize, Fault)> {
        for index in 0..self.prepared.statements.len() {
            if matches!(self.prepared.kinds[index], Kind::Begin | Kind::Commit) {
                continue;
            }
            let outcome = self.prepared.execute(self.session, index).await.map_err(|fault| (index, fault))?;
            if let Some(text) = outcome.notice {
                notice(text);
            }
            if let Some((table, rows)) = outcome.inserted {
                inserted(table, rows);
            }
        }
        Ok(())
    }
}
