//! Setting directories up and trying them out.

use axum::http::Method;
use serde_json::{Value, json};

use crate::slapd::{BASE, PASSWORD, SERVICE, SERVICE_PASSWORD, Slapd};
use crate::support::{App, openldap};

async fn started() -> (Slapd, App) {
    tokio::join!(Slapd::start(), App::new())
}

fn steps(result: &Value) -> Vec<(&str, bool)> {
    let steps = result["servers"][0]["steps"].as_array().unwrap();
    steps.iter().map(|step| (step["step"].as_str().unwrap(), step["ok"].as_bool().unwrap())).collect()
}

fn draft(input: &Value) -> Value {
    json!({
        "settings": input["settings"],
        "bind_dn": input["bind_dn"],
        "bind_password": input["bind_password"],
        "ca_pem": input["ca_pem"],
        "sample_username": "ada",
    })
}

/// Spec: ldap-directory-lookup 18
#[tokio::test]
async fn a_test_before_saving_shows_every_step_for_each_transport() {
    let (slapd, app) = started().await;
    let input = draft(&openldap(&slapd));
    let all = [("resolve", true), ("connect", true), ("tls", true), ("bind", true), ("search", true)];
    let tested = app.post("/ldap-configurations/test", input.clone()).await.ok();
    assert_eq!((&tested["ok"], steps(&tested)), (&json!(true), all.to_vec()), "{tested}");
    assert_eq!(tested["servers"][0]["entries"], 1);
    let certificate = &tested["servers"][0]["certificate"];
    assert_eq!(certificate["subject"], "CN=dc1.example.com");
    assert!(certificate["not_after"].as_str().unwrap().ends_with('Z'));
    let mut start_tls = input.clone();
    start_tls["settings"]["transport"] = json!("starttls");
    start_tls["settings"]["servers"][0]["port"] = json!(slapd.plain_port);
    assert_eq!(steps(&app.post("/ldap-configurations/test", start_tls).await.ok()), all);
    let mut plain = input;
    plain["settings"]["transport"] = json!("plain");
    plain["settings"]["servers"][0]["port"] = json!(slapd.plain_port);
    let tested = app.post("/ldap-configurations/test", plain).await.ok();
    assert_eq!(steps(&tested), [("resolve", true), ("connect", true), ("bind", true), ("search", true)]);
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM ldap_configurations")
        .fetch_one(app.db.pool())
        .await
        .unwrap();
    assert_eq!(count, 0, "nothing is saved");
}

/// Spec: ldap-directory-lookup 15, 18
#[tokio::test]
async fn a_test_names_the_step_that_failed() {
    let (slapd, app) = started().await;
    let good = draft(&openldap(&slapd));
    let failed_at = async |change: fn(&mut Value)| {
        let mut input = good.clone();
        change(&mut input);
        let tested = app.post("/ldap-configurations/test", input).await.ok();
        let last = tested["servers"][0]["steps"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&tested["ok"], &last["ok"]), (&json!(false), &json!(false)), "{tested}");
        last["step"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        failed_at(|input| input["settings"]["servers"][0]["port"] = json!(1)).await,
        "resolve",
        "a foreign port"
    );
    assert_eq!(
        failed_at(|input| input["settings"]["servers"][0]["host"] = json!("no.such.host.invalid")).await,
        "resolve"
    );
    assert_eq!(failed_at(|input| input["ca_pem"] = json!("")).await, "tls", "an authority nobody knows");
    assert_eq!(failed_at(|input| input["bind_password"] = json!("wrong")).await, "bind");
    assert_eq!(
        failed_at(|input| {
            input["settings"]["user_base"] = json!("ou=missing,dc=example,dc=com");
            input["sample_username"] = json!("");
        })
        .await,
        "search"
    );
    let mut unverified = good.clone();
    unverified["ca_pem"] = json!("");
    unverified["settings"]["verify_certificate"] = json!(false);
    assert_eq!(app.post("/ldap-configurations/test", unverified).await.ok()["ok"], true, "without a check");
    for _ in 0..4 {
        app.post("/ldap-configurations/test", good.clone()).await.ok();
    }
    assert_eq!(app.post("/ldap-configurations/test", good.clone()).await.refusal(), (429, "rate_limited"));
    assert!(!app.audit().await.contains(SERVICE_PASSWORD));
}

