//! API keys: what they may do, where from, how long; and everything that must not be possible with one.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Answer, App, Browser, Call, EMAIL, PASSWORD, call, delete, get, post};

/// A request of a program: with a key, and with nothing that browsers add.
fn with_key(call: Call, key: &str) -> Call {
    call.without("origin").without("x-ctops-request").header("authorization", &format!("Bearer {key}"))
}

async fn me(app: &App, key: &str, ip: &str) -> Answer {
    app.send(with_key(get("/me"), key).from(ip)).await
}

/// Makes a personal key and returns its id and secret.
async fn make(app: &App, browser: &Browser, more: Value) -> (String, String) {
    let mut body = json!({ "name": "Backup job", "scopes": ["things.read", "sessions.own"] });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let answer = app.send(post("/me/api-keys", body).with(browser)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&answer.body["key"]["id"]), text(&answer.body["secret"]))
}

/// Spec: auth 20
#[tokio::test]
async fn a_personal_key_is_shown_once_and_speaks_for_its_owner_within_its_scopes() {
    let (app, browser) = App::set_up().await;
    let (id, key) = make(&app, &browser, json!({})).await;
    assert!(key.starts_with("ctops_pat_") && key.len() == 10 + 43, "256 bits in base64url");
    let answer = me(&app, &key, "198.51.100.7").await;
    assert_eq!(answer.body["user"]["email"], EMAIL);
    assert_eq!(answer.body["permissions"], json!(["sessions.own", "things.read"]), "not things.break");
    assert_eq!(answer.body["session"], Value::Null);
    let list = app.send(get("/me/api-keys").with(&browser)).await;
    let item = &list.body["items"][0];
    assert_eq!((&item["id"], &item["hint"]), (&json!(id), &json!(key[key.len() - 4..])));
    assert_eq!(item["last_used_ip"], "198.51.100.7");
    assert_eq!(item["expires_at"], "2026-09-01T12:00:00.000Z", "90 days");
    assert!(!list.body.to_string().contains(&key));
    let rows: String =
        sqlx::query_scalar("SELECT api_keys::text FROM api_keys").fetch_one(app.db.pool()).await.unwrap();
    assert!(!rows.contains(&key[10..]));
    let audit = app.audit().await;
    assert_eq!(audit[audit.len() - 2..], ["auth.api_key.created", "auth.api_key.used_first_time"]);
}

/// Spec: auth 20
#[tokio::test]
async fn a_key_ends_with_its_expiry_its_owner_and_its_network() {
    let (app, admin) = App::set_up().await;
    app.add_member("bob@example.com", &["engineer"]).await;
    let bob = app.login("bob@example.com", PASSWORD, "192.0.2.77").await.browser();
    let networks = json!({ "allowed_networks": ["198.51.100.0/24", "2001:db8::/32"], "expires_in_days": 2 });
    let (_, key) = make(&app, &bob, networks).await;
    assert_eq!(me(&app, &key, "198.51.100.255").await.status, StatusCode::OK);
    assert_eq!(me(&app, &key, "2001:db8::9").await.status, StatusCode::OK);
    for ip in ["198.51.101.1", "2001:db9::1"] {
        assert_eq!(me(&app, &key, ip).await.refusal(), (401, "unauthenticated"), "{ip}");
    }
    app.execute("UPDATE users SET active = false WHERE email = 'bob@example.com'").await;
    assert_eq!(me(&app, &key, "198.51.100.1").await.refusal().0, 401, "deactivated owner");
    app.execute("UPDATE users SET active = true, deleted_at = now() WHERE email = 'bob@example.com'").await;
    assert_eq!(me(&app, &key, "198.51.100.1").await.refusal().0, 401, "removed owner");
    app.execute("UPDATE users SET deleted_at = NULL WHERE email = 'bob@example.com'").await;
    assert_eq!(me(&app, &key, "198.51.100.1").await.status, StatusCode::OK);
    app.execute("UPDATE memberships SET state = 'removed' WHERE 'engineer' = ANY(roles)").await;
    assert_eq!(me(&app, &key, "198.51.100.1").await.refusal().0, 401, "owner left the organisation");
    app.execute("UPDATE memberships SET state = 'active'").await;
    app.clock.advance(TimeDelta::days(2));
    assert_eq!(me(&app, &key, "198.51.100.1").await.refusal().0, 401, "expired");
    assert_eq!(app.send(get("/me").with(&admin)).await.refusal().0, 401, "the session is idle by now");
}

