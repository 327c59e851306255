//! Every table has exactly one writing slice; SQL lives in stores only.

use super::Source;

/// Table and the folders or files that may write it.
const WRITERS: [(&str, &[&str]); 99] = [
    ("consumer_offsets", &["crates/ctops-queue/"]),
    ("dead_letters", &["crates/ctops-queue/"]),
    ("leader_leases", &["crates/ctops-pg/src/leader.rs"]),
    ("throttles", &["crates/ctops-slice/src/throttle.rs"]),
    ("audit_events", &["crates/ctops-slice/src/audit/"]),
    ("audit_denied", &["crates/ctops-slice/src/audit/"]),
    ("audit_unsealed", &["crates/ctops-audit/src/chain/"]),
    ("audit_chain", &["crates/ctops-audit/src/chain/"]),
    ("audit_checkpoints", &["crates/ctops-audit/src/chain/"]),
    ("audit_settings", &["crates/ctops-audit/src/retention/"]),
    ("audit_holds", &["crates/ctops-audit/src/retention/"]),
    ("audit_exports", &["crates/ctops-audit/src/exports/"]),
    ("audit_forwarders", &["crates/ctops-audit/src/forwarders/"]),
    ("sealed_secrets", &["crates/ctops-fleet/src/agents/"]),
    (
        "organisations",
        &[
            "crates/ctops-identity/src/setup/",
            "crates/ctops-fleet/src/enrolment/",
            "crates/ctops-identity/src/organisations/",
        ],
    ),
    (
        "users",
        &[
            "crates/ctops-identity/src/setup/",
            "crates/ctops-identity/src/accounts/",
            "crates/ctops-identity/src/api_keys/",
            "crates/ctops-identity/src/recovery/",
            "crates/ctops-identity/src/verification/",
            "crates/ctops-identity/src/profile/",
            "crates/ctops-identity/src/users/",
        ],
    ),
    (
        "memberships",
        &[
            "crates/ctops-identity/src/setup/",
            "crates/ctops-identity/src/accounts/",
            "crates/ctops-identity/src/api_keys/",
            "crates/ctops-identity/src/users/",
        ],
    ),
    (
        "sessions",
        &[
            "crates/ctops-identity/src/sessions/",
            "crates/ctops-identity/src/users/",
            "crates/ctops-identity/src/organisations/",
        ],
    ),
    ("sign_in_origins", &["crates/ctops-identity/src/sessions/"]),
    ("pending_sign_ins", &["crates/ctops-identity/src/sign_in/"]),
    ("totp_seeds", &["crates/ctops-identity/src/second_factor/"]),
    ("recovery_codes", &["crates/ctops-identity/src/second_factor/"]),
    ("passkeys", &["crates/ctops-identity/src/passkeys/"]),
    ("passkey_ceremonies", &["crates/ctops-identity/src/passkeys/"]),
    ("api_keys", &["crates/ctops-identity/src/api_keys/"]),
    ("membership_changes", &["crates/ctops-identity/src/users/"]),
    ("teams", &["crates/ctops-identity/src/teams/"]),
    ("team_members", &["crates/ctops-identity/src/teams/"]),
    ("team_host_groups", &["crates/ctops-identity/src/teams/", "crates/ctops-fleet/src/host_groups/"]),
    ("password_resets", &["crates/ctops-identity/src/recovery/", "crates/ctops-identity/src/verification/"]),
    ("registrations", &["crates/ctops-identity/src/registration/"]),
    ("address_links", &["crates/ctops-identity/src/verification/"]),
    ("invitations", &["crates/ctops-identity/src/invitations/"]),
    ("external_identities", &["crates/ctops-identity/src/external/"]),
    ("link_confirmations", &["crates/ctops-identity/src/external/"]),
    ("user_host_scopes", &["crates/ctops-identity/src/invitations/", "crates/ctops-fleet/src/host_groups/"]),
    ("host_groups", &["crates/ctops-fleet/src/host_groups/"]),
    ("host_group_members", &["crates/ctops-fleet/src/host_groups/"]),
    ("custom_roles", &["crates/ctops-identity/src/roles/"]),
    ("custom_role_terms", &["crates/ctops-identity/src/roles/"]),
    ("role_assignments", &["crates/ctops-identity/src/roles/"]),
    ("setup_codes", &["crates/ctops-identity/src/setup/"]),
    ("agent_enrolment_tokens", &["crates/ctops-fleet/src/enrolment/"]),
    ("agents", &["crates/ctops-fleet/src/agents/"]),
    ("agent_status_history", &["crates/ctops-fleet/src/agents/"]),
    ("agent_leases", &["crates/ctops-fleet/src/agents/"]),
    ("ingest_nodes", &["crates/ctops-fleet/src/agents/"]),
    ("revoked_certificates", &["crates/ctops-fleet/src/agents/"]),
    ("certificate_authorities", &["crates/ctops-fleet/src/agents/"]),
    ("hosts", &["crates/ctops-fleet/src/hosts/"]),
    ("host_ssh_keys", &["crates/ctops-fleet/src/host_keys/"]),
    ("agent_releases", &["crates/ctops-fleet/src/releases/"]),
    ("agent_update_settings", &["crates/ctops-fleet/src/releases/"]),
    ("agent_updates", &["crates/ctops-fleet/src/releases/"]),
    ("agent_rollouts", &["crates/ctops-fleet/src/releases/"]),
    ("agent_rollout_members", &["crates/ctops-fleet/src/releases/"]),
    ("task_runs", &["crates/ctops-fleet/src/tasks/"]),
    ("task_targets", &["crates/ctops-fleet/src/tasks/"]),
    ("task_output", &["crates/ctops-fleet/src/tasks/"]),
    ("agent_queries", &["crates/ctops-fleet/src/queries/"]),
    ("checks", &["crates/ctops-monitoring/src/checks/"]),
    ("check_results", &["crates/ctops-monitoring/src/checks/"]),
    ("software_settings", &["crates/ctops-fleet/src/software/"]),
    ("software_scans", &["crates/ctops-fleet/src/software/"]),
    ("software_hosts", &["crates/ctops-fleet/src/software/"]),
    ("software_packages", &["crates/ctops-fleet/src/software/"]),
    ("software_staged_packages", &["crates/ctops-fleet/src/software/"]),
    ("container_settings", &["crates/ctops-fleet/src/containers/"]),
    ("container_host_settings", &["crates/ctops-fleet/src/containers/"]),
    ("container_runtimes", &["crates/ctops-fleet/src/containers/"]),
    ("containers", &["crates/ctops-fleet/src/containers/"]),
    ("container_events", &["crates/ctops-fleet/src/containers/"]),
    ("container_samples", &["crates/ctops-fleet/src/containers/"]),
    ("container_batches", &["crates/ctops-fleet/src/containers/"]),
    ("metric_samples", &["crates/ctops-fleet/src/metrics/"]),
    ("host_disk_samples", &["crates/ctops-fleet/src/metrics/"]),
    ("host_network_samples", &["crates/ctops-fleet/src/metrics/"]),
    ("metric_progress", &["crates/ctops-fleet/src/metrics/"]),
    ("metric_late", &["crates/ctops-fleet/src/metrics/"]),
    ("metric_retention", &["crates/ctops-fleet/src/metrics/"]),
    ("metric_storage", &["crates/ctops-fleet/src/metrics/"]),
    ("identity_providers", &["crates/ctops-federation/src/identity_providers/"]),
    ("sso_attempts", &["crates/ctops-federation/src/attempts/"]),
    ("saml_assertions", &["crates/ctops-federation/src/saml/"]),
    ("settings", &["crates/ctops-settings/src/settings/"]),
    ("settings_history", &["crates/ctops-settings/src/settings/"]),
    ("setting_secrets", &["crates/ctops-settings/src/settings/"]),
    ("mail_outbox", &["crates/ctops-slice/src/mail.rs", "crates/ctops-settings/src/mail/"]),
    ("feature_flags", &["crates/ctops-settings/src/feature_flags/"]),
    ("user_preferences", &["crates/ctops-settings/src/preferences/"]),
    ("job_runs", &["crates/ctops-settings/src/system/"]),
    ("ldap_configurations", &["crates/ctops-directory/src/ldap_configurations/"]),
    ("organisation_licences", &["crates/ctops-licensing/src/licences/"]),
    ("activation_tokens", &["crates/ctops-licensing/src/licences/"]),
    ("licence_revocation_bundle", &["crates/ctops-licensing/src/licences/"]),
    ("licence_clock", &["crates/ctops-licensing/src/licences/"]),
    ("licence_notices", &["crates/ctops-licensing/src/licences/"]),
    ("egress_settings", &["crates/ctops-licensing/src/egress_policy/"]),
    ("egress_targets", &["crates/ctops-licensing/src/egress_policy/"]),
];

