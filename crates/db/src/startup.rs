//! The start-up phase of our own connections (protocol documentation, "Start-up"): settings, authentication, the
//! key for cancelling, and whether the server is one that will do.

use std::collections::HashMap;
use std::io;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Header, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::error::{DbError, Error};
use crate::target::{Host, SessionAttrs, Target};
use crate::transport::Stream;

/// No message of the start-up phase is longer; a declared length beyond it is not PostgreSQL.
const LONGEST_MESSAGE: i32 = 64 * 1024;

/// Settings that decide what values look like. They are what `to_json` and the row encoder rely on; a database or
/// role may have others (`ALTER ROLE … SET`), which settings of the start-up message outrank.
const OUTPUT: &[(&str, &str)] =
    &[("client_encoding", "UTF8"), ("DateStyle", "ISO, MDY"), ("TimeZone", "UTC")];

/// The same, but unknown to transaction poolers, which refuse a start-up message that holds them. Behind a pooler
/// they are set with each transaction's context.
pub(crate) const OUTPUT_BEYOND_POOLERS: &[(&str, &str)] =
    &[("IntervalStyle", "postgres"), ("extra_float_digits", "1"), ("bytea_output", "hex")];

/// A logged-in session.
pub(crate) struct Session {
    pub(crate) stream: Stream,
    pub(crate) process_id: i32,
    pub(crate) secret_key: i32,
    /// What the server reported (ParameterStatus).
    pub(crate) parameters: HashMap<String, String>,
}

