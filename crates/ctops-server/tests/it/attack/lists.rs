//! Lists, counts, searches and exports: none shows what belongs to another organisation or lies out of scope.

use axum::http::StatusCode;
use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_testkit::a_organisation;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::somebody::Belongings;
use crate::app::App;
use crate::objects::{Object, Things};
use http_body_util::BodyExt;

/// Ways to ask for the lists of another organisation.
fn questions(path: &str, org: Uuid) -> [String; 3] {
    [
        format!("/api/v1{path}"),
        format!("/api/v1{path}?org_id={org}&organisation_id={org}"),
        format!("/api/v1{path}?page_size=200&search=thing"),
    ]
}

/// The text of an answer that ends; streams go on.
async fn text(app: &App, question: &str, session: &str) -> Option<(StatusCode, String)> {
    let response = app.call("GET", question, Some(session), "").await;
    if response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
        return None;
    }
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    Some((status, String::from_utf8_lossy(&bytes).into_owned()))
}

/// Spec: users-teams-rbac 1
#[tokio::test]
async fn no_list_shows_anything_of_another_organisation() {
    let app = App::new().await;
    let pool = app.db.pool();
    let (ours, theirs) = (a_organisation(pool).await, a_organisation(pool).await);
    let things = Things::new(pool, ours).await;
    let belongings = Belongings::new(pool, ours, things.user, things.role).await;
    let mut secrets: Vec<String> = belongings.ids().map(|id| id.to_string()).collect();
    secrets.extend(OBJECTS.into_iter().filter_map(|object| things.id(object)));
    secrets.push(ours.to_string());
    let (owner, stranger) =
        (app.session(ours, Role::SuperAdmin).await, app.session(theirs, Role::SuperAdmin).await);
    let (mut wrong, mut seen) = (Vec::new(), std::collections::BTreeSet::new());
    for operation in app.operations.iter().filter(|o| o.method == "GET" && !o.path.contains('{')) {
        for question in questions(&operation.path, ours) {
            if let Some((status, text)) = text(&app, &question, &stranger).await {
                assert!(!status.is_server_error(), "{question}: {status}");
                // An error may repeat the question, but shows nothing that was not in it.
                let leaks = secrets.iter().filter(|id| text.contains(*id) && !question.contains(*id));
                wrong.extend(leaks.map(|id| format!("{question} shows {id}")));
            }
        }
        if let Some((_, text)) = text(&app, &format!("/api/v1{}", operation.path), &owner).await {
            seen.extend(secrets.iter().filter(|id| text.contains(*id)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen.len() >= 12, "the owner's lists show only {seen:?}, so the stranger's prove little");
}

const OBJECTS: [Object; 10] = [
    Object::Agent,
    Object::Check,
    Object::Container,
    Object::Host,
    Object::HostGroup,
    Object::Role,
    Object::TaskRun,
    Object::Team,
    Object::Token,
    Object::User,
];

/// Spec: host-groups 16
/// Spec: users-teams-rbac 14
#[tokio::test]
async fn no_list_shows_a_host_out_of_scope_or_what_hangs_off_it() {
    let app = App::new().await;
    let pool = app.db.pool();
    let ours = a_organisation(pool).await;
    let things = Things::new(pool, ours).await;
    let limited = app.session(ours, Role::Engineer).await;
    let everything = app.session(ours, Role::Engineer).await;
    let elsewhere = new_id();
    for statement in [
        format!(
            "INSERT INTO host_groups (id, org_id, name, created_at, updated_at)
             VALUES ('{elsewhere}', '{ours}', 'elsewhere', now(), now())"
        ),
        format!(
            "INSERT INTO user_host_scopes (user_id, group_id)
             SELECT user_id, '{elsewhere}' FROM sessions WHERE token_hash = sha256(convert_to('{limited}', 'UTF8'))"
        ),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(pool).await.unwrap();
    }
    let hidden: Vec<String> =
        OBJECTS.into_iter().filter(|o| o.is_scoped()).filter_map(|object| things.id(object)).collect();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for operation in app.operations.iter().filter(|o| o.method == "GET" && !o.path.contains('{')) {
        for question in questions(&operation.path, ours) {
            if let Some((_, text)) = text(&app, &question, &limited).await {
                let leaks = hidden.iter().filter(|id| text.contains(*id));
                wrong.extend(leaks.map(|id| format!("{question} shows {id}")));
            }
            if let Some((_, text)) = text(&app, &question, &everything).await {
                seen += usize::from(hidden.iter().any(|id| text.contains(id)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen >= 3, "somebody without a limit sees them in only {seen} answers");
    let count = |session| {
        let app = &app;
        async move { text(app, "/api/v1/hosts/summary", session).await.unwrap().1 }
    };
    let (few, all) = (count(&limited).await, count(&everything).await);
    assert!(few.contains("\"total\":0") && all.contains("\"total\":1"), "{few} {all}");
}
