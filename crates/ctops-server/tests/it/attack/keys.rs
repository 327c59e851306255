//! API keys on every operation: no more than their scopes, no more than their owner, and nothing of the account.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_crypto::secret::{random_token, sha256};
use ctops_slice::{Access, Permission};
use ctops_testkit::{a_organisation, a_user};
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

use super::bodies::Bodies;
use super::contents::{changed, contents};
use super::{read, writes};
use crate::app::App;
use crate::matrix::filled;

/// A key of `user` with `scopes`; its secret.
async fn a_key(app: &App, (user, org): (Uuid, Uuid), prefix: &str, scopes: &[&str]) -> String {
    let secret = random_token(prefix);
    sqlx::query(
        "INSERT INTO api_keys (id, org_id, user_id, kind, name, secret_hash, hint, scopes, created_at, expires_at)
         VALUES ($1, $2, $3, 'personal', 'key', $4, 'abcd', $5, now(), now() + interval '1 day')",
    )
    .bind(new_id())
    .bind(org)
    .bind(user)
    .bind(sha256(secret.as_bytes()).as_slice())
    .bind(scopes)
    .execute(app.db.pool())
    .await
    .unwrap();
    secret
}

/// One request as a program sends it: neither origin nor header nor cookie.
async fn send(app: &App, method: &str, path: &str, key: &str, body: &str) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))))
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = app.router.clone().oneshot(request).await.unwrap();
    if response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
        return (response.status(), Value::Null);
    }
    read(response).await
}

fn permission_of(access: Access) -> Option<&'static Permission> {
    match access {
        Access::Needs(permission) | Access::Licensed(permission, _) => Some(permission),
        _ => None,
    }
}

/// Spec: auth 20, 21
#[tokio::test]
async fn a_key_reaches_no_operation_beyond_its_scopes_on_any_route() {
    let app = App::new().await;
    let org = a_organisation(app.db.pool()).await;
    let owner = a_user(app.db.pool(), org, &[Role::SuperAdmin]).await;
    let bodies = Bodies::new(&app.document);
    for scope in ["hosts.read", "teams.read"] {
        let key = a_key(&app, (owner, org), "ctops_pat_", &[scope]).await;
        let before = contents(app.db.pool()).await;
        let (mut wrong, mut reached) = (Vec::new(), 0);
        for operation in &app.operations {
            let Some(permission) = permission_of(operation.access) else { continue };
            let schema = bodies.schema(operation);
            let body = schema.map(|schema| bodies.body(schema, true, &|_| None).to_string());
            let path = filled(&operation.path);
            let (status, answer) =
                send(&app, &operation.method, &path, &key, body.as_deref().unwrap_or("")).await;
            let refused = status == StatusCode::FORBIDDEN;
            reached += usize::from(!refused);
            if refused == (permission.name == scope) {
                wrong.push(format!("{} {}: {status} {answer}", operation.method, operation.path));
            }
        }
        assert!(wrong.is_empty(), "with {scope}: {wrong:#?}");
        assert!(reached >= 2, "{scope} opens {reached} operations");
        assert_eq!(changed(&before, &contents(app.db.pool()).await), [""; 0]);
    }
}

/// A stolen key with every scope there is: it signs nobody in or out, changes no password, second factor, passkey or
/// identity, makes no further key, and goes to no other organisation.
///
/// Spec: auth 21
#[tokio::test]
async fn a_key_with_every_scope_changes_nothing_of_its_owners_account() {
    let app = App::new().await;
    let org = a_organisation(app.db.pool()).await;
    let owner = a_user(app.db.pool(), org, &[Role::SuperAdmin]).await;
    let all: Vec<&str> = app.permissions.iter().map(|permission| permission.name).collect();
    let key = a_key(&app, (owner, org), "ctops_pat_", &all).await;
    let bodies = Bodies::new(&app.document);
    let before = contents(app.db.pool()).await;
    let (mut wrong, mut tried) = (Vec::new(), 0);
    let own = |path: &str| path.starts_with("/me") || path == "/auth/logout" || path.starts_with("/api-keys");
    for operation in app.operations.iter().filter(|o| writes(&o.method) && own(&o.path)) {
        let schema = bodies.schema(operation);
        let body = schema.map(|schema| bodies.body(schema, true, &|_| None).to_string()).unwrap_or_default();
        let (status, answer) = send(&app, &operation.method, &filled(&operation.path), &key, &body).await;
        tried += 1;
        if !status.is_client_error() {
            wrong.push(format!("{} {}: {status} {answer}", operation.method, operation.path));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 20, "only {tried} operations were tried");
    assert_eq!(changed(&before, &contents(app.db.pool()).await), [""; 0]);
}

/// What follows the prefix is 256 random bits; nothing shorter, longer, older or merely similar is anybody, on any route,
/// and no answer tells a revoked key from one that never was.
///
/// Spec: auth 20
#[tokio::test]
async fn guessed_revoked_and_expired_keys_are_nobody_on_every_route() {
    let app = App::new().await;
    let org = a_organisation(app.db.pool()).await;
    let owner = a_user(app.db.pool(), org, &[Role::SuperAdmin]).await;
    let all: Vec<&str> = app.permissions.iter().map(|permission| permission.name).collect();
    let (good, revoked, expired) = (
        a_key(&app, (owner, org), "ctops_pat_", &all).await,
        a_key(&app, (owner, org), "ctops_pat_", &all).await,
        a_key(&app, (owner, org), "ctops_svc_", &all).await,
    );
    for (sql, secret) in [
        ("UPDATE api_keys SET revoked_at = now() WHERE secret_hash = $1", &revoked),
        ("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE secret_hash = $1", &expired),
    ] {
        let hash = sha256(secret.as_bytes());
        sqlx::query(sql).bind(hash.as_slice()).execute(app.db.pool()).await.unwrap();
    }
    assert_eq!(send(&app, "GET", "/api/v1/hosts", &good, "").await.0, StatusCode::OK);
    let swapped = good.replace("ctops_pat_", "ctops_svc_");
    let shorter = &good[..good.len() - 1];
    let upper = format!("ctops_pat_{}", good["ctops_pat_".len()..].to_uppercase());
    let guesses =
        [revoked.as_str(), &expired, &swapped, shorter, &upper, "ctops_pat_", "ctops_pat_' OR '1'='1"];
    let mut answers = std::collections::BTreeSet::new();
    for guess in guesses {
        for operation in app.operations.iter().filter(|o| !matches!(o.access, Access::Public)).step_by(9) {
            let (status, mut answer) =
                send(&app, &operation.method, &filled(&operation.path), guess, "{}").await;
            assert_eq!(
                status,
                StatusCode::UNAUTHORIZED,
                "{} {} with {guess}",
                operation.method,
                operation.path
            );
            answer.as_object_mut().unwrap().remove("request_id");
            answers.insert(answer.to_string());
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
}
