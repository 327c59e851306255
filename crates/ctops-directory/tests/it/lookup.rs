//! Live look-up.

use serde_json::{Value, json};

use crate::slapd::{BASE, PEOPLE, Slapd};
use crate::support::{App, active_directory, encoded, openldap};

async fn started() -> (Slapd, App) {
    tokio::join!(Slapd::start(), App::new())
}

async fn search(app: &App, id: &str, typed: &str, cookie: &str) -> Value {
    app.get(&format!("/directory/{id}/users?q={}", encoded(typed)), cookie).await.ok()
}

async fn open(app: &App, id: &str, dn: &str) -> Value {
    app.get(&format!("/directory/{id}/users/by-dn?dn={}", encoded(dn)), &app.admin).await.ok()
}

fn names(found: &Value) -> Vec<&str> {
    found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["username"].as_str().unwrap_or_default())
        .collect()
}

/// Spec: ldap-directory-lookup 2, 3, 4, 5
#[tokio::test]
async fn a_search_finds_beginnings_of_names_and_nothing_by_injection() {
    let (slapd, app) = started().await;
    assert_eq!(app.get("/directory/configurations", &app.admin).await.ok()["items"], json!([]));
    let id = app.add(openldap(&slapd)).await;
    let listed = app.get("/directory/configurations", &app.admin).await.ok();
    assert_eq!(listed["items"], json!([{ "id": id, "name": "Corp" }]));
    assert_eq!(names(&search(&app, &id, "ad", &app.admin).await), ["ada"]);
    assert_eq!(names(&search(&app, &id, "Grace H", &app.admin).await), ["grace"], "by full name");
    assert_eq!(names(&search(&app, &id, "grace@ex", &app.admin).await), ["grace"], "by address");
    let crowd = search(&app, &id, "crowd", &app.admin).await;
    assert_eq!((names(&crowd).len(), &crowd["more"]), (10, &json!(true)));
    assert_eq!(names(&search(&app, &id, "crowd07", &app.admin).await), ["crowd07"]);
    for hostile in ["*)(uid=*", "**", "ad*", "\\2a\\2a", "x)(|(uid=*"] {
        assert_eq!(search(&app, &id, hostile, &app.admin).await["items"], json!([]), "{hostile}");
    }
    for bad in ["a", " a ", &"x".repeat(129)] {
        let answer = app.get(&format!("/directory/{id}/users?q={}", encoded(bad)), &app.admin).await;
        assert_eq!(answer.refusal(), (422, "validation_failed"));
    }
}

/// Spec: ldap-directory-lookup 6
#[tokio::test]
async fn only_entries_below_the_people_are_opened() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    let code = async |dn: &str| {
        let answer = app.get(&format!("/directory/{id}/users/by-dn?dn={}", encoded(dn)), &app.admin).await;
        (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default().to_owned())
    };
    for outside in [
        format!("cn=vault,{BASE}"),
        PEOPLE.to_owned(),
        format!("cn=x\\,{PEOPLE}"),
        format!("cn=root,{BASE}"),
        r"uid=ada,ou=people\,dc=example,dc=com".to_owned(),
    ] {
        assert_eq!(code(&outside).await, (403, "dn_out_of_scope".into()), "{outside}");
    }
    assert_eq!(code("nonsense").await, (422, "bad_dn".into()));
    assert_eq!(code(&format!("uid=missing,{PEOPLE}")).await, (404, "not_found".into()));
    assert_eq!(code(&format!("UID=ADA , OU=People,{BASE}")).await.0, 200);
    let curry = open(&app, &id, &format!("uid=haskell+cn=curry\\, haskell,{PEOPLE}")).await;
    assert_eq!(curry["display_name"], "Curry, Haskell", "a name of several attributes, escaped");
}

/// Spec: ldap-directory-lookup 7, 9, 10
#[tokio::test]
async fn a_record_shows_summary_password_age_and_groups() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    let dn = format!("uid=ada,{PEOPLE}");
    let ada = open(&app, &id, &dn).await;
    assert_eq!((&ada["display_name"], &ada["username"]), (&json!("Ada Lovelace"), &json!("ada")));
    assert_eq!((&ada["email"], &ada["dn"]), (&json!("ada@example.com"), &json!(dn)));
    assert_eq!(ada["password"]["expires_at"], "2025-01-02T00:00:00.000Z");
    assert_eq!(ada["password"]["never_expires"], false);
    let ops = format!("cn=ops,ou=groups,{BASE}");
    assert_eq!(
        ada["groups"]["items"],
        json!([{ "dn": ops, "name": "ops", "primary": false, "nested": false }])
    );
    let path = format!("/directory/{id}/users/by-dn/groups?dn={}&nested=true", encoded(&dn));
    let nested = app.get(&path, &app.admin).await.ok();
    let all: Vec<&str> =
        nested["items"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    assert_eq!(all, ["ops", "engineering", "staff"]);
}

