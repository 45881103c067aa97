//! Parsec's way through a text: each step says whether it took anything, whether it went well, and what could have stood at
//! the farthest place it came to. (Leijen, Meijer: Parsec: Direct Style Monadic Parser Combinators for the Real World, 2001.)

use super::grammar::Rule;
use super::message::{Message, What};

/// Rules within rules; each takes some of the stack.
const DEEPEST: usize = 300;
/// Steps in all: many times what a URL of usual length needs.
const MOST_STEPS: usize = 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub line: u32,
    pub column: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub place: Place,
    pub messages: Vec<Message>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    at: usize,
    place: Place,
}

/// How a rule went. A success has a fault too: what else could have stood where it ended.
struct Reply {
    consumed: bool,
    ended: Result<(State, Fault), Fault>,
}

pub(super) struct Walker<'t> {
    text: &'t str,
    steps: usize,
    depth: usize,
}

/// Nothing to say about a place.
fn silence(place: Place) -> Fault {
    Fault { place, messages: Vec::new() }
}

impl Fault {
    fn merge(mut self, mut other: Self) -> Self {
        if other.messages.is_empty() && !self.messages.is_empty() {
            return self;
        }
        if self.messages.is_empty() && !other.messages.is_empty() {
            return other;
        }
        match self.place.cmp(&other.place) {
            std::cmp::Ordering::Greater => self,
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Equal => {
                self.messages.append(&mut other.messages);
                // A choice within a repetition says the same again and again.
                self.messages.dedup();
                self
            }
        }
    }

    fn labelled(mut self, label: What) -> Self {
        self.messages.retain(|message| !matches!(message, Message::Expecting(_)));
        self.messages.insert(0, Message::Expecting(label));
        self
    }
}

