//! [`Output`]: the frontend's messages on their way out (protocol documentation, "Message Formats"), written into one plain
//! buffer: a pipeline is some dozens of small pieces, so how each is put there is felt.

use super::statements::Name;
use super::{Call, Format};

/// A buffer that grew past this for one large value is given back afterwards.
const KEEP: usize = 256 * 1024;

pub(super) struct Output {
    bytes: Vec<u8>,
    sent: usize,
}

/// Why a message cannot be written.
pub(super) type Unwritable = &'static str;

const NUL: Unwritable = "a text for PostgreSQL has a NUL character";
const TOO_MANY: Unwritable = "a statement has more than 65,535 parameters or columns";
const TOO_LONG: Unwritable = "a message for PostgreSQL is longer than 2 GiB";

impl Output {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::with_capacity(4096), sent: 0 }
    }

    /// What is still to be sent.
    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// So many of the pending bytes were sent.
    pub(super) fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.is_empty() {
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        self.sent = 0;
        self.bytes.clear();
        if self.bytes.capacity() > KEEP {
            *self = Self::new();
        }
    }

    /// Prepares a statement; `None` is the unnamed one. Types are left to the server.
    pub(super) fn parse(&mut self, name: Option<Name>, sql: &str) -> Result<(), Unwritable> {
        self.message(b'P', |out| {
            put_name(name, out);
            put_text(sql, out)?;
            out.extend_from_slice(&[0, 0]);
            Ok(())
        })
    }

    /// Binds text values (`None` is NULL) to the unnamed portal and asks for its rows in these formats.
    pub(super) fn bind<'v>(
        &mut self,
        name: Option<Name>,
        values: impl ExactSizeIterator<Item = Option<&'v [u8]>>,
        formats: &[Format],
    ) -> Result<(), Unwritable> {
        self.message(b'B', |out| {
            out.push(0);
            put_name(name, out);
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&count(values.len())?);
            for value in values {
                match value {
                    None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
                    Some(bytes) => {
                        let length = i32::try_from(bytes.len()).map_err(|_| TOO_LONG)?;
                        out.extend_from_slice(&length.to_be_bytes());
                        out.extend_from_slice(bytes);
                    }
                }
            }
            out.extend_from_slice(&count(formats.len())?);
            for format in formats {
                out.extend_from_slice(&[0, u8::from(*format == Format::Binary)]);
            }
            Ok(())
        })
    }

    /// Runs the unnamed portal to its end.
    pub(super) fn execute(&mut self) {
        self.bytes.extend_from_slice(&[b'E', 0, 0, 0, 9, 0, 0, 0, 0, 0]);
    }

    pub(super) fn close(&mut self, name: Name) -> Result<(), Unwritable> {
        self.message(b'C', |out| {
            out.push(b'S');
            put_name(Some(name), out);
            Ok(())
        })
    }

    pub(super) fn sync(&mut self) {
        self.bytes.extend_from_slice(&[b'S', 0, 0, 0, 4]);
    }

    /// A simple query.
    pub(super) fn query(&mut self, sql: &str) -> Result<(), Unwritable> {
        self.message(b'Q', |out| put_text(sql, out))
    }

    pub(super) fn terminate(&mut self) {
        self.bytes.extend_from_slice(&[b'X', 0, 0, 0, 4]);
    }

    fn message(
        &mut self,
        tag: u8,
        body: impl FnOnce(&mut Vec<u8>) -> Result<(), Unwritable>,
    ) -> Result<(), Unwritable> {
        let out = &mut self.bytes;
        out.push(tag);
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        body(out)?;
        let length = i32::try_from(out.len() - at).map_err(|_| TOO_LONG)?;
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

/// The values of a call's parameters.
pub(super) fn values<'c>(call: &Call<'c>) -> impl ExactSizeIterator<Item = Option<&'c [u8]>> {
    call.params.iter().map(|value| value.as_deref())
}

fn count(of: usize) -> Result<[u8; 2], Unwritable> {
    u16::try_from(of).map(u16::to_be_bytes).map_err(|_| TOO_MANY)
}

fn put_name(name: Option<Name>, out: &mut Vec<u8>) {
    if let Some(name) = name {
        name.write(out);
    }
    out.push(0);
}

fn put_text(text: &str, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    if memchr::memchr(0, text.as_bytes()).is_some() {
        return Err(NUL);
    }
    out.extend_from_slice(text.as_bytes());
    out.push(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use postgres_protocol::IsNull;
    use postgres_protocol::message::frontend;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Byte for byte what the protocol's own crate writes.
        #[test]
        fn messages_are_what_the_protocol_says(
            id in any::<u64>(),
            sql in "[^\0]{0,40}",
            values in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..40)), 0..6),
            binary in prop::collection::vec(any::<bool>(), 0..4),
        ) {
            let name = format!("s{id}");
            let mut expected = BytesMut::new();
            frontend::close(b'S', &name, &mut expected).unwrap();
            frontend::parse(&name, &sql, [], &mut expected).unwrap();
            frontend::parse("", &sql, [], &mut expected).unwrap();
            let put = |value: &Option<Vec<u8>>, out: &mut BytesMut| match value {
                None => Ok(IsNull::Yes),
                Some(bytes) => {
                    out.extend_from_slice(bytes);
                    Ok(IsNull::No)
                }
            };
            let codes = binary.iter().map(|binary| i16::from(*binary));
            frontend::bind("", &name, [], &values, put, codes, &mut expected).map_err(drop).unwrap();
            frontend::execute("", 0, &mut expected).unwrap();
            frontend::sync(&mut expected);
            frontend::query(&sql, &mut expected).unwrap();
            frontend::terminate(&mut expected);

            let formats: Vec<Format> =
                binary.iter().map(|binary| if *binary { Format::Binary } else { Format::Text }).collect();
            let mut output = Output::new();
            output.close(Name::Call(id)).unwrap();
            output.parse(Some(Name::Call(id)), &sql).unwrap();
            output.parse(None, &sql).unwrap();
            output.bind(Some(Name::Call(id)), values.iter().map(Option::as_deref), &formats).unwrap();
            output.execute();
            output.sync();
            output.query(&sql).unwrap();
            output.terminate();
            prop_assert_eq!(output.pending(), &expected[..]);
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let mut output = Output::new();
        assert_eq!(output.query("select '\0'"), Err(NUL));
        assert_eq!(output.parse(None, "\0"), Err(NUL));
        let many = vec![None; 65_536];
        assert_eq!(output.bind(None, many.into_iter(), &[]), Err(TOO_MANY));
    }

    #[test]
    fn parts_are_sent_one_after_another() {
        let mut output = Output::new();
        output.sync();
        output.advance(2);
        assert_eq!(output.pending(), [0, 0, 4]);
        output.advance(3);
        assert!(output.is_empty() && output.bytes.is_empty());
    }
}
