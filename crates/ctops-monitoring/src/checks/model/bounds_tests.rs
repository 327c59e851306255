//! The table of check types, value by value: the last one that is accepted and the first one that is not.

#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

/// The least that a check of each type needs.
fn least(kind: &str) -> Value {
    match kind {
        "port" => json!({"host": "a", "port": 1}),
        "process" => json!({"process_name": "a"}),
        "http" => json!({"url": "http://a"}),
        "certificate" => json!({"host": "a"}),
        "cert_file" => json!({"file_path": "/a", "format": "pem"}),
        "script" => json!({"script": "x"}),
        _ => json!({}),
    }
}

const KINDS: [&str; 9] = [
    "port",
    "process",
    "http",
    "certificate",
    "cert_file",
    "service_account",
    "ssh_key_scan",
    "patch_status",
    "script",
];

fn checked(kind: &str, config: Value) -> Result<CheckedInput, Problem> {
    Wanted { name: "check".into(), interval_seconds: 60, enabled: true, config }.check(kind)
}

/// The least config of `kind` with `key` set: the paths of what is wrong, none when it is accepted.
fn wrong(kind: &str, key: &str, value: Value) -> Vec<String> {
    let mut config = least(kind);
    config[key] = value;
    match checked(kind, config) {
        Ok(_) => Vec::new(),
        Err(problem) => problem.fields().iter().map(|field| field.path.clone()).collect(),
    }
}

/// Spec: monitoring 17
#[test]
fn numbers_when_at_the_edges_of_the_table_then_are_accepted_and_beyond_refused() {
    for (kind, key, from, to) in [
        ("port", "port", 1, 65_535),
        ("port", "timeout_s", 1, 30),
        ("http", "timeout_s", 1, 60),
        ("http", "expected_status", 100, 599),
        ("certificate", "port", 1, 65_535),
        ("certificate", "timeout_s", 1, 60),
        ("patch_status", "max_age_days", 1, 3_650),
        ("patch_status", "max_packages", 1, 1_000),
        ("script", "timeout_s", 1, 300),
    ] {
        for fine in [from, from + 1, to - 1, to] {
            assert_eq!(wrong(kind, key, json!(fine)), Vec::<String>::new(), "{kind} {key} {fine}");
        }
        for bad in [from - 1, to + 1, -1, i64::from(u32::MAX) + 1, i64::MIN, i64::MAX] {
            let fields = wrong(kind, key, json!(bad));
            assert_eq!(fields.len(), 1, "{kind} {key} {bad}");
            // What is no number of the right size at all is refused before its place is known.
            assert!(
                fields[0] == format!("config.{key}") || fields[0] == "config",
                "{kind} {key} {bad}: {fields:?}"
            );
        }
        for odd in [json!("5"), json!(1.5), json!(null), json!([[]]), json!({}), json!(true)] {
            assert!(!wrong(kind, key, odd.clone()).is_empty(), "{kind} {key} {odd}");
        }
    }
}

/// Spec: monitoring 17
#[test]
fn texts_when_at_their_limit_then_are_accepted_and_one_more_refused() {
    for (kind, key, most) in [
        ("port", "host", 253),
        ("port", "payload", 2_048),
        ("port", "expected_reply", 2_048),
        ("process", "process_name", 255),
        ("http", "body", 8_192),
        ("http", "body_contains", 2_048),
        ("http", "body_regex", 2_048),
        ("certificate", "host", 253),
        ("certificate", "server_name", 253),
        ("cert_file", "password", 2_048),
        ("cert_file", "alias", 255),
        ("script", "script", 16_384),
    ] {
        assert_eq!(wrong(kind, key, json!("a".repeat(most))), Vec::<String>::new(), "{kind} {key}");
        assert_eq!(wrong(kind, key, json!("a".repeat(most + 1))), [format!("config.{key}")], "{kind} {key}");
    }
    let path = |length: usize| json!(format!("/{}", "a".repeat(length - 1)));
    assert!(wrong("cert_file", "file_path", path(4_096)).is_empty());
    assert_eq!(wrong("cert_file", "file_path", path(4_097)), ["config.file_path"]);
    let url = |length: usize| json!(format!("http://{}", "a".repeat(length - 7)));
    assert!(wrong("http", "url", url(2_048)).is_empty());
    assert_eq!(wrong("http", "url", url(2_049)), ["config.url"]);
    for key in ["scan_paths", "skip_paths"] {
        assert!(wrong("ssh_key_scan", key, json!(vec!["/home"; 50])).is_empty());
        assert_eq!(wrong("ssh_key_scan", key, json!(vec!["/home"; 51])), [format!("config.{key}")]);
    }
    assert!(wrong("http", "expected_status", json!(vec![200; 50])).is_empty());
    for codes in [json!([]), json!(vec![200; 51]), json!([200, 600])] {
        assert_eq!(wrong("http", "expected_status", codes), ["config.expected_status"]);
    }
}

