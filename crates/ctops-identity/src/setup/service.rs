//! Preparing an installation for set-up, and setting it up.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Clock, FieldProblem, Problem};
use ctops_pg::Pool;
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::licence::Entitlement;
use ctops_slice::settings::{self, OrganisationSettings};
use ctops_slice::{AppState, SignInMethod, throttle};
use serde_json::json;
use uuid::Uuid;

use super::model::{CodeVerdict, Created, FirstAccount, SetupCode, SetupRequest, code_hash, make_code};
use super::store;
use crate::external::ProviderKind;
use crate::passwords::{Passwords, Secret};
use crate::sessions::{self, NewSession, StartedSession};
use crate::sign_in::CREDENTIAL_POSTS;

/// Name of an organisation that hosts joined before set-up.
const UNNAMED: &str = "Not set up yet";

/// Called at every start of the server. While there is no user, stores the set-up code and returns it in clear for
/// printing, once: only its hash is kept. A code made at an earlier start stops working. Returns nothing when the
/// installation is set up already or asks for no code.
///
/// # Errors
/// `internal` when the database fails.
pub async fn prepare(pool: &Pool, clock: &Clock, preset: SetupCode) -> Result<Option<String>, Problem> {
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    store::lock(&mut tx).await.map_err(Problem::internal)?;
    let shown = if store::users_exist_in(&mut tx).await.map_err(Problem::internal)? {
        store::delete_code(&mut tx).await.map_err(Problem::internal)?;
        None
    } else {
        let code = match preset {
            SetupCode::Off => None,
            SetupCode::Preset(code) => Some(code),
            SetupCode::Generate => Some(Secret::new(make_code())),
        };
        let hash = code.as_ref().map(|code| code_hash(code).to_vec()).unwrap_or_default();
        store::put_code(&mut tx, &hash, clock.now()).await.map_err(Problem::internal)?;
        code
    };
    tx.commit().await.map_err(Problem::internal)?;
    Ok(shown.map(|code| code.reveal().to_owned()))
}

/// Whether no account exists yet.
///
/// # Errors
/// `internal` when the database fails.
pub async fn is_required(pool: &Pool) -> Result<bool, Problem> {
    Ok(!store::users_exist(pool).await.map_err(Problem::internal)?)
}

/// The installation's first organisation. Before set-up it is made here, so that the operator can let hosts join; set-up
/// then gives it its name and its first account.
///
/// # Errors
/// `internal` when the database fails.
pub async fn first_organisation(pool: &Pool, clock: &Clock) -> Result<Uuid, Problem> {
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    store::lock(&mut tx).await.map_err(Problem::internal)?;
    let id = match store::first_organisation(&mut tx).await.map_err(Problem::internal)? {
        Some(id) => id,
        None => {
            let id = new_id();
            store::put_organisation(&mut tx, id, UNNAMED, clock.now()).await.map_err(Problem::internal)?;
            id
        }
    };
    tx.commit().await.map_err(Problem::internal)?;
    Ok(id)
}

/// Whether an installation waits for set-up, and whether that needs a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SetupNeeds {
    pub(super) setup: bool,
    pub(super) code: bool,
}

/// What set-up needs right now.
pub(super) async fn needs(pool: &Pool) -> Result<SetupNeeds, Problem> {
    if store::users_exist(pool).await.map_err(Problem::internal)? {
        return Ok(SetupNeeds { setup: false, code: false });
    }
    let state = store::code(pool).await.map_err(Problem::internal)?;
    Ok(SetupNeeds { setup: true, code: state.is_none_or(|state| state.is_required()) })
}

/// Where a set-up request came from.
pub(super) struct Caller {
    pub(super) ip: IpAddr,
    pub(super) user_agent: String,
}

/// Creates the first account and signs it in.
///
/// # Errors
/// `wrong_state` after set-up, `rate_limited`, `validation_failed`, `unavailable`, `internal`.
pub(super) async fn set_up(
    state: &AppState,
    passwords: &Passwords,
    request: SetupRequest,
    caller: Caller,
) -> Result<StartedSession, Problem> {
    let now = state.clock.now();
    throttle::hit(&state.pool, &CREDENTIAL_POSTS, &caller.ip.to_string(), now).await?;
    if store::users_exist(&state.pool).await.map_err(Problem::internal)? {
        return Err(already_set_up());
    }
    let account = request.check()?;
    check_code(state, request.setup_code.as_ref(), caller.ip).await?;
    let password_hash = passwords.turn().await?.hash(account.password.clone()).await?;
    let created = create(state, &account, &password_hash, caller.ip).await?;
    tracing::info!(user.id = %created.user_id, org.id = %created.org_id, "the installation was set up");
    let new = NewSession {
        user_id: created.user_id,
        org_id: created.org_id,
        method: SignInMethod::Password,
        second_factor: false,
        ip: caller.ip,
        user_agent: caller.user_agent,
        replaces: None,
    };
    sessions::start(state, new).await
}

/// What people read before they sign in. Nobody knows yet who comes, so it is the text of the first organisation, as for
/// everything that the whole installation shows.
pub(super) async fn legal_notice(pool: &Pool) -> Result<String, Problem> {
    let first = store::first_living_organisation(pool).await.map_err(Problem::internal)?;
    let Some(org_id) = first else { return Ok(String::new()) };
    Ok(settings::read::<OrganisationSettings>(pool, org_id).await?.legal_notice)
}

