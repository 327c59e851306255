//! Tokens through the API.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_fleet::enrolment::{NewToken, create_operator_token};
use serde_json::{Value, json};

use crate::support::{App, Key, Person};

async fn create(app: &App, who: &Person, body: Value) -> Value {
    app.post(who, "/enrolment-tokens", Some(body)).await.expect(201)
}

fn id_of(created: &Value) -> String {
    created["token"]["id"].as_str().unwrap().to_owned()
}

/// Spec: agents-enrolment 1, 2, 3
#[tokio::test]
async fn create_with_a_label_only_takes_the_defaults_and_shows_the_secret_once() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let created = create(&app, &admin, json!({"label": "  web servers "})).await;
    let secret = created["secret"].as_str().unwrap();
    assert_eq!((secret.len(), &secret[..4]), (47, "tok_"), "tok_ and 32 bytes in base64url");
    let token = &created["token"];
    assert_eq!(token["label"], "web servers");
    assert_eq!((&token["hint_prefix"], &token["hint_suffix"]), (&json!(secret[..8]), &json!(secret[43..])));
    assert_eq!((&token["max_uses"], &token["usage_count"]), (&json!(1), &json!(0)));
    assert_eq!((&token["auto_approve"], &token["skip_verify"]), (&json!(false), &json!(false)));
    assert_eq!(token["expires_at"], "2026-06-10T12:00:00.000Z", "seven days on");
    assert_eq!(token["status"], "active");
    assert_eq!(token["created_by"]["id"], admin.actor.user_id.to_string());
    assert_eq!(created["warnings"], json!([]));
    assert_eq!(created["ingest_address"], "ops.example.com:9443");
    let command = created["install_command"].as_str().unwrap();
    assert_eq!(
        command,
        format!(
            "curl -fsSL \"https://ops.example.com/api/v1/agent/install.sh\" | env CT_OPS_ENROLMENT_TOKEN='{secret}' sh"
        )
    );

    let again = app.get(&admin, &format!("/enrolment-tokens/{}", id_of(&created))).await;
    again.expect(200);
    assert!(!again.text().contains(secret));
    let traces: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM agent_enrolment_tokens t WHERE to_jsonb(t)::text LIKE '%' || $1 || '%')
              + (SELECT count(*) FROM audit_events e WHERE to_jsonb(e)::text LIKE '%' || $1 || '%')",
    )
    .bind(&secret[4..43])
    .fetch_one(app.pool())
    .await
    .unwrap();
    assert_eq!(traces, 0, "the secret is stored nowhere");
    assert_eq!(app.audited(&id_of(&created)).await, ["enrolment_token.created"]);
}

/// Spec: agents-enrolment 2
#[tokio::test]
async fn create_with_null_limits_means_unlimited_and_never_and_warns() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let body = json!({"label": "x", "max_uses": null, "expires_in_days": null, "skip_verify": true});
    let created = create(&app, &admin, body).await;
    assert_eq!(created["token"]["max_uses"], Value::Null);
    assert_eq!(created["token"]["expires_at"], Value::Null);
    let codes: Vec<_> = created["warnings"].as_array().unwrap().iter().map(|w| w["code"].clone()).collect();
    assert_eq!(codes, ["unlimited_uses", "no_expiry", "tls_verification_off"]);
    assert!(created["install_command"].as_str().unwrap().contains("install.sh?skip_verify=true"));
}

/// Spec: agents-enrolment 7
#[tokio::test]
async fn create_with_auto_approve_is_for_super_admins() {
    let app = App::new().await;
    let body = || Some(json!({"label": "x", "auto_approve": true}));
    let admin = app.person(Role::OrgAdmin).await;
    assert_eq!(app.post(&admin, "/enrolment-tokens", body()).await.code(403), "forbidden");
    let root = app.person(Role::SuperAdmin).await;
    assert_eq!(create(&app, &root, body().unwrap()).await["token"]["auto_approve"], true);
}

