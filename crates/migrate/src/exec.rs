//! Runs single statements of a script, and says where in the file one failed.

use crate::classify::{Kind, classify, insert_target};
use crate::error::{Error, StatementError};
use crate::extension;
use crate::folder::Script;
use crate::ident;
use crate::session::Session;
use crate::split::{SplitError, Statement, line_and_column};
use bytes::Bytes;
use futures_util::SinkExt;
use std::pin::pin;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::{DbError, ErrorPosition};

/// Why a statement could not be carried out.
#[derive(Debug)]
pub(crate) enum Fault {
    Database(tokio_postgres::Error),
    /// Found by Bedplate.
    Own {
        sqlstate: &'static str,
        message: String,
        hint: String,
    },
}

impl Fault {
    pub(crate) fn own(sqlstate: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Own { sqlstate, message: message.into(), hint: hint.into() }
    }

    /// A lock did not come in time, or two transactions waited for each other: worth another try.
    pub(crate) fn is_lock(&self) -> bool {
        matches!(self.sqlstate(), Some("55P03" | "40P01"))
    }

    pub(crate) fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Database(error) => error.as_db_error().map(|db| db.code().code()),
            Self::Own { sqlstate, .. } => Some(sqlstate),
        }
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

/// A script with its statements and what they are.
pub(crate) struct Prepared<'a> {
    pub script: &'a Script,
    /// Whether the file may ask to run in steps; policies and seeds may not.
    may_be_steps: bool,
    pub statements: Vec<Statement>,
    pub kinds: Vec<Kind>,
}

/// What a statement has to tell.
#[derive(Default)]
pub(crate) struct Outcome {
    pub notice: Option<String>,
    /// Rows written, and where, for an INSERT.
    pub inserted: Option<(String, u64)>,
}

impl<'a> Prepared<'a> {
    /// A migration, up or down.
    pub(crate) fn migration(script: &'a Script) -> Result<Self, Error> {
        Self::read(script, true)
    }

    /// A file that is one transaction in any case.
    pub(crate) fn one_transaction(script: &'a Script) -> Result<Self, Error> {
        Self::read(script, false)
    }

    fn read(script: &'a Script, may_be_steps: bool) -> Result<Self, Error> {
        let statements = script.statements().map_err(|error| split_error(script, &error))?;
        let kinds = statements.iter().map(|s| classify(&script.text[s.sql.clone()])).collect();
        Ok(Self { script, may_be_steps, statements, kinds })
    }

