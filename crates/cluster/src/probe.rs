//! Does the server answer? A minimal client of the wire protocol (PostgreSQL documentation, "Frontend/Backend
//! Protocol"): start-up message, one query, goodbye.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::binaries::Version;

const PROTOCOL: u32 = 196_608;
/// Messages of a healthy server are tiny here; anything else is not PostgreSQL.
const LONGEST: usize = 64 << 10;

/// What one try gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A query was answered.
    Ready(Version),
    /// The server is there and starting, recovering or stopping.
    Starting,
    /// Nobody listens, or the connection broke.
    Silent,
    /// The server answered with an error that waiting does not change.
    Refused { code: String, message: String },
}

/// Connects, signs in as `user`, and runs a query, with at most `patience` for each answer.
pub(crate) fn ask(socket: &Path, user: &str, patience: Duration) -> Answer {
    let mut version = None;
    match converse(socket, user, patience, &mut version) {
        Ok(None) => version.map_or(Answer::Silent, Answer::Ready),
        // Classes 28 (authorization) and 3D (no such database) stay as they are; all others pass: starting up or
        // shutting down (57P03), too many connections (53300) of clients that came back first.
        Ok(Some(fault)) if fault.code.starts_with("28") || fault.code.starts_with("3D") => {
            Answer::Refused { code: fault.code, message: fault.message }
        }
        Ok(Some(_)) => Answer::Starting,
        Err(_) => Answer::Silent,
    }
}

struct Fault {
    code: String,
    message: String,
}

fn converse(
    socket: &Path,
    user: &str,
    patience: Duration,
    version: &mut Option<Version>,
) -> io::Result<Option<Fault>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(&startup(user))?;
    if let Some(fault) = read_until_ready(&mut stream, version)? {
        return Ok(Some(fault));
    }
    stream.write_all(&message(b'Q', b"SELECT 1\0"))?;
    let answer = read_until_ready(&mut stream, version)?;
    // The answer counts, not the goodbye.
    let _ = stream.write_all(&message(b'X', b""));
    Ok(answer)
}

fn startup(user: &str) -> Vec<u8> {
    let mut body = PROTOCOL.to_be_bytes().to_vec();
    for text in ["user", user, "database", "postgres", "application_name", "bedplate"] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let mut whole = (body.len() as u32 + 4).to_be_bytes().to_vec();
    whole.extend(body);
    whole
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut whole = vec![kind];
    whole.extend((body.len() as u32 + 4).to_be_bytes());
    whole.extend(body);
    whole
}

fn read_until_ready(stream: &mut UnixStream, version: &mut Option<Version>) -> io::Result<Option<Fault>> {
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if !(4..=LONGEST).contains(&length) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body)?;
        match head[0] {
            b'Z' => return Ok(None),
            b'E' => return Ok(Some(fault(&body))),
            b'S' => {
                let mut texts = body.split(|byte| *byte == 0).map(String::from_utf8_lossy);
                if texts.next().as_deref() == Some("server_version") {
                    *version = texts.next().and_then(|text| Version::parse(&text));
                }
            }
            // Zero is "signed in"; anything else asks for a password, which this server never should.
            b'R' if body != [0; 4] => {
                let message = "the server asks for a password on its private socket".to_owned();
                return Ok(Some(Fault { code: "28000".to_owned(), message }));
            }
            _ => {}
        }
    }
}

/// The fields C (SQLSTATE) and M (message) of an error.
fn fault(body: &[u8]) -> Fault {
    let mut fault = Fault { code: String::new(), message: String::new() };
    for field in body.split(|byte| *byte == 0) {
        match field.split_first() {
            Some((b'C', text)) => fault.code = String::from_utf8_lossy(text).into_owned(),
            Some((b'M', text)) => fault.message = String::from_utf8_lossy(text).into_owned(),
            _ => {}
        }
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// What a server that says `bytes` to everybody looks like.
    fn ask_server_saying(bytes: &'static [u8]) -> Answer {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(bytes).unwrap();
            // Until the client goes away, which is a reset when it has not read everything.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let answer = ask(&socket, "me", Duration::from_millis(200));
        server.join().unwrap();
        answer
    }

    #[test]
    fn passing_troubles_are_waited_for_and_lasting_ones_are_not() {
        assert_eq!(ask_server_saying(b"E\0\0\0\x13C57P03\0Mstart\0\0"), Answer::Starting);
        assert_eq!(ask_server_saying(b"E\0\0\0\x12C53300\0Mfull\0\0"), Answer::Starting);
        let refused = Answer::Refused { code: "28000".to_owned(), message: "role".to_owned() };
        assert_eq!(ask_server_saying(b"E\0\0\0\x12C28000\0Mrole\0\0"), refused);
        assert_eq!(ask_server_saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Answer::Silent);
        assert_eq!(ask(Path::new("/no/such/socket"), "me", Duration::from_millis(200)), Answer::Silent);
    }

    #[test]
    fn ready_means_that_a_query_was_answered() {
        // Signed in and ready, but the query is never answered.
        let greeting = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x19server_version\x0015.18\0Z\0\0\0\x05I";
        assert_eq!(ask_server_saying(greeting), Answer::Silent);
        let answered = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x19server_version\x0015.18\0Z\0\0\0\x05IZ\0\0\0\x05I";
        assert_eq!(ask_server_saying(answered), Answer::Ready(Version { major: 15, minor: Some(18) }));
    }
}
