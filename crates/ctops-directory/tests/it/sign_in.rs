//! Sign-in by bind.

use axum::http::Method;
use serde_json::{Value, json};

use crate::slapd::{BASE, PASSWORD, PEOPLE, Slapd};
use crate::support::{App, LOCAL_EMAIL, LOCAL_PASSWORD, active_directory, openldap};

async fn started() -> (Slapd, App) {
    tokio::join!(Slapd::start(), App::new())
}

fn with(mut input: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        input["settings"][name] = value.clone();
    }
    input
}

async fn roles_after_login(app: &App, directory: &str, username: &str, ip: &str) -> Value {
    let answer = app.ldap_login(directory, username, PASSWORD, ip).await;
    let cookie = answer.cookie();
    app.get("/me", &cookie).await.ok()["roles"].clone()
}

/// Spec: auth 29, 30, 31; ldap-directory-lookup 15
#[tokio::test]
async fn the_directory_judges_the_password_and_groups_give_roles() {
    let (slapd, app) = started().await;
    let map =
        json!({ "group_roles": [{ "group": format!("CN=Ops, ou=groups,{BASE}"), "role": "engineer" }] });
    let id = app.add(with(openldap(&slapd), &map)).await;
    let answer = app.ldap_login(&id, "ada", PASSWORD, "192.0.2.10").await;
    let cookie = answer.cookie();
    let body = answer.ok();
    assert_eq!(body["status"], "signed_in");
    let me = app.get("/me", &cookie).await.ok();
    assert_eq!(
        (&me["user"]["name"], &me["user"]["email"]),
        (&json!("Ada Lovelace"), &json!("ada@example.com"))
    );
    assert_eq!(me["roles"], json!(["engineer"]));
    let method: String =
        sqlx::query_scalar("SELECT method FROM sessions ORDER BY created_at DESC, id DESC LIMIT 1")
            .fetch_one(app.db.pool())
            .await
            .unwrap();
    assert_eq!(method, "ldap");
    let again = app.ldap_login(&id, " ADA ", PASSWORD, "192.0.2.11").await;
    assert_eq!(again.status, 200, "the same account");
    let people: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(app.db.pool()).await.unwrap();
    assert_eq!(people, 2);
    let trail = app.audit().await;
    assert!(
        trail.contains("ldap.signed_in") && trail.contains("uid=ada,ou=people"),
        "the name that was bound"
    );
    assert!(!trail.contains(PASSWORD) && !trail.contains("service account's own"));
}

/// Spec: auth 23, 30
#[tokio::test]
async fn every_refusal_looks_the_same_and_says_why_in_the_audit_trail() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    let mut texts = Vec::new();
    for (number, (username, password, reason)) in [
        ("ada", "wrong", "invalid_credentials"),
        ("nobody", PASSWORD, "no_match"),
        ("twin", PASSWORD, "several_matches"),
        ("*", PASSWORD, "no_match"),
        ("*)(uid=ada", PASSWORD, "no_match"),
        ("ada)(|(uid=*", PASSWORD, "no_match"),
        ("ad\\61", PASSWORD, "no_match"),
        ("grace", "", "empty_credentials"),
    ]
    .into_iter()
    .enumerate()
    {
        let before = tokio::time::Instant::now();
        let answer = app.ldap_login(&id, username, password, &format!("198.51.100.{number}")).await;
        assert_eq!(answer.refusal(), (401, "invalid_credentials"), "{username}");
        assert!(before.elapsed().as_millis() >= 400, "{username}");
        assert!(app.audit().await.contains(reason), "{reason}");
        texts.push(answer.body["detail"].clone());
    }
    let body = json!({ "email": "nobody@example.com", "password": "wrong" });
    let local = app.send(Method::POST, "/auth/login", Some(body), "", "192.0.2.9").await;
    assert!(texts.iter().all(|text| *text == local.body["detail"]), "also as for local accounts");
}

