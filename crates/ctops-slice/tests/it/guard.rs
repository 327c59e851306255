//! The guard in front of every request, from outside.

use axum::http::StatusCode;
use axum::routing::{any, get, post};
use axum::{Json, Router};
use ctops_base::Problem;
use ctops_slice::audit::context;
use ctops_slice::guard::ClientIp;
use ctops_slice::http::ApiError;
use ctops_slice::{Actor, AppState};
use serde_json::{Value, json};

use crate::support::{ALIAS, App, KEY, ORIGIN, SESSION, SESSION_ID, an_installation};

async fn who(ClientIp(ip): ClientIp, actor: Option<axum::Extension<Actor>>) -> Json<Value> {
    let roles = actor.map(|actor| actor.roles().iter().map(|role| role.as_str()).collect::<Vec<_>>());
    let request = context::current().unwrap_or_default();
    Json(json!({ "ip": ip, "roles": roles, "context": request }))
}

async fn refuse() -> Result<(), ApiError> {
    Err(Problem::forbidden().into())
}

async fn fall_over() -> Result<(), ApiError> {
    Err(Problem::internal("connection to 10.1.2.3 refused for role ctops").into())
}

async fn kept() -> ([(&'static str, &'static str); 1], &'static str) {
    ([("cache-control", "public, max-age=60")], "kept")
}

fn api() -> Router<AppState> {
    Router::new()
        .route("/who", any(who))
        .route("/things/{id}/break", post(refuse))
        .route("/fall", get(fall_over))
        .route("/kept", get(kept))
        .route("/api/v1/auth/saml/{id}/acs", post(who))
}

async fn app() -> App {
    App::new(an_installation(), api()).await
}

fn session_cookie() -> String {
    format!("__Host-ctops_session={SESSION}")
}

/// All combinations of method, origin, header and cookie against the rule written down once more: what only reads
/// passes; a foreign origin never writes; with a cookie, origin and header must both be there.
///
/// Spec: auth 25
/// Spec: api-conventions 3
#[tokio::test]
async fn forged_writes_are_refused_in_every_combination_and_nothing_else_is() {
    let app = app().await;
    let origins: [(&str, &str, Option<bool>); 10] = [
        ("origin", ORIGIN, Some(true)),
        ("origin", "https://OPS.example.com", Some(true)),
        ("origin", ALIAS, Some(true)),
        ("origin", "null", Some(false)),
        ("origin", "https://evil.example", Some(false)),
        ("origin", "https://ops.example.com.evil.example", Some(false)),
        ("referer", "https://ops.example.com/hosts?x=1", Some(true)),
        ("referer", "https://evil.example/?https://ops.example.com", Some(false)),
        ("referer", "about:blank", None),
        ("x-nothing", "x", None),
    ];
    let cookie = session_cookie();
    for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] {
        let reads = matches!(method, "GET" | "HEAD" | "OPTIONS");
        for (name, value, trusted) in origins {
            for (with_cookie, with_header) in [(false, false), (false, true), (true, false), (true, true)] {
                let mut headers = vec![(name, value)];
                headers.extend(with_cookie.then_some(("cookie", cookie.as_str())));
                headers.extend(with_header.then_some(("x-ctops-request", "1")));
                let expected = reads
                    || match trusted {
                        Some(trusted) => trusted && (with_header || !with_cookie),
                        None => !with_cookie,
                    };
                let answer = app.send(method, "/who", &headers, b"").await;
                let what = format!("{method} with {headers:?}");
                assert_eq!(answer.status == StatusCode::OK, expected, "{what}: {}", answer.status);
                if !expected {
                    assert_eq!(
                        (answer.status, answer.code().as_str()),
                        (StatusCode::FORBIDDEN, "untrusted_origin")
                    );
                }
            }
        }
    }
}

