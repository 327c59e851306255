//! Trying a provider out without signing anybody in.

use ctops_base::Problem;
use ctops_slice::{Actor, AppState};
use uuid::Uuid;

use super::answers::{ProviderTestBody, TestStepBody};
use super::model::{Protocol, Provider};
use super::settings::SamlSettings;
use super::{IDENTITY_PROVIDERS_WRITE, service};
use crate::oidc::{self, Cache};
use crate::saml;

/// Tries the stored settings, never what somebody only typed (settings 5).
pub(super) async fn run(
    state: &AppState,
    cache: &Cache,
    actor: &Actor,
    id: Uuid,
) -> Result<ProviderTestBody, Problem> {
    actor.grant(&IDENTITY_PROVIDERS_WRITE)?;
    let provider = service::find(state, actor, id).await?;
    state.entitlements.of(actor.org_id).await?.require(provider.protocol.kind().feature())?;
    let (steps, needs_target) = match &provider.protocol {
        Protocol::Oidc(_) => try_oidc(state, cache, &provider).await,
        Protocol::Saml(settings) => (try_saml(state, settings), None),
    };
    let passed = steps.iter().all(|step| step.passed);
    service::record_test(state, actor, &provider, passed).await?;
    Ok(ProviderTestBody { passed, steps, needs_target })
}

/// The steps, and the host that an internal target would open the way to.
async fn try_oidc(
    state: &AppState,
    cache: &Cache,
    provider: &Provider,
) -> (Vec<TestStepBody>, Option<String>) {
    cache.forget(provider.id);
    let endpoints = match oidc::endpoints(state, cache, provider).await {
        Ok(endpoints) => endpoints,
        Err(problem) => return (vec![failed("discovery", problem.detail())], needs_target(&problem)),
    };
    let found = format!("browsers are sent to {}", endpoints.authorization);
    let discovery = TestStepBody { name: "discovery", passed: true, detail: found };
    let (keys, needed) = match oidc::keys(state, cache, provider, &endpoints, false).await {
        Ok(keys) if keys.len() > 0 => {
            let detail = format!("{} keys for RS256 or ES256", keys.len());
            (TestStepBody { name: "keys", passed: true, detail }, None)
        }
        Ok(_) => (failed("keys", "the provider publishes no key for RS256 or ES256"), None),
        Err(problem) => (failed("keys", problem.detail()), needs_target(&problem)),
    };
    (vec![discovery, keys], needed)
}

/// The host of a refusal that an internal target would lift (security 8).
fn needs_target(problem: &Problem) -> Option<String> {
    let host = problem.members().iter().find(|(name, _)| *name == "host");
    host.filter(|_| problem.code() == "egress_needs_target").map(|(_, host)| host.clone())
}

fn try_saml(state: &AppState, settings: &SamlSettings) -> Vec<TestStepBody> {
    let now = state.clock.now();
    let metadata = match saml::read_metadata(&settings.metadata_xml) {
        Ok(facts) => {
            let detail = format!("browsers are sent to {}", facts.sign_in_url);
            TestStepBody { name: "metadata", passed: true, detail }
        }
        Err(reason) => failed("metadata", &reason),
    };
    let usable = settings.certificates.iter().filter(|found| found.not_after > now).count();
    let soon = settings.certificates.iter().filter(|found| found.ends_soon(now)).count();
    let certificates = match (usable, soon) {
        (0, _) => failed("certificates", "every signing certificate has ended; upload new metadata"),
        (_, 0) => {
            let detail = format!("{usable} signing certificates are valid");
            TestStepBody { name: "certificates", passed: true, detail }
        }
        _ => {
            let detail = "a signing certificate ends within 30 days; upload new metadata".to_owned();
            TestStepBody { name: "certificates", passed: true, detail }
        }
    };
    vec![metadata, certificates]
}

fn failed(name: &'static str, detail: &str) -> TestStepBody {
    TestStepBody { name, passed: false, detail: detail.to_owned() }
}
