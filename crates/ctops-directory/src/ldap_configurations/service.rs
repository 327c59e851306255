//! Writing, testing and finding directories.

use std::time::Duration;

use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind, Role};
use ctops_crypto::seal::InstallKey;
use ctops_identity::external::{ProviderKind, forget_provider};
use ctops_identity::passwords::Secret;
use ctops_pg::Tx;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::settings::{self as pages, AuthenticationSettings};
use ctops_slice::throttle::{self, Rate};
use ctops_slice::{Actor, AppState, Grant};
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::{Configuration, Directory, MAX_DIRECTORIES, Sealed, TestResult, Wanted};
use super::settings::{Settings, Transport};
use super::{LDAP_READ, LDAP_WRITE, probe, store};

/// Tests of one organisation (ldap-directory-lookup 18).
const TESTS: Rate = Rate { scope: "ldap_test", limit: 10, window: Duration::from_secs(60) };

/// What may be sealed of a directory.
#[derive(Clone, Copy)]
enum Part {
    BindDn,
    BindPassword,
    CaPem,
}

/// The name a part is sealed under: table, column and row (security 11).
fn seal_name(part: Part, id: Uuid) -> String {
    let column = match part {
        Part::BindDn => "sealed_bind_dn",
        Part::BindPassword => "sealed_bind_password",
        Part::CaPem => "sealed_ca_pem",
    };
    format!("ldap_configurations.{column}:{id}")
}

fn seal(key: &InstallKey, part: Part, id: Uuid, text: &str) -> Option<Vec<u8>> {
    (!text.trim().is_empty()).then(|| key.seal(&seal_name(part, id), text.as_bytes()))
}

fn unseal(key: &InstallKey, part: Part, id: Uuid, sealed: Option<&[u8]>) -> Result<Option<String>, Problem> {
    let open = |sealed: &[u8]| {
        let plain = key.open(&seal_name(part, id), sealed).map_err(Problem::internal)?;
        String::from_utf8(plain.to_vec()).map_err(Problem::internal)
    };
    sealed.map(open).transpose()
}

fn absent() -> Problem {
    Problem::not_found("directory")
}

/// A directory with its secrets.
///
/// # Errors
/// `internal` when they were sealed with another key.
pub(crate) fn open(key: &InstallKey, configuration: &Configuration) -> Result<Directory, Problem> {
    let (id, sealed) = (configuration.id, &configuration.sealed);
    let password = unseal(key, Part::BindPassword, id, sealed.bind_password.as_deref())?;
    Ok(Directory {
        id,
        org_id: configuration.org_id,
        name: configuration.name.clone(),
        settings: configuration.settings.clone(),
        bind_dn: unseal(key, Part::BindDn, id, sealed.bind_dn.as_deref())?,
        bind_password: password.map(Secret::new),
        ca_pem: unseal(key, Part::CaPem, id, sealed.ca_pem.as_deref())?,
    })
}

/// A directory that people may sign in with; none when there is none, or its organisation does not want it used.
///
/// # Errors
/// `internal`.
pub(crate) async fn find_for_sign_in(state: &AppState, id: Uuid) -> Result<Option<Configuration>, Problem> {
    let found = store::find_for_sign_in(&state.pool, id).await.map_err(Problem::internal)?;
    let Some(found) = found else {
        return Ok(None);
    };
    let page = pages::read::<AuthenticationSettings>(&state.pool, found.org_id).await?;
    let is_plain = found.settings.transport == Transport::Plain;
    let usable = !page.sso_only && (!is_plain || page.ldap_allow_plain);
    Ok(usable.then_some(found))
}

/// The directories of an organisation through which somebody is known, and as whom; the one used last first.
///
/// # Errors
/// `internal`.
pub(crate) async fn links_of(state: &AppState, actor: &Actor) -> Result<Vec<(Uuid, String)>, Problem> {
    store::subject_of(&state.pool, actor.user_id, actor.org_id).await.map_err(Problem::internal)
}

/// The enabled directories of the grant's organisation, by name.
///
/// # Errors
/// `internal`.
pub(crate) async fn enabled(state: &AppState, grant: &Grant) -> Result<Vec<Configuration>, Problem> {
    let all = store::list(&state.pool, grant).await.map_err(Problem::internal)?;
    Ok(all.into_iter().filter(|configuration| configuration.enabled).collect())
}

