//! The names of all actions in the trail. A slice that audits something new adds its name here; a test compares this
//! list with the source.

/// One action: its name, `area.noun.past-verb` or `noun.past-verb`, and what happened.
pub type Action = (&'static str, &'static str);

/// Every action that the product writes, in the order of the specification's catalogue.
pub const ACTIONS: &[&[Action]] = &[AUTH, PEOPLE, LICENCE, FLEET, OPERATIONS, CONFIGURATION, DATA];

/// Sign-in and accounts.
pub const AUTH: &[Action] = &[
    ("access.denied", "a request was refused"),
    ("auth.login.succeeded", "somebody signed in"),
    ("auth.login.failed", "a sign-in was refused"),
    ("auth.login.locked", "an account or address was locked after too many failures"),
    ("auth.login.unlocked", "the operator lifted the lock of an account"),
    ("auth.logout", "somebody signed out"),
    ("auth.mfa.enrolled", "a second factor was enrolled"),
    ("auth.mfa.disabled", "a second factor was removed by its owner"),
    ("auth.mfa.reset", "a second factor was removed by an administrator"),
    ("auth.mfa.recovery_used", "a recovery code was used"),
    ("auth.reauthentication.succeeded", "somebody confirmed that it is still them"),
    ("auth.reauthentication.failed", "somebody was asked to confirm and could not"),
    ("auth.password.changed", "somebody changed their password"),
    ("auth.password.reset_requested", "a link to choose a new password was asked for"),
    ("auth.email.link_requested", "a link to verify an address was asked for again"),
    ("auth.email.verified", "the address of an account was verified"),
    ("auth.email.change_requested", "a link to change the address of an account was asked for"),
    ("auth.email.change_cancelled", "a change of address was withdrawn"),
    ("auth.password.reset", "a password was replaced through a link or by an administrator"),
    ("auth.session.revoked", "sessions were ended"),
    ("auth.session.switched", "somebody went to another of their organisations"),
    ("auth.api_key.created", "an API key was made"),
    ("auth.api_key.revoked", "an API key was revoked"),
    ("auth.api_key.used_first_time", "an API key was used for the first time"),
    ("auth.setup.completed", "the installation was set up"),
    ("auth.setup.refused", "a wrong set-up code was given"),
    ("auth.setup.locked", "set-up was locked after too many wrong codes"),
    ("auth.sso.linked", "an identity of a provider was linked with an account"),
];

/// People, teams, roles, organisations.
pub const PEOPLE: &[Action] = &[
    ("user.invited", "somebody was invited"),
    ("user.invite_cancelled", "an invitation was withdrawn"),
    ("user.invite_accepted", "an invitation was accepted"),
    ("user.registration_requested", "somebody asked for an account"),
    ("user.registered", "somebody registered and waits for approval"),
    ("user.renamed", "somebody changed their own name"),
    ("user.role_changed", "the roles of a member were changed"),
    ("user.deactivated", "a member was deactivated"),
    ("user.reactivated", "a member was activated again"),
    ("user.removed", "a member was removed"),
    ("user.restored", "a removed member was restored"),
    ("user.email_changed", "the e-mail address of an account was changed"),
    ("organisation.created", "an organisation was made"),
];

/// The licence.
pub const LICENCE: &[Action] = &[
    ("licence.token_generated", "an activation token was made"),
    ("licence.activated", "a licence key was activated"),
    ("licence.removed", "a licence key was removed"),
    ("licence.expired", "a licence key expired"),
    ("licence.revoked", "a licence key was revoked by its issuer"),
    ("licence.cap_blocked", "an approval was refused because all seats are taken"),
];

/// Agents and hosts.
pub const FLEET: &[Action] = &[
    ("agent.registered", "an agent asked to join"),
    ("agent.approved", "an agent was let in"),
    ("agent.rejected", "an agent was turned away"),
    ("agent.revoked", "an agent was shut out"),
    ("agent.adopted", "an agent took over the record of its machine"),
    ("agent.update_requested", "an agent was told to update"),
    ("agent.update_changed", "the version an agent runs was chosen"),
    ("agent_release.published", "a release of the agent was published"),
    ("agent_release.withdrawn", "a release of the agent was withdrawn"),
    ("agent_rollout.started", "a release began to be rolled out"),
    ("agent_rollout.halted", "a rollout was halted"),
    ("agent_rollout.resumed", "a rollout was resumed"),
    ("enrolment_token.created", "an enrolment token was made"),
    ("enrolment_token.revoked", "an enrolment token was revoked"),
    ("host.updated", "a host was changed"),
    ("host.deleted", "hosts were deleted"),
    ("host.purged", "deleted hosts were removed for good"),
    ("software_scan.started", "a scan of installed software was started"),
    ("ssh_host_key.changed", "a host reported other SSH host keys than the trusted ones"),
    ("ssh_host_key.trusted", "changed SSH host keys were accepted"),
];