#[tokio::test]
async fn tokens_when_the_role_is_too_small_are_out_of_reach() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let id = id_of(&create(&app, &admin, json!({"label": "x"})).await);
    let paths = [
        ("GET", "/enrolment-tokens".to_owned(), None),
        ("POST", "/enrolment-tokens".to_owned(), Some(json!({"label": "x"}))),
        ("GET", format!("/enrolment-tokens/{id}"), None),
        ("POST", format!("/enrolment-tokens/{id}/revoke"), None),
        ("GET", "/settings/enrolment".to_owned(), None),
        ("PATCH", "/settings/enrolment".to_owned(), Some(json!({}))),
    ];
    let engineer = app.person(Role::Engineer).await;
    for (method, path, body) in paths {
        let home = [127, 0, 0, 1];
        let refused = app.send(Some(&engineer), method, &path, body.clone(), home).await;
        assert_eq!(refused.code(403), "forbidden", "{method} {path}");
        assert_eq!(app.send(None, method, &path, body, home).await.code(401), "unauthenticated");
    }
}

/// Spec: agents-enrolment 4
#[tokio::test]
async fn revoke_when_the_token_is_not_active_is_the_wrong_state() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let revoke = |id: String| format!("/enrolment-tokens/{id}/revoke");
    let id = id_of(&create(&app, &admin, json!({"label": "x"})).await);
    let revoked = app.post(&admin, &revoke(id.clone()), None).await.expect(200);
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(revoked["revoked_at"], "2026-06-03T12:00:00.000Z");
    assert_eq!(app.post(&admin, &revoke(id.clone()), None).await.code(409), "wrong_state");
    assert_eq!(app.audited(&id).await, ["enrolment_token.created", "enrolment_token.revoked"]);

    let used = create(&app, &admin, json!({"label": "used"})).await;
    app.register(used["secret"].as_str().unwrap(), &Key::new(), "web-1").await.unwrap();
    assert_eq!(app.post(&admin, &revoke(id_of(&used)), None).await.code(409), "wrong_state");

    let old = id_of(&create(&app, &admin, json!({"label": "old", "expires_in_days": 1})).await);
    app.clock.advance(TimeDelta::days(1));
    assert_eq!(app.post(&admin, &revoke(old), None).await.code(409), "wrong_state");
    assert_eq!(app.post(&admin, &revoke(uuid::Uuid::nil().to_string()), None).await.code(404), "not_found");
}

/// Spec: agents-enrolment 4
#[tokio::test]
async fn list_shows_every_state_for_ninety_days_and_only_active_ones_longer() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let revoked = id_of(&create(&app, &admin, json!({"label": "revoked"})).await);
    app.post(&admin, &format!("/enrolment-tokens/{revoked}/revoke"), None).await.expect(200);
    create(&app, &admin, json!({"label": "expired", "expires_in_days": 1, "max_uses": null})).await;
    let used = create(&app, &admin, json!({"label": "exhausted", "expires_in_days": null})).await;
    app.register(used["secret"].as_str().unwrap(), &Key::new(), "web-1").await.unwrap();
    create(&app, &admin, json!({"label": "active", "expires_in_days": null})).await;
    let list = async |query: &str| {
        let page = app.get(&admin, &format!("/enrolment-tokens{query}")).await.expect(200);
        let mut labels: Vec<String> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|token| {
                format!("{}={}", token["label"].as_str().unwrap(), token["status"].as_str().unwrap())
            })
            .collect();
        labels.sort();
        assert_eq!(page["total"], labels.len());
        labels
    };
    let all = ["active=active", "exhausted=exhausted", "expired=expired", "revoked=revoked"];
    app.clock.advance(TimeDelta::days(1));
    assert_eq!(list("").await, all);
    for status in ["active", "exhausted", "expired", "revoked"] {
        assert_eq!(list(&format!("?status={status}")).await, [format!("{status}={status}")]);
    }
    app.clock.advance(TimeDelta::days(89));
    assert_eq!(list("").await, all, "90 days after the end");
    app.clock.advance(TimeDelta::days(1) + TimeDelta::seconds(1));
    assert_eq!(list("").await, ["active=active"]);
    assert_eq!(app.get(&admin, &format!("/enrolment-tokens/{revoked}")).await.code(404), "not_found");
    assert_eq!(app.get(&admin, "/enrolment-tokens?status=gone").await.code(422), "validation_failed");
    assert_eq!(app.get(&admin, "/enrolment-tokens?secret=1").await.code(422), "unknown_field");
}