/// One enabled directory of the grant's organisation.
///
/// # Errors
/// `not_found`, also when it is disabled; `internal`.
pub(crate) async fn find_enabled(
    state: &AppState,
    grant: &Grant,
    id: Uuid,
) -> Result<Configuration, Problem> {
    let found = store::find(&state.pool, grant, id).await.map_err(Problem::internal)?;
    found.filter(|configuration| configuration.enabled).ok_or_else(absent)
}

/// A directory as administrators see it.
pub(super) struct Shown {
    pub(super) configuration: Configuration,
    pub(super) bind_dn: Option<String>,
    pub(super) has_bind_password: bool,
    pub(super) ca_pem: Option<String>,
    pub(super) linked_users: i64,
}

async fn shown(state: &AppState, configuration: Configuration) -> Result<Shown, Problem> {
    let linked_users = store::linked_users(&state.pool, configuration.id).await.map_err(Problem::internal)?;
    let Directory { bind_dn, bind_password, ca_pem, .. } = open(&state.seal, &configuration)?;
    Ok(Shown { configuration, bind_dn, has_bind_password: bind_password.is_some(), ca_pem, linked_users })
}

pub(super) async fn list(state: &AppState, actor: &Actor) -> Result<Vec<Configuration>, Problem> {
    let grant = actor.grant(&LDAP_READ)?;
    store::list(&state.pool, &grant).await.map_err(Problem::internal)
}

pub(super) async fn find(state: &AppState, actor: &Actor, id: Uuid) -> Result<Shown, Problem> {
    let grant = actor.grant(&LDAP_READ)?;
    let found = store::find(&state.pool, &grant, id).await.map_err(Problem::internal)?;
    shown(state, found.ok_or_else(absent)?).await
}