    pub(crate) fn sql(&self, index: usize) -> &'a str {
        &self.script.text[self.statements[index].sql.clone()]
    }

    pub(crate) fn texts(&self) -> Vec<&'a str> {
        (0..self.statements.len()).map(|index| self.sql(index)).collect()
    }

    /// Carries out one statement, whatever transaction there is.
    pub(crate) async fn execute(&self, session: &Session<'_>, index: usize) -> Result<Outcome, Fault> {
        let sql = self.sql(index);
        let notice = match &self.kinds[index] {
            Kind::CreateExtension(wanted) => extension::create(session, wanted).await?,
            Kind::DropExtension { names } => extension::drop(session, names, sql).await?,
            Kind::TouchExtension { name } => extension::touch(session, name, sql).await?,
            Kind::EventTrigger => {
                session.privileged(sql).await?;
                None
            }
            Kind::StoredSetting { parameter } => {
                allow_setting(session, parameter).await?;
                session.client.batch_execute(sql).await?;
                None
            }
            _ if self.statements[index].copy_data.is_some() => {
                self.copy(session, index).await?;
                None
            }
            _ => return self.plain(session, sql).await,
        };
        Ok(Outcome { notice, inserted: None })
    }

    async fn plain(&self, session: &Session<'_>, sql: &str) -> Result<Outcome, Fault> {
        let Some(table) = insert_target(sql) else {
            session.client.batch_execute(sql).await?;
            return Ok(Outcome::default());
        };
        let rows = session
            .client
            .simple_query(sql)
            .await?
            .iter()
            .map(|message| if let SimpleQueryMessage::CommandComplete(rows) = message { *rows } else { 0 })
            .sum();
        Ok(Outcome { notice: None, inserted: Some((table, rows)) })
    }

    async fn copy(&self, session: &Session<'_>, index: usize) -> Result<(), Fault> {
        let range = self.statements[index].copy_data.clone().unwrap_or_default();
        let mut sink = pin!(session.client.copy_in::<_, Bytes>(self.sql(index)).await?);
        for chunk in self.script.text.as_bytes()[range].chunks(64 * 1024) {
            sink.send(Bytes::copy_from_slice(chunk)).await?;
        }
        sink.finish().await?;
        Ok(())
    }

    /// The fault with its place. Position 1 of PostgreSQL is the first character of what was sent.
    pub(crate) fn locate(&self, index: usize, fault: Fault) -> Error {
        let start = self.statements.get(index).map_or(self.script.text.len(), |s| s.sql.start);
        let mut error = StatementError {
            file: self.script.file.clone(),
            line: 0,
            column: 0,
            statement: first_line(self.statements.get(index).map_or("commit", |_| self.sql(index))),
            message: String::new(),
            sqlstate: fault.sqlstate().unwrap_or_default().to_owned(),
            detail: None,
            hint: None,
            context: None,
        };
        let mut offset = start;
        match fault {
            Fault::Own { message, hint, .. } => {
                error.message = message;
                error.hint = Some(hint);
            }
            Fault::Database(cause) => {
                let Some(db) = cause.as_db_error() else { return Error::Database(cause) };
                if let Some(ErrorPosition::Original(position)) = db.position() {
                    offset += byte_offset(&self.script.text[start..], *position as usize);
                }
                db.message().clone_into(&mut error.message);
                error.detail = db.detail().map(str::to_owned);
                error.hint = self.hint(db).or_else(|| db.hint().map(str::to_owned));
                error.context = db.where_().map(str::to_owned);
            }
        }
        (error.line, error.column) = line_and_column(&self.script.text, offset);
        Error::Statement(Box::new(error))
    }

    /// Where our advice is better than PostgreSQL's, or than silence.
    fn hint(&self, db: &DbError) -> Option<String> {
        let text = match db.code().code() {
            "55P04" if self.may_be_steps => {
                "A new enum value cannot be used in the transaction that adds it. Make the first line of the file: \
                 -- bedplate: no-transaction"
            }
            "25001" if self.may_be_steps => {
                "PostgreSQL refuses this inside a transaction. Make the first line of the file: \
                 -- bedplate: no-transaction"
            }
            "2BP01" | "0A000" if self.may_be_steps && names_a_policy(db) => {
                "Drop the policy first, in this file: drop policy if exists … on …; the files in policies/ make it again \
                 when migrations have run."
            }
            "25001" | "55P04" => "This file is one transaction. Put the statement into a migration.",
            "42710" if db.message().starts_with("policy ") && !self.may_be_steps => {
                "Policy files run again whenever one of them changes. Put before it: drop policy if exists … on …;"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

fn split_error(script: &Script, error: &SplitError) -> Error {
    let (line, column) = line_and_column(&script.text, error.at);
    Error::Statement(Box::new(StatementError {
        file: script.file.clone(),
        line,
        column,
        statement: first_line(&script.text[error.at..]),
        message: error.message.clone(),
        sqlstate: String::new(),
        detail: None,
        hint: Some(error.hint.clone()),
        context: None,
    }))
}

fn names_a_policy(db: &DbError) -> bool {
    db.message().contains("policy") || db.detail().is_some_and(|detail| detail.contains("policy "))
}

/// The grant that a stored custom setting needs (GRANT SET ON PARAMETER, from PostgreSQL 15 on).
async fn allow_setting(session: &Session<'_>, parameter: &str) -> Result<(), Fault> {
    if !session.has_admin() {
        return Ok(());
    }
    let known = "select has_parameter_privilege($1, $2, 'set')";
    let allowed: bool = session.client.query_one(known, &[&session.owner, &parameter]).await?.get(0);
    if !allowed {
        let name = parameter.split('.').map(ident::quote).collect::<Vec<_>>().join(".");
        session
            .privileged(&format!("grant set on parameter {name} to {}", ident::quote(&session.owner)))
            .await?;
    }
    Ok(())
}

fn byte_offset(text: &str, position: usize) -> usize {
    text.char_indices().nth(position.saturating_sub(1)).map_or(text.len(), |(at, _)| at)
}

fn first_line(statement: &str) -> String {
    let line = statement.trim_start().lines().next().unwrap_or_default().trim_end();
    match line.char_indices().nth(120) {
        Some((at, _)) => format!("{} …", &line[..at]),
        None => line.to_owned(),
    }
}