/// Spec: auth 30
#[tokio::test]
async fn an_empty_password_never_gets_to_the_directory() {
    let (mut slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    slapd.stop();
    assert_eq!(app.ldap_login(&id, "ada", "", "192.0.2.10").await.refusal(), (401, "invalid_credentials"));
    assert_eq!(
        app.ldap_login(&id, "ada", PASSWORD, "192.0.2.11").await.refusal(),
        (503, "directory_unavailable")
    );
}

/// Spec: auth 32
#[tokio::test]
async fn local_accounts_sign_in_while_the_directory_is_down() {
    let (mut slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    slapd.stop();
    let answer = app.ldap_login(&id, "ada", PASSWORD, "192.0.2.11").await;
    assert_eq!(answer.body["detail"], "the directory is unavailable", "nothing about servers");
    let body = json!({ "email": LOCAL_EMAIL, "password": LOCAL_PASSWORD });
    app.send(Method::POST, "/auth/login", Some(body), "", "192.0.2.12").await.cookie();
    assert!(app.audit().await.contains("unreachable"));
}

/// Spec: auth 22
#[tokio::test]
async fn guesses_are_limited_by_address_and_by_name() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    for _ in 0..5 {
        assert_eq!(app.ldap_login(&id, "nobody", "wrong", "192.0.2.10").await.refusal().0, 401);
    }
    assert_eq!(app.ldap_login(&id, "grace", PASSWORD, "192.0.2.10").await.refusal(), (429, "rate_limited"));
    assert_eq!(app.ldap_login(&id, "NOBODY@x", "wrong", "192.0.2.11").await.refusal(), (429, "rate_limited"));
    assert_eq!(app.ldap_login(&id, "grace", PASSWORD, "192.0.2.12").await.status, 200);
}

#[tokio::test]
async fn a_locked_account_is_refused_and_only_administrators_learn_why() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    for number in 0..3 {
        app.ldap_login(&id, "grace", "wrong", &format!("192.0.2.{number}")).await;
    }
    let locked = app.ldap_login(&id, "grace", PASSWORD, "192.0.2.10").await;
    assert_eq!(locked.refusal(), (401, "invalid_credentials"));
    assert!(app.audit().await.contains("account_locked"));
    slapd.replace(&format!("uid=ada,{PEOPLE}"), "pwdReset", "TRUE").await;
    assert_eq!(app.ldap_login(&id, "ada", PASSWORD, "192.0.2.11").await.refusal().0, 401);
    assert!(app.audit().await.contains("password_must_change"));
}

#[tokio::test]
async fn allowed_groups_count_through_groups_of_groups_when_asked_for() {
    let (slapd, app) = started().await;
    let staff = format!("cn=staff,ou=groups,{BASE}");
    let direct = app.add(with(openldap(&slapd), &json!({ "allowed_groups": [staff] }))).await;
    assert_eq!(app.ldap_login(&direct, "ada", PASSWORD, "192.0.2.10").await.refusal().0, 401);
    assert!(app.audit().await.contains("not_in_allowed_group"));
    let rule = json!([{ "group": staff, "role": "read_only" }]);
    let nested = json!({ "allowed_groups": [staff], "nested_groups": true, "group_roles": rule });
    let mut input = with(openldap(&slapd), &nested);
    input["name"] = json!("Nested");
    let nested = app.add(input).await;
    assert_eq!(roles_after_login(&app, &nested, "ada", "192.0.2.11").await, json!(["read_only"]));
    assert_eq!(app.ldap_login(&nested, "grace", PASSWORD, "192.0.2.12").await.refusal().0, 401);
}

#[tokio::test]
async fn groups_are_found_by_filter_where_entries_do_not_name_them() {
    let (slapd, app) = started().await;
    let settings = json!({
        "group_base": format!("ou=groups,{BASE}"),
        "group_filter": "(&(objectClass=groupOfNames)(member={{dn}}))",
        "group_roles": [{ "group": format!("cn=g0150,ou=groups,{BASE}"), "role": "engineer" }],
    });
    let grace = format!("uid=grace,{PEOPLE}");
    slapd.add_many_groups(&grace, 151).await;
    let id = app.add(with(openldap(&slapd), &settings)).await;
    assert_eq!(
        roles_after_login(&app, &id, "grace", "192.0.2.10").await,
        json!(["engineer"]),
        "beyond one page"
    );
}

/// Spec: auth 5, 29, 32
#[tokio::test]
async fn without_a_role_people_wait_and_without_an_address_they_get_a_placeholder() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    let cookie = app.ldap_login(&id, "nomail", PASSWORD, "192.0.2.10").await.cookie();
    assert_eq!(app.get("/directory/configurations", &cookie).await.refusal(), (403, "email_required"));
    let email: String = sqlx::query_scalar("SELECT email FROM users WHERE name = 'Niemand Ohnepost'")
        .fetch_one(app.db.pool())
        .await
        .unwrap();
    assert!(ctops_identity::external::is_placeholder_address(&email), "{email}");
    let mut input = with(openldap(&slapd), &json!({ "default_role": "read_only" }));
    input["name"] = json!("Second");
    let second = app.add(input).await;
    assert_eq!(roles_after_login(&app, &second, "grace", "192.0.2.11").await, json!(["read_only"]));
}

/// Spec: auth 31
#[tokio::test]
async fn an_account_with_the_same_address_is_linked_only_by_its_own_sign_in() {
    let (slapd, app) = started().await;
    app.member("grace@example.com", "engineer").await;
    let id = app.add(openldap(&slapd)).await;
    let answer = app.ldap_login(&id, "grace", PASSWORD, "192.0.2.10").await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (202, &json!("confirm_link")));
    let linked: i64 = sqlx::query_scalar("SELECT count(*) FROM external_identities")
        .fetch_one(app.db.pool())
        .await
        .unwrap();
    assert_eq!(linked, 0, "never silently");
}

