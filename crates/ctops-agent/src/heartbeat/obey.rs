//! What the server pushes with its answers.

use ctops_proto::agent::HeartbeatResponse;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::agent::Agent;
use crate::pushed::PushedConfig;

impl Agent {
    /// Acts on what the server pushes with its answers.
    pub(super) fn obey(&mut self, message: &HeartbeatResponse) {
        self.extended |= is_extended(message);
        self.work.obey(message);
        self.containers.obey(message);
        if let Some(config) = &message.config {
            self.take_config((*config).into());
        }
        if !message.ok {
            warn!("server did not accept the heartbeat");
        }
        if !message.pending_client_cert_pem.is_empty() {
            self.take_leaf(&message.pending_client_cert_pem, &message.agent_ca_cert_pem);
        }
        if !message.pending_server_cert_pem.is_empty() {
            match self.data.save_web_certificate(&message.pending_server_cert_pem) {
                Ok(fingerprint) => self.web_fingerprint = fingerprint,
                Err(error) => warn!(err = %error, "pushed web certificate not used"),
            }
        }
        if message.update_available && !self.update_signal_seen {
            self.update_signal_seen = true;
            info!(
                latest_version = message.latest_version.as_str(),
                "update signal without signature ignored"
            );
        }
    }

    /// Works with another configuration from the next report on (agents-enrolment 32).
    fn take_config(&mut self, config: PushedConfig) {
        if config.revision == 0 {
            warn!("configuration without a revision ignored");
            return;
        }
        if config == self.pushed {
            return;
        }
        self.pushed = config;
        if let Err(error) = self.data.save_config(&config) {
            warn!(err = %error, "configuration cannot be stored, keeping it in memory");
        }
        self.configure();
        info!(
            revision = config.revision,
            interval_secs = %self.timing.heartbeat.as_secs_f64(),
            "configuration received"
        );
    }

    /// Puts the pushed configuration into force.
    pub(crate) fn configure(&mut self) {
        self.timing.heartbeat = self.pushed.interval(self.own_interval);
        self.rhythm.set_interval(self.timing.heartbeat, Instant::now());
        self.collector.configure(self.pushed, self.timing.heartbeat);
        self.containers.set_wanted(self.pushed.collect_containers);
    }
}

/// Whether `message` shows that the server understands what goes beyond the classic contract: it uses a field that the
/// original server does not have.
fn is_extended(message: &HeartbeatResponse) -> bool {
    message.is_push
        || message.config.is_some()
        || message.checks_complete
        || message.update.is_some()
        || message.update_outcome_stored
        || !message.run_check_ids.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctops_proto::agent::{AgentConfig, CheckDefinition, DockerTelemetryConfig};

    #[test]
    fn answer_when_it_could_be_the_originals_then_shows_no_extension() {
        let classic = HeartbeatResponse {
            ok: true,
            checks: vec![CheckDefinition::default()],
            update_available: true,
            docker_telemetry_config: Some(DockerTelemetryConfig::default()),
            ..HeartbeatResponse::default()
        };
        assert!(!is_extended(&classic));
        assert!(is_extended(&HeartbeatResponse { checks_complete: true, ..classic.clone() }));
        assert!(is_extended(&HeartbeatResponse { config: Some(AgentConfig::default()), ..classic }));
    }
}