#[tokio::test]
async fn tokens_of_another_organisation_are_not_found() {
    let app = App::new().await;
    let mine = app.person(Role::SuperAdmin).await;
    let id = id_of(&create(&app, &mine, json!({"label": "mine"})).await);
    let other = ctops_testkit::a_organisation(app.pool()).await;
    let stranger = app.person_of(other, Role::SuperAdmin).await;
    assert_eq!(app.get(&stranger, "/enrolment-tokens").await.expect(200)["total"], 0);
    assert_eq!(app.get(&stranger, &format!("/enrolment-tokens/{id}")).await.code(404), "not_found");
    let path = format!("/enrolment-tokens/{id}/revoke");
    assert_eq!(app.post(&stranger, &path, None).await.code(404), "not_found");
    assert_eq!(app.get(&mine, &format!("/enrolment-tokens/{id}")).await.expect(200)["status"], "active");
}

#[tokio::test]
async fn create_more_than_ten_times_a_minute_is_limited_per_organisation() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    for _ in 0..10 {
        create(&app, &admin, json!({"label": "x"})).await;
    }
    let body = || Some(json!({"label": "x"}));
    let colleague = app.person(Role::SuperAdmin).await;
    let refused = app.post(&colleague, "/enrolment-tokens", body()).await;
    assert_eq!(refused.code(429), "rate_limited");
    assert_eq!(refused.headers["retry-after"], "60");
    let other = ctops_testkit::a_organisation(app.pool()).await;
    let stranger = app.person_of(other, Role::OrgAdmin).await;
    create(&app, &stranger, json!({"label": "x"})).await;
    app.clock.advance(TimeDelta::seconds(60));
    create(&app, &admin, json!({"label": "x"})).await;
}

#[tokio::test]
async fn create_with_bad_input_names_the_fields_and_makes_nothing() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    for (body, code, path) in [
        (json!({"label": ""}), "validation_failed", "label"),
        (json!({"label": "x".repeat(101)}), "validation_failed", "label"),
        (json!({"label": "x", "max_uses": 0}), "validation_failed", "max_uses"),
        (json!({"label": "x", "max_uses": -1}), "validation_failed", "max_uses"),
        (json!({"label": "x", "expires_in_days": 366}), "validation_failed", "expires_in_days"),
        (json!({"label": "x", "tags": [{"key": "", "value": "v"}]}), "validation_failed", "tags"),
        (
            json!({"label": "x", "tags": [{"key": "k", "value": "v", "org_id": "x"}]}),
            "unknown_field",
            "org_id",
        ),
        (json!({"label": "x", "org_id": "00000000-0000-0000-0000-000000000000"}), "unknown_field", "org_id"),
        (json!({}), "validation_failed", "label"),
    ] {
        let problem = app.post(&admin, "/enrolment-tokens", Some(body.clone())).await.expect(422);
        assert_eq!(
            (problem["code"].as_str(), problem["fields"][0]["path"].as_str()),
            (Some(code), Some(path)),
            "{body}"
        );
    }
    assert_eq!(app.get(&admin, "/enrolment-tokens").await.expect(200)["total"], 0);
}

#[tokio::test]
async fn operator_token_when_made_on_the_server_admits_agents_and_names_no_person() {
    let app = App::new().await;
    let new = NewToken { auto_approve: true, ..NewToken::labelled("first hosts") };
    let secret = create_operator_token(app.pool(), &app.clock, app.org, new).await.unwrap();
    app.register(&secret, &Key::new(), "web-1").await.unwrap();
    let admin = app.person(Role::OrgAdmin).await;
    let page = app.get(&admin, "/enrolment-tokens").await.expect(200);
    let token = &page["items"][0];
    assert_eq!((&token["created_by"], &token["usage_count"]), (&Value::Null, &json!(1)));
    assert_eq!(token["hint_suffix"], secret[43..]);
    assert_eq!(app.audited(token["id"].as_str().unwrap()).await, ["enrolment_token.created"]);
    let bad =
        create_operator_token(app.pool(), &app.clock, app.org, NewToken::labelled("")).await.unwrap_err();
    assert_eq!(bad.code(), "validation_failed");
}
