#![allow(clippy::unwrap_used)]

use std::fs;

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

mod host;
mod network;

fn tools() -> Tools {
    Tools {
        clock: Clock::manual("2030-06-01T00:00:00Z".parse().unwrap()),
        sources: Sources::system(),
        programs: Programs::system(),
        scripts_dir: std::env::temp_dir(),
        scripts_allowed: true,
        roots: Arc::default(),
        max_document: 16 * 1024,
    }
}

async fn run_with(tools: &Tools, check_type: &str, config: &Value, dialect: Dialect) -> Outcome {
    match Check::parse(check_type, &config.to_string(), dialect) {
        Ok(check) => Arc::new(check).run(tools, &Arc::default()).await,
        Err(output) => Outcome::error(output),
    }
}

async fn run(check_type: &str, config: Value) -> Outcome {
    run_with(&tools(), check_type, &config, Dialect::Own).await
}

fn document_of(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.output).unwrap()
}

#[tokio::test]
async fn definition_when_it_cannot_be_read_then_the_output_says_why() {
    assert_eq!(run("telepathy", json!({})).await, Outcome::error("unknown check type: telepathy"));
    let outcome = run("port", json!({"port": "http"})).await;
    assert!(outcome.output.starts_with("invalid port config: "), "{}", outcome.output);
    assert!(
        Check::parse("patch_status", "", Dialect::Original).is_ok(),
        "the original stores nothing for it"
    );
}

proptest! {
    #[test]
    fn any_configuration_is_read_without_panic(
        check_type in "port|process|http|certificate|cert_file|service_account|ssh_key_scan|patch_status|script",
        text in "\\PC{0,60}",
        number: i64,
    ) {
        let _ = Check::parse(&check_type, &text, Dialect::Own);
        let config = json!({"url": text, "host": text, "timeout_s": number, "headers": {text.clone(): text}, "body_regex": text});
        if let Ok(check) = Check::parse(&check_type, &config.to_string(), Dialect::Original) {
            prop_assert!(check.limit() <= Duration::from_secs(600));
        }
    }
}

#[test]
fn list_when_it_does_not_fit_then_its_end_is_left_out_and_the_document_stays_whole() {
    let write = |items: &[String], cut: bool| json!({"items": items, "cut": cut}).to_string();
    let items: Vec<String> = (0..1000).map(|number| "x".repeat(number % 50)).collect();
    let text = fitted(items, 4096, write);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert!((2048..=4096).contains(&text.len()), "{}", text.len());
    assert_eq!(value["cut"], true);
    assert_eq!(fitted(vec!["a".to_owned()], 4096, write), r#"{"cut":false,"items":["a"]}"#);
    assert_eq!(fitted(vec!["a".to_owned()], 5, write), r#"{"cut":true,"items":[]}"#);
}
