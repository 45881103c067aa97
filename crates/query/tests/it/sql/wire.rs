//! A connection that asks for each result column in the format the plan says, as the real one does.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use bedplate_query::output::Format;
use bedplate_query::statement::Sql;
use bedplate_query::{Values, encode::Fields};
use bedplate_testkit::Database;
use bytes::{Buf, BytesMut};
use postgres_protocol::IsNull;
use postgres_protocol::message::{backend, frontend};

pub struct Wire {
    stream: UnixStream,
    buffer: BytesMut,
}

/// The DataRow messages behind their column count, and the command tag.
#[derive(Debug, Default)]
pub struct Answer {
    pub rows: Vec<Vec<u8>>,
    pub tag: String,
}

impl Answer {
    /// A column of the first row as text.
    pub fn text(&self, column: u16) -> Option<String> {
        self.cell(0, column).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    pub fn cell(&self, row: usize, column: u16) -> Option<Vec<u8>> {
        let row = self.rows.get(row)?;
        let mut fields = Fields::default();
        fields.split(row).unwrap();
        fields.get(row, column).unwrap().map(<[u8]>::to_vec)
    }

    pub fn int8(&self, column: u16) -> i64 {
        i64::from_be_bytes(self.cell(0, column).unwrap().try_into().unwrap())
    }
}

impl Wire {
    pub fn connect(database: &Database, user: &str) -> Self {
        let stream = UnixStream::connect(database.socket_dir().join(".s.PGSQL.5432")).unwrap();
        let mut wire = Self { stream, buffer: BytesMut::new() };
        let mut out = BytesMut::new();
        let name = database.name().to_owned();
        let parameters = [("user", user), ("database", &name), ("TimeZone", "UTC"), ("search_path", "")];
        frontend::startup_message(parameters, &mut out).unwrap();
        wire.stream.write_all(&out).unwrap();
        wire.ready().unwrap();
        wire
    }

    /// Runs without parameters.
    pub fn simple(&mut self, sql: &str) -> Answer {
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out).unwrap();
        self.stream.write_all(&out).unwrap();
        self.ready().unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    pub fn run(&mut self, sql: &Sql, values: &Values) -> Answer {
        self.attempt(&sql.text, sql, values).unwrap_or_else(|error| panic!("{error}\n{}", sql.text))
    }

    /// The plan in text form; fails the test when PostgreSQL refuses the statement.
    pub fn explain(&mut self, sql: &Sql, values: &Values) -> String {
        self.explained("EXPLAIN", sql, values)
    }

    /// As it ran.
    pub fn analyze(&mut self, sql: &Sql, values: &Values) -> String {
        self.explained("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF)", sql, values)
    }

    fn explained(&mut self, explain: &str, sql: &Sql, values: &Values) -> String {
        let text = format!("{explain} {}", sql.text);
        let one =
            Sql { text: text.as_str().into(), params: sql.params.clone(), formats: [Format::Text].into() };
        let answer =
            self.attempt(&text, &one, values).unwrap_or_else(|error| panic!("{error}\n{}", sql.text));
        let lines =
            (0..answer.rows.len()).map(|row| String::from_utf8(answer.cell(row, 0).unwrap()).unwrap());
        lines.collect::<Vec<_>>().join("\n")
    }

    pub fn attempt(&mut self, text: &str, sql: &Sql, values: &Values) -> Result<Answer, String> {
        let mut out = BytesMut::new();
        let params = sql.bind(values).map_err(|problem| problem.to_string())?;
        let formats = sql.formats.iter().map(|f| i16::from(*f == Format::Binary));
        frontend::parse("", text, [], &mut out).unwrap();
        let bind = frontend::bind(
            "",
            "",
            std::iter::empty(),
            params,
            |param, buffer| match param {
                Some(bytes) => {
                    buffer.extend_from_slice(&bytes);
                    Ok(IsNull::No)
                }
                None => Ok(IsNull::Yes),
            },
            formats,
            &mut out,
        );
        assert!(bind.is_ok());
        frontend::execute("", 0, &mut out).unwrap();
        frontend::sync(&mut out);
        self.stream.write_all(&out).unwrap();
        self.ready()
    }

    /// Reads up to ReadyForQuery.
    fn ready(&mut self) -> Result<Answer, String> {
        let mut answer = Answer::default();
        let mut failure = None;
        loop {
            let Some(header) = backend::Header::parse(&self.buffer).unwrap() else {
                self.fill();
                continue;
            };
            let whole = header.len() as usize + 1;
            if self.buffer.len() < whole {
                self.fill();
                continue;
            }
            if header.tag() == backend::DATA_ROW_TAG {
                let mut message = self.buffer.split_to(whole);
                message.advance(7);
                answer.rows.push(message.to_vec());
                continue;
            }
            match backend::Message::parse(&mut self.buffer).unwrap().unwrap() {
                backend::Message::ReadyForQuery(_) => return failure.map_or(Ok(answer), Err),
                backend::Message::CommandComplete(body) => body.tag().unwrap().clone_into(&mut answer.tag),
                backend::Message::ErrorResponse(body) => failure = Some(describe(&body)),
                _ => {}
            }
        }
    }

    fn fill(&mut self) {
        let mut chunk = [0; 16384];
        let read = self.stream.read(&mut chunk).unwrap();
        assert!(read > 0, "the server closed the connection");
        self.buffer.extend_from_slice(&chunk[..read]);
    }
}

fn describe(body: &backend::ErrorResponseBody) -> String {
    use fallible_iterator::FallibleIterator;
    let mut text = String::new();
    let mut fields = body.fields();
    while let Some(field) = fields.next().unwrap() {
        if matches!(field.type_(), b'C' | b'M' | b'H') {
            text.push_str(&String::from_utf8_lossy(field.value_bytes()));
            text.push_str("; ");
        }
    }
    text
}