/// PostgreSQL keeps no NUL in JSON: it must be refused here, where somebody can be told.
#[test]
fn texts_when_there_is_a_nul_in_them_then_are_refused() {
    for (kind, key, text) in [
        ("port", "host", "a\0b"),
        ("port", "payload", "\0"),
        ("port", "expected_reply", "PONG\0"),
        ("process", "process_name", "ngi\0nx"),
        ("http", "url", "http://a/\0"),
        ("http", "body", "a\0"),
        ("http", "body_contains", "\0a"),
        ("http", "body_regex", "a\0b"),
        ("certificate", "server_name", "a\0"),
        ("cert_file", "file_path", "/a\0"),
        ("cert_file", "alias", "a\0"),
        ("script", "script", "echo \0"),
    ] {
        assert_eq!(wrong(kind, key, json!(text)), ["config"], "{kind} {key}");
    }
    assert_eq!(wrong("ssh_key_scan", "scan_paths", json!(["/a\0"])), ["config"]);
    assert_eq!(wrong("http", "headers", json!([{"name": "a", "value": "b\0"}])), ["config"]);
    assert!(wrong("port", "payload", json!("\\u0000")).is_empty(), "six characters that are no NUL");
}

/// Spec: monitoring 17
#[test]
fn certificate_file_when_its_path_leads_to_the_kernel_in_any_spelling_then_is_refused() {
    for path in [
        "/proc",
        "/proc/",
        "/proc/1/environ",
        "//proc/1/environ",
        "/./proc/self/environ",
        "/.//./proc/x",
        "/sys",
        "/sys/x",
        "///sys/x",
        "/dev/sda",
        "/dev",
        "//dev//sda",
        "/etc/../proc/x",
        "/..",
        "..",
        "/a/..",
        "C:\\..\\x",
        "etc/a.pem",
        "",
        "C:",
        "~/.pem",
        "file:///a",
    ] {
        assert_eq!(wrong("cert_file", "file_path", json!(path)), ["config.file_path"], "{path:?}");
    }
    for path in [
        "/process/a.pem",
        "/etc/proc/a.pem",
        "/system/a",
        "/developer",
        "/a..b/c",
        "/...",
        "C:\\certs\\a.pem",
        "d:/certs/a.pem",
    ] {
        assert!(wrong("cert_file", "file_path", json!(path)).is_empty(), "{path:?}");
    }
}