/// Spec: auth 20
#[tokio::test]
async fn a_key_loses_what_its_owner_loses() {
    let (app, browser) = App::set_up().await;
    let (_, key) = make(&app, &browser, json!({ "scopes": ["things.break", "things.read"] })).await;
    assert_eq!(me(&app, &key, "192.0.2.1").await.body["permissions"], json!(["things.break", "things.read"]));
    app.execute("UPDATE memberships SET roles = '{read_only}'").await;
    assert_eq!(me(&app, &key, "192.0.2.1").await.body["permissions"], json!(["things.read"]));
    app.demand_second_factor().await;
    let refused = app.send(with_key(get("/me/sessions"), &key)).await;
    assert_eq!(refused.refusal(), (403, "mfa_enrolment_required"), "what holds for its owner holds for it");
}

/// Spec: auth 21
#[tokio::test]
async fn a_revoked_key_is_dead_with_the_next_request() {
    let (app, browser) = App::set_up().await;
    let (id, key) = make(&app, &browser, json!({})).await;
    let ip = std::net::IpAddr::from([192, 0, 2, 1]);
    let actor = app.state.authenticator.by_api_key(&key, ip).await.unwrap().unwrap();
    assert!(app.state.authenticator.is_alive(&actor).await.unwrap());
    let revoke = || delete(&format!("/me/api-keys/{id}")).with(&browser);
    assert_eq!(app.send(revoke()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(me(&app, &key, "192.0.2.1").await.refusal(), (401, "unauthenticated"));
    assert!(!app.state.authenticator.is_alive(&actor).await.unwrap(), "streams");
    assert_eq!(app.send(revoke()).await.refusal(), (404, "not_found"));
    assert_eq!(app.audit().await.last().unwrap(), "auth.api_key.revoked");
    assert!(app.send(get("/me/api-keys").with(&browser)).await.body["items"][0]["revoked_at"].is_string());
}

/// Spec: auth 21
#[tokio::test]
async fn keys_make_no_keys_and_change_no_second_factor() {
    let (app, browser) = App::set_up().await;
    let everything =
        json!({ "scopes": ["api_keys.own", "service_keys.manage", "mfa.reset", "sessions.manage"] });
    let (id, key) = make(&app, &browser, everything).await;
    let new_key = json!({ "name": "Another", "scopes": ["api_keys.own"] });
    let service = json!({ "name": "Another", "scopes": ["api_keys.own"], "role": "read_only" });
    let some_id = uuid::Uuid::now_v7();
    let calls = [
        post("/me/api-keys", new_key),
        post("/api-keys", service),
        get("/me/api-keys"),
        get("/api-keys"),
        delete(&format!("/me/api-keys/{id}")),
        delete(&format!("/api-keys/{id}")),
        post("/me/mfa/totp", json!({})),
        post("/me/mfa/totp/confirm", json!({ "code": "000000" })),
        delete("/me/mfa/totp"),
        post("/me/mfa/recovery-codes", json!({})),
        delete(&format!("/users/{some_id}/mfa")),
        get("/me/passkeys"),
        post("/me/passkeys/options", json!({})),
        delete(&format!("/me/passkeys/{some_id}")),
        get("/me/reauthentication"),
        post("/me/reauthenticate", json!({ "password": PASSWORD })),
        post("/me/reauthenticate/passkey/options", json!({})),
    ];
    for call in calls {
        let answer = app.send(with_key(call, &key)).await;
        assert_eq!(answer.refusal(), (403, "forbidden"), "{}", answer.body);
    }
    assert_eq!(app.count("SELECT count(*) FROM api_keys").await, 1);
}

/// Spec: auth 20
#[tokio::test]
async fn a_new_key_gets_nothing_its_owner_lacks_and_no_wrong_field() {
    let (app, _) = App::set_up().await;
    app.add_member("bob@example.com", &["engineer"]).await;
    let bob = app.login("bob@example.com", PASSWORD, "192.0.2.77").await.browser();
    let good = json!({ "name": "Backup job", "scopes": ["things.read"] });
    for (field, value, code) in [
        ("scopes", json!(["things.break"]), "not_held"),
        ("scopes", json!(["invented"]), "not_held"),
        ("scopes", json!([]), "required"),
        ("allowed_networks", json!(["192.0.2.0/40"]), "not_a_network"),
        ("expires_in_days", json!(0), "out_of_range"),
        ("expires_in_days", json!(91), "out_of_range"),
        ("name", json!("x"), "too_short"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let answer = app.send(post("/me/api-keys", body).with(&bob)).await;
        assert_eq!((answer.refusal(), answer.fields()), ((422, "validation_failed"), vec![(field, code)]));
    }
    for field in ["user_id", "org_id", "role", "kind"] {
        let mut body = good.clone();
        body[field] = json!("super_admin");
        let answer = app.send(post("/me/api-keys", body).with(&bob)).await;
        assert_eq!(answer.refusal(), (422, "unknown_field"), "{field}");
    }
    app.set_authentication(json!({ "api_keys_max_days": 365 })).await;
    let mut year = good.clone();
    year["expires_in_days"] = json!(365);
    assert_eq!(app.send(post("/me/api-keys", year).with(&bob)).await.status, StatusCode::CREATED);
    let service = json!({ "name": "Backup job", "scopes": ["things.read"], "role": "read_only" });
    assert_eq!(app.send(post("/api-keys", service).with(&bob)).await.refusal(), (403, "forbidden"));
}

/// Spec: auth 21
#[tokio::test]
async fn a_service_key_has_its_role_and_its_maker_as_limit_and_outlives_the_maker() {
    let (app, admin) = App::set_up().await;
    let ask = |role: &str, scopes: Value| json!({ "name": "Nightly export", "scopes": scopes, "role": role });
    for (role, scopes, field) in [
        ("engineer", json!(["things.break"]), "scopes"),
        ("super_admin", json!(["things.read"]), "role"),
        ("root", json!(["things.read"]), "role"),
    ] {
        let answer = app.send(post("/api-keys", ask(role, scopes)).with(&admin)).await;
        assert_eq!((answer.status.as_u16(), answer.fields()[0].0), (422, field));
    }
    let made = app.send(post("/api-keys", ask("engineer", json!(["things.read"]))).with(&admin)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let key = made.body["secret"].as_str().unwrap().to_owned();
    assert!(key.starts_with("ctops_svc_"));
    app.demand_second_factor().await;
    app.execute("UPDATE users SET active = false WHERE email = 'ada@example.com'").await;
    let who = me(&app, &key, "192.0.2.1").await;
    assert_eq!((who.status, &who.body["roles"]), (StatusCode::OK, &json!(["engineer"])), "{}", who.body);
    app.execute("UPDATE users SET active = true").await;
    app.execute("DELETE FROM settings").await;
    let email: String = sqlx::query_scalar("SELECT email FROM users WHERE kind = 'service'")
        .fetch_one(app.db.pool())
        .await
        .unwrap();
    assert_eq!(app.login(&email, PASSWORD, "192.0.2.9").await.refusal(), (401, "invalid_credentials"));
    let id = made.body["key"]["id"].as_str().unwrap();
    let list = app.send(get("/api-keys").with(&admin)).await;
    assert_eq!(
        (&list.body["items"][0]["id"], &list.body["items"][0]["roles"]),
        (&json!(id), &json!(["engineer"]))
    );
    assert_eq!(app.send(delete(&format!("/me/api-keys/{id}")).with(&admin)).await.refusal().0, 404);
    assert_eq!(
        app.send(delete(&format!("/api-keys/{id}")).with(&admin)).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(me(&app, &key, "192.0.2.1").await.refusal().0, 401);
}

/// Spec: auth 21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_has_twenty_live_keys_at_most_however_fast_they_are_made() {
    let (app, browser) = App::set_up().await;
    let app = std::sync::Arc::new(app);
    let mut made = tokio::task::JoinSet::new();
    for n in 0..23 {
        let (app, browser) = (app.clone(), browser.clone());
        made.spawn(async move {
            let body = json!({ "name": format!("Key {n}"), "scopes": ["things.read"] });
            app.send(post("/me/api-keys", body).with(&browser)).await.status.as_u16()
        });
    }
    let statuses = made.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 20, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)));
    app.execute("UPDATE api_keys SET revoked_at = now() WHERE name = 'Key 3' OR name = 'Key 7'").await;
    let live = app.count("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL").await;
    let body = json!({ "name": "One more", "scopes": ["things.read"] });
    let again = app.send(post("/me/api-keys", body).with(&browser)).await;
    assert_eq!(again.status == StatusCode::CREATED, live < 20, "revoked ones do not count");
}

#[tokio::test]
async fn what_is_no_key_of_ours_is_nobody() {
    let (app, browser) = App::set_up().await;
    let (_, key) = make(&app, &browser, json!({})).await;
    let truncated = &key[..key.len() - 1];
    let swapped = key.replace("ctops_pat_", "ctops_svc_");
    for wrong in [truncated, &swapped, "ctops_pat_", "ctops_pat_' OR 1=1 --", "tok_something"] {
        assert_eq!(me(&app, wrong, "192.0.2.1").await.refusal(), (401, "unauthenticated"), "{wrong}");
    }
    let plain = get("/me").header("authorization", &key);
    assert_eq!(app.send(plain).await.refusal().0, 401, "without the scheme");
}

/// A page of another site cannot use a key it does not know, and a cookie beside a key does not lend it a session.
#[tokio::test]
async fn a_key_beside_a_cookie_speaks_alone() {
    let (app, browser) = App::set_up().await;
    let (_, key) = make(&app, &browser, json!({})).await;
    let both = with_key(call(Method::GET, "/me/api-keys"), &key).with(&browser);
    let answer = app.send(both).await;
    assert!([403, 200].contains(&answer.status.as_u16()), "{}", answer.body);
    let forged = with_key(post("/auth/logout", json!({})), "ctops_pat_made-up").with(&browser);
    assert_ne!(app.send(forged).await.status, StatusCode::NO_CONTENT, "no Origin, no header: a forged write");
    assert_eq!(app.send(get("/me").with(&browser)).await.status, StatusCode::OK);
}

async fn a_group(app: &App, org: &str, name: &str) -> uuid::Uuid {
    sqlx::query_scalar(
        "INSERT INTO host_groups (id, org_id, name, created_at, updated_at)
         SELECT $1, o.id, $3, now(), now() FROM organisations o WHERE o.name = $2 RETURNING id",
    )
    .bind(ctops_base::id::new_id())
    .bind(org)
    .bind(name)
    .fetch_one(app.db.pool())
    .await
    .unwrap()
}

/// Spec: auth 20
/// Spec: users-teams-rbac 1
#[tokio::test]
async fn a_key_is_limited_to_host_groups_that_its_maker_can_see_and_to_no_other() {
    let (app, admin) = App::set_up().await;
    let own = "Analytical Engines";
    let (web, db, gone) =
        (a_group(&app, own, "web").await, a_group(&app, own, "db").await, a_group(&app, own, "gone").await);
    app.execute("UPDATE host_groups SET deleted_at = now() WHERE name = 'gone'").await;
    let other = ctops_testkit::a_organisation(app.db.pool()).await;
    let theirs = ctops_base::id::new_id();
    sqlx::query("INSERT INTO host_groups (id, org_id, name, created_at, updated_at) VALUES ($1, $2, 'x', now(), now())")
        .bind(theirs)
        .bind(other)
        .execute(app.db.pool())
        .await
        .unwrap();
    let bob = app.add_member("bob@example.com", &["engineer"]).await;
    let browser = app.login("bob@example.com", PASSWORD, "192.0.2.77").await.browser();
    sqlx::query("INSERT INTO user_host_scopes (user_id, group_id) VALUES ($1, $2)")
        .bind(bob)
        .bind(web)
        .execute(app.db.pool())
        .await
        .unwrap();
    let asked = async |by: &Browser, path: &str, groups: Value| {
        let mut body = json!({ "name": "Job", "scopes": ["things.read"], "host_groups": groups });
        if path == "/api-keys" {
            body["role"] = json!("read_only");
        }
        app.send(post(path, body).with(by)).await
    };
    for (by, path, groups) in [
        (&admin, "/me/api-keys", json!([web, gone])),
        (&admin, "/me/api-keys", json!([theirs])),
        (&admin, "/api-keys", json!([theirs])),
        (&admin, "/me/api-keys", json!([ctops_base::id::new_id()])),
        (&browser, "/me/api-keys", json!([web, db])),
    ] {
        let refused = asked(by, path, groups.clone()).await;
        assert_eq!(refused.refusal(), (422, "validation_failed"), "{path} {groups}");
        let field = &refused.body["fields"][0];
        assert_eq!((&field["path"], &field["code"]), (&json!("host_groups"), &json!("unknown")));
    }
    assert_eq!(app.count("SELECT count(*) FROM api_keys").await, 0, "nothing was left behind");
    assert_eq!(
        app.count("SELECT count(*) FROM users WHERE kind = 'service'").await,
        0,
        "nor an account of a service"
    );
    let made = asked(&admin, "/me/api-keys", json!([web, db])).await;
    assert_eq!((made.status.as_u16(), &made.body["key"]["host_groups"]), (201, &json!([web, db])));
    assert_eq!(asked(&browser, "/me/api-keys", json!([web])).await.status, StatusCode::CREATED);
    let unlimited = asked(&admin, "/api-keys", json!([])).await;
    assert_eq!(unlimited.body["key"]["host_groups"], Value::Null, "no group is no limit");
}
