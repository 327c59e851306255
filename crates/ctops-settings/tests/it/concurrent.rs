//! Several people, or one person in several windows, at the same moment.

use ctops_base::Role;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::App;

const PAGE: &str = "/settings/authentication";

async fn count(app: &App, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(app.pool()).await.unwrap()
}

const HISTORY: &str = "SELECT count(*) FROM settings_history WHERE page = 'authentication'";
const AUDITED: &str = "SELECT count(*) FROM audit_events WHERE action = 'settings.authentication.changed'";

/// Spec: settings 2
#[tokio::test]
async fn of_saves_on_the_same_version_one_wins_and_the_others_learn_the_new_one() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    for round in 0..3 {
        let tag = format!("\"{round}\"");
        let saves = (1..=7).map(|days| {
            // None of them is what is there already: saving that changes nothing and is no conflict.
            let body = json!({ "session_max_days": days + 7 * (round + 1) });
            app.send(&admin, "PUT", PAGE, Some(body), Some(&tag))
        });
        let answers = join_all(saves).await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(won.len(), 1, "round {round}");
        for lost in answers.iter().filter(|answer| answer.status != 200) {
            assert_eq!((lost.status.as_u16(), &lost.body["code"]), (412, &json!("version_conflict")));
        }
        let now = app.get(&admin, PAGE).await.expect(200);
        assert_eq!(now["version"], round + 1);
        assert_eq!(now["values"]["session_max_days"], won[0].body["values"]["session_max_days"]);
    }
    assert_eq!((count(&app, HISTORY).await, count(&app, AUDITED).await), (3, 3), "one of each per save");
}

/// Without a version nothing is lost silently either: each save that is answered with success is a version of its own.
///
/// Spec: settings 2, 4
#[tokio::test]
async fn saves_without_a_version_never_overwrite_each_other_unseen() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let bodies = [
        json!({ "session_max_days": 3 }),
        json!({ "session_idle_hours": 4 }),
        json!({ "password_min_length": 20 }),
        json!({ "api_keys_max_days": 30 }),
        json!({ "ldap_allow_plain": true }),
    ];
    let saves = bodies.iter().map(|body| app.put(&admin, PAGE, body.clone()));
    let answers = join_all(saves).await;
    let now = app.get(&admin, PAGE).await.expect(200);
    let mut won = 0;
    for (body, answer) in bodies.iter().zip(&answers) {
        let (key, value) = body.as_object().unwrap().iter().next().unwrap();
        if answer.status == 200 {
            won += 1;
            assert_eq!(&now["values"][key], value, "a save that was confirmed is there");
        } else {
            assert_eq!(answer.status, 412);
            assert_ne!(&now["values"][key], value, "one that was refused is not");
        }
    }
    assert!(won >= 1);
    assert_eq!(now["version"], won);
    assert_eq!((count(&app, HISTORY).await, count(&app, AUDITED).await), (won, won));
}

#[tokio::test]
async fn saves_of_different_pages_and_organisations_do_not_meet() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let elsewhere = ctops_testkit::a_organisation(app.pool()).await;
    let neighbour = app.person_of(elsewhere, Role::OrgAdmin).await;
    let (ours, relay, theirs) = tokio::join!(
        app.put(&admin, PAGE, json!({ "session_max_days": 3 })),
        app.put(&admin, "/settings/smtp-relay", json!({ "host": "mail.example.com" })),
        app.put(&neighbour, PAGE, json!({ "session_max_days": 4 })),
    );
    for answer in [&ours, &relay, &theirs] {
        assert_eq!((answer.status.as_u16(), &answer.body["version"]), (200, &json!(1)), "{}", answer.body);
    }
    assert_eq!(ours.body["values"]["session_max_days"], 3);
    assert_eq!(theirs.body["values"]["session_max_days"], 4);
}

/// An import is all pages or none, also when somebody saves one of them meanwhile.
///
/// Spec: settings 7
#[tokio::test]
async fn an_import_beside_other_saves_is_done_as_a_whole_or_not_at_all() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    for round in 0..6 {
        let days = 10 + round;
        let host = format!("mail{round}.example.com");
        let pages = json!({ "authentication": { "session_max_days": days }, "smtp-relay": { "host": host } });
        let document = json!({ "format": "ct-ops-settings", "version": 1, "pages": pages });
        let (imported, saved) = tokio::join!(
            app.post(&admin, "/settings/import", json!({ "document": document, "dry_run": false })),
            app.put(&admin, "/settings/smtp-relay", json!({ "port": 1_000 + round })),
        );
        assert!(imported.status == 200 || imported.status == 412, "{}", imported.body);
        assert!(saved.status == 200 || saved.status == 412, "{}", saved.body);
        let now = app.get(&admin, PAGE).await.expect(200)["values"]["session_max_days"].clone();
        let relay = app.get(&admin, "/settings/smtp-relay").await.expect(200)["values"].clone();
        let both = (now == days, relay["host"] == host.as_str());
        assert_eq!(both, (imported.status == 200, imported.status == 200), "round {round}: {relay}");
        assert_eq!(relay["port"] == 1_000 + round, saved.status == 200, "round {round}");
    }
}

/// Spec: settings 4
#[tokio::test]
async fn a_restore_and_a_save_at_once_leave_a_history_without_gaps() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    for days in [3, 4, 5] {
        app.put(&admin, PAGE, json!({ "session_max_days": days })).await.expect(200);
    }
    let (restored, saved) = tokio::join!(
        app.post(&admin, "/settings/authentication/restore", json!({ "version": 1 })),
        app.put(&admin, PAGE, json!({ "session_idle_hours": 9 })),
    );
    let confirmed = [restored.status, saved.status].iter().filter(|status| **status == 200).count();
    assert!(confirmed >= 1);
    let versions: Vec<i64> = sqlx::query_scalar(
        "SELECT version FROM settings_history WHERE page = 'authentication' ORDER BY version",
    )
    .fetch_all(app.pool())
    .await
    .unwrap();
    assert_eq!(versions, (1..=3 + i64::try_from(confirmed).unwrap()).collect::<Vec<_>>());
}

#[tokio::test]
async fn flags_turned_at_once_are_all_turned() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let turns = [json!({ "calendar": false }), json!({ "acme": true }), json!({ "buildDocs": true })];
    let answers = join_all(turns.iter().map(|turn| app.patch(&admin, "/feature-flags", turn.clone()))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let list = app.get(&admin, "/feature-flags").await.expect(200);
    for turn in turns {
        let (key, value) = turn.as_object().unwrap().iter().next().unwrap();
        let flag = list["items"].as_array().unwrap().iter().find(|flag| flag["key"] == key.as_str()).unwrap();
        assert_eq!(&flag["value"], value, "{key}");
    }
}
