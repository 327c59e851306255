//! Things of one organisation beyond those of [`crate::objects`]: one of each that an id in an address can name.

use std::collections::BTreeMap;

use ctops_base::id::new_id;
use ctops_crypto::secret::sha256;
use ctops_pg::Pool;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// Ids by the beginning of the addresses that name them.
pub(super) struct Belongings(BTreeMap<&'static str, Uuid>);

/// Beginnings of the addresses whose things are made here.
pub(super) const BEGINNINGS: [&str; 14] = [
    "/agent-rollouts/{id}",
    "/api-keys/{key_id}",
    "/audit/exports/{id}",
    "/audit/forwarders/{id}",
    "/directory/{id}",
    "/identity-providers/{id}",
    "/invitations/{id}",
    "/ldap-configurations/{id}",
    "/mail/pending/{id}",
    "/me/api-keys/{key_id}",
    "/me/external-identities/{id}",
    "/me/passkeys/{passkey_id}",
    "/me/sessions/{session_id}",
    "/role-assignments/{id}",
];

impl Belongings {
    /// Things of `org` and of its member `user`, who holds the custom role `role`.
    pub(super) async fn new(pool: &Pool, org: Uuid, user: Uuid, role: Uuid) -> Self {
        let ids: BTreeMap<_, _> = BEGINNINGS.into_iter().map(|beginning| (beginning, new_id())).collect();
        let directory = ids["/ldap-configurations/{id}"];
        let mut belongings = Self(ids);
        belongings.0.insert("/directory/{id}", directory);
        for statement in belongings.statements(org, user, role) {
            sqlx::query(AssertSqlSafe(statement)).execute(pool).await.unwrap();
        }
        belongings
    }

    /// The address with the id of the thing in it, and that id.
    pub(super) fn address(&self, path: &str) -> Option<(String, Uuid)> {
        let (beginning, id) = self.0.iter().find(|(beginning, _)| path.starts_with(**beginning))?;
        let rest = path.strip_prefix(beginning).unwrap_or_default();
        let named = beginning.rsplit_once('/').map_or("", |(head, _)| head);
        Some((format!("/api/v1{named}/{id}{rest}"), *id))
    }

    /// All ids.
    pub(super) fn ids(&self) -> impl Iterator<Item = Uuid> {
        self.0.values().copied()
    }

    fn id(&self, beginning: &str) -> Uuid {
        self.0[beginning]
    }

    fn statements(&self, org: Uuid, user: Uuid, role: Uuid) -> Vec<String> {
        let (rollout, release) = (self.id("/agent-rollouts/{id}"), new_id());
        let (service, person) = (self.id("/api-keys/{key_id}"), self.id("/me/api-keys/{key_id}"));
        let key = |id: Uuid, kind: &str| {
            let hash = sha256(id.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            format!(
                "INSERT INTO api_keys (id, org_id, user_id, kind, name, secret_hash, hint, scopes, created_at, expires_at)
                 VALUES ('{id}', '{org}', '{user}', '{kind}', 'key', '\\x{hash}', 'abcd', '{{hosts.read}}', now(),
                         now() + interval '1 day')"
            )
        };
        let mut statements = vec![
            format!(
                "INSERT INTO agent_releases (id, channel, version, version_rank, minimum_version, minimum_rank, released_at,
                                             artifacts, manifest_json, signature, published_at)
                 VALUES ('{release}', 'stable', '1.0.0', 1, '1.0.0', 1, now(), '[]', '{{}}', sha512('x'), now())"
            ),
            format!(
                "INSERT INTO agent_rollouts (id, org_id, release_id, channel, waves, halt_percent, state, began_at,
                                             wave_began_at, counted_from)
                 VALUES ('{rollout}', '{org}', '{release}', 'stable', '{{100}}', 5, 'running', now(), now(), now())"
            ),
            key(service, "service"),
            key(person, "personal"),
        ];
        statements.extend(self.of_the_trail_and_providers(org, user));
        statements.extend(self.of_people(org, user, role));
        statements
    }

    fn of_the_trail_and_providers(&self, org: Uuid, user: Uuid) -> [String; 4] {
        let (export, forwarder) = (self.id("/audit/exports/{id}"), self.id("/audit/forwarders/{id}"));
        let (provider, directory) =
            (self.id("/identity-providers/{id}"), self.id("/ldap-configurations/{id}"));
        [
            format!(
                "INSERT INTO audit_exports (id, org_id, format, filter, last_seq, events, exporter_id, exporter, created_at)
                 VALUES ('{export}', '{org}', 'csv', '{{}}', 0, 0, '{user}', 'x', now())"
            ),
            format!(
                "INSERT INTO audit_forwarders (id, org_id, name, kind, endpoint, next_attempt_at, created_at, updated_at)
                 VALUES ('{forwarder}', '{org}', 'f', 'webhook', 'https://siem.example/', now(), now(), now())"
            ),
            format!(
                "INSERT INTO identity_providers (id, org_id, kind, name, settings, created_at, updated_at)
                 VALUES ('{provider}', '{org}', 'oidc', 'p',
                         '{{\"issuer\": \"https://idp.example\", \"client_id\": \"c\"}}', now(), now())"
            ),
            format!(
                "INSERT INTO ldap_configurations (id, org_id, name, enabled, login_allowed, settings, created_at, updated_at)
                 VALUES ('{directory}', '{org}', 'd', true, false, '{{}}', now(), now())"
            ),
        ]
    }

    fn of_people(&self, org: Uuid, user: Uuid, role: Uuid) -> [String; 6] {
        let (invitation, mail) = (self.id("/invitations/{id}"), self.id("/mail/pending/{id}"));
        let (identity, passkey) =
            (self.id("/me/external-identities/{id}"), self.id("/me/passkeys/{passkey_id}"));
        let (session, assignment) = (self.id("/me/sessions/{session_id}"), self.id("/role-assignments/{id}"));
        let provider = self.id("/identity-providers/{id}");
        [
            format!(
                "INSERT INTO invitations (id, org_id, email, roles, token_hash, created_at, sent_at, expires_at)
                 VALUES ('{invitation}', '{org}', 'new@example.test', '{{engineer}}',
                         sha256(convert_to('{invitation}', 'UTF8')), now(), now(), now() + interval '7 days')"
            ),
            format!(
                "INSERT INTO mail_outbox (id, org_id, kind, sealed, created_at, next_attempt_at, expires_at)
                 VALUES ('{mail}', '{org}', 'invitation', 'x', now(), now(), now() + interval '1 day')"
            ),
            format!(
                "INSERT INTO external_identities (id, org_id, user_id, provider, provider_id, subject, name, linked_at,
                                                  last_used_at)
                 VALUES ('{identity}', '{org}', '{user}', 'oidc', '{provider}', 's', 'n', now(), now())"
            ),
            format!(
                "INSERT INTO passkeys (id, user_id, credential_id, name, credential, created_at)
                 VALUES ('{passkey}', '{user}', 'c', 'key', '{{}}', now())"
            ),
            format!(
                "INSERT INTO sessions (id, token_hash, user_id, org_id, method, ip, user_agent, created_at, last_used_at,
                                       expires_at)
                 VALUES ('{session}', sha256(convert_to('{session}', 'UTF8')), '{user}', '{org}', 'password', '127.0.0.1',
                         'x', now(), now(), now() + interval '1 day')"
            ),
            format!(
                "INSERT INTO role_assignments (id, org_id, role_id, user_id, assigned_at)
                 VALUES ('{assignment}', '{org}', '{role}', '{user}', now())"
            ),
        ]
    }
}