/// Spec: ldap-directory-lookup 17
#[tokio::test]
async fn secrets_are_sealed_and_the_password_is_never_answered_nor_sent_elsewhere() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    let path = format!("/ldap-configurations/{id}");
    let shown = app.get(&path, &app.admin).await.ok();
    assert_eq!((&shown["bind_dn"], &shown["has_bind_password"]), (&json!(SERVICE), &json!(true)));
    assert!(!shown.to_string().contains(SERVICE_PASSWORD));
    let row: String = sqlx::query_scalar(
        "SELECT concat(c::text, encode(sealed_bind_dn, 'escape'), encode(sealed_ca_pem, 'escape')) FROM ldap_configurations c",
    )
    .fetch_one(app.db.pool())
    .await
    .unwrap();
    assert!(
        !row.contains("cn=service") && !row.contains("BEGIN CERTIFICATE") && !row.contains(SERVICE_PASSWORD)
    );
    let mut settings = shown["settings"].clone();
    settings["user_filter"] = json!("(cn={{username}})");
    let changed = app.patch(&path, json!({ "settings": settings })).await.ok();
    assert_eq!(changed["has_bind_password"], true);
    settings["servers"][0]["host"] = json!("localhost");
    let asked = json!({ "id": id, "settings": settings });
    let refused = app.post("/ldap-configurations/test", asked).await;
    assert_eq!((refused.refusal().0, &refused.body["fields"][0]["path"]), (422, &json!("bind_password")));
    let moved = app.patch(&path, json!({ "settings": settings })).await.ok();
    assert_eq!(moved["has_bind_password"], false, "it was given for another server");
    assert!(!app.audit().await.contains(SERVICE_PASSWORD));
}

/// Spec: security 8
#[tokio::test]
async fn a_test_that_is_refused_names_what_an_internal_target_would_open() {
    let (slapd, app) = started().await;
    sqlx::query(
        "INSERT INTO egress_settings (org_id, mode, updated_at) SELECT id, 'closed', now() FROM organisations",
    )
    .execute(app.db.pool())
    .await
    .unwrap();
    let mut input = draft(&openldap(&slapd));
    input["settings"]["servers"] = json!([{"host": "10.255.255.1", "port": 636}]);
    let tested = app.post("/ldap-configurations/test", input.clone()).await.ok();
    assert_eq!(tested["servers"][0]["needs_target"], "10.255.255.1", "{tested}");
    assert_eq!(steps(&tested), [("resolve", false)]);
    input["settings"]["servers"] = json!([{"host": "169.254.169.254", "port": 636}]);
    let tested = app.post("/ldap-configurations/test", input).await.ok();
    assert_eq!(tested["servers"][0]["needs_target"], Value::Null, "no entry opens the way there");
}

/// Spec: ldap-directory-lookup 20
#[tokio::test]
async fn a_directory_people_sign_in_through_is_deleted_only_on_confirmation() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    app.ldap_login(&id, "ada", PASSWORD, "192.0.2.10").await.cookie();
    let path = format!("/ldap-configurations/{id}");
    let delete = async |path: &str| app.send(Method::DELETE, path, None, &app.admin, "192.0.2.1").await;
    let refused = delete(&path).await;
    assert_eq!((refused.refusal(), &refused.body["linked_users"]), ((409, "linked_users"), &json!("1")));
    assert_eq!(delete(&format!("{path}?confirm=true")).await.status, 204);
    assert_eq!(app.get(&path, &app.admin).await.refusal().0, 404);
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM ldap_configurations WHERE deleted_at IS NOT NULL")
            .fetch_one(app.db.pool())
            .await
            .unwrap();
    assert_eq!(kept, 1, "softly");
    let people: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(app.db.pool()).await.unwrap();
    assert_eq!(people, 2, "the accounts stay");
    assert_eq!(app.ldap_login(&id, "ada", PASSWORD, "192.0.2.11").await.refusal().0, 422);
}

