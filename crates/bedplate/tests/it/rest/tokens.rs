//! Who calls: PostgREST's rules for tokens, and its words when one is refused.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Plain, SECRET, author, refusal, sign, sign_with};

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

#[tokio::test]
async fn refusals_are_postgrests() {
    let server = Plain::start("", "jwt_aud = \"us\"").await;
    let role = "rest_author";
    let unsigned = format!("{}.{}.AAAA", part(&json!({"alg": "none"})), part(&json!({"role": role})));
    let other_alg = format!("{}.{}.AAAA", part(&json!({"alg": "HS512"})), part(&json!({"role": role})));
    let cases = [
        (String::new(), "PGRST301", "Empty JWT is sent in Authorization header"),
        ("a.b".to_owned(), "PGRST301", "Expected 3 parts in JWT; got 2"),
        ("a.b.c.d".to_owned(), "PGRST301", "Expected 3 parts in JWT; got 4"),
        ("quifqu*.fonvo*.iuq".to_owned(), "PGRST301", "JWT cryptographic operation failed"),
        (unsigned, "PGRST301", "Wrong or unsupported encoding algorithm"),
        (other_alg, "PGRST301", "Wrong or unsupported encoding algorithm"),
        (
            sign_with("another secret of at least 32 bytes", &json!({"role": role})),
            "PGRST301",
            "No suitable key or wrong key type",
        ),
        (sign(&json!({"role": role, "exp": now() - 40})), "PGRST303", "JWT expired"),
        (sign(&json!({"role": role, "nbf": now() + 40})), "PGRST303", "JWT not yet valid"),
        (sign(&json!({"role": role, "iat": now() + 40})), "PGRST303", "JWT issued at future"),
        (sign(&json!({"role": role, "aud": "them"})), "PGRST303", "JWT not in audience"),
        (sign(&json!({"role": role, "exp": "soon"})), "PGRST303", "The JWT 'exp' claim must be a number"),
        (
            sign(&json!({"role": role, "aud": 1})),
            "PGRST303",
            "The JWT 'aud' claim must be a string or an array of strings",
        ),
    ];
    for (token, code, message) in cases {
        let answer = server.get_as("/secrets", &token).await;
        assert_eq!(refusal(&answer), (401, code.to_owned(), message.to_owned()), "{token}");
        let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{message}\"");
        assert_eq!(answer.headers["www-authenticate"], challenge);
        assert_eq!(answer.headers["proxy-status"], format!("PostgREST; error={code}"));
    }
    for fine in [
        json!({"role": role}),
        json!({"role": role, "aud": null, "exp": null}),
        json!({"role": role, "aud": []}),
        json!({"role": role, "aud": ["them", "us"], "exp": now() - 20, "nbf": now() + 20}),
        json!({"role": role, "sub": 5}),
    ] {
        assert_eq!(server.get_as("/secrets", &sign(&fine)).await.status, 200, "{fine}");
    }
}

#[tokio::test]
async fn any_role_that_the_login_may_become_and_never_a_superuser() {
    let server = Plain::start("grant usage on schema api to rest_stranger, rest_login; ", "").await;
    let me = async |role: &str| server.get_as("/rpc/me", &sign(&json!({ "role": role }))).await;
    assert_eq!(me("rest_author").await.json(), json!("rest_author"));
    assert_eq!(server.get("/rpc/me").await.json(), json!("rest_anon"));
    let without_role = server.get_as("/rpc/me", &sign(&json!({"sub": "x"}))).await;
    assert_eq!(without_role.json(), json!("rest_anon"), "a token without a role is anonymous");
    let unknown = refusal(&me("rest_nobody").await);
    assert_eq!(unknown, (401, "22023".into(), "role \"rest_nobody\" does not exist".into()));
    let stranger = refusal(&me("rest_stranger").await);
    assert_eq!(stranger, (403, "42501".into(), "permission denied to set role \"rest_stranger\"".into()));
    assert_eq!(me("rest_root").await.status, 403, "a superuser, although it was granted");
}

