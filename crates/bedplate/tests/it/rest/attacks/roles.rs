//! Who a token may make of its bearer.

use serde_json::json;

use super::{Caller, start, start_with, text};
use crate::api::server::{ALICE, JWT_SECRET, claims, sign, user};
use crate::rest::sign_with;

const OWN: &str = "the-secret-of-rest-alone-of-at-least-32-bytes";

#[tokio::test]
async fn tokens_name_only_roles_of_requests() {
    let server = start().await;
    let who = async |role: serde_json::Value| {
        let mut claims = claims("authenticated", ALICE);
        claims["role"] = role;
        Caller { server: &server, token: Some(sign(&claims)) }.get("/rpc/who").await
    };
    assert_eq!(who(json!("authenticated")).await.json(), json!("authenticated"));
    for role in [
        "postgres",
        "supabase_admin",
        "authenticator",
        "none",
        "NONE",
        "default",
        "public",
        "pg_read_all_data",
        "pg_execute_server_program",
        "Authenticated",
        "authenticated ",
        " authenticated",
        "authenticated\0",
        "\"authenticated\"",
        "authenticated, postgres",
        "authenticated; reset role",
        "'",
        "authenticated'--",
        "☃",
    ] {
        let answer = who(json!(role)).await;
        assert!(matches!(answer.status, 401 | 403), "{role}: {} {}", answer.status, text(&answer));
    }
    for role in [json!(["authenticated"]), json!({"authenticated": 1}), json!(1), json!(true)] {
        let answer = who(role.clone()).await;
        assert!(
            matches!(answer.status, 401 | 403)
                || answer.json() == json!("authenticated")
                || answer.json() == json!("anon"),
            "{role}: {} {}",
            answer.status,
            text(&answer)
        );
    }
}

#[tokio::test]
async fn keys_of_rest_and_of_the_platform_are_not_mistaken_for_each_other() {
    let server = start_with(|command| {
        command.env("BEDPLATE_REST__JWT_SECRET", OWN).args(["--set", "rest.jwt_role_claim_key=.app.role"]);
    })
    .await;
    let mut own = claims("service_role", ALICE);
    own["app"] = json!({"role": "authenticated"});
    let own = sign_with(OWN, &own);
    let platform = user(ALICE);
    let caller = |token: &str| Caller { server: &server, token: Some(token.to_owned()) };
    assert_eq!(
        caller(&own).get("/rpc/who").await.json(),
        json!("authenticated"),
        "not the role of another claim"
    );
    assert_eq!(caller(&platform).get("/rpc/who").await.status, 401);
    assert_eq!(server.get("/api/v1/tickets", Some(&platform)).await.status, 200);
    for token in [own.clone(), sign_with(OWN, &claims("service_role", ALICE))] {
        assert_eq!(server.get("/api/v1/tickets", Some(&token)).await.status, 401, "nobody's elsewhere");
    }
    for role in ["postgres", "supabase_admin", "authenticator"] {
        let token = sign_with(OWN, &json!({"app": {"role": role}}));
        assert!(matches!(caller(&token).get("/rpc/who").await.status, 401 | 403), "{role}");
    }
    assert_ne!(OWN, JWT_SECRET);
}

#[tokio::test]
async fn v18_the_algorithm_is_the_keys_and_not_the_tokens() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let signer = bedplate_auth::mint::generate_es256().unwrap();
    let public = bedplate_auth::mint::public_jwk("k1", &signer).unwrap();
    let public = serde_json::to_value(public).unwrap();
    let set = json!({ "keys": [public] }).to_string();
    let server = start_with(|command| {
        command.env("BEDPLATE_REST__JWT_SECRET", &set);
    })
    .await;
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let good = bedplate_auth::mint::SigningKey::es256("k1", &signer)
        .unwrap()
        .sign(&claims("authenticated", ALICE))
        .unwrap();
    let caller = |token: String| Caller { server: &server, token: Some(token) };
    assert_eq!(caller(good.clone()).get("/rpc/who").await.json(), json!("authenticated"));
    let pieces: Vec<&str> = good.split('.').collect();
    let body = part(&claims("service_role", ALICE));
    let point = [public["x"].as_str().unwrap(), public["y"].as_str().unwrap()].concat();
    let mut forged = vec![
        format!("{}.{}.", part(&json!({"alg": "none"})), body),
        format!("{}.{}.{}", part(&json!({"alg": "none"})), body, pieces[2]),
        format!("{}.{}.{}", part(&json!({"alg": "NoNe", "kid": "k1"})), body, pieces[2]),
        format!("{}.{body}.{}", pieces[0], pieces[2]),
        format!("{}.{}.", pieces[0], pieces[1]),
        format!("{}.{}.{}", pieces[0], pieces[1], &pieces[2][..pieces[2].len() - 2]),
        format!("{}.{}.{}", part(&json!({"alg": "ES256", "jwk": public})), body, pieces[2]),
        format!(
            "{}.{}.{}",
            part(&json!({"alg": "ES256", "jku": "http://127.0.0.1/", "kid": "k1"})),
            body,
            pieces[2]
        ),
        format!("{good}."),
        format!("{good} "),
        good.to_uppercase(),
    ];
    for secret in [set.clone(), public.to_string(), point, "k1".repeat(20)] {
        forged.push(sign_with(&secret, &claims("service_role", ALICE)));
    }
    for token in forged {
        let trimmed = token.trim_end() == good;
        let answer = caller(token.clone()).get("/rpc/who").await;
        assert!(answer.status == 401 || trimmed && answer.status == 200, "{token}: {}", text(&answer));
        if answer.status == 200 {
            assert_eq!(answer.json(), json!("authenticated"));
        }
    }
}
