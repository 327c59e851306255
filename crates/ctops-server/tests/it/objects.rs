//! Every operation on a thing, with a real one: of the caller's organisation, of another one, and out of scope.
//!
//! The table [`OBJECTS`] says for each address with an id what the id names. An address that is not in it fails
//! [`every_address_with_an_id_says_what_it_names`].

use axum::http::StatusCode;
use ctops_base::Role;
use ctops_base::id::new_id;
use ctops_pg::Pool;
use ctops_testkit::{a_host, a_organisation, a_user};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::app::App;

/// What an id in an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Agent,
    Check,
    Container,
    Host,
    HostGroup,
    Role,
    TaskRun,
    Team,
    Token,
    User,
    /// Something else of the organisation; the tests beside the slice try ids of another one.
    OfOrganisation,
    /// Something of the caller alone.
    OfCaller,
    /// Nothing an organisation owns: a page, a provider before sign-in, something of the whole installation.
    Nothing,
}

impl Object {
    /// Whether people limited to some hosts may meet one that is out of scope.
    pub(crate) fn is_scoped(self) -> bool {
        matches!(
            self,
            Object::Agent
                | Object::Check
                | Object::Container
                | Object::Host
                | Object::HostGroup
                | Object::TaskRun
        )
    }

    /// Whether an id of another organisation is not found.
    pub(crate) fn is_owned(self) -> bool {
        self != Object::Nothing
    }
}

/// Beginnings of addresses, and what their ids name.
const OBJECTS: &[(&str, Object)] = &[
    ("/agent-releases/{id}", Object::Nothing),
    ("/agent-rollouts/{id}", Object::OfOrganisation),
    ("/agents/{id}", Object::Agent),
    ("/api-keys/{key_id}", Object::OfOrganisation),
    ("/audit/", Object::OfOrganisation),
    ("/auth/", Object::Nothing),
    ("/checks/{id}", Object::Check),
    ("/containers/{id}", Object::Container),
    ("/directory/{id}", Object::OfOrganisation),
    ("/enrolment-tokens/{id}", Object::Token),
    ("/feature-flags/", Object::Nothing),
    ("/host-groups/{id}", Object::HostGroup),
    ("/hosts/{id}", Object::Host),
    ("/identity-providers/{id}", Object::OfOrganisation),
    ("/invitations/{id}", Object::OfOrganisation),
    ("/ldap-configurations/{id}", Object::OfOrganisation),
    ("/mail/pending/{id}", Object::OfOrganisation),
    ("/me/", Object::OfCaller),
    ("/organisations/{id}", Object::OfOrganisation),
    ("/registration", Object::OfOrganisation),
    ("/role-assignments/{id}", Object::OfOrganisation),
    ("/roles/{id}", Object::Role),
    ("/settings/", Object::Nothing),
    ("/system/", Object::Nothing),
    ("/task-runs/{id}", Object::TaskRun),
    ("/teams/{id}", Object::Team),
    ("/users/{id}", Object::User),
    ("/users/{user_id}", Object::User),
];

/// What the ids of an address name; none when it has no ids.
pub(crate) fn object_of(path: &str) -> Option<Object> {
    if !path.contains('{') {
        return None;
    }
    let found = OBJECTS.iter().find(|(beginning, _)| path.starts_with(beginning));
    Some(found.unwrap_or_else(|| panic!("{path}: say in OBJECTS of tests/it/objects.rs what its id names")).1)
}

#[tokio::test]
async fn every_address_with_an_id_says_what_it_names() {
    let app = App::new().await;
    for operation in &app.operations {
        object_of(&operation.path);
    }
}

/// One of each, all belonging to one host of one organisation.
pub(crate) struct Things {
    pub(crate) host: Uuid,
    pub(crate) agent: String,
    check: Uuid,
    container: Uuid,
    query: Uuid,
    run: Uuid,
    pub(crate) group: Uuid,
    pub(crate) role: Uuid,
    pub(crate) team: Uuid,
    token: Uuid,
    pub(crate) user: Uuid,
}

impl Things {
    pub(crate) async fn new(pool: &Pool, org: Uuid) -> Self {
        let host = a_host(org).named("thing").insert(pool).await;
        let user = a_user(pool, org, &[Role::Engineer]).await;
        let things = Self {
            host: host.id,
            agent: host.agent_id.unwrap(),
            check: new_id(),
            container: new_id(),
            query: new_id(),
            run: new_id(),
            group: new_id(),
            role: new_id(),
            team: new_id(),
            token: new_id(),
            user,
        };
        things.insert(pool, org).await;
        things
    }