#[tokio::test]
async fn anonymous_callers_can_be_refused() {
    let server = Plain::start("", "").await;
    assert_eq!(server.get("/items?limit=1").await.status, 200);
    let shut = Plain::start_with("", "", |command| {
        command.args(["--set", "rest.db_anon_role=none"]);
    })
    .await;
    for headers in [&[][..], &[("authorization", "Basic eDp5")]] {
        let answer = shut.send("GET", "/items", headers, b"").await;
        assert_eq!(refusal(&answer), (401, "PGRST302".into(), "Anonymous access is disabled".into()));
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    assert_eq!(
        shut.get_as("/items?limit=1", &sign(&json!({"sub": "x"}))).await.status,
        401,
        "no role, nobody"
    );
    assert_eq!(shut.get_as("/items?limit=1", &author()).await.status, 200);
}

#[tokio::test]
async fn without_tokens_who_sends_one_is_told() {
    let server = Plain::start("", "jwt_enabled = false").await;
    let answer = server.get_as("/items", &author()).await;
    assert_eq!(refusal(&answer), (500, "PGRST300".into(), "Server lacks JWT secret".into()));
    assert_eq!(server.get("/items?limit=1").await.status, 200);
}

#[tokio::test]
async fn the_role_stands_where_the_settings_say() {
    let server = Plain::start("", "jwt_role_claim_key = '.app.roles[?(@ ^== \"rest_\")]'").await;
    let token = sign(&json!({"role": "rest_root", "app": {"roles": ["other", "rest_author"]}}));
    assert_eq!(server.get_as("/rpc/me", &token).await.json(), json!("rest_author"));
    let claims = server.get_as("/rpc/setting?name=request.jwt.claims", &token).await.json();
    let claims: Value = serde_json::from_str(claims.as_str().unwrap()).unwrap();
    assert_eq!(claims["role"], "rest_author", "SQL sees the role that holds");
}

#[tokio::test]
async fn secrets_in_base64_and_as_key_sets() {
    let encoded = STANDARD.encode(SECRET).replace('+', "-").replace('/', "_").replace('=', ".");
    let base64 = Plain::start_with("", "jwt_secret_is_base64 = true", |command| {
        command.env("BEDPLATE_REST__JWT_SECRET", encoded);
    })
    .await;
    assert_eq!(base64.get_as("/secrets", &author()).await.status, 200);
    let signer = bedplate_auth::mint::generate_es256().unwrap();
    let key = bedplate_auth::mint::SigningKey::es256("k1", &signer).unwrap();
    let public = serde_json::to_value(bedplate_auth::mint::public_jwk("k1", &signer).unwrap()).unwrap();
    let symmetric = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)});
    let set = json!({ "keys": [public, symmetric] }).to_string();
    let keys = Plain::start_with("", "", |command| {
        command.env("BEDPLATE_REST__JWT_SECRET", set);
    })
    .await;
    let claims = json!({"role": "rest_author"});
    assert_eq!(keys.get_as("/secrets", &key.sign(&claims).unwrap()).await.status, 200, "ES256");
    assert_eq!(keys.get_as("/secrets", &author()).await.status, 200, "HS256");
    // The public key's text is no secret.
    let forged = sign_with(&public.to_string(), &claims);
    assert_eq!(keys.get_as("/secrets", &forged).await.status, 401);
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_stops_the_start() {
    let db = super::database("").await;
    for (secret, says) in
        [("short", "32 bytes"), ("{\"keys\":[]}", "no key"), ("{\"kty\":\"oct\"}", "no `k`")]
    {
        let (_dir, mut command) = super::project(&db, "");
        command.env("BEDPLATE_REST__JWT_SECRET", secret).args(["serve", "--set", "server.port=0"]);
        let out = command.output().await.unwrap();
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success() && text.contains("rest.jwt_secret") && text.contains(says), "{text}");
    }
}
