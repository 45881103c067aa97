//! Credentials that were refused, in PostgREST's words (PGRST300 to PGRST303), with the challenge of RFC 6750 §3.

use bedplate_auth::Refusal;
use bedplate_data::RoleRefusal;

use super::{Rendered, Said};

pub(super) fn translate(refusal: &Refusal) -> Rendered {
    let (status, code, said) = match refusal {
        Refusal::TokensOff => (500, "PGRST300", Said::new("Server lacks JWT secret")),
        Refusal::TokenRequired => (401, "PGRST302", Said::new("Anonymous access is disabled")),
        _ => match claims(refusal) {
            Some(message) => (401, "PGRST303", Said::new(message)),
            None => (401, "PGRST301", token(refusal)),
        },
    };
    let challenge = match code {
        "PGRST301" | "PGRST303" => Some(format!(
            "Bearer error=\"invalid_token\", error_description=\"{}\"",
            said.message.replace(['"', '\\'], "'")
        )),
        _ => None,
    };
    let mut rendered = Rendered::new(status, code, said);
    rendered.headers.extend(challenge.map(|challenge| ("WWW-Authenticate".to_owned(), challenge)));
    rendered
}

/// A token that is signed, and whose claims are refused.
fn claims(refusal: &Refusal) -> Option<String> {
    Some(match refusal {
        Refusal::Payload => "Parsing claims failed".to_owned(),
        Refusal::Expired => "JWT expired".to_owned(),
        Refusal::NotYetValid => "JWT not yet valid".to_owned(),
        Refusal::IssuedInFuture => "JWT issued at future".to_owned(),
        Refusal::Audience => "JWT not in audience".to_owned(),
        Refusal::NotANumber(claim) => format!("The JWT '{claim}' claim must be a number"),
        Refusal::AudienceType => "The JWT 'aud' claim must be a string or an array of strings".to_owned(),
        _ => return None,
    })
}

/// A token that cannot be read, or is not signed by whom it should be.
fn token(refusal: &Refusal) -> Said {
    match refusal {
        Refusal::Empty => Said::new("Empty JWT is sent in Authorization header"),
        Refusal::Parts(parts) => Said::new(format!("Expected 3 parts in JWT; got {parts}")),
        Refusal::NoKey => Said::new("No suitable key or wrong key type")
            .details("No suitable key was found to decode the JWT"),
        Refusal::Signature => Said::new("No suitable key or wrong key type")
            .details("None of the keys was able to decode the JWT"),
        Refusal::Unsecured => Said::new("Wrong or unsupported encoding algorithm")
            .details("JWT is unsecured but expected 'alg' was not 'none'"),
        Refusal::Algorithm => Said::new("Wrong or unsupported encoding algorithm"),
        Refusal::NotBase64 => Said::new("JWT cryptographic operation failed"),
        Refusal::Header(_) => Said::new("JWT couldn't be decoded"),
        _ => Said::new("The token is not valid"),
    }
}

/// PostgreSQL's words for `set role`: PostgREST leaves the role to it.
pub(super) fn role(refusal: &RoleRefusal) -> Rendered {
    match refusal {
        RoleRefusal::Unknown(name) => {
            Rendered::new(401, "22023", Said::new(format!("role \"{name}\" does not exist")))
        }
        RoleRefusal::NotGranted(name) | RoleRefusal::Superuser(name) => {
            Rendered::new(403, "42501", Said::new(format!("permission denied to set role \"{name}\"")))
        }
    }
}
