//! Calls that Bedplate makes: the keys of an issuer, through the one client (A-04).

use super::collector::Collector;
use super::program::Program;
use crate::api::server::claims;
use bedplate_auth::mint::SigningKey;
use bedplate_core::Secret;

#[tokio::test]
async fn a04_an_issuer_of_this_machine_is_asked_and_what_its_document_names_is_not() {
    // The issuer is written down by the operator. The address of its keys is not: it leads to another port of this machine.
    let secret = Collector::start(200, r#"{"keys":[]}"#).await;
    let keys = Collector::start(200, r#"{"keys":[]}"#).await;
    let document = format!(r#"{{"issuer":"{{url}}","jwks_uri":"{}/keys"}}"#, secret.url);
    let discovery = Collector::start(200, &document).await;
    let settings = [
        ("BEDPLATE_AUTH__ISSUERS__0__ISSUER", "https://one.example/"),
        ("BEDPLATE_AUTH__ISSUERS__0__JWKS_URL", &*format!("{}/keys", keys.url)),
        ("BEDPLATE_AUTH__ISSUERS__0__AUDIENCE", "authenticated"),
        ("BEDPLATE_AUTH__ISSUERS__1__ISSUER", &discovery.url),
        ("BEDPLATE_AUTH__ISSUERS__1__AUDIENCE", "authenticated"),
    ];
    let program = Program::start(&settings, "").await;
    for issuer in ["https://one.example/", &discovery.url] {
        let mut said = claims("authenticated", "u1");
        said["iss"] = issuer.into();
        let token =
            SigningKey::hs256(&Secret::new("another-secret-of-at-least-32-bytes-x")).sign(&said).unwrap();
        let bearer = format!("Bearer {token}");
        let answer = program.send("GET", "/api/v1/tickets", &[("authorization", &bearer)], b"").await;
        assert_eq!(answer.status, 503, "there is no key to check it with");
    }
    assert_eq!((keys.received().len(), discovery.received().len(), secret.received().len()), (1, 1, 0));
    let metrics = program.metrics().await;
    let line = "bedplate_outgoing_calls_total{class=\"jwks\",outcome=\"2xx\"} 2";
    assert!(metrics.contains(line), "{metrics}");
    program.stop().await;
}
