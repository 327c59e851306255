//! An engine that lies: whoever can write its socket, or name a container, decides what the agent reads.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use ctops_base::text;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::answers::{Inspected, Listed, Stats, Version};
use super::engine::is_id;
use super::{Engine, EngineError, Orders, inventory, labels};

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks an engine that answers every question with `answer`, byte for byte, and then hangs up.
async fn ask<T>(answer: Vec<u8>, question: impl AsyncFnOnce(&Engine) -> T) -> T {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("docker.sock")).unwrap();
    let engine = Engine::find(dir.path()).unwrap();
    let serve = async {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let mut piece = [0; 1024];
            while !request.ends_with(b"\r\n\r\n") {
                let read = socket.read(&mut piece).await.unwrap();
                request.extend_from_slice(&piece[..read]);
            }
            // The agent may have heard enough before everything is said.
            let _ = socket.write_all(&answer).await;
            let _ = socket.shutdown().await;
        }
    };
    tokio::select! {
        result = question(&engine) => result,
        () = serve => unreachable!("the engine serves for ever"),
    }
}

async fn get(answer: impl Into<Vec<u8>>) -> Result<Value, EngineError> {
    ask(answer.into(), async |engine| engine.get("/version", PATIENCE).await).await
}

#[tokio::test]
async fn answer_when_it_comes_in_chunks_then_is_put_together() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n3;ext=1\r\n1,2\r\n1\r\n]\r\n0\r\n\r\n";
    assert_eq!(get(chunked).await.unwrap(), json!([1, 2]));
    let until_the_end = "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}";
    assert_eq!(get(until_the_end).await.unwrap(), json!({"a": 1}));
}

#[tokio::test]
async fn answer_when_it_is_cut_off_or_no_http_then_is_an_error() {
    for broken in [
        "",
        "hello",
        "HTTP/9.9 200 OK\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    ] {
        let error = get(broken).await.unwrap_err();
        assert!(matches!(error, EngineError::Http(_)), "{broken:?}: {error:?}");
    }
    for (answer, status) in [("404 Not Found", 404), ("500 Oh", 500), ("301 Moved", 301)] {
        let error = get(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n")).await.unwrap_err();
        assert!(matches!(error, EngineError::Status(found) if found == status), "{error:?}");
    }
    let denied = get("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await.unwrap_err();
    assert!(matches!(denied, EngineError::Denied));
}

#[tokio::test]
async fn answer_when_it_never_ends_then_is_given_up_at_the_limit() {
    let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    endless.resize(9 * 1024 * 1024, b' ');
    assert!(matches!(get(endless).await.unwrap_err(), EngineError::TooLong));
}

#[tokio::test]
async fn answer_when_its_json_is_damaged_or_nests_too_deeply_then_is_not_understood() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in ["", "{", "{}x", "\u{feff}{}", "\"\\ud800\"", deep.as_str()] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert!(matches!(get(answer).await.unwrap_err(), EngineError::Json(_)), "{:.20}", body);
    }
}

/// Spec: containers 13
#[tokio::test]
async fn containers_when_their_ids_lead_elsewhere_then_are_left_out_and_the_others_are_bounded() {
    let long = "é".repeat(2_000);
    let listed = json!([
        {"Id": "../../v1/secrets"}, {"Id": ""}, {"Id": "a b"}, {"Id": "a?x=1"}, {"Id": "a\r\nHost: b"}, {"Id": "x".repeat(129)},
        {"Id": "good", "Names": vec![long.as_str(); 40], "Image": long, "ImageID": null, "Created": -5, "Labels": null,
         "State": "run\u{1b}[31mning", "Status": long},
    ]);
    let body = listed.to_string();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let take = async |engine: &Engine| inventory::take(engine, &Orders::default(), 77).await;
    let found = ask(answer.into_bytes(), take).await.unwrap();
    assert_eq!((found.containers.len(), found.facts.len()), (1, 1));
    let container = &found.containers[0];
    assert_eq!((container.docker_container_id.as_str(), container.state.as_str()), ("good", "run[31mning"));
    assert_eq!((container.names.len(), container.created_at_unix, container.observed_at_unix), (16, 0, 77));
    assert!(container.names.iter().all(|name| name.len() <= 256));
    assert!(container.image.len() <= 512 && container.status.len() <= 512);
    assert_eq!(
        (container.started_at_unix, container.restart_count),
        (0, 0),
        "nothing was understood of the inspection"
    );
}