/// Checks and tasks.
pub const OPERATIONS: &[Action] = &[
    ("check.created", "a check was made"),
    ("check.changed", "a check was changed"),
    ("check.deleted", "a check was deleted"),
    ("check.run", "a check was run out of turn"),
    ("check.results_cleared", "the results of a check were deleted"),
    ("task.cancelled", "a task was cancelled"),
    ("dead_letter.replay_requested", "a record that could not be applied was to be applied again"),
    ("dead_letter.discarded", "a record that could not be applied was thrown away"),
];

/// Settings.
pub const CONFIGURATION: &[Action] = &[
    ("settings.containers.changed", "settings of container telemetry were changed"),
    ("settings.agent_updates.changed", "how agents are updated was changed"),
    ("settings.host_defaults.changed", "what hosts collect was changed"),
    ("settings.enrolment.changed", "what happens when a known machine enrols again was changed"),
    ("settings.software.changed", "settings of the software inventory were changed"),
    ("settings.audit.changed", "settings of the audit log were changed"),
    ("retention.changed", "how long something is kept was changed"),
    ("audit.hold_set", "pruning of the audit log was put on hold"),
    ("audit.hold_lifted", "pruning of the audit log was allowed again"),
    ("audit.forwarder_created", "forwarding of the audit log was set up"),
    ("audit.forwarder_changed", "forwarding of the audit log was changed"),
    ("audit.forwarder_deleted", "forwarding of the audit log was ended"),
    ("audit.forwarder_tested", "a test event was sent to a forwarder"),
    ("audit.pruned", "events past their retention were removed"),
];

/// Data that left the product.
pub const DATA: &[Action] = &[
    ("audit.exported", "audit events were exported"),
    ("audit.verified", "the hash chain of the audit log was verified"),
    ("directory.looked_up", "somebody was looked up in a directory"),
];

/// Families of which every action `<family>.<verb>` is known, because the slice that owns them grows.
pub const FAMILIES: &[&str] = &[
    "team",
    "role",
    "role_assignment",
    "organisation",
    "host_group",
    "network",
    "tag_rule",
    "settings",
    "ldap",
    "identity_provider",
    "smtp",
    "integration",
    "feature_flag",
    "mail",
    "egress",
    "licence",
    "user",
    "auth.mfa",
    "auth.passkey",
    "auth.api_key",
    "auth.email",
    "auth.sso",
    "auth.session",
    "auth.registration",
    "service_key",
];

/// Whether an action has a name that the catalogue knows.
pub fn knows(action: &str) -> bool {
    all().any(|(name, _)| *name == action)
        || FAMILIES.iter().any(|family| {
            action.strip_prefix(family).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.'))
        })
}

/// All actions.
pub fn all() -> impl Iterator<Item = &'static Action> {
    ACTIONS.iter().flat_map(|group| group.iter())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    #[test]
    fn every_name_is_listed_once_and_has_the_agreed_form() {
        let mut names: Vec<&str> = all().map(|(name, _)| *name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "a name is listed twice");
        for name in names {
            let parts: Vec<&str> = name.split('.').collect();
            let plain =
                |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!((2..=3).contains(&parts.len()) && parts.iter().all(plain), "{name}");
        }
        assert!(knows("team.created") && !knows("team") && !knows("session.started"));
    }

    fn is_test(path: &Path) -> bool {
        path.ends_with("catalogue.rs") || path.to_string_lossy().ends_with("tests.rs")
    }

    /// Actions in the source of the slices, each with the file it stands in.
    fn used(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("tests") {
                    used(&path, found);
                }
            } else if path.extension().is_some_and(|e| e == "rs") && !is_test(&path) {
                let text = std::fs::read_to_string(&path).unwrap();
                let product = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
                for call in ["AuditEvent::by_actor(", "AuditEvent::by("] {
                    for part in product.split(call).skip(1) {
                        let arguments = part.split(';').next().unwrap_or_default();
                        let action = arguments.split('"').nth(1).filter(|text| text.contains('.'));
                        if let Some(action) = action.filter(|text| !text.contains([' ', '/'])) {
                            found.push((action.to_owned(), path.display().to_string()));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_action_in_the_source_is_in_the_catalogue() {
        let mut found = Vec::new();
        used(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut found);
        assert!(found.len() > 20, "only {} actions were found; the search is broken", found.len());
        let unknown: Vec<_> = found.iter().filter(|(action, _)| !knows(action)).collect();
        assert!(unknown.is_empty(), "add these to the catalogue: {unknown:?}");
    }
}