/// Directories to sign in with: id, name.
pub(super) async fn offered_directories(state: &AppState) -> Result<Vec<(Uuid, String)>, Problem> {
    store::offered_directories(&state.pool).await.map_err(Problem::internal)
}

/// Identity providers whose buttons belong on the sign-in page: switched on and licensed (auth 35). Kind, id, name.
pub(super) async fn offered_providers(state: &AppState) -> Result<Vec<(String, Uuid, String)>, Problem> {
    let enabled = store::enabled_providers(&state.pool).await.map_err(Problem::internal)?;
    let mut offered = Vec::new();
    let mut known: Option<(Uuid, Entitlement)> = None;
    for (org_id, kind, id, name) in enabled {
        // They come organisation by organisation, so each is asked about once.
        let entitlement = match &known {
            Some((known_id, entitlement)) if *known_id == org_id => entitlement.clone(),
            _ => state.entitlements.of(org_id).await?,
        };
        if ProviderKind::from_name(&kind).is_some_and(|kind| kind.is_open(&entitlement)) {
            offered.push((kind, id, name));
        }
        known = Some((org_id, entitlement));
    }
    Ok(offered)
}

/// Whether some organisation lets people sign in otherwise than through identity providers.
pub(super) async fn some_use_passwords(state: &AppState) -> Result<bool, Problem> {
    store::some_use_passwords(&state.pool).await.map_err(Problem::internal)
}

/// Judges the set-up code and writes down a wrong one, in a transaction of its own so that the count stays when the
/// request is refused.
async fn check_code(state: &AppState, given: Option<&Secret>, ip: IpAddr) -> Result<(), Problem> {
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let Some(code) = store::code_for_update(&mut tx).await.map_err(Problem::internal)? else {
        return Err(Problem::unavailable("set-up is not prepared yet"));
    };
    match code.judge(given, now) {
        CodeVerdict::Accepted => Ok(()),
        CodeVerdict::Locked { seconds } => Err(Problem::limited(seconds)),
        CodeVerdict::Missing => {
            Err(Problem::invalid_field("setup_code", "required", "is printed in the server's log"))
        }
        CodeVerdict::Wrong { failures, locked_until } => {
            store::record_failure(&mut tx, failures, locked_until).await.map_err(Problem::internal)?;
            let (action, summary) = match locked_until {
                None => ("auth.setup.refused", "wrong set-up code"),
                Some(_) => ("auth.setup.locked", "too many wrong set-up codes"),
            };
            let event = AuditEvent::by(By::Setup, None, action, "installation").summary(summary).from_ip(ip);
            audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
            tx.commit().await.map_err(Problem::internal)?;
            tracing::info!(client.ip = %ip, "a wrong set-up code was refused");
            let field = FieldProblem {
                path: "setup_code".to_owned(),
                code: "invalid_setup_code",
                message: "is not the code in the server's log".to_owned(),
            };
            Err(Problem::invalid(vec![field]))
        }
    }
}

/// Creates organisation, account and membership, unless somebody else did meanwhile.
async fn create(
    state: &AppState,
    account: &FirstAccount,
    password_hash: &str,
    ip: IpAddr,
) -> Result<Created, Problem> {
    let now = state.clock.now();
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    store::lock(&mut tx).await.map_err(Problem::internal)?;
    if store::users_exist_in(&mut tx).await.map_err(Problem::internal)? {
        return Err(already_set_up());
    }
    // Hosts may have joined before the first account: their organisation becomes this account's.
    let waiting = store::first_organisation(&mut tx).await.map_err(Problem::internal)?;
    let created = Created { org_id: waiting.unwrap_or_else(new_id), user_id: new_id() };
    write(&mut tx, created, account, password_hash, now).await.map_err(Problem::internal)?;
    for event in events(created, account) {
        audit::append(&mut tx, &event.from_ip(ip), now).await.map_err(Problem::internal)?;
    }
    tx.commit().await.map_err(Problem::internal)?;
    Ok(created)
}

async fn write(
    tx: &mut ctops_pg::Tx<'_>,
    created: Created,
    account: &FirstAccount,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    store::put_organisation(tx, created.org_id, &account.organisation_name, now).await?;
    store::insert_user(tx, created.user_id, account, password_hash, now).await?;
    store::insert_super_admin(tx, created, now).await?;
    store::delete_code(tx).await
}

fn events(created: Created, account: &FirstAccount) -> [AuditEvent; 2] {
    let by = || By::User(created.user_id);
    [
        AuditEvent::by(by(), Some(created.org_id), "organisation.created", "organisation")
            .on(created.org_id)
            .summary("set up the installation")
            .change(None, Some(json!({ "name": account.organisation_name }))),
        AuditEvent::by(by(), Some(created.org_id), "auth.setup.completed", "user")
            .on(created.user_id)
            .summary("created the first account")
            .change(None, Some(json!({ "email": account.email.as_str(), "roles": ["super_admin"] }))),
    ]
}

fn already_set_up() -> Problem {
    Problem::wrong_state("this installation is set up already")
}
