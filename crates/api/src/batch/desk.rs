//! [`Desk`]: where the handler of an operation leaves its request, and finds the answer. So the handlers of single requests serve
//! operations as they are: each runs up to its question to the database and waits there, until the batch has put the questions
//! of all into one message.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bedplate_core::{Problem, Result};
use bedplate_data::{Answer, Made};
use bedplate_query::Request;
use bytes::BytesMut;

use crate::nested::Write;

/// What an operation asks of the database.
#[derive(Debug)]
pub(crate) enum Question {
    /// Requests that run one after the other.
    Run(Vec<Request>),
    Write(Box<Write>),
}

/// The answers with their rows.
pub(crate) type Answers = Vec<(Answer, BytesMut)>;

#[derive(Debug)]
pub(crate) enum Reply {
    Rows(Answers),
    Made(Box<Made>, BytesMut),
}

#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Empty,
    Asked(Question),
    /// The batch has the question, and not yet the answer.
    Taken,
    Answered(Result<Reply>),
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks requests, and waits for their answers.
    pub async fn run(&self, requests: Vec<Request>) -> Result<Answers> {
        match self.ask(Question::Run(requests)).await? {
            Reply::Rows(answers) => Ok(answers),
            Reply::Made(..) => Err(Problem::internal_error("a read was answered as a write")),
        }
    }

    /// Asks for a nested write.
    pub async fn write(&self, write: Write) -> Result<(Made, BytesMut)> {
        match self.ask(Question::Write(Box::new(write))).await? {
            Reply::Made(made, rows) => Ok((*made, rows)),
            Reply::Rows(_) => Err(Problem::internal_error("a write was answered as a read")),
        }
    }

    async fn ask(&self, question: Question) -> Result<Reply> {
        *self.state() = State::Asked(question);
        poll_fn(|_| {
            let mut state = self.state();
            match std::mem::take(&mut *state) {
                State::Answered(answer) => Poll::Ready(answer),
                // The batch polls again when it has answered; nobody needs to be woken.
                waiting => {
                    *state = waiting;
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Whether a question waits.
    pub fn is_asked(&self) -> bool {
        matches!(&*self.state(), State::Asked(_))
    }

    pub fn look<T>(&self, look: impl FnOnce(&Question) -> T) -> Option<T> {
        match &*self.state() {
            State::Asked(question) => Some(look(question)),
            _ => None,
        }
    }

    pub fn take(&self) -> Option<Question> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Taken) {
            State::Asked(question) => Some(question),
            other => {
                *state = other;
                None
            }
        }
    }

    pub fn answer(&self, answer: Result<Reply>) {
        *self.state() = State::Answered(answer);
    }
}