/// Spec: auth 25
#[tokio::test]
async fn an_origin_beats_a_referrer_that_says_otherwise() {
    let app = app().await;
    let cookie = session_cookie();
    let both = |origin, referer| {
        [("origin", origin), ("referer", referer), ("cookie", cookie.as_str()), ("x-ctops-request", "1")]
    };
    let answer = app.send("POST", "/who", &both("https://evil.example", ORIGIN), b"").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = app.send("POST", "/who", &both(ORIGIN, "https://evil.example/"), b"").await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// The answer of a SAML provider comes from elsewhere by design, and the cookie that the browser adds counts for nothing.
///
/// Spec: auth 34
#[tokio::test]
async fn a_post_from_a_saml_provider_passes_as_nobody() {
    let app = app().await;
    let cookie = session_cookie();
    let headers = [("origin", "https://idp.example"), ("cookie", cookie.as_str())];
    let answer = app.send("POST", "/api/v1/auth/saml/7/acs", &headers, b"").await;
    assert_eq!((answer.status, answer.json()["roles"].clone()), (StatusCode::OK, Value::Null));
    for path in ["/who", "/things/acs/break", "/who?/auth/saml/7/acs"] {
        assert_eq!(app.send("POST", path, &headers, b"").await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

/// Spec: auth 12
#[tokio::test]
async fn a_session_counts_under_its_exact_cookie_name_only() {
    let app = app().await;
    let roles = async |cookie: &str| {
        app.send("GET", "/who", &[("cookie", cookie)], b"").await.json()["roles"].clone()
    };
    assert_eq!(roles(&session_cookie()).await, json!(["engineer"]));
    assert_eq!(roles(&format!("a=b; __Host-ctops_session={SESSION}; c=d")).await, json!(["engineer"]));
    for other in [
        format!("ctops_session={SESSION}"),
        format!("__host-ctops_session={SESSION}"),
        format!("x__Host-ctops_session={SESSION}"),
        format!("__Host-ctops_session_x={SESSION}"),
        format!("__Secure-ctops_session={SESSION}"),
        format!("__Host-ctops_session={SESSION}x"),
        "__Host-ctops_session=".to_owned(),
        format!("a=__Host-ctops_session={SESSION}"),
    ] {
        assert_eq!(roles(&other).await, Value::Null, "{other}");
    }
    // The first of two is taken; a second one, planted by a neighbouring site, changes nobody.
    assert_eq!(
        roles(&format!("__Host-ctops_session={SESSION}; __Host-ctops_session=planted")).await,
        json!(["engineer"])
    );
}

/// Spec: auth 20
#[tokio::test]
async fn a_key_speaks_alone_and_a_wrong_one_is_nobody_even_beside_a_good_cookie() {
    let app = app().await;
    let cookie = session_cookie();
    let send = async |authorization: &str| {
        app.send("POST", "/who", &[("authorization", authorization), ("cookie", &cookie)], b"").await
    };
    for authorization in [format!("Bearer {KEY}"), format!("bearer {KEY}"), format!("BEARER  {KEY} ")] {
        let answer = send(&authorization).await;
        assert_eq!(answer.json()["roles"], json!(["read_only"]), "{authorization:?}: {}", answer.text);
    }
    for wrong in ["Bearer ctops_pat_wrong", "Bearer ctops_svc_wrong"] {
        let answer = send(wrong).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "unauthenticated"));
    }
    // What is no key of ours leaves the decision to the cookie, and so needs origin and header.
    for other in ["Bearer something", "Basic Y3RvcHNfcGF0Xw==", "ctops_pat_x", "Bearer"] {
        assert_eq!(send(other).await.code(), "untrusted_origin", "{other}");
    }
}

/// Spec: security 5
#[tokio::test]
async fn request_ids_come_back_when_they_have_the_agreed_form_and_are_made_otherwise() {
    let app = app().await;
    for good in ["abcdefgh", "0198-AB-cd-9", &"x".repeat(64)] {
        let answer = app.send("GET", "/who", &[("x-request-id", good)], b"").await;
        assert_eq!(answer.header("x-request-id"), good);
        assert_eq!(answer.json()["context"]["request_id"], good);
    }
    for bad in
        ["short", &"x".repeat(65), "has space here", "semi;colon;x", "under_score_x", "<script>alert(1)"]
    {
        let answer = app.send("GET", "/nothing", &[("x-request-id", bad)], b"").await;
        let made = answer.header("x-request-id");
        assert!(made != bad && made.len() == 36, "{bad} became {made}");
    }
    let first = app.send("GET", "/who", &[], b"").await.header("x-request-id").to_owned();
    assert_ne!(first, app.send("GET", "/who", &[], b"").await.header("x-request-id"));
}

/// Spec: security 6
#[tokio::test]
async fn a_fault_of_ours_says_nothing_of_its_cause_and_names_the_request() {
    let app = app().await;
    let answer = app.send("GET", "/fall", &[("x-request-id", "request-77")], b"").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let body = answer.json();
    assert_eq!((body["code"].as_str(), body["request_id"].as_str()), (Some("internal"), Some("request-77")));
    assert!(!answer.text.contains("10.1.2.3") && !answer.text.contains("ctops\""), "{}", answer.text);
}

/// Spec: security 4
#[tokio::test]
async fn answers_are_not_stored_unless_their_handler_says_so() {
    let app = app().await;
    assert_eq!(app.send("GET", "/who", &[], b"").await.header("cache-control"), "no-store");
    assert_eq!(app.send("GET", "/fall", &[], b"").await.header("cache-control"), "no-store");
    assert_eq!(app.send("GET", "/kept", &[], b"").await.header("cache-control"), "public, max-age=60");
}

/// Spec: auth 24
#[tokio::test]
async fn the_client_is_the_peer_or_behind_a_trusted_proxy_the_last_hop_it_names() {
    let direct = app().await;
    let mut installation = an_installation();
    installation.trust_proxy_headers = true;
    let behind = App::new(installation, api()).await;
    for (name, value, seen) in [
        ("x-forwarded-for", "203.0.113.9", "203.0.113.9"),
        ("x-forwarded-for", "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("x-forwarded-for", "203.0.113.9, garbage", "203.0.113.9"),
        ("x-forwarded-for", "garbage", "192.0.2.7"),
        ("x-forwarded-for", "203.0.113.9:4711", "203.0.113.9"),
        ("x-forwarded-for", "[2001:db8::1]:4711", "2001:db8::1"),
        ("x-forwarded-for", "::ffff:203.0.113.9", "203.0.113.9"),
        ("x-real-ip", "203.0.113.9", "203.0.113.9"),
        ("x-real-ip", "", "192.0.2.7"),
        ("forwarded", "for=203.0.113.9", "192.0.2.7"),
    ] {
        let ip = async |app: &App| app.send("GET", "/who", &[(name, value)], b"").await.json()["ip"].clone();
        assert_eq!(ip(&behind).await, seen, "{name}: {value}");
        assert_eq!(ip(&direct).await, "192.0.2.7", "{name}: {value} of an untrusted peer");
    }
}

/// Spec: audit-log 3
#[tokio::test]
async fn the_trail_gets_the_request_and_a_name_of_the_session_that_is_no_key_to_it() {
    let app = app().await;
    let (cookie, agent) = (session_cookie(), format!("Mozilla\u{e9} {}", "x".repeat(400)));
    let headers = [("cookie", cookie.as_str()), ("user-agent", "curl/8"), ("x-request-id", "request-1")];
    let seen = app.send("GET", "/who", &headers, b"").await.json()["context"].clone();
    assert_eq!((seen["ip"].as_str(), seen["user_agent"].as_str()), (Some("192.0.2.7"), Some("curl/8")));
    assert_eq!(
        (seen["auth_method"].as_str(), seen["second_factor"].as_bool()),
        (Some("password"), Some(false))
    );
    let hash = seen["session_hash"].as_str().unwrap();
    assert_eq!(hash.len(), 32);
    assert!(!hash.contains(SESSION) && hash != SESSION_ID.simple().to_string());
    let authorization = format!("Bearer {KEY}");
    let by_key = [("authorization", authorization.as_str())];
    let seen = app.send("GET", "/who", &by_key, b"").await.json()["context"].clone();
    assert_eq!((seen["auth_method"].as_str(), seen["session_hash"].clone()), (Some("api_key"), Value::Null));
    let long = app.send("GET", "/who", &[("user-agent", &agent.replace('\u{e9}', ""))], b"").await;
    assert!(long.json()["context"]["user_agent"].as_str().unwrap().len() <= 300);
    assert!(context::current().is_none(), "outside of a request there is none");
}

async fn denied(app: &App) -> Vec<(String, String, String, i32)> {
    sqlx::query_as(
        "SELECT operation, target, reason_code, repeats FROM audit_denied ORDER BY operation, target",
    )
    .fetch_all(app.db.pool())
    .await
    .unwrap()
}

/// Spec: audit-log 4
#[tokio::test]
async fn refusals_of_people_are_counted_and_those_of_nobody_are_not() {
    let app = app().await;
    let cookie = session_cookie();
    let ours = [("cookie", cookie.as_str()), ("origin", ORIGIN), ("x-ctops-request", "1")];
    for path in ["/things/7/break", "/things/7/break", "/things/8/break", "/nothing"] {
        app.send("POST", path, &ours, b"").await;
    }
    app.send("POST", "/things/9/break", &[("origin", ORIGIN)], b"").await;
    let expected = |target: &str, repeats| {
        ("POST /things/{id}/break".to_owned(), target.to_owned(), "forbidden".to_owned(), repeats)
    };
    assert_eq!(denied(&app).await, [expected("7", 2), expected("8", 1)]);
}
