//! Cuts a SQL script into statements, as psql does: at semicolons that stand outside strings, comments, parentheses
//! and `BEGIN ATOMIC … END` bodies. Every byte of the script belongs to exactly one piece.

use crate::lex::{Lexer, Token, Unterminated};
use std::ops::Range;

/// One statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What PostgreSQL gets: without comments before it and without the semicolon. Byte offsets into the script.
    pub sql: Range<usize>,
    /// Rows after `COPY … FROM STDIN;`, without the closing `\.`; byte offsets.
    pub copy_data: Option<Range<usize>>,
    /// Everything that belongs to it: blanks and comments before it, the semicolon, the COPY data.
    pub whole: Range<usize>,
}

/// A script that cannot be cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitError {
    /// Byte offset.
    pub at: usize,
    pub message: String,
    pub hint: String,
}

/// The statements of `script`, in order. Joining the `whole` parts, and what is left behind the last, gives the script
/// back.
///
/// # Errors
/// A string, quoted name or comment that never ends; a psql command other than those that `pg_dump` writes.
pub fn split(script: &str) -> Result<Vec<Statement>, SplitError> {
    Splitter { script, lexer: Lexer::new(script), done: 0, current: Current::default() }.run()
}

/// Line and column (both from 1, the column in characters) of a byte offset.
pub fn line_and_column(script: &str, offset: usize) -> (usize, usize) {
    let before = &script[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

struct Splitter<'a> {
    script: &'a str,
    lexer: Lexer<'a>,
    /// Up to here the script is cut.
    done: usize,
    current: Current,
}

/// The statement being read.
#[derive(Default)]
struct Current {
    start: Option<usize>,
    end: usize,
    parens: usize,
    /// Depth of BEGIN ATOMIC and the CASE … END inside it.
    blocks: usize,
    /// First words, lower case, for the two kinds of statements that need special care.
    words: Vec<String>,
    reads_stdin: bool,
}

impl Splitter<'_> {
    fn run(mut self) -> Result<Vec<Statement>, SplitError> {
        let mut statements = Vec::new();
        while let Some((token, range)) = self.lexer.next().map_err(unterminated)? {
            match token {
                Token::Space | Token::Comment => continue,
                Token::Symbol(b'\\') if self.current.start.is_none() => {
                    self.psql_command(range.start)?;
                    continue;
                }
                Token::Symbol(b';') if self.current.parens == 0 && self.current.blocks == 0 => {
                    self.finish(range.end, &mut statements);
                    continue;
                }
                Token::Symbol(b'(') => self.current.parens += 1,
                Token::Symbol(b')') => self.current.parens = self.current.parens.saturating_sub(1),
                Token::Word => self.word(range.clone()),
                _ => {}
            }
            self.current.start.get_or_insert(range.start);
            self.current.end = range.end;
        }
        self.finish(self.script.len(), &mut statements);
        Ok(statements)
    }

    fn word(&mut self, range: Range<usize>) {
        let word = self.script[range].to_ascii_lowercase();
        let current = &mut self.current;
        if current.parens == 0 && makes_routine(&current.words) {
            match word.as_str() {
                // `begin` alone would be a name here; ATOMIC makes it a body, but psql counts it as well.
                "begin" => current.blocks += 1,
                "case" if current.blocks > 0 => current.blocks += 1,
                "end" if current.blocks > 0 => current.blocks -= 1,
                _ => {}
            }
        }
        if current.words.first().is_some_and(|w| w == "copy")
            && word == "stdin"
            && current.words.last().is_some_and(|w| w == "from")
        {
            current.reads_stdin = true;
        }
        if current.words.first().is_some_and(|w| w == "copy") || current.words.len() < 4 {
            current.words.push(word);
        }
    }

    fn finish(&mut self, end: usize, statements: &mut Vec<Statement>) {
        let current = std::mem::take(&mut self.current);
        let Some(start) = current.start else {
            // An empty statement: its semicolon stays with the next one's blanks.
            return;
        };
        let mut whole_end = end;
        let mut copy_data = None;
        if current.reads_stdin {
            let (data, after) = copy_data_after(self.script, end);
            copy_data = Some(data);
            whole_end = after;
            self.lexer.jump(after);
        }
        statements.push(Statement { sql: start..current.end, copy_data, whole: self.done..whole_end });
        self.done = whole_end;
    }

    /// `\restrict` and `\unrestrict` guard pg_dump's output against psql and mean nothing here; so does `\.` alone.
    fn psql_command(&mut self, start: usize) -> Result<(), SplitError> {
        let line_end = self.script[start..].find('\n').map_or(self.script.len(), |at| start + at);
        let line = self.script[start..line_end].trim_end();
        let command = line.split_whitespace().next().unwrap_or(line);
        if !matches!(command, "\\restrict" | "\\unrestrict" | "\\.") {
            return Err(SplitError {
                at: start,
                message: format!("{command} is a command of psql, not SQL"),
                hint: "A migration is plain SQL. Take the line out, or write what it does as SQL.".into(),
            });
        }
        self.lexer.jump(line_end);
        Ok(())
    }
}

fn unterminated(found: Unterminated) -> SplitError {
    SplitError {
        at: found.start,
        message: format!("{} that begins here never ends", found.what),
        hint: "Close it, or escape the quote inside it.".into(),
    }
}

fn makes_routine(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        ["create", "function" | "procedure", ..] | ["create", "or", "replace", "function" | "procedure", ..]
    )
}

/// The lines after a COPY statement up to the line `\.` (or the end), and where the script goes on.
fn copy_data_after(script: &str, end: usize) -> (Range<usize>, usize) {
    let start = script[end..].find('\n').map_or(script.len(), |at| end + at + 1);
    let mut line = start;
    while line < script.len() {
        let next = script[line..].find('\n').map_or(script.len(), |at| line + at + 1);
        if script[line..next].trim_end_matches(['\r', '\n']) == "\\." {
            return (start..line, next);
        }
        line = next;
    }
    (start..script.len(), script.len())
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