/// Spec: ldap-directory-lookup 19
#[tokio::test]
async fn the_next_server_is_asked_when_one_is_down() {
    let (mut slapd, app) = started().await;
    let second = Slapd::start().await;
    let mut input = openldap(&slapd);
    let both = format!("{}{}", slapd.ca_pem, second.ca_pem);
    input["ca_pem"] = json!(both);
    let servers = [slapd.tls_port, second.tls_port].map(|port| json!({ "host": "127.0.0.1", "port": port }));
    input["settings"]["servers"] = json!(servers);
    input["settings"]["default_role"] = json!("read_only");
    let id = app.add(input).await;
    slapd.stop();
    assert_eq!(app.ldap_login(&id, "ada", PASSWORD, "192.0.2.10").await.status, 200);
    let tested = app.post(&format!("/ldap-configurations/{id}/test"), json!({})).await.ok();
    let results: Vec<bool> =
        tested["servers"].as_array().unwrap().iter().map(|server| server["ok"].as_bool().unwrap()).collect();
    assert_eq!(results, [false, true]);
    let shown = app.get(&format!("/ldap-configurations/{id}"), &app.admin).await.ok();
    assert_eq!((&shown["last_test_result"], shown["last_test_at"].is_string()), (&tested, true));
}

#[tokio::test]
async fn input_is_checked_and_versions_guard_against_each_other() {
    let (slapd, app) = started().await;
    let mut bad = openldap(&slapd);
    bad["ca_pem"] = json!("nonsense");
    assert_eq!(app.post("/ldap-configurations", bad).await.body["fields"][0]["code"], "bad_pem");
    let mut bad = openldap(&slapd);
    bad["settings"]["user_filter"] = json!("(uid=ada)");
    assert_eq!(app.post("/ldap-configurations", bad).await.body["fields"][0]["code"], "bad_filter");
    let mut bad = openldap(&slapd);
    bad["settings"]["role"] = json!("super_admin");
    assert_eq!(app.post("/ldap-configurations", bad).await.refusal(), (422, "unknown_field"));
    let id = app.add(openldap(&slapd)).await;
    assert_eq!(app.post("/ldap-configurations", openldap(&slapd)).await.refusal(), (409, "already_exists"));
    let path = format!("/ldap-configurations/{id}");
    app.patch(&path, json!({ "name": "Renamed", "version": 1 })).await.ok();
    assert_eq!(
        app.patch(&path, json!({ "name": "Again", "version": 1 })).await.refusal(),
        (412, "version_conflict")
    );
    let engineer = app.member("engineer@example.com", "engineer").await;
    assert_eq!(app.get(&path, &engineer).await.refusal(), (403, "forbidden"));
    let presets = app.get("/ldap-configurations/presets", &app.admin).await.ok();
    assert_eq!(presets["openldap"]["user_filter"], "(uid={{username}})");
    assert_eq!(presets["active_directory"]["username_attribute"], "sAMAccountName");
}

#[tokio::test]
async fn a_directory_of_a_super_admin_is_changed_by_a_super_admin_only() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    app.ldap_login(&id, "ada", PASSWORD, "192.0.2.10").await.cookie();
    sqlx::query(
        "UPDATE memberships SET roles = '{super_admin}', state = 'active'
         WHERE user_id = (SELECT user_id FROM external_identities)",
    )
    .execute(app.db.pool())
    .await
    .unwrap();
    let org_admin = app.member("oa@example.com", "org_admin").await;
    let path = format!("/ldap-configurations/{id}");
    let body = Some(json!({ "name": "Mine" }));
    assert_eq!(
        app.send(Method::PATCH, &path, body, &org_admin, "192.0.2.1").await.refusal(),
        (403, "forbidden")
    );
    let confirm = format!("{path}?confirm=true");
    assert_eq!(app.send(Method::DELETE, &confirm, None, &org_admin, "192.0.2.1").await.refusal().0, 403);
    app.patch(&path, json!({ "name": format!("Ours {BASE}") })).await.ok();
}
