//! What this process tells the settings area: what the environment fixes, which mail relay it names, and facts about its
//! own health.

use std::path::PathBuf;

use async_trait::async_trait;
use chrono::DateTime;
use ctops_settings::mail::{Encryption, EnvironmentRelay, SmtpRelay};
use ctops_settings::system::{CertificateFact, Facts, QueueFact, ServerFacts, VolumeFact};
use ctops_slice::settings::Overrides;
use ctops_telemetry::MetricsPage;

use crate::measure;
use crate::queue::is_shared;
use crate::settings::{Settings, host_of};

/// Name of the gauge with what consumers are behind; the queue crate sets it.
const QUEUE_LAG: &str = "ctops_queue_lag_records";

/// Keys of settings pages that variables of the environment fix (settings 3).
pub fn overrides(settings: &Settings) -> Overrides {
    let page = "authentication";
    let verification = "REQUIRE_EMAIL_VERIFICATION";
    let mut overrides = Overrides::default().with(
        page,
        "require_email_verification",
        verification,
        settings.values.flag(verification),
    );
    let units = [
        ("session_max_days", "CT_OPS_SESSION_LIFETIME", 24 * 3600),
        ("session_idle_hours", "CT_OPS_SESSION_IDLE", 3600),
    ];
    for (key, env, unit) in units {
        if settings.values.is_given(env) {
            // Shown in whole units; sessions obey the variable to the second.
            let shown = settings.values.number(env).div_ceil(unit).max(1);
            overrides = overrides.with(page, key, env, shown);
        }
    }
    overrides
}

/// The mail relay that the environment names (settings 11).
pub fn mail_relay(settings: &Settings) -> Option<EnvironmentRelay> {
    let values = &settings.values;
    let text = |env| values.text(env).unwrap_or_default().to_owned();
    let host = values.text("AUTH_EMAIL_SMTP_HOST")?.to_owned();
    let encryption = match values.text("AUTH_EMAIL_SMTP_SECURE") {
        Some("true" | "tls") => Encryption::Tls,
        Some("none") => Encryption::None,
        _ => Encryption::Starttls,
    };
    let from_address = values.text("AUTH_EMAIL_FROM").map(str::to_owned);
    let page = SmtpRelay {
        enabled: true,
        port: u16::try_from(values.number("AUTH_EMAIL_SMTP_PORT")).unwrap_or(587),
        encryption,
        username: text("AUTH_EMAIL_SMTP_USER"),
        from_address: from_address.unwrap_or_else(|| format!("ct-ops@{}", host_of(&settings.public_url))),
        from_name: text("AUTH_EMAIL_FROM_NAME"),
        ca_pem: String::new(),
        host,
    };
    let password = values.secret("AUTH_EMAIL_SMTP_PASSWORD");
    Some(EnvironmentRelay { page, password: password.map(|secret| secret.expose().to_owned().into()) })
}

/// Facts of this process, read when they are asked for.
pub struct ProcessFacts {
    state_dir: PathBuf,
    queue: &'static str,
    node: String,
    metrics: Option<MetricsPage>,
    configuration: Vec<String>,
    remarks: Vec<String>,
}

impl ProcessFacts {
    /// Of a process with these settings. `metrics` knows how far consumers are and when certificates end.
    pub fn new(settings: &Settings, node: String, metrics: Option<MetricsPage>) -> Self {
        let mut remarks = settings.values.notes().to_vec();
        if mail_relay(settings).is_none() {
            remarks.push(
                "AUTH_EMAIL_SMTP_HOST names no mail relay: mail of organisations without a relay waits in the list \
                 of pending mail"
                    .to_owned(),
            );
        }
        Self {
            state_dir: settings.state_dir.clone(),
            queue: if is_shared(settings) { "brokers" } else { "embedded" },
            node,
            metrics,
            configuration: settings.values.print(),
            remarks,
        }
    }
}