impl<'t> Walker<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, steps: 0, depth: 0 }
    }

    /// Why the rule does not fit the start of the text. `None` when it does, or when that was too much to find out.
    pub fn refusal(mut self, rule: &'static Rule) -> Option<Fault> {
        let start = State { at: 0, place: Place { line: 1, column: 1 } };
        let mut fault = self.walk(rule, start)?.ended.err()?;
        fault.messages.sort_by_key(|message| match message {
            Message::Found(_) => 0,
            Message::Unexpected(_) => 1,
            Message::Expecting(_) => 2,
        });
        Some(fault)
    }

    fn walk(&mut self, rule: &'static Rule, from: State) -> Option<Reply> {
        self.steps += 1;
        if self.steps > MOST_STEPS || self.depth > DEEPEST {
            return None;
        }
        self.depth += 1;
        let reply = self.walk_rule(rule, from);
        self.depth -= 1;
        reply
    }

    fn walk_rule(&mut self, rule: &'static Rule, from: State) -> Option<Reply> {
        Some(match rule {
            Rule::Char(wanted) => labelled(self.letter(from, |c| c == *wanted), What::Letter(*wanted)),
            Rule::NoneOf(unwanted) => self.letter(from, |c| !unwanted.contains(c)),
            Rule::OneOf(wanted) => self.letter(from, |c| wanted.contains(c)),
            Rule::Any => self.letter(from, |_| true),
            Rule::Letter => labelled(self.letter(from, char::is_alphabetic), What::Named("letter")),
            Rule::Digit => labelled(self.letter(from, |c| c.is_ascii_digit()), What::Named("digit")),
            Rule::Text(text) => self.string(from, text),
            Rule::AnyCase(text) => self.any_case(from, text),
            Rule::End => self.end(from),
            Rule::Seq(rules) => self.sequence(rules, from)?,
            Rule::Either(rules) => self.either(rules, from)?,
            Rule::Option(rule) => self.or_nothing(rule, from)?,
            Rule::Many(rule) => self.many(rule, from, true)?,
            Rule::Many1(rule) => {
                let first = self.walk(rule, from)?;
                self.then_many(first, rule)?
            }
            Rule::SepBy1(rule, separator) => {
                let first = self.walk(rule, from)?;
                self.then_separated(first, rule, separator)?
            }
            Rule::Try(rule) => {
                let reply = self.walk(rule, from)?;
                Reply { consumed: reply.consumed && reply.ended.is_ok(), ended: reply.ended }
            }
            Rule::Label(rule, label) => labelled(self.walk(rule, from)?, What::Named(label)),
            Rule::LookAhead(rule) => {
                let reply = self.walk(rule, from)?;
                match reply.ended {
                    Ok(_) => Reply { consumed: false, ended: Ok((from, silence(from.place))) },
                    Err(_) => reply,
                }
            }
            Rule::NotBefore(rule) => self.not_before(rule, from)?,
            Rule::Except(word, rule) => self.except(word, rule, from)?,
        })
    }

    fn peek(&self, state: State) -> Option<char> {
        self.text.get(state.at..)?.chars().next()
    }

    fn letter(&self, from: State, fits: impl Fn(char) -> bool) -> Reply {
        match self.peek(from) {
            Some(letter) if fits(letter) => {
                let next = from.after(letter);
                Reply { consumed: true, ended: Ok((next, silence(next.place))) }
            }
            other => refused(from.place, false, vec![Message::Found(other)]),
        }
    }

    /// A fault within the text is told at its start.
    fn string(&self, from: State, text: &'static str) -> Reply {
        let mut state = from;
        for wanted in text.chars() {
            match self.peek(state) {
                Some(letter) if letter == wanted => state = state.after(letter),
                other => {
                    let expecting = Message::Expecting(What::Text(text));
                    return refused(from.place, state.at > from.at, vec![expecting, Message::Found(other)]);
                }
            }
        }
        Reply { consumed: true, ended: Ok((state, silence(state.place))) }
    }

    fn any_case(&self, from: State, text: &'static str) -> Reply {
        let mut state = from;
        for wanted in text.chars() {
            match self.peek(state) {
                Some(letter) if letter.eq_ignore_ascii_case(&wanted) => state = state.after(letter),
                other => return refused(state.place, state.at > from.at, vec![Message::Found(other)]),
            }
        }
        Reply { consumed: true, ended: Ok((state, silence(state.place))) }
    }

    fn end(&self, from: State) -> Reply {
        let expecting = Message::Expecting(What::Named("end of input"));
        match self.peek(from) {
            Some(letter) => refused(from.place, false, vec![expecting, Message::Unexpected(letter)]),
            None => {
                let fault = Fault { place: from.place, messages: vec![expecting, Message::Found(None)] };
                Reply { consumed: false, ended: Ok((from, fault)) }
            }
        }
    }

    fn sequence(&mut self, rules: &'static [&'static Rule], from: State) -> Option<Reply> {
        let mut reply = Reply { consumed: false, ended: Ok((from, silence(from.place))) };
        for rule in rules {
            let Ok((state, fault)) = reply.ended else { return Some(reply) };
            let next = self.walk(rule, state)?;
            reply = followed(reply.consumed, fault, next);
        }
        Some(reply)
    }

    fn either(&mut self, rules: &'static [&'static Rule], from: State) -> Option<Reply> {
        let mut so_far = silence(from.place);
        for rule in rules {
            let reply = self.walk(rule, from)?;
            if reply.consumed {
                return Some(reply);
            }
            match reply.ended {
                Ok((state, fault)) => {
                    return Some(Reply { consumed: false, ended: Ok((state, so_far.merge(fault))) });
                }
                Err(fault) => so_far = so_far.merge(fault),
            }
        }
        Some(Reply { consumed: false, ended: Err(so_far) })
    }

    fn or_nothing(&mut self, rule: &'static Rule, from: State) -> Option<Reply> {
        let reply = self.walk(rule, from)?;
        Some(match reply.ended {
            Err(fault) if !reply.consumed => Reply { consumed: false, ended: Ok((from, fault)) },
            ended => Reply { ended, ..reply },
        })
    }

    /// Whether what could have gone on in the last repetition is told depends on which of two functions the grammar uses:
    /// Haskell's own `many` does, Parsec's does not.
    fn many(&mut self, rule: &'static Rule, from: State, tells_last: bool) -> Option<Reply> {
        let mut state = from;
        let mut last = silence(from.place);
        loop {
            let reply = self.walk(rule, state)?;
            match reply.ended {
                // A rule that takes nothing would be repeated forever; the grammar has none.
                Ok((next, fault)) if next.at > state.at => {
                    state = next;
                    if tells_last {
                        last = fault;
                    }
                }
                Err(fault) if reply.consumed => return Some(Reply { consumed: true, ended: Err(fault) }),
                Ok((_, fault)) | Err(fault) => {
                    return Some(Reply {
                        consumed: state.at > from.at,
                        ended: Ok((state, last.merge(fault))),
                    });
                }
            }
        }
    }

    fn then_many(&mut self, first: Reply, rule: &'static Rule) -> Option<Reply> {
        let Ok((state, fault)) = first.ended else { return Some(first) };
        let rest = self.many(rule, state, false)?;
        Some(followed(first.consumed, fault, rest))
    }

    fn then_separated(
        &mut self,
        first: Reply,
        rule: &'static Rule,
        separator: &'static Rule,
    ) -> Option<Reply> {
        let Ok((from, pending)) = first.ended else { return Some(first) };
        let mut state = from;
        let rest = loop {
            let reply = self.walk(separator, state)?;
            let reply = match reply.ended {
                Ok((next, fault)) => {
                    let item = self.walk(rule, next)?;
                    followed(reply.consumed, fault, item)
                }
                Err(_) => reply,
            };
            match reply.ended {
                Ok((next, _)) if next.at > state.at => state = next,
                Err(fault) if reply.consumed => break Reply { consumed: true, ended: Err(fault) },
                Ok((_, fault)) | Err(fault) => {
                    break Reply { consumed: state.at > from.at, ended: Ok((state, fault)) };
                }
            }
        };
        Some(followed(first.consumed, pending, rest))
    }

    fn not_before(&mut self, rule: &'static Rule, from: State) -> Option<Reply> {
        let reply = self.walk(rule, from)?;
        Some(match reply.ended {
            Ok((state, _)) => match self.peek(from) {
                Some(letter) => refused(state.place, false, vec![Message::Unexpected(letter)]),
                None => refused(state.place, false, Vec::new()),
            },
            Err(fault) => Reply { consumed: false, ended: Ok((from, fault)) },
        })
    }

    fn except(&mut self, word: &str, rule: &'static Rule, from: State) -> Option<Reply> {
        let reply = self.walk(rule, from)?;
        Some(match reply.ended {
            Ok((state, fault)) if self.text.get(from.at..state.at).map(str::trim) == Some(word) => {
                Reply { consumed: reply.consumed, ended: Err(fault) }
            }
            ended => Reply { ended, ..reply },
        })
    }
}

