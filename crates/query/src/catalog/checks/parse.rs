//! A reader for the part of PostgreSQL's printed expressions that rules can come from. `pg_get_expr` puts every operation
//! in parentheses, so there is no precedence to know.

#[derive(Debug, PartialEq)]
pub(super) enum Expression {
    Name(String),
    Number(String),
    Text(String),
    Call(String, Vec<Expression>),
    Cast(Box<Expression>, String),
    Binary(String, Box<Expression>, Box<Expression>),
    And(Vec<Expression>),
    IsNotNull(Box<Expression>),
    Array(Vec<Expression>),
    Any(Box<Expression>),
    /// Read, but of no use.
    Opaque,
}

impl Expression {
    pub(super) fn uncast(&self) -> &Self {
        match self {
            Self::Cast(inner, _) => inner.uncast(),
            other => other,
        }
    }

    /// A text literal, whatever type it is cast to.
    pub(super) fn string(&self) -> Option<&str> {
        match self.uncast() {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number literal: `5`, or `'-5'::integer`. A cast that could round it makes it none.
    pub(super) fn number(&self) -> Option<&str> {
        match self {
            Self::Number(text) => Some(text),
            Self::Cast(inner, to) => {
                let known = ["integer", "bigint", "smallint", "numeric", "double precision"];
                match &**inner {
                    _ if !known.contains(&to.as_str()) => None,
                    Self::Text(text) => Some(text),
                    other
                        if other.number()?.contains(['.', 'e'])
                            && !matches!(&**to, "numeric" | "double precision") =>
                    {
                        None
                    }
                    other => other.number(),
                }
            }
            _ => None,
        }
    }
}

pub(super) fn parse(text: &str) -> Option<Expression> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let expression = parser.expression()?;
    (parser.at == parser.tokens.len()).then_some(expression)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// An unquoted word.
    Word(String),
    /// A quoted name.
    Name(String),
    Number(String),
    Text(String),
    Symbol(String),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (token, length) = match c {
            c if c.is_whitespace() => {
                rest = &rest[c.len_utf8()..];
                continue;
            }
            '\'' => quoted(rest, '\'').map(|(text, length)| (Token::Text(text), length))?,
            '"' => quoted(rest, '"').map(|(text, length)| (Token::Name(text), length))?,
            // PostgreSQL prints a backslash that way when standard_conforming_strings is off; give up on those.
            'E' if rest[1..].starts_with('\'') => return None,
            c if c.is_ascii_digit() => {
                let length = number_length(rest);
                (Token::Number(rest[..length].to_owned()), length)
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = |c: char| !(c.is_alphanumeric() || c == '_' || c == '$');
                let length = rest.find(end).unwrap_or(rest.len());
                (Token::Word(rest[..length].to_owned()), length)
            }
            ':' if rest.starts_with("::") => (Token::Symbol("::".into()), 2),
            '(' | ')' | '[' | ']' | ',' | '.' => (Token::Symbol(c.into()), 1),
            _ => {
                let length = rest.find(|c| !"+-*/<>=~!@#%^&|`?".contains(c)).unwrap_or(rest.len());
                if length == 0 {
                    return None;
                }
                (Token::Symbol(rest[..length].to_owned()), length)
            }
        };
        found.push(token);
        rest = &rest[length..];
    }
    Some(found)
}

/// A quoted text with its quotes doubled inside, and its whole length.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some((value, at + 1));
        }
        value.push(c);
    }
    None
}

fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(b) = bytes.get(at) {
        let sign = matches!(b, b'+' | b'-') && matches!(bytes[at - 1], b'e' | b'E');
        if !(b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E') || sign) {
            break;
        }
        at += 1;
    }
    at
}

