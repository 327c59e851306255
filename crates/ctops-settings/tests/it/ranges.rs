//! Every key of every page, as the list of pages describes it: both ends of its range pass, what lies beyond is refused
//! by name, and no refused value is kept or repeated.

use ctops_base::Role;
use serde_json::{Value, json};

use crate::support::App;

struct Key {
    page: String,
    name: String,
    about: Value,
}

async fn keys(app: &App, who: &str) -> Vec<Key> {
    let list = app.get(who, "/settings").await.expect(200);
    let mut keys = Vec::new();
    for page in list["items"].as_array().unwrap() {
        for key in page["keys"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            keys.push(Key { page: text(&page["name"]), name: text(&key["name"]), about: key.clone() });
        }
    }
    keys
}

/// Values that no key of this type takes.
fn never(about: &Value) -> Vec<Value> {
    let most = about["most"].as_i64().unwrap_or(0);
    let beyond = "x".repeat(usize::try_from(most).unwrap_or(0) + 1);
    let mut values = match about["type"].as_str().unwrap() {
        "flag" => vec![json!("true"), json!(1), json!([])],
        "integer" => {
            let least = about["least"].as_i64().unwrap();
            vec![json!(least - 1), json!(most + 1), json!(1.5), json!("7"), json!(i64::MIN), json!(1e300)]
        }
        "integers" => vec![json!([most + 1]), json!(["1"]), json!(1), json!([1.5])],
        "text" => vec![json!(beyond), json!("two\nlines"), json!("esc\u{1b}[2J"), json!(7)],
        "long_text" => vec![json!(beyond), json!(7), json!(["text"])],
        "choice" => vec![json!("no such choice"), json!(""), json!(0)],
        "choices" => vec![json!(["no such choice"]), json!("text")],
        "list" => vec![json!([beyond]), json!(["two\nlines"]), json!("text"), json!([7])],
        "secret" => vec![json!(beyond), json!(""), json!(7), json!(["secret"])],
        other => panic!("say what a key of type {other} never takes"),
    };
    if let Some(items) = about["most_items"].as_u64() {
        values.push(json!(vec!["a.example"; usize::try_from(items).unwrap() + 1]));
    }
    values.push(json!({ "deep": { "er": [1] } }));
    values
}

/// Spec: settings 3
#[tokio::test]
async fn what_lies_beyond_the_range_of_a_key_is_refused_by_name_and_nothing_is_saved() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    let keys = keys(&app, &admin).await;
    assert!(keys.len() > 20, "only {} keys", keys.len());
    for key in keys.iter().filter(|key| key.about["env_only"] == false) {
        for bad in never(&key.about) {
            let body = json!({ key.name.as_str(): bad });
            let refused = app.put(&admin, &format!("/settings/{}", key.page), body).await.expect(422);
            let what = format!("{}.{} = {:.60}", key.page, key.name, bad.to_string());
            assert_eq!(refused["fields"][0]["path"], key.name.as_str(), "{what}: {refused}");
            let message = refused.to_string();
            assert!(
                message.len() < 1_000 && !message.contains("no such choice"),
                "{what} is repeated: {message}"
            );
        }
    }
    let saved: i64 =
        sqlx::query_scalar("SELECT (SELECT count(*) FROM settings) + (SELECT count(*) FROM setting_secrets)")
            .fetch_one(app.pool())
            .await
            .unwrap();
    assert_eq!(saved, 0);
}

/// Spec: settings 3
#[tokio::test]
async fn both_ends_of_the_range_of_every_number_pass_and_null_takes_it_back() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    let mut tried = 0;
    for key in keys(&app, &admin).await {
        if key.about["type"] != "integer" || key.about["env_only"] == true {
            continue;
        }
        let path = format!("/settings/{}", key.page);
        for end in ["least", "most"] {
            let saved =
                app.put(&admin, &path, json!({ key.name.as_str(): key.about[end] })).await.expect(200);
            assert_eq!(saved["values"][&key.name], key.about[end], "{}.{}", key.page, key.name);
            assert_eq!(saved["sources"][&key.name], "stored");
        }
        let back = app.put(&admin, &path, json!({ key.name.as_str(): null })).await.expect(200);
        assert_eq!(back["values"][&key.name], key.about["default"], "{}.{}", key.page, key.name);
        assert_eq!(back["sources"][&key.name], "default");
        tried += 1;
    }
    assert!(tried >= 5, "only {tried} numbers");
}

/// Spec: settings 3
#[tokio::test]
async fn what_the_environment_alone_decides_is_not_changed_over_the_api() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    let mut tried = 0;
    for key in keys(&app, &admin).await.into_iter().filter(|key| key.about["env_only"] == true) {
        let path = format!("/settings/{}", key.page);
        let default = key.about["default"].as_bool().unwrap();
        let refused = app.put(&admin, &path, json!({ key.name.as_str(): !default })).await;
        assert!(refused.status.is_client_error(), "{}: {}", key.name, refused.body);
        app.store(&key.page, json!({ key.name.as_str(): !default })).await;
        let now = app.get(&admin, &path).await.expect(200);
        assert_eq!(now["values"][&key.name], json!(default), "a row in the database decides nothing either");
        tried += 1;
    }
    assert!(tried > 0);
}

/// Defaults are values like any other: saving them all changes nothing that counts.
#[tokio::test]
async fn every_page_takes_its_own_defaults() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    let list = app.get(&admin, "/settings").await.expect(200);
    for page in list["items"].as_array().unwrap() {
        let path = format!("/settings/{}", page["name"].as_str().unwrap());
        let before = app.get(&admin, &path).await.expect(200);
        let after = app.put(&admin, &path, before["values"].clone()).await.expect(200);
        assert_eq!(after["values"], before["values"], "{path}");
    }
}
