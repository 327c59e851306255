//! How many service keys an organisation has.

use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use crate::support::{App, Browser, delete, post};

async fn make(app: &App, who: &Browser, name: &str) -> (u16, serde_json::Value) {
    let body = json!({ "name": name, "scopes": ["things.read"], "role": "read_only" });
    let answer = app.send(post("/api-keys", body).with(who)).await;
    (answer.status.as_u16(), answer.body)
}

/// Copies the first key so often, into the organisation that is given or into its own.
async fn copy(app: &App, org_id: Option<Uuid>, count: i32) {
    sqlx::query(
        "INSERT INTO api_keys (id, org_id, user_id, kind, name, secret_hash, hint, scopes, created_at, expires_at)
         SELECT gen_random_uuid(), coalesce($1, k.org_id), k.user_id, k.kind, 'copy',
                sha256(gen_random_uuid()::text::bytea), k.hint, k.scopes, k.created_at, k.expires_at
         FROM api_keys k, generate_series(1, $2)
         WHERE k.name = 'first'",
    )
    .bind(org_id)
    .bind(count)
    .execute(app.db.pool())
    .await
    .unwrap();
}

/// Spec: auth 21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisation_has_a_hundred_live_service_keys_at_most_however_fast_they_are_made() {
    let (app, admin) = App::set_up().await;
    let (status, first) = make(&app, &admin, "first").await;
    assert_eq!(status, 201, "{first}");
    let other = ctops_testkit::a_organisation(app.db.pool()).await;
    copy(&app, Some(other), 30).await;
    copy(&app, None, 96).await;
    let app = Arc::new(app);
    let mut making = tokio::task::JoinSet::new();
    for n in 0..6 {
        let (app, admin) = (Arc::clone(&app), admin.clone());
        making.spawn(async move { make(&app, &admin, &format!("late {n}")).await });
    }
    let answers = making.join_all().await;
    let made = answers.iter().filter(|(status, _)| *status == 201).count();
    let refused =
        answers.iter().filter(|(status, body)| *status == 409 && body["code"] == "wrong_state").count();
    assert_eq!((made, refused), (3, 3), "97 were there, and those of others do not count: {answers:?}");
    let accounts = app.count("SELECT count(*) FROM users WHERE kind = 'service'").await;
    assert_eq!(accounts, 4, "a refused key leaves no account behind");
    let id = first["key"]["id"].as_str().unwrap();
    assert_eq!(app.send(delete(&format!("/api-keys/{id}")).with(&admin)).await.status, 204);
    assert_eq!(make(&app, &admin, "in its place").await.0, 201, "a revoked key makes room");
    assert_eq!(make(&app, &admin, "one too many").await.0, 409);
    app.execute("UPDATE api_keys SET expires_at = created_at WHERE name = 'in its place'").await;
    assert_eq!(make(&app, &admin, "after an expiry").await.0, 201, "so does one that has expired");
}