    async fn insert(&self, pool: &Pool, org: Uuid) {
        let Self { host, check, container, query, run, group, role, team, token, user, .. } = self;
        for statement in [
            format!(
                "INSERT INTO checks (id, org_id, host_id, name, kind, config, interval_seconds, enabled, created_at,
                                     updated_at)
                 VALUES ('{check}', '{org}', '{host}', 'check', 'process', '{{}}', 60, true, now(), now())"
            ),
            format!(
                "INSERT INTO containers (id, org_id, host_id, runtime, container_id, primary_name, names, image,
                                         image_id, state, status, restart_count, first_seen_at, last_seen_at, is_present)
                 VALUES ('{container}', '{org}', '{host}', 'docker', repeat('a', 64), 'web', '{{web}}', 'nginx', '',
                         'running', '', 0, now(), now(), true)"
            ),
            format!(
                "INSERT INTO agent_queries (id, org_id, host_id, kind, requested_by, created_at, expires_at)
                 VALUES ('{query}', '{org}', '{host}', 'list_ports', '{user}', now(), now())"
            ),
            format!(
                "INSERT INTO task_runs (id, org_id, kind, status, max_parallel, config_json, created_at,
                                        start_by)
                 VALUES ('{run}', '{org}', 'software_inventory', 'pending', 1, '{{}}', now(), now())"
            ),
            format!(
                "INSERT INTO task_targets (id, run_id, org_id, host_id, position, status)
                 VALUES (gen_random_uuid(), '{run}', '{org}', '{host}', 0, 'pending')"
            ),
            format!(
                "INSERT INTO host_groups (id, org_id, name, created_at, updated_at)
                 VALUES ('{group}', '{org}', 'group', now(), now())"
            ),
            format!(
                "INSERT INTO custom_roles (id, org_id, name, permissions, created_at, updated_at)
                 VALUES ('{role}', '{org}', 'role', '{{hosts.read}}', now(), now())"
            ),
            format!(
                "INSERT INTO teams (id, org_id, name, created_at, updated_at)
                 VALUES ('{team}', '{org}', 'team', now(), now())"
            ),
            format!(
                "INSERT INTO agent_enrolment_tokens (id, org_id, label, token_hash, hint_prefix, hint_suffix, created_at)
                 VALUES ('{token}', '{org}', 'token', sha256(convert_to('{token}', 'UTF8')), 'tok_abcd', 'wxyz', now())"
            ),
        ] {
            sqlx::query(AssertSqlSafe(statement)).execute(pool).await.unwrap();
        }
    }

    /// The id of a thing.
    pub(crate) fn id(&self, object: Object) -> Option<String> {
        Some(match object {
            Object::Agent => self.agent.clone(),
            Object::Check => self.check.to_string(),
            Object::Container => self.container.to_string(),
            Object::Host => self.host.to_string(),
            Object::HostGroup => self.group.to_string(),
            Object::Role => self.role.to_string(),
            Object::TaskRun => self.run.to_string(),
            Object::Team => self.team.to_string(),
            Object::Token => self.token.to_string(),
            Object::User => self.user.to_string(),
            Object::OfOrganisation | Object::OfCaller | Object::Nothing => return None,
        })
    }

    /// The address with our things in it.
    pub(crate) fn address(&self, path: &str, object: Object) -> Option<String> {
        let id = self.id(object)?;
        let mut address = String::from("/api/v1");
        for (number, part) in path.split('/').skip(1).enumerate() {
            address.push('/');
            match part {
                _ if !part.starts_with('{') => address.push_str(part),
                _ if number == 1 => address.push_str(&id),
                "{host_id}" => address.push_str(&self.host.to_string()),
                "{query_id}" => address.push_str(&self.query.to_string()),
                "{user_id}" => address.push_str(&self.user.to_string()),
                _ => address.push_str(&new_id().to_string()),
            }
        }
        Some(address)
    }
}

/// Spec: users-teams-rbac 1
/// Spec: host-groups 16
/// Spec: security 24
#[tokio::test]
async fn things_of_another_organisation_or_out_of_scope_are_not_found() {
    let app = App::new().await;
    let pool = app.db.pool();
    let (ours, theirs) = (a_organisation(pool).await, a_organisation(pool).await);
    let things = Things::new(pool, ours).await;
    let (admin, stranger) =
        (app.session(ours, Role::SuperAdmin).await, app.session(theirs, Role::SuperAdmin).await);
    let limited = app.session(ours, Role::Engineer).await;
    let elsewhere = new_id();
    for statement in [
        format!(
            "INSERT INTO host_groups (id, org_id, name, created_at, updated_at)
             VALUES ('{elsewhere}', '{ours}', 'elsewhere', now(), now())"
        ),
        format!(
            "INSERT INTO user_host_scopes (user_id, group_id)
             SELECT user_id, '{elsewhere}' FROM sessions WHERE token_hash = sha256(convert_to('{limited}', 'UTF8'))"
        ),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(pool).await.unwrap();
    }
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for operation in &app.operations {
        let Some(object) = object_of(&operation.path) else { continue };
        let Some(address) = things.address(&operation.path, object) else { continue };
        let reads = operation.method == "GET";
        let mut blame = |who: &str, status: StatusCode| {
            wrong.push(format!("{} {} as {who}: {status}", operation.method, operation.path));
        };
        if reads {
            tried += 1;
            let status = app.status("GET", &address, Some(&admin)).await;
            if matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) || status.is_server_error() {
                blame("our administrator", status);
            }
        }
        // A write may be refused for what it says before the thing is looked for, but it never succeeds.
        let is_hidden = |status: StatusCode| {
            if reads { status == StatusCode::NOT_FOUND } else { status.is_client_error() }
        };
        let status = app.status(&operation.method, &address, Some(&stranger)).await;
        if !is_hidden(status) && status != StatusCode::UNPROCESSABLE_ENTITY {
            blame("a stranger", status);
        }
        if object.is_scoped() {
            let status = app.status(&operation.method, &address, Some(&limited)).await;
            if !is_hidden(status)
                && !matches!(status, StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY)
            {
                blame("somebody limited to other hosts", status);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 25, "only {tried} things were looked at");
}