/// Nesting past this is not worth a rule.
const MAX_DEPTH: usize = 50;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(s)) if s == symbol);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w == word);
        self.at += usize::from(found);
        found
    }

    fn expression(&mut self) -> Option<Expression> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let found = self.operation();
        self.depth -= 1;
        found
    }

    fn operation(&mut self) -> Option<Expression> {
        if self.word("NOT") {
            self.expression()?;
            return Some(Expression::Opaque);
        }
        let left = self.operand()?;
        for connector in ["AND", "OR"] {
            if self.word(connector) {
                let mut parts = vec![left, self.operand()?];
                while self.word(connector) {
                    parts.push(self.operand()?);
                }
                return Some(if connector == "AND" { Expression::And(parts) } else { Expression::Opaque });
            }
        }
        if self.word("IS") {
            let not = self.word("NOT");
            return match self.word("NULL") {
                true if not => Some(Expression::IsNotNull(left.into())),
                true => Some(Expression::Opaque),
                false => (self.word("TRUE") || self.word("FALSE")).then_some(Expression::Opaque),
            };
        }
        let Some(Token::Symbol(op)) = self.peek() else { return Some(left) };
        if matches!(op.as_str(), ")" | "]" | "," | "(" | "[" | "." | "::") {
            return Some(left);
        }
        let op = op.clone();
        self.at += 1;
        let right = self.right_side()?;
        Some(Expression::Binary(op, left.into(), right.into()))
    }

    fn right_side(&mut self) -> Option<Expression> {
        let any = self.word("ANY");
        if !any && !self.word("ALL") {
            return self.operand();
        }
        let inner = self.operand()?;
        Some(if any { Expression::Any(inner.into()) } else { Expression::Opaque })
    }

    /// Something with its casts.
    fn operand(&mut self) -> Option<Expression> {
        let mut found = self.primary()?;
        while self.symbol("::") {
            found = Expression::Cast(found.into(), self.type_name()?);
        }
        Some(found)
    }

    fn primary(&mut self) -> Option<Expression> {
        let token = self.peek()?.clone();
        self.at += 1;
        Some(match token {
            Token::Number(text) => Expression::Number(text),
            Token::Text(text) => Expression::Text(text),
            Token::Symbol(s) if s == "-" => match self.primary()? {
                Expression::Number(text) => Expression::Number(format!("-{text}")),
                _ => Expression::Opaque,
            },
            Token::Symbol(s) if s == "(" => {
                let inner = self.expression()?;
                self.symbol(")").then_some(inner)?
            }
            Token::Symbol(_) => return None,
            Token::Word(word) if word == "ARRAY" => {
                self.symbol("[").then_some(())?;
                Expression::Array(self.list("]")?)
            }
            Token::Word(word) if matches!(word.as_str(), "NULL" | "true" | "false") => Expression::Opaque,
            Token::Word(word) if matches!(word.as_str(), "CASE" | "ROW" | "EXISTS" | "SELECT") => {
                return None;
            }
            Token::Word(word) if word == "TRIM" => self.trim()?,
            Token::Word(name) | Token::Name(name) => self.named(name)?,
        })
    }

    /// A column or a call. A qualified name is a function of a schema, which may be anything.
    fn named(&mut self, name: String) -> Option<Expression> {
        let mut qualified = false;
        while self.symbol(".") {
            qualified = true;
            self.at += 1;
        }
        if self.symbol("(") {
            let arguments = self.list(")")?;
            return Some(if qualified { Expression::Opaque } else { Expression::Call(name, arguments) });
        }
        Some(if qualified { Expression::Opaque } else { Expression::Name(name) })
    }

    /// `TRIM(BOTH FROM x)`, which is `btrim(x)`.
    fn trim(&mut self) -> Option<Expression> {
        let both = self.symbol("(") && self.word("BOTH") && self.word("FROM");
        both.then_some(())?;
        Some(Expression::Call("btrim".into(), self.list(")")?))
    }

    fn list(&mut self, end: &str) -> Option<Vec<Expression>> {
        let mut items = Vec::new();
        if self.symbol(end) {
            return Some(items);
        }
        loop {
            items.push(self.expression()?);
            if self.symbol(end) {
                return Some(items);
            }
            self.symbol(",").then_some(())?;
        }
    }

    /// `text`, `character varying(80)`, `timestamp without time zone`, `public."Mood"[]`.
    fn type_name(&mut self) -> Option<String> {
        let mut name = String::new();
        loop {
            match self.peek()? {
                Token::Word(word) | Token::Name(word) => {
                    let spaced = !name.is_empty() && !name.ends_with('.');
                    name = format!("{name}{}{word}", if spaced { " " } else { "" });
                }
                Token::Symbol(s) if s == "." => name.push('.'),
                _ => return None,
            }
            self.at += 1;
            let goes_on = match self.peek() {
                Some(Token::Symbol(s)) => s == ".",
                Some(Token::Word(word)) => {
                    matches!(word.as_str(), "varying" | "precision" | "without" | "with" | "time" | "zone")
                }
                _ => name.ends_with('.'),
            };
            if !goes_on && !name.ends_with('.') {
                break;
            }
        }
        if self.symbol("(") {
            let modifiers = self.list(")")?;
            name = format!("{name}({})", modifiers.len());
        }
        while self.symbol("[") {
            self.symbol("]").then_some(())?;
            name.push_str("[]");
        }
        Some(name)
    }
}