#[test]
fn fields_when_they_are_null_or_absent_then_are_empty_and_of_another_type_not_understood() {
    for empty in [json!({}), json!({"Id": null, "Names": null, "Labels": null, "Created": null})] {
        let listed: Listed = serde_json::from_value(empty).unwrap();
        assert!(listed.id.is_empty() && listed.names.is_empty() && listed.labels.is_empty());
    }
    for wrong in [
        json!({"Id": 1}),
        json!({"Names": "a"}),
        json!({"Labels": {"a": 1}}),
        json!({"Created": 1.5}),
        json!("x"),
    ] {
        assert!(serde_json::from_value::<Listed>(wrong.clone()).is_err(), "{wrong}");
    }
    for wrong in
        [json!({"RestartCount": 9_999_999_999_i64}), json!({"State": "up"}), json!({"HostConfig": 5})]
    {
        assert!(serde_json::from_value::<Inspected>(wrong.clone()).is_err(), "{wrong}");
    }
}

/// Spec: containers 11
#[test]
fn label_when_its_key_hides_a_word_behind_control_characters_then_its_value_is_hidden_all_the_same() {
    for key in ["pass\u{0}word", "to\u{202e}ken", "API_SEC\u{1b}RET", "k\u{200e}ey", "Password", "my.Key.x"] {
        let given = BTreeMap::from([(format!("com.docker.compose.{key}"), "hunter2".to_owned())]);
        let found = labels::collected(&given, &Orders::default());
        assert_eq!((found.len(), found[0].value.as_str()), (1, "hidden"), "{key:?}");
        assert!(!found[0].key.chars().any(text::is_hostile));
    }
}

/// Spec: containers 8
#[test]
fn limit_of_cores_when_below_a_hundredth_then_is_not_taken_for_none() {
    for config in [
        json!({"NanoCpus": 1}),
        json!({"CpuQuota": 1_000, "CpuPeriod": 1_000_000}),
        json!({"NanoCpus": 9_999_999}),
    ] {
        let inspected: Inspected = serde_json::from_value(json!({"HostConfig": config})).unwrap();
        assert_eq!(inventory::cores_centi(&inspected.host_config), 1, "{config}");
    }
    let none: Inspected =
        serde_json::from_value(json!({"HostConfig": {"NanoCpus": 0, "CpuQuota": -1}})).unwrap();
    assert_eq!(inventory::cores_centi(&none.host_config), 0);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    let keys = "Id|Names|Labels|State|HostConfig|NanoCpus|cpu_stats|memory_stats|networks|usage|[a-z]{1,5}";
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(keys, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused_without_panic(value in any_json()) {
        let _ = serde_json::from_value::<Version>(value.clone());
        let _ = serde_json::from_value::<Vec<Listed>>(value.clone());
        let _ = serde_json::from_value::<Inspected>(value.clone());
        let _ = serde_json::from_value::<Stats>(value);
    }

    /// What passes as an id can be written into a path without leading out of it or ending it.
    #[test]
    fn any_id_that_is_accepted_is_one_part_of_a_path(id in "[a-f0-9]{12,64}|[a-z0-9_.-]{1,140}|\\PC{0,20}|[a-z/?#%\r\n ]{1,12}") {
        if is_id(&id) {
            prop_assert!(id.len() <= 128 && !id.contains(['/', '?', '#', '%', ' ', '\r', '\n', '\0']));
            let uri: http::Uri = format!("/containers/{id}/json").parse().unwrap();
            prop_assert_eq!(uri.path(), format!("/containers/{id}/json"));
            prop_assert_eq!(uri.query(), None);
        } else {
            prop_assert!(id.is_empty() || id.len() > 128 || id.chars().any(|c| !c.is_ascii_alphanumeric() && !"_.-".contains(c)));
        }
    }
}