/// Spec: monitoring 17
#[test]
fn addresses_of_web_pages_when_of_another_kind_or_hostile_then_are_refused() {
    for url in [
        "",
        "http://",
        "https://",
        "HTTP://a",
        "ftp://a",
        "file:///etc/passwd",
        "gopher://a",
        "//a",
        "a",
        "http:/a",
        "http:///a",
        "http://?a",
        "http://@a",
        "http:// a",
        "http://a b",
        "http://a\r\nHost: b",
        "http://ä",
        "javascript:alert(1)",
        " http://a",
        "http://a\n",
    ] {
        assert_eq!(wrong("http", "url", json!(url)), ["config.url"], "{url:?}");
    }
    for url in ["http://a", "https://example.com:8443/x?y=z#f", "http://[::1]:80/", "http://10.0.0.1"] {
        assert!(wrong("http", "url", json!(url)).is_empty(), "{url:?}");
    }
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        assert!(wrong("http", "method", json!(method)).is_empty());
    }
    for method in ["", "get", "TRACE", "CONNECT", "GET ", "GET\r\nX: y"] {
        assert_eq!(wrong("http", "method", json!(method)), ["config.method"], "{method:?}");
    }
    for name in ["", "a b", "a:", "a\r\n", "ä", &"a".repeat(256)] {
        assert_eq!(wrong("http", "headers", json!([{"name": name}])), ["config.headers"], "{name:?}");
    }
    assert_eq!(wrong("http", "headers", json!(vec![json!({"name": "a"}); 51])), ["config.headers"]);
    let both =
        checked("http", json!({"url": "http://a", "body_contains": "a", "body_regex": "b"})).unwrap_err();
    assert_eq!(both.fields()[0].path, "config.body_regex");
}

/// Spec: monitoring 17
#[test]
fn names_and_intervals_when_beyond_their_bounds_then_are_refused() {
    let of = |name: &str, interval_seconds| {
        let wanted = Wanted { name: name.into(), interval_seconds, enabled: true, config: json!({}) };
        wanted.check("patch_status").map(|input| input.name)
    };
    for interval in [10, 11, 3_599, 3_600] {
        assert_eq!(of("a", interval).unwrap(), "a");
    }
    for interval in [i32::MIN, -1, 0, 9, 3_601, i32::MAX] {
        assert_eq!(of("a", interval).unwrap_err().fields()[0].path, "interval_seconds", "{interval}");
    }
    assert_eq!(of("  padded  ", 60).unwrap(), "padded");
    assert_eq!(of(&"ä".repeat(100), 60).unwrap().chars().count(), 100);
    for name in ["", "   ", "a\nb", "a\0", "a\u{202e}b", "\u{1b}[31m", &"a".repeat(101)] {
        assert_eq!(of(name, 60).unwrap_err().fields()[0].path, "name", "{name:?}");
    }
}

/// Spec: monitoring 17
#[test]
fn parameters_when_no_object_or_of_another_type_then_are_refused_without_repeating_them() {
    for kind in KINDS {
        assert!(checked(kind, least(kind)).is_ok(), "{kind}");
        for odd in [json!(null), json!("hunter2"), json!(5), json!(true)] {
            let problem = checked(kind, odd).unwrap_err();
            assert!(!format!("{problem:?}").contains("hunter2"), "{kind}: {problem:?}");
        }
        let mut unknown = least(kind);
        unknown["surprise"] = json!("hunter2");
        let problem = checked(kind, unknown).unwrap_err();
        assert_eq!(
            (problem.code(), problem.fields()[0].path.as_str()),
            ("unknown_field", "config.surprise"),
            "{kind}"
        );
        assert!(!format!("{problem:?}").contains("hunter2"));
    }
}

/// What was stored and is saved again unchanged stays what it was.
#[test]
fn parameters_when_checked_a_second_time_then_do_not_change() {
    for kind in KINDS {
        let once = checked(kind, least(kind)).unwrap();
        let mut config = once.config.clone();
        once.secrets.put_into(&mut config);
        assert_eq!(checked(kind, config).unwrap().config, once.config, "{kind}");
    }
}

#[test]
fn parameters_when_each_fits_but_all_together_are_too_many_then_are_refused() {
    let headers: Vec<Value> =
        (0..50).map(|n| json!({"name": format!("h{n}"), "value": "v".repeat(1_000)})).collect();
    let problem = checked("http", json!({"url": "http://a", "headers": headers})).unwrap_err();
    assert_eq!((problem.fields()[0].path.as_str(), problem.fields()[0].code), ("config", "too_long"));
}
