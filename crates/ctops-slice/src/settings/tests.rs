#![allow(clippy::unwrap_used)]

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::document::effective;
use super::*;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Relay {
    enabled: bool,
    host: String,
    port: u16,
}

impl SettingsPage for Relay {
    const NAME: &'static str = "relay";
    const TITLE: &'static str = "Relay";

    fn keys() -> &'static [SettingKey] {
        const KEYS: &[SettingKey] = &[
            SettingKey::new("enabled", "Enabled", KeyKind::Flag, ""),
            SettingKey::new("host", "Host", KeyKind::Text { least: 0, most: 20 }, ""),
            SettingKey::new("port", "Port", KeyKind::Integer { least: 0, most: 65_535 }, "")
                .or_env("RELAY_PORT"),
            SettingKey::new("password", "Password", KeyKind::Secret { most: 20 }, ""),
        ];
        KEYS
    }

    fn validate(&self) -> Result<(), Vec<FieldProblem>> {
        if self.enabled && self.host.is_empty() {
            let message = "must name a host".to_owned();
            return Err(vec![FieldProblem { path: "host".into(), code: "required", message }]);
        }
        Ok(())
    }
}

fn document(value: &Value) -> Document {
    value.as_object().cloned().unwrap()
}

fn found(stored: &Value) -> Effective {
    effective(&PageInfo::of::<Relay>(), &document(stored), &Overrides::default())
}

/// Spec: settings 3
#[test]
fn source_is_default_then_stored_then_environment() {
    let overrides = Overrides::default().with("relay", "port", "RELAY_PORT", 2525);
    let stored = document(&json!({ "host": "mail.example", "port": 25 }));
    let found = effective(&PageInfo::of::<Relay>(), &stored, &overrides);
    assert_eq!(
        Value::Object(found.values),
        json!({ "enabled": false, "host": "mail.example", "port": 2525 })
    );
    assert_eq!(found.sources["enabled"], Source::Default);
    assert_eq!(found.sources["host"], Source::Stored);
    assert_eq!(found.sources["port"], Source::Environment);
    assert!(found.faults.is_empty() && !found.sources.contains_key("password"));
}

/// Spec: settings 8
#[test]
fn stored_value_when_invalid_falls_back_alone() {
    let found =
        found(&json!({ "host": 7, "port": 70_000, "enabled": false, "colour": "red", "password": "x" }));
    assert_eq!(Value::Object(found.values), json!({ "enabled": false, "host": "", "port": 0 }));
    let mut keys: Vec<_> = found.faults.iter().map(|fault| fault.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["colour", "host", "password", "port"]);
    assert!(found.faults.iter().all(|fault| !fault.message.contains("red")), "values are not repeated");
}

/// Spec: settings 8
#[test]
fn stored_values_when_acceptable_only_alone_fall_back_together() {
    let found = found(&json!({ "enabled": true, "port": 25 }));
    assert_eq!(Value::Object(found.values), json!({ "enabled": false, "host": "", "port": 0 }));
    assert_eq!(found.faults.len(), 2, "{:?}", found.faults);
}

#[test]
fn environment_only_key_when_stored_is_not_obeyed() {
    let stored = document(&json!({ "require_email_verification": false, "session_max_days": 30 }));
    let page = PageInfo::of::<AuthenticationSettings>();
    let found = effective(&page, &stored, &Overrides::default());
    assert_eq!(found.values["require_email_verification"], json!(true));
    assert_eq!(found.values["session_max_days"], json!(30));
}

/// Spec: settings 3
#[test]
fn authentication_page_names_every_field_with_a_default_in_range() {
    let page = PageInfo::of::<AuthenticationSettings>();
    let defaults = (page.defaults)();
    let mut names: Vec<_> = page.keys.iter().map(|key| key.name).collect();
    names.sort_unstable();
    let mut fields: Vec<_> = defaults.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(names, fields);
    for key in page.keys {
        assert_eq!(key.kind.check(&defaults[key.name]), Ok(()), "{}", key.name);
    }
    let domains = |text: &str| AuthenticationSettings {
        allowed_domains: vec![text.to_owned()],
        ..AuthenticationSettings::default()
    };
    assert!(domains("example.com").validate().is_ok());
    for bad in ["Example.com", "@example.com", "example", "a..b", "-a.example", "a b.example"] {
        assert!(domains(bad).validate().is_err(), "{bad}");
    }
}