/// Adds a directory.
pub(super) async fn create(state: &AppState, actor: &Actor, wanted: Wanted) -> Result<Shown, Problem> {
    let grant = actor.grant(&LDAP_WRITE)?;
    wanted.check()?;
    let (Some(name), Some(settings)) = (&wanted.name, &wanted.settings) else {
        let field = if wanted.name.is_none() { "name" } else { "settings" };
        return Err(Problem::invalid_field(field, "required", "is missing"));
    };
    let (id, now) = (new_id(), state.clock.now());
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let password = wanted.bind_password.as_ref().map_or("", Secret::reveal);
    let configuration = Configuration {
        id,
        org_id: grant.org_id(),
        name: name.trim().to_owned(),
        enabled: wanted.enabled.unwrap_or(true),
        login_allowed: wanted.login_allowed.unwrap_or(false),
        settings: settings.clone(),
        sealed: Sealed {
            bind_dn: seal(&state.seal, Part::BindDn, id, &text(&wanted.bind_dn)),
            bind_password: seal(&state.seal, Part::BindPassword, id, password),
            ca_pem: seal(&state.seal, Part::CaPem, id, &text(&wanted.ca_pem)),
        },
        version: 1,
        last_test_at: None,
        last_test_result: None,
        created_at: now,
        updated_at: now,
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if store::count(&mut tx, &grant).await.map_err(Problem::internal)? >= MAX_DIRECTORIES {
        let detail = format!("an organisation has at most {MAX_DIRECTORIES} directories");
        return Err(Problem::new(ProblemKind::Conflict, "limit_reached", detail));
    }
    if !store::insert(&mut tx, &configuration).await.map_err(Problem::internal)? {
        return Err(name_taken());
    }
    let event = event(actor, "ldap.created", &configuration)
        .summary(format!("added directory {}", configuration.name))
        .change(None, Some(described(&configuration)));
    finish(state, tx, &event).await?;
    find(state, actor, id).await
}

fn name_taken() -> Problem {
    Problem::new(ProblemKind::Conflict, "already_exists", "another directory has this name")
}

/// Changes a directory.
pub(super) async fn change(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    wanted: Wanted,
    version: Option<i32>,
) -> Result<Shown, Problem> {
    let grant = actor.grant(&LDAP_WRITE)?;
    wanted.check()?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let before = lock(&mut tx, actor, &grant, id).await?;
    if version.is_some_and(|version| version != before.version) {
        return Err(Problem::new(
            ProblemKind::Stale,
            "version_conflict",
            "somebody else changed the directory meanwhile",
        ));
    }
    let mut after = Configuration {
        name: wanted.name.as_deref().map_or_else(|| before.name.clone(), |name| name.trim().to_owned()),
        enabled: wanted.enabled.unwrap_or(before.enabled),
        login_allowed: wanted.login_allowed.unwrap_or(before.login_allowed),
        settings: wanted.settings.clone().unwrap_or_else(|| before.settings.clone()),
        ..before.clone()
    };
    if let Some(dn) = &wanted.bind_dn {
        after.sealed.bind_dn = seal(&state.seal, Part::BindDn, id, dn);
    }
    if let Some(pem) = &wanted.ca_pem {
        after.sealed.ca_pem = seal(&state.seal, Part::CaPem, id, pem);
    }
    match &wanted.bind_password {
        Some(password) => {
            after.sealed.bind_password = seal(&state.seal, Part::BindPassword, id, password.reveal());
        }
        None if before.settings.sends_password_elsewhere(&after.settings) => {
            after.sealed.bind_password = None;
        }
        None => {}
    }
    if !store::update(&mut tx, &after, state.clock.now()).await.map_err(Problem::internal)? {
        return Err(name_taken());
    }
    let event = event(actor, "ldap.changed", &after)
        .summary(format!("changed directory {}", after.name))
        .change(Some(described(&before)), Some(described(&after)));
    finish(state, tx, &event).await?;
    find(state, actor, id).await
}

/// Finds a directory and keeps others from changing it.
async fn lock(tx: &mut Tx<'_>, actor: &Actor, grant: &Grant, id: Uuid) -> Result<Configuration, Problem> {
    let found = store::lock(tx, grant, id).await.map_err(Problem::internal)?.ok_or_else(absent)?;
    let is_super = actor.roles().contains(&Role::SuperAdmin);
    if !is_super && store::serves_super_admin(tx, id).await.map_err(Problem::internal)? {
        let detail = "a super_admin signs in through this directory, so only a super_admin may change it";
        return Err(Problem::new(ProblemKind::Forbidden, "forbidden", detail));
    }
    Ok(found)
}

/// Deletes a directory. While people sign in through it, that has to be confirmed.
pub(super) async fn delete(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    confirmed: bool,
) -> Result<(), Problem> {
    let grant = actor.grant(&LDAP_WRITE)?;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let found = lock(&mut tx, actor, &grant, id).await?;
    let linked = store::linked_users(&state.pool, id).await.map_err(Problem::internal)?;
    if linked > 0 && !confirmed {
        let detail =
            format!("{linked} people sign in through this directory; confirm to delete it all the same");
        return Err(Problem::new(ProblemKind::Conflict, "linked_users", detail)
            .with_member("linked_users", linked.to_string()));
    }
    forget_provider(&mut tx, ProviderKind::Ldap, id).await?;
    store::delete(&mut tx, id, state.clock.now()).await.map_err(Problem::internal)?;
    let event = event(actor, "ldap.deleted", &found)
        .summary(format!("deleted directory {} with {linked} linked accounts", found.name));
    finish(state, tx, &event).await
}

/// A directory that is not saved yet, or not saved so.
pub(super) struct Draft {
    /// The one that is edited, whose secrets count where none are given.
    pub(super) id: Option<Uuid>,
    pub(super) settings: Settings,
    pub(super) bind_dn: Option<String>,
    pub(super) bind_password: Option<Secret>,
    pub(super) ca_pem: Option<String>,
}

/// Tries a draft out.
pub(super) async fn test_draft(
    state: &AppState,
    actor: &Actor,
    draft: Draft,
    sample: Option<&str>,
) -> Result<TestResult, Problem> {
    let grant = actor.grant(&LDAP_WRITE)?;
    let wanted = Wanted {
        name: None,
        enabled: None,
        login_allowed: None,
        settings: Some(draft.settings.clone()),
        bind_dn: draft.bind_dn.clone(),
        bind_password: draft.bind_password.clone(),
        ca_pem: draft.ca_pem.clone(),
    };
    wanted.check()?;
    throttle::hit(&state.pool, &TESTS, &grant.org_id().to_string(), state.clock.now()).await?;
    let stored = match draft.id {
        Some(id) => {
            Some(store::find(&state.pool, &grant, id).await.map_err(Problem::internal)?.ok_or_else(absent)?)
        }
        None => None,
    };
    let directory = draft_directory(state, &grant, draft, stored.as_ref())?;
    let result = probe::probe(&state.egress, &directory, sample).await;
    let mut event = AuditEvent::by_actor(actor, "ldap.tested", "ldap_configuration")
        .summary(format!("tested a directory at {}", servers(&directory.settings)));
    if let Some(stored) = stored {
        event = event.on(stored.id).labelled(stored.name);
    }
    let tx = state.pool.begin().await.map_err(Problem::internal)?;
    finish(state, tx, &outcome(event, &result)).await?;
    Ok(result)
}

fn draft_directory(
    state: &AppState,
    grant: &Grant,
    draft: Draft,
    stored: Option<&Configuration>,
) -> Result<Directory, Problem> {
    let known = stored.map(|stored| open(&state.seal, stored)).transpose()?.unwrap_or_default();
    let filled =
        |given: Option<String>, known: Option<String>| given.or(known).filter(|text| !text.trim().is_empty());
    let bind_password = match (draft.bind_password, known.bind_password) {
        (Some(given), _) => Some(given).filter(|password| !password.reveal().is_empty()),
        (None, Some(_)) if known.settings.sends_password_elsewhere(&draft.settings) => {
            let message = "enter it again, because the servers or their security changed";
            return Err(Problem::invalid_field("bind_password", "required", message));
        }
        (None, known) => known,
    };
    Ok(Directory {
        id: known.id,
        org_id: grant.org_id(),
        name: known.name,
        settings: draft.settings,
        bind_dn: filled(draft.bind_dn, known.bind_dn),
        bind_password,
        ca_pem: filled(draft.ca_pem, known.ca_pem),
    })
}

/// Tries a directory out as it is saved, and remembers the outcome.
pub(super) async fn test_saved(
    state: &AppState,
    actor: &Actor,
    id: Uuid,
    sample: Option<&str>,
) -> Result<TestResult, Problem> {
    let grant = actor.grant(&LDAP_WRITE)?;
    let found = store::find(&state.pool, &grant, id).await.map_err(Problem::internal)?.ok_or_else(absent)?;
    throttle::hit(&state.pool, &TESTS, &grant.org_id().to_string(), state.clock.now()).await?;
    let result = probe::probe(&state.egress, &open(&state.seal, &found)?, sample).await;
    let event = event(actor, "ldap.tested", &found).summary(format!("tested directory {}", found.name));
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::put_test(&mut tx, id, &result, state.clock.now()).await.map_err(Problem::internal)?;
    finish(state, tx, &outcome(event, &result)).await?;
    Ok(result)
}

fn outcome(event: AuditEvent, result: &TestResult) -> AuditEvent {
    if result.ok { event } else { event.failed("test_failed") }
}

fn event(actor: &Actor, action: &'static str, configuration: &Configuration) -> AuditEvent {
    AuditEvent::by_actor(actor, action, "ldap_configuration")
        .on(configuration.id)
        .labelled(&configuration.name)
}

async fn finish(state: &AppState, mut tx: Tx<'_>, event: &AuditEvent) -> Result<(), Problem> {
    audit::append(&mut tx, event, state.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

fn servers(settings: &Settings) -> String {
    let all: Vec<String> = settings.servers.iter().map(|s| format!("{}:{}", s.host, s.port)).collect();
    all.join(", ")
}

/// A directory for the audit trail, without what is sealed.
fn described(configuration: &Configuration) -> Value {
    json!({
        "name": configuration.name,
        "enabled": configuration.enabled,
        "login_allowed": configuration.login_allowed,
        "settings": configuration.settings,
        "has_service_account": configuration.sealed.bind_password.is_some(),
        "pinned": configuration.sealed.ca_pem.is_some(),
    })
}
