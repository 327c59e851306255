//! Releases of the agent: publishing, offers, outcomes, rollouts.

mod offers;
mod publishing;
mod rollouts;

use std::sync::Arc;

use ctops_crypto::signing::SigningKey;
use ctops_fleet::releases::{NewRelease, Program, Publisher, import, sign, write_bundle};
use ctops_proto::agent::HeartbeatResponse;
use ctops_proto::queue::{AgentEvent, UpdateOutcome};
use ctops_slice::{Capabilities, ConnectedAgent, Slice};
use ctops_testkit::{TestHost, a_host};

use crate::support::{App, release_key};

/// The bundle of a release with one program, `content`.
fn bundle(key: &SigningKey, version: &str, minimum: &str, content: &str) -> Vec<u8> {
    bundle_for("stable", key, version, minimum, content)
}

fn bundle_for(channel: &str, key: &SigningKey, version: &str, minimum: &str, content: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent");
    std::fs::write(&path, content).unwrap();
    let release = NewRelease {
        channel: channel.to_owned(),
        version: version.parse().unwrap(),
        minimum_version: minimum.parse().unwrap(),
        released_at: ctops_testkit::start_time(),
        programs: vec![Program { os: "linux".into(), arch: "amd64".into(), path }],
        also_trust: Vec::new(),
    };
    let signed = sign(key, &release).unwrap();
    let mut bundle = Vec::new();
    write_bundle(&mut bundle, &signed, &release.programs).unwrap();
    bundle
}

/// Publishes a release as the operator does.
async fn publish(app: &App, version: &str, minimum: &str) {
    let bundle = bundle(&release_key(), version, minimum, &format!("program {version}"));
    let parts = (app.pool(), &app.clock, &app.deps.releases);
    import(parts, Publisher::Operator, &mut bundle.as_slice()).await.unwrap();
}

async fn an_agent(app: &App, version: &'static str) -> (TestHost, String) {
    let host =
        a_host(app.org).on(Some("linux"), Some("amd64")).with_agent_version(version).insert(app.pool()).await;
    let agent_id = host.agent_id.clone().unwrap();
    (host, agent_id)
}

fn connected(app: &App, host: &TestHost, version: &str, capabilities: Capabilities) -> ConnectedAgent {
    ConnectedAgent {
        host_id: host.id,
        org_id: app.org,
        agent_id: host.agent_id.clone().unwrap(),
        version: version.to_owned(),
        os: "linux".to_owned(),
        arch: "amd64".to_owned(),
        capabilities,
        config_revision: 0,
        pinned_certificate: String::new(),
    }
}

fn slice(app: &App) -> Slice {
    ctops_fleet::slices(&app.deps).into_iter().find(|slice| slice.name() == "releases").unwrap()
}

/// What an agent that understands updates hears.
async fn heard(app: &App, host: &TestHost, version: &str) -> Option<HeartbeatResponse> {
    heard_by(app, host, version, Capabilities::UPDATE).await
}

async fn heard_by(
    app: &App,
    host: &TestHost,
    version: &str,
    capabilities: Capabilities,
) -> Option<HeartbeatResponse> {
    let work = Arc::clone(&slice(app).works()[0]);
    let mut answers = work.pending(&[connected(app, host, version, capabilities)]).await.unwrap();
    assert!(answers.len() <= 1);
    answers.pop().map(|(host_id, response)| {
        assert_eq!(host_id, host.id);
        response
    })
}

/// The version an agent is offered.
async fn offered(app: &App, host: &TestHost, version: &str) -> Option<String> {
    heard(app, host, version).await.and_then(|response| response.update).map(|offer| offer.version)
}

/// Delivers what an agent reported.
async fn report(app: &App, host: &TestHost, version: &str, outcome: &str) {
    let event = AgentEvent {
        host_id: host.id.to_string(),
        org_id: app.org.to_string(),
        agent_id: host.agent_id.clone().unwrap(),
        update_outcome: Some(UpdateOutcome {
            version: version.to_owned(),
            outcome: outcome.to_owned(),
            detail: "why\u{7}".to_owned(),
        }),
        ..AgentEvent::default()
    };
    let mut tx = app.pool().begin().await.unwrap();
    slice(app).event_takers()[0].apply(&mut tx, &[event]).await.unwrap();
    tx.commit().await.unwrap();
}