fn refused(place: Place, consumed: bool, messages: Vec<Message>) -> Reply {
    Reply { consumed, ended: Err(Fault { place, messages }) }
}

/// What comes of a rule after another one that ended with `fault`.
fn followed(consumed: bool, fault: Fault, next: Reply) -> Reply {
    if next.consumed || fault.messages.is_empty() {
        return Reply { consumed: consumed || next.consumed, ended: next.ended };
    }
    let ended = match next.ended {
        Ok((state, other)) => Ok((state, fault.merge(other))),
        Err(other) => Err(fault.merge(other)),
    };
    Reply { consumed, ended }
}

fn labelled(reply: Reply, label: What) -> Reply {
    if reply.consumed {
        return reply;
    }
    let ended = match reply.ended {
        Ok((state, fault)) if fault.messages.is_empty() => Ok((state, fault)),
        Ok((state, fault)) => Ok((state, fault.labelled(label))),
        Err(fault) => Err(fault.labelled(label)),
    };
    Reply { consumed: false, ended }
}

impl State {
    fn after(self, letter: char) -> Self {
        let Place { line, column } = self.place;
        let place = match letter {
            '\n' => Place { line: line + 1, column: 1 },
            '\t' => Place { line, column: column + 8 - (column - 1) % 8 },
            _ => Place { line, column: column + 1 },
        };
        Self { at: self.at + letter.len_utf8(), place }
    }
}
