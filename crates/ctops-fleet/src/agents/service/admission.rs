//! Whether a machine that nobody knows by its key may join, and as what (hosts 20, 22 to 24). Pure.

use ctops_base::{Problem, ProblemKind};

use crate::agents::identity::MachineFacts;
use crate::agents::model::AgentStatus;
use crate::agents::store::registration::Collision;
use crate::enrolment::ReenrolmentPolicy;
use crate::hosts::HostStatus;

/// What to do with a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::agents) enum Admission<'a> {
    /// The machine is new.
    New,
    /// It takes over the record of a host that is not there.
    Adopt(&'a Collision),
    /// The same, once an administrator approves it.
    Claim(&'a Collision),
}

/// Decides. `collisions` are live hosts that share an identity with the machine, the surest match first.
///
/// A record that waits for approval is never taken over silently: whoever approves it has compared the fingerprint they
/// saw. Only a token that approves by itself makes that comparison needless.
///
/// # Errors
/// `already_exists` naming host and reason.
pub(in crate::agents) fn decide(
    collisions: &[Collision],
    policy: ReenrolmentPolicy,
    auto_approve: bool,
) -> Result<Admission<'_>, Problem> {
    for other in collisions {
        if other.agent_status == AgentStatus::Revoked {
            return Err(exists(other, "its agent was revoked"));
        }
        if other.host_status == HostStatus::Online {
            return Err(exists(other, "it is online"));
        }
    }
    let Some(best) = collisions.first() else {
        return Ok(Admission::New);
    };
    match policy {
        ReenrolmentPolicy::Refuse => Err(exists(best, "known machines may not enrol again")),
        ReenrolmentPolicy::AdoptAfterApproval => Ok(Admission::Claim(best)),
        ReenrolmentPolicy::Adopt if best.agent_status == AgentStatus::Pending && !auto_approve => {
            Ok(Admission::Claim(best))
        }
        ReenrolmentPolicy::Adopt => Ok(Admission::Adopt(best)),
    }
}

fn exists(other: &Collision, why: &str) -> Problem {
    let detail = format!("host {} exists, matched by {}: {why}", other.hostname, other.matched_on.in_words());
    Problem::new(ProblemKind::Conflict, "already_exists", detail)
}

/// What the adopted host is told about its machine: names and addresses that belong to further hosts stay theirs, since
/// no two live hosts share one (hosts 20).
pub(in crate::agents) fn facts_for(
    facts: &MachineFacts,
    chosen: &Collision,
    collisions: &[Collision],
) -> MachineFacts {
    let others = || collisions.iter().filter(|other| other.host_id != chosen.host_id);
    let is_taken = || others().any(|other| other.hostname.to_lowercase() == facts.hostname.to_lowercase());
    let hostname = match facts.own_hostname() {
        Some(name) if !is_taken() => name.to_owned(),
        _ => chosen.hostname.clone(),
    };
    let is_free = |ip: &&String| !others().any(|other| other.shared_ips.contains(ip));
    MachineFacts {
        hostname,
        identity_ips: facts.identity_ips.iter().filter(is_free).cloned().collect(),
        ..facts.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use uuid::Uuid;

    use super::*;
    use crate::agents::model::MatchedOn;

    fn host(id: u128, name: &str, host_status: HostStatus, agent_status: AgentStatus) -> Collision {
        Collision {
            host_id: Uuid::from_u128(id),
            hostname: name.into(),
            host_status,
            agent_id: "a".repeat(24),
            agent_status,
            matched_on: MatchedOn::Hostname,
            shared_ips: Vec::new(),
        }
    }

    /// Spec: hosts 22, 23, 24
    #[test]
    fn decide_for_every_state_and_policy_does_what_the_matrix_says() {
        use AgentStatus::{Active, Offline, Pending, Revoked};
        use HostStatus as Host;
        use ReenrolmentPolicy::{Adopt, AdoptAfterApproval, Refuse};
        let verdict = |host_status, agent_status, policy, auto| {
            let known = [host(1, "web-1", host_status, agent_status)];
            match decide(&known, policy, auto) {
                Ok(Admission::New) => "new",
                Ok(Admission::Adopt(_)) => "adopt",
                Ok(Admission::Claim(_)) => "claim",
                Err(problem) => {
                    assert_eq!(problem.code(), "already_exists");
                    assert!(problem.detail().contains("web-1") && problem.detail().contains("hostname"));
                    "refuse"
                }
            }
        };
        for auto in [false, true] {
            for policy in [Adopt, AdoptAfterApproval, Refuse] {
                assert_eq!(verdict(Host::Online, Active, policy, auto), "refuse");
                assert_eq!(verdict(Host::Offline, Revoked, policy, auto), "refuse");
                assert_eq!(verdict(Host::Unknown, Revoked, policy, auto), "refuse");
            }
            for (host_status, agent_status) in
                [(Host::Offline, Offline), (Host::Offline, Active), (Host::Unknown, Active)]
            {
                assert_eq!(verdict(host_status, agent_status, Adopt, auto), "adopt");
                assert_eq!(verdict(host_status, agent_status, AdoptAfterApproval, auto), "claim");
                assert_eq!(verdict(host_status, agent_status, Refuse, auto), "refuse");
            }
            assert_eq!(verdict(Host::Pending, Pending, AdoptAfterApproval, auto), "claim");
            assert_eq!(verdict(Host::Pending, Pending, Refuse, auto), "refuse");
        }
        assert_eq!(verdict(Host::Pending, Pending, Adopt, false), "claim");
        assert_eq!(verdict(Host::Pending, Pending, Adopt, true), "adopt");
        assert_eq!(decide(&[], Refuse, false).unwrap(), Admission::New);
    }

    /// Spec: hosts 20, 22
    #[test]
    fn decide_when_any_of_several_matches_is_online_refuses() {
        let known = [
            host(1, "web-1", HostStatus::Offline, AgentStatus::Offline),
            host(2, "web-2", HostStatus::Online, AgentStatus::Active),
        ];
        let problem = decide(&known, ReenrolmentPolicy::Adopt, false).unwrap_err();
        assert!(problem.detail().contains("web-2"), "{}", problem.detail());
    }

    /// Spec: hosts 20
    #[test]
    fn facts_for_an_adopted_host_leave_what_other_hosts_own() {
        let chosen = host(1, "web-1", HostStatus::Offline, AgentStatus::Offline);
        let mut other = host(2, "WEB-2", HostStatus::Offline, AgentStatus::Offline);
        other.shared_ips = vec!["10.0.0.2".into()];
        let told = MachineFacts {
            hostname: "web-2".into(),
            identity_ips: vec!["10.0.0.2".into(), "10.0.0.3".into()],
            ..MachineFacts::default()
        };
        let all = [chosen.clone(), other];
        let facts = facts_for(&told, &chosen, &all);
        assert_eq!((facts.hostname.as_str(), facts.identity_ips), ("web-1", vec!["10.0.0.3".to_owned()]));
        let alone = facts_for(&told, &chosen, &all[..1]);
        assert_eq!((alone.hostname.as_str(), alone.identity_ips.len()), ("web-2", 2));
        let nameless = MachineFacts { hostname: "unknown".into(), ..MachineFacts::default() };
        assert_eq!(facts_for(&nameless, &chosen, &all[..1]).hostname, "web-1");
    }
}