/// Where SQL may stand although the file is not a store: foundation that owns a table.
const SQL_OUTSIDE_STORES: [&str; 8] = [
    "crates/ctops-pg/",
    "crates/ctops-queue/",
    "crates/ctops-slice/src/throttle.rs",
    "crates/ctops-slice/src/audit/",
    "crates/ctops-slice/src/mail.rs",
    "crates/ctops-slice/src/flags.rs",
    "crates/ctops-testkit/",
    "crates/ctops-system/",
];

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|s| s.path.starts_with("crates/") && is_product(&s.path)) {
        let text = source.text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        // A statement may begin on the line of its call: `sqlx::query("DELETE FROM …")`.
        let is_edge = |c: char| c.is_whitespace() || c == '(' || c == '"';
        let words: Vec<&str> = text.split(is_edge).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(3) {
            let table = match pair {
                ["INSERT", "INTO", table] | ["DELETE", "FROM", table] => table,
                ["UPDATE", table, _] if is_lower(table) => table,
                _ => continue,
            };
            let table = table.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
            if let Some((_, writers)) = WRITERS.iter().find(|(name, _)| *name == table)
                && !writers.iter().any(|writer| source.path.starts_with(writer))
            {
                findings.push(format!(
                    "{} writes table {table}, which belongs to {}",
                    source.path,
                    writers.join(" or ")
                ));
            }
        }
        let has_sql = text.contains("sqlx::query");
        let is_store = source.path.contains("/store");
        if has_sql && !is_store && !SQL_OUTSIDE_STORES.iter().any(|place| source.path.starts_with(place)) {
            findings.push(format!("{} holds SQL; move it to the store of its slice", source.path));
        }
    }
    findings
}

fn is_product(path: &str) -> bool {
    path.ends_with(".rs")
        && path.contains("/src/")
        && !path.starts_with("crates/ctops-testkit/")
        && !path.ends_with("tests.rs")
        && !path.contains("_tests/")
        && !path.contains("/tests/")
}

fn is_lower(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_lowercase)
}