/// Spec: auth 31
#[tokio::test]
async fn two_directories_do_not_share_people() {
    let (slapd, app) = started().await;
    let first = app.add(with(openldap(&slapd), &json!({ "default_role": "read_only" }))).await;
    let mut input = openldap(&slapd);
    input["name"] = json!("Other");
    let second = app.add(input).await;
    assert_eq!(app.ldap_login(&first, "ada", PASSWORD, "192.0.2.10").await.status, 200);
    let other = app.ldap_login(&second, "ada", PASSWORD, "192.0.2.11").await;
    assert_eq!(
        other.status, 202,
        "the same address in another directory is somebody else until they confirm"
    );
}

/// Spec: auth 30
#[tokio::test]
async fn a_principal_name_finds_the_account_of_active_directory() {
    let (slapd, app) = started().await;
    let id = app.add(with(active_directory(&slapd), &json!({ "default_role": "read_only" }))).await;
    assert_eq!(app.ldap_login(&id, "haskell@corp.example.com", PASSWORD, "192.0.2.10").await.status, 200);
    let subject: String =
        sqlx::query_scalar("SELECT subject FROM external_identities").fetch_one(app.db.pool()).await.unwrap();
    assert_eq!(subject, "00112233-4455-6677-8899-aabbccddeeff", "objectGUID");
    assert_eq!(app.ldap_login(&id, "haskell@other", PASSWORD, "192.0.2.11").await.status, 200);
}

/// Spec: ldap-directory-lookup 15; settings 1
#[tokio::test]
async fn plain_connections_are_refused_for_sign_in_unless_allowed() {
    let (slapd, app) = started().await;
    let plain =
        json!({ "transport": "plain", "servers": [{ "host": "127.0.0.1", "port": slapd.plain_port }] });
    let id = app.add(with(openldap(&slapd), &plain)).await;
    assert_eq!(
        app.ldap_login(&id, "ada", PASSWORD, "192.0.2.10").await.refusal(),
        (422, "validation_failed")
    );
    assert_eq!(offered(&app).await, Vec::<Value>::new());
    set_page(&app, json!({ "ldap_allow_plain": true })).await;
    assert_eq!(offered(&app).await, [json!({ "kind": "ldap", "id": id, "name": "Corp" })]);
    assert_eq!(app.ldap_login(&id, "ada", PASSWORD, "192.0.2.10").await.status, 200);
    set_page(&app, json!({ "ldap_allow_plain": true, "sso_only": true })).await;
    assert_eq!(app.ldap_login(&id, "ada", PASSWORD, "192.0.2.10").await.refusal().0, 422);
    assert_eq!(offered(&app).await, Vec::<Value>::new());
}

/// The directories on the sign-in page.
async fn offered(app: &App) -> Vec<Value> {
    let methods = app.get("/auth/methods", "").await.ok()["methods"].clone();
    methods.as_array().unwrap().iter().filter(|method| method["kind"] == "ldap").cloned().collect()
}

async fn set_page(app: &App, document: Value) {
    sqlx::query(
        "INSERT INTO settings (org_id, page, version, document, updated_at)
         SELECT id, 'authentication', 1, $1, now() FROM organisations
         ON CONFLICT (org_id, page) DO UPDATE SET document = $1",
    )
    .bind(document)
    .execute(app.db.pool())
    .await
    .unwrap();
}

/// Spec: auth 17
#[tokio::test]
async fn people_of_a_directory_confirm_by_its_password() {
    let (slapd, app) = started().await;
    let id = app.add(with(openldap(&slapd), &json!({ "default_role": "read_only" }))).await;
    let cookie = app.ldap_login(&id, "ada", PASSWORD, "192.0.2.10").await.cookie();
    assert_eq!(app.get("/me/reauthentication", &cookie).await.ok()["password"], true);
    let confirm = async |password: &str| {
        let body = Some(json!({ "password": password }));
        app.send(Method::POST, "/me/reauthenticate", body, &cookie, "192.0.2.20").await
    };
    assert_eq!(confirm("wrong").await.refusal(), (422, "invalid_credentials"));
    assert_eq!(confirm(LOCAL_PASSWORD).await.refusal(), (422, "invalid_credentials"));
    assert_eq!(confirm(PASSWORD).await.status, 204);
}

#[tokio::test]
async fn unknown_and_disabled_directories_are_no_place_to_sign_in() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    app.patch(&format!("/ldap-configurations/{id}"), json!({ "login_allowed": false })).await.ok();
    for unknown in [id.as_str(), "00000000-0000-7000-8000-000000000000"] {
        let answer = app.ldap_login(unknown, "ada", PASSWORD, "192.0.2.10").await;
        assert_eq!(answer.refusal(), (422, "validation_failed"));
        assert_eq!(answer.body["fields"][0]["code"], "unknown_directory");
    }
}