pub(crate) async fn login(stream: Stream, host: &Host, target: &Target) -> Result<Session, Error> {
    let mut talk = Talk { stream, input: BytesMut::with_capacity(4096), output: BytesMut::new() };
    let mut settings: Vec<(&str, &str)> = vec![
        ("user", &target.user),
        ("database", &target.database),
        ("application_name", &target.application_name),
    ];
    settings.extend(OUTPUT);
    if !target.pooler {
        settings.extend(OUTPUT_BEYOND_POOLERS);
    }
    if let Some(options) = &target.options {
        settings.push(("options", options));
    }
    settings.extend(target.parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    frontend::startup_message(settings, &mut talk.output).map_err(|e| Error::protocol(e.to_string()))?;
    talk.send().await?;
    authenticate(&mut talk, host, target).await?;
    talk.settle().await
}

async fn authenticate(talk: &mut Talk, host: &Host, target: &Target) -> Result<(), Error> {
    let password = || match &target.password {
        Some(password) => Ok(password.expose().as_bytes()),
        None => Err(Error::Unavailable(format!(
            "{host} asks for the password of \"{}\"; put it into the database URL",
            target.user
        ))),
    };
    match talk.receive().await? {
        Message::AuthenticationOk => return Ok(()),
        Message::AuthenticationSasl(body) => scram(talk, &body, password()?).await?,
        Message::AuthenticationMd5Password(body) if host.is_local() => {
            let hash = authentication::md5_hash(target.user.as_bytes(), password()?, body.salt());
            talk.password(hash.as_bytes()).await?;
        }
        Message::AuthenticationCleartextPassword if may_send_password(&talk.stream) => {
            talk.password(password()?).await?;
        }
        Message::AuthenticationMd5Password(_) => return Err(refused_method(host, "MD5")),
        Message::AuthenticationCleartextPassword => return Err(refused_method(host, "clear-text")),
        _ => return Err(refused_method(host, "GSSAPI, SSPI or another")),
    }
    match talk.receive().await? {
        Message::AuthenticationOk => Ok(()),
        _ => Err(Error::protocol("AuthenticationOk expected")),
    }
}

/// A password in clear text may only travel inside TLS, or through a socket file of this machine.
pub(crate) fn may_send_password(stream: &Stream) -> bool {
    stream.is_tls() || matches!(stream, Stream::Unix(_))
}

pub(crate) fn refused_method(host: &Host, method: &str) -> Error {
    Error::Unavailable(format!(
        "{host} asks for {method} authentication, which is not safe or not offered here; there, set \
         password_encryption = 'scram-sha-256', set the password again, and use scram-sha-256 in pg_hba.conf"
    ))
}

/// SCRAM-SHA-256 (RFC 7677), bound to the TLS session where server and certificate allow.
async fn scram(talk: &mut Talk, offer: &AuthenticationSaslBody, password: &[u8]) -> Result<(), Error> {
    let garbled = |e: io::Error| Error::Unavailable(format!("SCRAM authentication failed: {e}"));
    let (mut plain, mut plus) = (false, false);
    let mut mechanisms = offer.mechanisms();
    while let Some(mechanism) = mechanisms.next().map_err(garbled)? {
        plain |= mechanism == SCRAM_SHA_256;
        plus |= mechanism == SCRAM_SHA_256_PLUS;
    }
    let (binding, mechanism) = match (talk.stream.server_end_point(), plus, plain) {
        (Some(hash), true, _) => (ChannelBinding::tls_server_end_point(hash), SCRAM_SHA_256_PLUS),
        // "I could, you did not offer": lets the server notice that somebody took its offer away.
        (Some(_), false, true) => (ChannelBinding::unrequested(), SCRAM_SHA_256),
        (None, _, true) => (ChannelBinding::unsupported(), SCRAM_SHA_256),
        _ => return Err(Error::Unavailable("the server offers no SASL mechanism that is known here".into())),
    };
    let mut scram = ScramSha256::new(password, binding);
    frontend::sasl_initial_response(mechanism, scram.message(), &mut talk.output).map_err(garbled)?;
    talk.send().await?;
    let Message::AuthenticationSaslContinue(body) = talk.receive().await? else {
        return Err(Error::protocol("AuthenticationSASLContinue expected"));
    };
    scram.update(body.data()).map_err(garbled)?;
    frontend::sasl_response(scram.message(), &mut talk.output).map_err(garbled)?;
    talk.send().await?;
    let Message::AuthenticationSaslFinal(body) = talk.receive().await? else {
        return Err(Error::protocol("AuthenticationSASLFinal expected"));
    };
    scram.finish(body.data()).map_err(garbled)
}

struct Talk {
    stream: Stream,
    input: BytesMut,
    output: BytesMut,
}

impl Talk {
    async fn send(&mut self) -> Result<(), Error> {
        let lost = |e: io::Error| Error::Unavailable(format!("the connection broke while logging in: {e}"));
        self.stream.write_all(&self.output).await.map_err(lost)?;
        self.output.clear();
        self.stream.flush().await.map_err(lost)
    }

    async fn password(&mut self, password: &[u8]) -> Result<(), Error> {
        frontend::password_message(password, &mut self.output).map_err(|e| Error::protocol(e.to_string()))?;
        self.send().await
    }

    /// The next message; an ErrorResponse becomes the error, a notice is passed over.
    async fn receive(&mut self) -> Result<Message, Error> {
        loop {
            let wrong = |e: io::Error| Error::protocol(format!("while logging in: {e}"));
            if let Some(header) = Header::parse(&self.input).map_err(wrong)? {
                if header.len() > LONGEST_MESSAGE {
                    return Err(Error::protocol("a message too long for the start-up phase"));
                }
                let whole = header.len() as usize + 1;
                if self.input.len() >= whole {
                    if header.tag() == b'E' {
                        return Err(DbError::parse(&self.input[5..whole]).into());
                    }
                    if let Some(message) = Message::parse(&mut self.input).map_err(wrong)? {
                        if matches!(message, Message::NoticeResponse(_)) {
                            continue;
                        }
                        return Ok(message);
                    }
                }
            }
            match self.stream.read_buf(&mut self.input).await {
                Ok(0) => return Err(Error::Unavailable("the server closed the connection at login".into())),
                Ok(_) => {}
                Err(e) => return Err(Error::Unavailable(format!("the connection broke at login: {e}"))),
            }
        }
    }

    /// Reads up to the first ReadyForQuery.
    async fn settle(mut self) -> Result<Session, Error> {
        let (mut process_id, mut secret_key, mut parameters) = (0, 0, HashMap::new());
        loop {
            match self.receive().await? {
                Message::BackendKeyData(body) => {
                    (process_id, secret_key) = (body.process_id(), body.secret_key());
                }
                Message::ParameterStatus(body) => {
                    if let (Ok(name), Ok(value)) = (body.name(), body.value()) {
                        parameters.insert(name.to_owned(), value.to_owned());
                    }
                }
                Message::ReadyForQuery(_) if self.input.is_empty() => {
                    return Ok(Session { stream: self.stream, process_id, secret_key, parameters });
                }
                _ => return Err(Error::protocol("unexpected message after authentication")),
            }
        }
    }
}

/// Whether a server with these reported parameters is one that the target asks for.
pub(crate) fn check_session_attrs<'a>(
    wanted: SessionAttrs,
    host: &Host,
    parameter: impl Fn(&str) -> Option<&'a str>,
) -> Result<(), Error> {
    if wanted == SessionAttrs::Any {
        return Ok(());
    }
    let (Some(standby), Some(read_only)) =
        (parameter("in_hot_standby"), parameter("default_transaction_read_only"))
    else {
        return Err(Error::Unavailable(format!(
            "{host} does not report whether it is a standby (a pooler in between?); leave target_session_attrs out"
        )));
    };
    let (standby, read_only) = (standby == "on", read_only == "on");
    let (suits, is) = match wanted {
        SessionAttrs::ReadWrite => (!standby && !read_only, "only takes reads"),
        SessionAttrs::ReadOnly => (standby || read_only, "takes writes"),
        SessionAttrs::Primary => (!standby, "is a standby"),
        SessionAttrs::Standby | SessionAttrs::PreferStandby => (standby, "is not a standby"),
        SessionAttrs::Any => (true, ""),
    };
    if suits { Ok(()) } else { Err(Error::Unavailable(format!("{host} {is}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_attributes_mean_what_libpq_means() {
        let host = Host::Tcp { name: "db".into(), port: 5432 };
        let suits = |wanted, standby, read_only| {
            let parameter = |name: &str| Some(if name == "in_hot_standby" { standby } else { read_only });
            check_session_attrs(wanted, &host, parameter).is_ok()
        };
        use SessionAttrs::*;
        for (wanted, primary, read_only_primary, standby) in [
            (Any, true, true, true),
            (ReadWrite, true, false, false),
            (ReadOnly, false, true, true),
            (Primary, true, true, false),
            (Standby, false, false, true),
        ] {
            assert_eq!(suits(wanted, "off", "off"), primary, "{wanted:?}");
            assert_eq!(suits(wanted, "off", "on"), read_only_primary, "{wanted:?}");
            assert_eq!(suits(wanted, "on", "off"), standby, "{wanted:?}");
            assert_eq!(check_session_attrs(wanted, &host, |_| None).is_ok(), wanted == Any);
        }
    }
}
