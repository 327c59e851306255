//! What people read before they sign in.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{App, an_installation, get};

async fn write(app: &App, org_id: Uuid, document: Value) {
    sqlx::query(
        "INSERT INTO settings (org_id, page, document, version, updated_at)
         VALUES ($1, 'organisation', $2, 1, now())
         ON CONFLICT (org_id, page) DO UPDATE SET document = EXCLUDED.document",
    )
    .bind(org_id)
    .bind(document)
    .execute(app.db.pool())
    .await
    .unwrap();
}

async fn shown(app: &App) -> Value {
    app.send(get("/auth/methods")).await.body["legal_notice"].clone()
}

/// Spec: settings 1
#[tokio::test]
async fn notice_of_the_first_organisation_is_shown_to_whoever_is_not_signed_in() {
    let (app, _) = App::set_up().await;
    assert_eq!(shown(&app).await, "", "nobody wrote one");
    let first: Uuid =
        sqlx::query_scalar("SELECT id FROM organisations").fetch_one(app.db.pool()).await.unwrap();
    let second = ctops_testkit::a_organisation(app.db.pool()).await;
    sqlx::query("UPDATE organisations SET created_at = (SELECT max(created_at) FROM organisations) + interval '1 day' WHERE id = $1")
        .bind(second)
        .execute(app.db.pool())
        .await
        .unwrap();
    write(&app, second, json!({ "legal_notice": "of the second" })).await;
    assert_eq!(shown(&app).await, "", "people of the first see nothing of the second");
    let markup = "Staff **only**.\n<script>alert(1)</script>";
    write(&app, first, json!({ "legal_notice": markup, "timezone": "Europe/Berlin" })).await;
    assert_eq!(shown(&app).await, markup, "as it was written; nothing else of the page is told");
    assert!(!app.send(get("/auth/methods")).await.body.to_string().contains("Berlin"));
    app.execute("UPDATE organisations SET deleted_at = now() WHERE created_at = (SELECT min(created_at) FROM organisations)")
        .await;
    assert_eq!(shown(&app).await, "of the second", "the first that is left");
}

/// Spec: settings 1
#[tokio::test]
async fn without_an_organisation_or_with_a_damaged_text_the_sign_in_page_still_works() {
    let app = App::unprepared(an_installation()).await;
    assert_eq!(shown(&app).await, "");
    let org = ctops_testkit::a_organisation(app.db.pool()).await;
    for damaged in [json!({ "legal_notice": 7 }), json!({ "legal_notice": "x".repeat(10_001) })] {
        write(&app, org, damaged).await;
        assert_eq!(shown(&app).await, "", "a text that could never be saved is not shown");
    }
}
