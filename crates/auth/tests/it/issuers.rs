//! External issuers, against a small HTTP server on loopback.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bedplate_auth::{IssuerConfig, KeyRing, LocalConfig, Verifier};
use bedplate_outgoing::{Client, Config};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::signing::*;

/// Serves a JWK set that tests can change, and counts how often it is read.
struct Jwks {
    url: String,
    keys: Arc<Mutex<(u16, Value)>>,
    reads: Arc<AtomicUsize>,
}

impl Jwks {
    async fn start(keys: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let keys = Arc::new(Mutex::new((200, keys)));
        let reads = Arc::new(AtomicUsize::new(0));
        let (shared, counter) = (Arc::clone(&keys), Arc::clone(&reads));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                counter.fetch_add(1, Ordering::SeqCst);
                let (status, body) = shared.lock().unwrap().clone();
                // An array is a key set; an object is answered as it is.
                let body =
                    if body.is_array() { json!({ "keys": body }).to_string() } else { body.to_string() };
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, keys, reads }
    }

    fn set(&self, status: u16, keys: Value) {
        *self.keys.lock().unwrap() = (status, keys);
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    fn issuer(&self, name: &str) -> IssuerConfig {
        IssuerConfig {
            issuer: name.to_owned(),
            jwks_url: Some(self.url.clone()),
            algorithms: ["ES256", "RS256", "EdDSA"].map(str::to_owned).to_vec(),
            audiences: vec!["our-api".to_owned()],
            role_claim: "app_metadata.role".to_owned(),
            roles: vec!["authenticated".to_owned(), "editor".to_owned()],
            default_role: "authenticated".to_owned(),
        }
    }
}

fn verifier_for(clock: Arc<TestClock>, issuers: Vec<IssuerConfig>) -> Verifier {
    verifier_with(&Client::default(), clock, issuers)
}

fn verifier_with(client: &Client, clock: Arc<TestClock>, issuers: Vec<IssuerConfig>) -> Verifier {
    let ring = KeyRing::new(vec![secret_key(SECRET)]);
    Verifier::new(LocalConfig::default(), ring, issuers, client, clock).unwrap()
}

