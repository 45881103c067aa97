use bedplate_auth::{KeyRing, LocalConfig, Verifier, jwk::Jwk, mint};
use bedplate_core::{PrincipalKind, Secret};
use serde_json::{Value, json};

use crate::signing::*;

fn refused(verifier: &Verifier, token: &str) -> bool {
    match verifier.verify_now(token) {
        Some(Err(problem)) => {
            assert_eq!(problem.status(), 401, "{problem}");
            assert!(problem.headers().iter().any(|(name, _)| *name == "WWW-Authenticate"));
            true
        }
        _ => false,
    }
}

#[test]
fn a_good_token_becomes_a_principal() {
    let verifier = verifier();
    let principal = verifier.verify_now(&local(json!({"email": "a@example.com"}))).unwrap().unwrap();
    assert_eq!(principal.kind, PrincipalKind::User);
    assert_eq!(&*principal.role, "authenticated");
    assert_eq!(principal.subject.as_deref(), Some("alice"));
    assert_eq!(principal.expires_at, Some(NOW + 600));
    let claims: Value = serde_json::from_str(&principal.claims).unwrap();
    assert_eq!(claims["email"], "a@example.com");
}

#[test]
fn a_token_without_a_role_gets_the_default_one_in_its_claims_too() {
    let token = hs256(&json!({"alg": "HS256"}), &json!({"sub": "bob"}), SECRET.as_bytes());
    let principal = verifier().verify_now(&token).unwrap().unwrap();
    assert_eq!(&*principal.role, "authenticated");
    assert_eq!(serde_json::from_str::<Value>(&principal.claims).unwrap()["role"], "authenticated");
}

#[test]
fn v18_none_blank_and_foreign_signatures_are_refused() {
    let verifier = verifier();
    let good = local(json!({}));
    let (head, _) = good.rsplit_once('.').unwrap();
    for alg in ["none", "None", "NONE", "nOnE", "HS384", "HS512", "ES384", "PS256", "", "hs256"] {
        let message = message(&json!({"alg": alg, "typ": "JWT"}), &claims(json!({})));
        assert!(refused(&verifier, &format!("{message}.")), "{alg}");
        assert!(refused(&verifier, &format!("{message}.AAAA")), "{alg}");
        assert!(
            refused(&verifier, &hs256(&json!({"alg": alg}), &claims(json!({})), SECRET.as_bytes())),
            "{alg}"
        );
    }
    assert!(refused(&verifier, &format!("{head}.")));
    assert!(refused(&verifier, head));
    assert!(refused(&verifier, &hs256(&json!({"alg": "HS256"}), &claims(json!({})), b"")));
    assert!(refused(
        &verifier,
        &hs256(&json!({"alg": "HS256"}), &claims(json!({})), &SECRET.as_bytes()[1..])
    ));
}

#[test]
fn v18_a_public_key_is_not_an_hmac_secret() {
    for signer in [Signer::es(), Signer::ed(), Signer::rsa()] {
        let public = signer.jwk("k1");
        let key: Jwk = serde_json::from_value(public.clone()).unwrap();
        let verifier =
            verifier_with(TestClock::new(), LocalConfig::default(), vec![key.verify_key().unwrap()]);
        assert!(
            verifier.verify_now(&signer.sign(Some("k1"), &claims(json!({})))).unwrap().is_ok(),
            "{}",
            signer.alg()
        );
        for text in [public.to_string(), public["x"].to_string(), public["n"].to_string()] {
            let forged = hs256(&json!({"alg": "HS256", "kid": "k1"}), &claims(json!({})), text.as_bytes());
            assert!(refused(&verifier, &forged));
        }
    }
}

#[test]
fn v20_nothing_in_the_token_chooses_the_key() {
    let verifier = verifier();
    let attacker = Signer::es();
    let mut header =
        json!({"alg": "ES256", "typ": "JWT", "jwk": attacker.jwk("x"), "jku": "http://127.0.0.1:1/jwks"});
    header["x5u"] = "http://127.0.0.1:1/cert".into();
    let signed = attacker.sign(None, &claims(json!({})));
    let (_, rest) = signed.split_once('.').unwrap();
    assert!(refused(&verifier, &format!("{}.{rest}", b64(header.to_string()))));
    for kid in ["../../dev/null", "' or 1=1 --", &"k".repeat(5000)] {
        assert!(refused(&verifier, &hs256(&json!({"alg": "HS256", "kid": kid}), &claims(json!({})), b"")));
    }
}

#[test]
fn p05_critical_headers_compression_and_foreign_types_are_refused() {
    let verifier = verifier();
    for extra in
        [json!({"crit": ["exp"]}), json!({"zip": "DEF"}), json!({"typ": "dpop+jwt"}), json!({"typ": 7})]
    {
        let mut header = json!({"alg": "HS256"});
        for (k, v) in extra.as_object().unwrap() {
            header[k] = v.clone();
        }
        assert!(refused(&verifier, &hs256(&header, &claims(json!({})), SECRET.as_bytes())), "{header}");
    }
    assert!(refused(&verifier, &local(json!({"pad": "x".repeat(9000)}))));
}

#[test]
fn v22_a_changed_token_is_refused_at_every_byte() {
    let verifier = verifier();
    let good = local(json!({}));
    for cut in 1..good.len() {
        assert!(refused(&verifier, &good[..good.len() - cut]));
    }
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] ^= if bytes[at].is_ascii_alphabetic() { 0x20 } else { 1 };
        if let Ok(changed) = String::from_utf8(bytes) {
            assert!(refused(&verifier, &changed), "byte {at}");
        }
    }
    for extra in ["=", "A", ".", " ", "\n", "\0"] {
        assert!(refused(&verifier, &format!("{good}{extra}")), "{extra:?}");
    }
    assert!(verifier.verify_now(&good).unwrap().is_ok());
}