#[async_trait]
impl ServerFacts for ProcessFacts {
    async fn facts(&self) -> Facts {
        let page = self.metrics.as_ref().map(MetricsPage::render).unwrap_or_default();
        let waiting = gauges(&page, QUEUE_LAG).into_iter().filter_map(|(labels, value)| {
            Some(QueueFact {
                group: label(&labels, "group")?,
                topic: label(&labels, "topic")?,
                waiting: value.max(0.0) as u64,
            })
        });
        let certificates =
            gauges(&page, measure::CERTIFICATE_ENDS).into_iter().filter_map(|(labels, ends)| {
                let name = ["web", "ingest"]
                    .into_iter()
                    .find(|name| label(&labels, "listener").as_deref() == Some(name))?;
                Some(CertificateFact { name, not_after: DateTime::from_timestamp(ends as i64, 0)? })
            });
        let volume = nix::sys::statvfs::statvfs(&self.state_dir).ok().map(|space| VolumeFact {
            name: "state",
            total_bytes: space.blocks() * space.fragment_size(),
            free_bytes: space.blocks_available() * space.fragment_size(),
        });
        Facts {
            version: env!("CARGO_PKG_VERSION"),
            node: self.node.clone(),
            queue: self.queue,
            waiting: waiting.collect(),
            certificates: certificates.collect(),
            volumes: volume.into_iter().collect(),
            remarks: self.remarks.clone(),
            configuration: self.configuration.clone(),
        }
    }
}

/// Labels and value of every line of one gauge on a page of metrics.
fn gauges(page: &str, name: &str) -> Vec<(String, f64)> {
    let line = |line: &str| {
        let (labels, value) = line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} ")?;
        Some((labels.to_owned(), value.trim().parse().ok()?))
    };
    page.lines().filter_map(line).collect()
}

fn label(labels: &str, name: &str) -> Option<String> {
    let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings::load(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).unwrap()
    }

    /// Spec: settings 3
    #[test]
    fn only_variables_that_are_set_fix_keys() {
        let none = overrides(&settings(&[]));
        assert!(none.of("authentication", "session_max_days").is_none());
        assert_eq!(none.of("authentication", "require_email_verification").unwrap().value, json!(true));
        let some =
            overrides(&settings(&[("CT_OPS_SESSION_LIFETIME", "36h"), ("CT_OPS_SESSION_IDLE", "15m")]));
        let fixed = some.of("authentication", "session_max_days").unwrap();
        assert_eq!((fixed.env.as_str(), &fixed.value), ("CT_OPS_SESSION_LIFETIME", &json!(2)));
        assert_eq!(some.of("authentication", "session_idle_hours").unwrap().value, json!(1));
    }

    /// Spec: settings 11
    #[test]
    fn relay_of_the_environment_needs_a_host() {
        assert!(mail_relay(&settings(&[("AUTH_EMAIL_FROM", "a@example.com")])).is_none());
        let relay = mail_relay(&settings(&[
            ("AUTH_EMAIL_SMTP_HOST", "mail.example.com"),
            ("AUTH_EMAIL_SMTP_PORT", "465"),
            ("AUTH_EMAIL_SMTP_SECURE", "true"),
            ("AUTH_EMAIL_SMTP_USER", "ops"),
            ("AUTH_EMAIL_SMTP_PASSWORD", "hunter2"),
            ("BETTER_AUTH_URL", "https://ops.example.com"),
        ]))
        .unwrap();
        assert_eq!((relay.page.port, relay.page.encryption), (465, Encryption::Tls));
        assert_eq!(relay.page.from_address, "ct-ops@ops.example.com");
        assert_eq!(relay.password.unwrap().as_str(), "hunter2");
    }

    #[test]
    fn gauges_are_read_with_their_labels() {
        let page = "# HELP x\nctops_queue_lag_records{group=\"metrics\",topic=\"metrics.raw\"} 12\nother{a=\"b\"} 1\n";
        let found = gauges(page, QUEUE_LAG);
        assert_eq!(found.len(), 1);
        assert_eq!((label(&found[0].0, "topic").as_deref(), found[0].1), (Some("metrics.raw"), 12.0));
    }
}
