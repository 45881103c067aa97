//! [`Refusal`]: why credentials were refused, as data. It is the cause of the problem, for front doors whose errors have a
//! form of their own; read it with `problem.cause::<Refusal>()`.

use std::fmt;

use bedplate_core::Problem;

use crate::problems::{TOKEN_EXPIRED, TOKEN_INVALID, TOKEN_REQUIRED, TOKENS_OFF};

/// Why a token, or its absence, was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Tokens are not accepted here.
    TokensOff,
    /// There is no token, and anonymous callers are not served.
    TokenRequired,
    /// `Authorization: Bearer` and nothing behind it.
    Empty,
    /// A compact JWS has three parts (RFC 7515 §7.1); this has another number.
    Parts(usize),
    /// A part is not base64url.
    NotBase64,
    /// The header cannot be read, or demands what is not offered.
    Header(&'static str),
    /// The token says that it is not signed.
    Unsecured,
    /// An algorithm that is not offered.
    Algorithm,
    /// No key for the token's algorithm and key id.
    NoKey,
    /// None of the keys made the signature.
    Signature,
    /// The payload is no JSON object.
    Payload,
    Expired,
    NotYetValid,
    IssuedInFuture,
    /// `aud` names others.
    Audience,
    /// The named claim is not a number that can be a time.
    NotANumber(&'static str),
    /// `aud` is neither a text nor a list of texts.
    AudienceType,
    /// A rule of the platform: says which.
    Other(&'static str),
}

impl Refusal {
    /// What the caller learns: that the token is not valid, so that probing teaches nothing. The reason is the cause.
    pub(crate) fn problem(self) -> Problem {
        // The challenges of RFC 6750 §3.
        const INVALID: &str = "Bearer error=\"invalid_token\"";
        let problem = match self {
            Self::TokensOff => Problem::new(&TOKENS_OFF).hint("send the request without a token"),
            Self::TokenRequired => Problem::new(&TOKEN_REQUIRED).header("WWW-Authenticate", "Bearer"),
            Self::Expired => Problem::new(&TOKEN_EXPIRED)
                .header("WWW-Authenticate", INVALID)
                .hint("sign in again or refresh the token"),
            _ => Problem::new(&TOKEN_INVALID).header("WWW-Authenticate", INVALID),
        };
        problem.caused_by(self)
    }
}

/// A refusal for a reason that no dialect has words for.
pub(crate) fn invalid(why: &'static str) -> Problem {
    Refusal::Other(why).problem()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokensOff => f.write_str("tokens are not accepted here"),
            Self::TokenRequired => f.write_str("anonymous callers are not served"),
            Self::Empty => f.write_str("the token is empty"),
            Self::Parts(parts) => write!(f, "a token has 3 parts, this has {parts}"),
            Self::NotBase64 => f.write_str("a part is not base64url"),
            Self::Header(why) | Self::Other(why) => f.write_str(why),
            Self::Unsecured => f.write_str("the token is not signed"),
            Self::Algorithm => f.write_str("algorithm not offered"),
            Self::NoKey => f.write_str("no key for this algorithm and key id"),
            Self::Signature => f.write_str("no key of ours made this signature"),
            Self::Payload => f.write_str("payload is not a JSON object"),
            Self::Expired => f.write_str("expired"),
            Self::NotYetValid => f.write_str("nbf is in the future"),
            Self::IssuedInFuture => f.write_str("iat is in the future"),
            Self::Audience => f.write_str("aud is not ours"),
            Self::NotANumber(claim) => write!(f, "{claim} is not a time"),
            Self::AudienceType => f.write_str("aud is neither a string nor an array of strings"),
        }
    }
}

impl std::error::Error for Refusal {}
