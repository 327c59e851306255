#![allow(clippy::unwrap_used)]

use super::*;
use ctops_crypto::seal::InstallKey;
use serde_json::json;

fn wanted(config: Value) -> Wanted {
    Wanted { name: "web".into(), interval_seconds: 60, enabled: true, config }
}

fn refused(kind: &str, config: Value) -> (&'static str, String) {
    let problem = wanted(config).check(kind).unwrap_err();
    (problem.code(), problem.fields().first().map(|field| field.path.clone()).unwrap_or_default())
}

/// Spec: monitoring 17
#[test]
fn parameters_of_every_type_are_accepted_with_their_defaults() {
    let full = |kind: &str, config: Value| wanted(config).check(kind).unwrap().config;
    assert_eq!(
        full("port", json!({"host": "db.example.com", "port": 5432})),
        json!({"host": "db.example.com", "port": 5432, "protocol": "tcp", "timeout_s": 5})
    );
    assert_eq!(
        full("process", json!({"process_name": "nginx"})),
        json!({"process_name": "nginx", "min_count": 1})
    );
    assert_eq!(
        full("http", json!({"url": "https://example.com/"})),
        json!({"url": "https://example.com/", "method": "GET", "expected_status": 200, "follow_redirects": false,
               "verify_tls": true, "timeout_s": 10})
    );
    let certificate = full("certificate", json!({"host": "::1", "server_name": "example.com"}));
    assert_eq!(
        certificate,
        json!({"host": "::1", "port": 443, "server_name": "example.com", "timeout_s": 10})
    );
    let file = full("cert_file", json!({"file_path": "/etc/ssl/a.jks", "format": "jks"}));
    assert_eq!(file, json!({"file_path": "/etc/ssl/a.jks", "format": "jks", "has_password": false}));
    let accounts = full("service_account", json!({}));
    assert_eq!(accounts, json!({"min_human_uid": 1000, "max_human_uid": 60_000}));
    assert_eq!(full("ssh_key_scan", json!({})), json!({"scan_paths": [], "skip_paths": []}));
    assert_eq!(full("patch_status", json!({})), json!({"max_age_days": 30, "max_packages": 500}));
    let script = full("script", json!({"script": "exit 0"}));
    assert_eq!(script, json!({"script": "exit 0", "interpreter": "sh", "timeout_s": 30}));
}

/// Spec: monitoring 17
#[test]
fn parameters_that_are_not_acceptable_name_their_field() {
    let http = |key: &str, value: Value| {
        let mut config = json!({"url": "https://example.com/"});
        config[key] = value;
        refused("http", config)
    };
    for (refusal, path) in [
        (refused("port", json!({"host": "a", "port": 0})), "config.port"),
        (refused("port", json!({"host": "a b", "port": 1})), "config.host"),
        (refused("port", json!({"host": "a", "port": 1, "protocol": "sctp"})), "config.protocol"),
        (refused("port", json!({"host": "a", "port": 1, "timeout_s": 31})), "config.timeout_s"),
        (refused("port", json!({"host": "a"})), "config.port"),
        (
            refused("process", json!({"process_name": "a", "min_count": 2, "max_count": 1})),
            "config.max_count",
        ),
        (http("url", json!("ftp://example.com")), "config.url"),
        (http("method", json!("get")), "config.method"),
        (http("expected_status", json!([200, 99])), "config.expected_status"),
        (http("headers", json!([{"name": "a b", "value": "c"}])), "config.headers"),
        (http("headers", json!([{"name": "a", "value": "c\r\nd: e"}])), "config.headers"),
        (http("timeout_s", json!(61)), "config.timeout_s"),
        (refused("cert_file", json!({"file_path": "/proc/1/environ", "format": "pem"})), "config.file_path"),
        (refused("cert_file", json!({"file_path": "/etc/../root/a", "format": "pem"})), "config.file_path"),
        (refused("cert_file", json!({"file_path": "a.pem", "format": "pem"})), "config.file_path"),
        (refused("cert_file", json!({"file_path": "/a", "format": "der"})), "config.format"),
        (refused("ssh_key_scan", json!({"scan_paths": ["keys"]})), "config.scan_paths"),
        (refused("patch_status", json!({"max_age_days": 3651})), "config.max_age_days"),
        (refused("script", json!({"script": ""})), "config.script"),
        (refused("script", json!({"script": "x", "interpreter": "perl"})), "config.interpreter"),
        (refused("telnet", json!({})), "type"),
    ] {
        assert_eq!(refusal, ("validation_failed", path.to_owned()));
    }
    let unknown = refused("port", json!({"host": "a", "port": 1, "hots": "b"}));
    assert_eq!(unknown, ("unknown_field", "config.hots".to_owned()));
    let nameless = Wanted { name: " ".into(), interval_seconds: 9, ..wanted(json!({})) };
    let paths: Vec<_> =
        nameless.check("patch_status").unwrap_err().fields().iter().map(|f| f.path.clone()).collect();
    assert_eq!(paths, ["name", "interval_seconds"]);
}

/// Spec: monitoring 24
#[test]
fn secrets_are_taken_out_sealed_and_put_back() {
    let config = json!({"url": "https://example.com/", "headers": [
        {"name": "Authorization", "value": "Bearer hunter2", "secret": true}, {"name": "Accept", "value": "*/*"}]});
    let checked = wanted(config).check("http").unwrap();
    assert!(!format!("{checked:?}").contains("hunter2"));
    assert_eq!(
        checked.config["headers"][0],
        json!({"name": "Authorization", "secret": true, "has_value": true})
    );
    assert_eq!(checked.config["headers"][1]["value"], "*/*");

    let (key, id) = (InstallKey::generate(), Uuid::from_u128(1));
    let sealed = checked.secrets.seal(&key, id).unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("hunter2"));
    assert!(Secrets::open(&key, Uuid::from_u128(2), Some(&sealed)).is_err(), "bound to its check");
    let opened = Secrets::open(&key, id, Some(&sealed)).unwrap();
    let mut for_the_agent = checked.config.clone();
    opened.put_into(&mut for_the_agent);
    assert_eq!(
        for_the_agent["headers"][0],
        json!({"name": "Authorization", "secret": true, "value": "Bearer hunter2"})
    );

    let mut changed =
        json!({"headers": [{"name": "authorization", "secret": true}, {"name": "New", "secret": true}]});
    opened.keep_values(&mut changed);
    assert_eq!(changed["headers"][0]["value"], "Bearer hunter2", "kept by whoever cannot know it");
    assert!(changed["headers"][1].get("value").is_none());
}

#[test]
fn agents_of_the_original_product_get_their_own_words() {
    let config = json!({"host": "a", "port": 443, "timeout_s": 10});
    assert_eq!(for_agent(config.clone(), Dialect::Own, Some(7)), config.to_string());
    let original: Value = serde_json::from_str(&for_agent(config, Dialect::Original, Some(7))).unwrap();
    assert_eq!(original, json!({"host": "a", "port": 443, "timeout_seconds": 10, "requested_at_ms": 7}));
}