fn external(changes: Value) -> Value {
    let mut claims = json!({"iss": "https://a.example/", "sub": "u1", "aud": "our-api", "exp": NOW + 600});
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

#[tokio::test]
async fn keys_of_each_kind_verify_and_the_role_comes_from_the_configured_claim() {
    for signer in [Signer::es(), Signer::ed(), Signer::rsa()] {
        let jwks = Jwks::start(json!([signer.jwk("k1")])).await;
        let verifier = verifier_for(TestClock::new(), vec![jwks.issuer("https://a.example/")]);
        let token = signer.sign(Some("k1"), &external(json!({"app_metadata": {"role": "editor"}})));
        assert!(verifier.verify_now(&token).is_none(), "the keys have to be read first");
        assert_eq!(&*verifier.verify(&token).await.unwrap().role, "editor");
        assert!(verifier.verify_now(&token).unwrap().is_ok(), "from the cache now");
        let plain = signer.sign(Some("k1"), &external(json!({})));
        assert_eq!(&*verifier.verify(&plain).await.unwrap().role, "authenticated");
        assert_eq!(jwks.reads(), 1);
    }
}

#[tokio::test]
async fn v21_a_missing_or_wrong_claim_is_refused() {
    let signer = Signer::es();
    let jwks = Jwks::start(json!([signer.jwk("k1")])).await;
    let verifier = verifier_for(TestClock::new(), vec![jwks.issuer("https://a.example/")]);
    for bad in [
        json!({"aud": null}),
        json!({"aud": "another-app"}),
        json!({"exp": null}),
        json!({"exp": NOW - 31}),
        json!({"nbf": NOW + 31}),
        json!({"iat": NOW + 31}),
        json!({"iss": null}),
        json!({"iss": "https://a.example"}),
        json!({"iss": "https://b.example/"}),
        json!({"app_metadata": {"role": "service_role"}}),
        json!({"app_metadata": {"role": "postgres"}}),
    ] {
        let token = signer.sign(Some("k1"), &external(bad.clone()));
        assert_eq!(verifier.verify(&token).await.unwrap_err().status(), 401, "{bad}");
    }
}

#[tokio::test]
async fn v19_the_same_key_id_at_two_issuers_stays_apart() {
    let (a, b) = (Signer::es(), Signer::es());
    let (jwks_a, jwks_b) =
        (Jwks::start(json!([a.jwk("same")])).await, Jwks::start(json!([b.jwk("same")])).await);
    let issuers = vec![jwks_a.issuer("https://a.example/"), jwks_b.issuer("https://b.example/")];
    let verifier = verifier_for(TestClock::new(), issuers);
    let from_b = external(json!({"iss": "https://b.example/"}));
    assert!(verifier.verify(&b.sign(Some("same"), &from_b)).await.is_ok());
    assert!(verifier.verify(&a.sign(Some("same"), &external(json!({})))).await.is_ok());
    assert!(verifier.verify(&a.sign(Some("same"), &from_b)).await.is_err());
    assert!(verifier.verify(&b.sign(Some("same"), &external(json!({})))).await.is_err());
    let ours = hs256(&json!({"alg": "HS256"}), &external(json!({})), SECRET.as_bytes());
    assert!(verifier.verify(&ours).await.is_err(), "our own secret does not speak for an issuer");
}

#[tokio::test]
async fn rotation_is_noticed_unknown_ids_do_not_hammer_the_issuer_and_an_outage_keeps_the_keys() {
    let clock = TestClock::new();
    let (old, new) = (Signer::es(), Signer::es());
    let jwks = Jwks::start(json!([old.jwk("k1")])).await;
    let verifier = verifier_for(clock.clone(), vec![jwks.issuer("https://a.example/")]);
    let long = json!({"exp": NOW + 100_000});
    verifier.verify(&old.sign(Some("k1"), &external(long.clone()))).await.unwrap();
    jwks.set(200, json!([old.jwk("k1"), new.jwk("k2")]));
    for n in 0..20 {
        let forged = Signer::es().sign(Some(&format!("x{n}")), &external(json!({})));
        assert!(verifier.verify(&forged).await.is_err());
    }
    assert_eq!(jwks.reads(), 1, "within the pause nothing is read again");
    clock.advance(31);
    verifier.verify(&new.sign(Some("k2"), &external(long.clone()))).await.unwrap();
    assert_eq!(jwks.reads(), 2);
    jwks.set(500, json!([]));
    clock.advance(700);
    let again = old.sign(Some("k1"), &external(json!({"exp": NOW + 100_000, "n": 2})));
    verifier.verify(&again).await.expect("the keys read before still count while the issuer is down");
    assert_eq!(jwks.reads(), 3);
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_is_503_and_bad_addresses_are_refused_at_start() {
    let jwks = Jwks::start(json!([])).await;
    let verifier = verifier_for(TestClock::new(), vec![jwks.issuer("https://a.example/")]);
    let problem = verifier.verify(&Signer::es().sign(Some("k"), &external(json!({})))).await.unwrap_err();
    assert_eq!(problem.status(), 503);
    assert!(problem.retry_after_value().is_some());
    for url in [
        "http://keys.example/jwks",
        "file:///etc/passwd",
        "ftp://x",
        "",
        "https://",
        "https://user:pw@keys.example/",
        "https://0x7f000001/jwks",
    ] {
        let config = IssuerConfig { jwks_url: Some(url.to_owned()), ..jwks.issuer("https://a.example/") };
        let (ring, client) = (KeyRing::default(), Client::default());
        let made = Verifier::new(LocalConfig::default(), ring, vec![config], &client, TestClock::new());
        assert!(made.is_err(), "{url}");
    }
}

#[tokio::test]
async fn keys_are_found_by_discovery_only_when_the_document_is_about_the_issuer() {
    let signer = Signer::es();
    let keys = Jwks::start(json!([signer.jwk("k1")])).await;
    let document = Jwks::start(json!({})).await;
    let issuer = document.url.trim_end_matches("/jwks.json").to_owned();
    let config = IssuerConfig { jwks_url: None, ..document.issuer(&issuer) };
    let token = signer.sign(Some("k1"), &external(json!({"iss": issuer})));

    document.set(200, json!({"issuer": "https://other.example", "jwks_uri": keys.url}));
    let verifier = verifier_for(TestClock::new(), vec![config.clone()]);
    assert_eq!(verifier.verify(&token).await.unwrap_err().status(), 503);
    assert_eq!(keys.reads(), 0);

    // The document leads to another port of this machine: to follow it, that has to be allowed.
    document.set(200, json!({"issuer": issuer, "jwks_uri": keys.url}));
    let verifier = verifier_for(TestClock::new(), vec![config.clone()]);
    assert_eq!(verifier.verify(&token).await.unwrap_err().status(), 503);
    assert_eq!(keys.reads(), 0);
    let port = keys.url.rsplit_once(':').unwrap().1.trim_end_matches("/jwks.json");
    let allow = vec![format!("127.0.0.1:{port}").parse().unwrap()];
    let client = Client::new(Config { allow, ..Config::default() });
    let verifier = verifier_with(&client, TestClock::new(), vec![config]);
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn a04_a_discovery_document_leads_to_no_private_address() {
    let secret = Jwks::start(json!([])).await;
    let document = Jwks::start(json!({})).await;
    let issuer = document.url.trim_end_matches("/jwks.json").to_owned();
    let token = Signer::es().sign(Some("k1"), &external(json!({"iss": issuer})));
    let port = secret.url.rsplit_once(':').unwrap().1;
    for uri in [
        secret.url.clone(),
        format!("http://localhost:{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("http://0x7f000001:{port}"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        document.set(200, json!({"issuer": issuer, "jwks_uri": uri}));
        let config = IssuerConfig { jwks_url: None, ..document.issuer(&issuer) };
        let verifier = verifier_for(TestClock::new(), vec![config]);
        let problem = verifier.verify(&token).await.unwrap_err();
        assert_eq!(problem.status(), 503, "{uri}");
    }
    assert_eq!(secret.reads(), 0);
}

#[tokio::test]
async fn a_key_of_an_algorithm_that_is_not_listed_is_not_taken() {
    let (es, ed) = (Signer::es(), Signer::ed());
    let jwks = Jwks::start(json!([es.jwk("k1"), ed.jwk("k2")])).await;
    let config = IssuerConfig { algorithms: vec!["ES256".to_owned()], ..jwks.issuer("https://a.example/") };
    let verifier = verifier_for(TestClock::new(), vec![config]);
    assert!(verifier.verify(&es.sign(Some("k1"), &external(json!({})))).await.is_ok());
    assert!(verifier.verify(&ed.sign(Some("k2"), &external(json!({})))).await.is_err());
}

#[tokio::test]
async fn v38_a_key_that_the_issuer_takes_back_does_not_live_on_in_the_cache() {
    let clock = TestClock::new();
    let (old, new) = (Signer::es(), Signer::es());
    let jwks = Jwks::start(json!([old.jwk("k1")])).await;
    let verifier = verifier_for(clock.clone(), vec![jwks.issuer("https://a.example/")]);
    let token = old.sign(Some("k1"), &external(json!({"exp": NOW + 100_000})));
    verifier.verify(&token).await.unwrap();
    jwks.set(200, json!([new.jwk("k2")]));
    clock.advance(599);
    assert!(verifier.verify_now(&token).unwrap().is_ok(), "the key set is still fresh");
    clock.advance(2);
    assert!(verifier.verify_now(&token).is_none(), "the key set is due to be read again");
    assert_eq!(verifier.verify(&token).await.unwrap_err().status(), 401);
    assert_eq!(jwks.reads(), 2);
}