/// Spec: ldap-directory-lookup 7, 8, 9, 10, 11, 12
#[tokio::test]
async fn a_record_of_active_directory_is_read_as_such() {
    let (slapd, app) = started().await;
    let id = app.add(active_directory(&slapd)).await;
    let found = search(&app, &id, "haskell", &app.admin).await;
    let dn = found["items"][0]["dn"].as_str().unwrap();
    let record = open(&app, &id, dn).await;
    assert_eq!((&record["status"], &record["sam_account_name"]), (&json!("disabled"), &json!("haskell")));
    assert_eq!(record["user_principal_name"], "haskell@corp.example.com");
    assert_eq!((&record["department"], &record["account_expires_at"]), (&json!("Logic"), &Value::Null));
    assert_eq!(
        (&record["password"]["never_expires"], &record["password"]["expires_at"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(record["password"]["changed_at"], "2023-11-20T16:00:00.000Z");
    let groups = &record["groups"]["items"];
    assert_eq!((&groups[0]["name"], &groups[0]["primary"]), (&json!("Domain Users"), &json!(true)));
    assert!(record["photo"].as_str().unwrap().starts_with("data:image/png;base64,"));
    let attribute = |name: &str| {
        let all = record["attributes"].as_array().unwrap();
        all.iter()
            .find(|attribute| attribute["name"] == name)
            .map(|attribute| attribute["values"][0]["text"].clone())
    };
    assert_eq!(attribute("objectGUID"), Some(json!("00112233-4455-6677-8899-aabbccddeeff")));
    assert_eq!(attribute("objectSid"), Some(json!("S-1-5-21-21-22-23-500")));
    let text = record.to_string();
    assert!(!text.contains("marker-4711") && !text.contains("bWFya2VyLTQ3MTE"), "secrets");
    assert!(attribute("userPassword").is_none() && attribute("unicodePwd").is_none());
    slapd.replace(dn, "userAccountControl", "512").await;
    slapd.replace(dn, "lockoutTime", "1").await;
    assert_eq!(open(&app, &id, dn).await["status"], "active", "locked long ago, for half an hour");
}

/// Spec: ldap-directory-lookup 8
#[tokio::test]
async fn a_lock_by_the_policy_of_openldap_is_shown() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    for number in 0..3 {
        app.ldap_login(&id, "grace", "wrong", &format!("192.0.2.{number}")).await;
    }
    let grace = open(&app, &id, &format!("uid=grace,{PEOPLE}")).await;
    assert_eq!(grace["status"], "locked");
}

/// Spec: ldap-directory-lookup 1
#[tokio::test]
async fn nothing_of_an_answer_is_kept() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    let dn = format!("uid=ada,{PEOPLE}");
    search(&app, &id, "ada", &app.admin).await;
    let path = format!("/directory/{id}/users/by-dn?dn={}&q=ada", encoded(&dn));
    assert_eq!(app.get(&path, &app.admin).await.status, 200);
    let trail = app.audit().await;
    assert!(trail.contains("directory.looked_up") && trail.contains(&dn), "{trail}");
    assert!(!trail.contains("Countess") && !trail.contains("ada@example.com"), "{trail}");
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(app.db.pool())
            .await
            .unwrap();
    for table in tables {
        let sql = format!("SELECT count(*) FROM \"{table}\" t WHERE t::text LIKE '%Countess%'");
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(app.db.pool()).await.unwrap();
        assert_eq!(count, 0, "{table}");
    }
}

/// Spec: ldap-directory-lookup 13
#[tokio::test]
async fn a_directory_that_is_down_says_why_to_administrators_only() {
    let (mut slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    let engineer = app.member("engineer@example.com", "engineer").await;
    let other = Slapd::start().await;
    let mut input = openldap(&other);
    input["name"] = json!("Other");
    let second = app.add(input).await;
    slapd.stop();
    let path = format!("/directory/{id}/users?q=ada");
    let told = app.get(&path, &app.admin).await;
    assert_eq!((told.refusal(), &told.body["step"]), ((503, "directory_unavailable"), &json!("connect")));
    let plain = app.get(&path, &engineer).await;
    assert_eq!((plain.refusal().0, plain.body.get("step")), (503, None));
    assert_eq!(plain.body["detail"], "the directory is unavailable");
    assert_eq!(names(&search(&app, &second, "ada", &engineer).await), ["ada"], "the others still answer");
}

#[tokio::test]
async fn look_ups_need_the_permission_an_enabled_directory_and_patience() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    let reader = app.member("reader@example.com", "read_only").await;
    let path = format!("/directory/{id}/users?q=ada");
    assert_eq!(app.get(&path, &reader).await.refusal(), (403, "forbidden"));
    assert_eq!(app.get("/directory/configurations", &reader).await.refusal(), (403, "forbidden"));
    let engineer = app.member("engineer@example.com", "engineer").await;
    for _ in 0..30 {
        assert_eq!(app.get(&path, &engineer).await.status, 200);
    }
    assert_eq!(app.get(&path, &engineer).await.refusal(), (429, "rate_limited"));
    app.patch(&format!("/ldap-configurations/{id}"), json!({ "enabled": false })).await.ok();
    assert_eq!(app.get(&path, &app.admin).await.refusal().0, 404);
    assert_eq!(app.get("/directory/configurations", &app.admin).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn engineers_see_all_attributes_only_where_that_is_allowed() {
    let (slapd, app) = started().await;
    let id = app.add(openldap(&slapd)).await;
    let engineer = app.member("engineer@example.com", "engineer").await;
    let path = format!("/directory/{id}/users/by-dn?dn={}", encoded(&format!("uid=ada,{PEOPLE}")));
    assert!(app.get(&path, &engineer).await.ok()["attributes"].is_array());
    sqlx::query(
        "INSERT INTO settings (org_id, page, version, document, updated_at)
         SELECT id, 'directory-lookup', 1, '{\"raw_for_engineers\": false}', now() FROM organisations",
    )
    .execute(app.db.pool())
    .await
    .unwrap();
    assert_eq!(app.get(&path, &engineer).await.ok()["attributes"], Value::Null);
    assert!(app.get(&path, &app.admin).await.ok()["attributes"].is_array());
}