#[test]
fn v39_claims_of_the_wrong_type_are_401_not_500() {
    let verifier = verifier();
    for bad in [
        json!({"exp": (NOW + 600).to_string()}),
        json!({"exp": null}),
        json!({"exp": {}}),
        json!({"iat": NOW + 3600}),
        json!({"nbf": NOW + 3600}),
        json!({"sub": null}),
        json!({"sub": 7}),
        json!({"sub": ["alice"]}),
        json!({"role": null}),
        json!({"role": ["service_role"]}),
        json!({"role": ""}),
        json!({"role": "a\0b"}),
        json!({"iss": {}}),
    ] {
        let strict = LocalConfig { issuer: Some("us".into()), ..LocalConfig::default() };
        let with_issuer = verifier_with(TestClock::new(), strict, vec![secret_key(SECRET)]);
        let target = if bad.get("iss").is_some() { &with_issuer } else { &verifier };
        assert!(refused(target, &local(bad.clone())), "{bad}");
    }
    for payload in ["null", "[]", "7", "\"x\"", "", "{", "{\"a\":\u{1}}"] {
        let message = format!("{}.{}", b64("{\"alg\":\"HS256\"}"), b64(payload));
        assert!(refused(&verifier, &format!("{message}.{}", b64("x"))), "{payload}");
    }
}

#[test]
fn issuer_and_audience_are_checked_when_configured() {
    let config = LocalConfig {
        issuer: Some("us".into()),
        audiences: vec!["authenticated".into()],
        ..LocalConfig::default()
    };
    let verifier = verifier_with(TestClock::new(), config, vec![secret_key(SECRET)]);
    assert!(
        verifier.verify_now(&local(json!({"iss": "us", "aud": ["x", "authenticated"]}))).unwrap().is_ok()
    );
    for bad in [
        json!({}),
        json!({"iss": "us"}),
        json!({"aud": "authenticated"}),
        json!({"iss": "us", "aud": {"authenticated": true}}),
        json!({"iss": "us/", "aud": "authenticated"}),
        json!({"iss": "us", "aud": ["authenticated", 7]}),
    ] {
        assert!(refused(&verifier, &local(bad.clone())), "{bad}");
    }
}

#[test]
fn v38_the_cache_outlives_neither_expiry_nor_rotation() {
    let clock = TestClock::new();
    let verifier = verifier_with(clock.clone(), LocalConfig::default(), vec![secret_key(SECRET)]);
    let token = local(json!({}));
    assert!(verifier.verify_now(&token).unwrap().is_ok());
    assert_eq!(verifier.cached_tokens(), 1);
    clock.advance(629);
    assert!(verifier.verify_now(&token).unwrap().is_ok(), "within the leeway");
    clock.advance(1);
    let problem = verifier.verify_now(&token).unwrap().unwrap_err();
    assert_eq!(problem.code().name, "auth_token_expired");
    assert_eq!(verifier.cached_tokens(), 0);

    let fresh = local(json!({"exp": NOW + 10_000}));
    assert!(verifier.verify_now(&fresh).unwrap().is_ok());
    verifier.rotate(KeyRing::new(vec![secret_key("another-secret-of-more-than-32-bytes!!")]));
    assert!(refused(&verifier, &fresh));
}

#[test]
fn refused_tokens_never_enter_the_cache() {
    let verifier = verifier();
    for n in 0..100 {
        let forged = hs256(&json!({"alg": "HS256"}), &claims(json!({"n": n})), b"wrong");
        assert!(refused(&verifier, &forged));
    }
    assert_eq!(verifier.cached_tokens(), 0);
}

#[test]
fn rotation_with_two_key_ids_serves_both_until_the_old_one_goes() {
    let (old, new) = (mint::generate_es256().unwrap(), mint::generate_es256().unwrap());
    let (old_key, new_key) = (mint::verify_key("k1", &old).unwrap(), mint::verify_key("k2", &new).unwrap());
    let verifier = verifier_with(TestClock::new(), LocalConfig::default(), vec![new_key.clone(), old_key]);
    let by_old = mint::SigningKey::es256("k1", &old).unwrap().sign(&claims(json!({}))).unwrap();
    let by_new = mint::SigningKey::es256("k2", &new).unwrap().sign(&claims(json!({}))).unwrap();
    assert!(verifier.verify_now(&by_old).unwrap().is_ok());
    assert!(verifier.verify_now(&by_new).unwrap().is_ok());
    verifier.rotate(KeyRing::new(vec![new_key]));
    assert!(refused(&verifier, &by_old));
    assert!(verifier.verify_now(&by_new).unwrap().is_ok());
}

#[test]
fn short_secrets_are_not_taken_and_kinds_follow_the_role() {
    assert!(bedplate_auth::VerifyKey::hs256(None, &Secret::new("short")).is_err());
    let verifier = verifier();
    let kind = |role: &str| verifier.verify_now(&local(json!({"role": role}))).unwrap().unwrap().kind;
    assert_eq!(kind("anon"), PrincipalKind::Anonymous);
    assert_eq!(kind("service_role"), PrincipalKind::Service);
    assert_eq!(kind("editor"), PrincipalKind::User);
}
