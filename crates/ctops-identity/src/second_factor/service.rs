//! Enrolling a second factor, judging what is shown as one, and taking it away.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Problem, ProblemKind};
use ctops_crypto::seal::InstallKey;
use ctops_crypto::secret::constant_time_eq;
use ctops_pg::{Pool, Tx};
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::mail::{self, Mail};
use ctops_slice::settings::{self, AuthenticationSettings};
use ctops_slice::throttle::{self, Rate};
use ctops_slice::{Actor, AppState};
use uuid::Uuid;

use super::model::{self, Proof, recovery_hash, recovery_name, seed_name};
use super::{MFA_RESET, store};
use crate::reauthentication::STEP_UP;
use crate::{accounts, passkeys, sessions};

/// Codes shown while enrolling, per user: whoever enrols reads them off the screen, so few are wrong.
const ENROLMENT_CODES: Rate = Rate { scope: "mfa_enrolment", limit: 10, window: Duration::from_secs(60) };

/// The second factors somebody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Factors {
    pub(crate) totp_enrolled_at: Option<DateTime<Utc>>,
    pub(crate) recovery_codes: i64,
    pub(crate) passkeys: i64,
}

impl Factors {
    /// Whether there is any; recovery codes alone are none.
    pub(crate) fn any(self) -> bool {
        self.totp_enrolled_at.is_some() || self.passkeys > 0
    }

    /// The ways to show one, in the order to offer them.
    pub(crate) fn methods(self) -> Vec<&'static str> {
        let totp = self.totp_enrolled_at.is_some().then_some("totp");
        let passkey = (self.passkeys > 0).then_some("passkey");
        let recovery = (self.recovery_codes > 0).then_some("recovery_code");
        [totp, passkey, recovery].into_iter().flatten().collect()
    }
}

/// The second factors of a user.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub(crate) async fn factors_of(pool: &Pool, user_id: Uuid) -> Result<Factors, Problem> {
    let row = store::factors(pool, user_id).await.map_err(Problem::internal)?;
    let store::FactorRow { totp_enrolled_at, recovery_codes, passkeys } = row;
    Ok(Factors { totp_enrolled_at, recovery_codes, passkeys })
}

/// Whether the organisation demands a second factor of a session that was started so (auth 18). Who showed one here, or
/// to an identity provider whose word counts, has met the demand.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub(crate) async fn is_required(pool: &Pool, org_id: Uuid) -> Result<bool, Problem> {
    Ok(settings::read::<AuthenticationSettings>(pool, org_id).await?.require_two_factor)
}

/// Whether `proof` is a second factor of the user. Accepted once: the step of a code and the recovery code are used up
/// with the transaction.
///
/// # Errors
/// `internal` when the database fails or the seed cannot be opened.
pub(crate) async fn accept(
    tx: &mut Tx<'_>,
    seal: &InstallKey,
    (user_id, org_id): (Uuid, Uuid),
    proof: &Proof,
    now: DateTime<Utc>,
) -> Result<bool, Problem> {
    match proof {
        Proof::Code(code) => {
            let seed = store::seed_for_update(tx, user_id).await.map_err(Problem::internal)?;
            let Some(seed) = seed.filter(|seed| seed.enrolled) else {
                return Ok(false);
            };
            let plain = seal.open(&seed_name(user_id), &seed.sealed).map_err(Problem::internal)?;
            match model::matched_step(&plain, code, now)? {
                Some(step) => store::take_step(tx, user_id, step).await.map_err(Problem::internal),
                None => Ok(false),
            }
        }
        Proof::RecoveryCode(code) => {
            let wanted = recovery_hash(code.reveal());
            let codes = store::recovery_codes_for_update(tx, user_id).await.map_err(Problem::internal)?;
            let mut found = None;
            for (id, sealed) in &codes {
                let hash = seal.open(&recovery_name(*id), sealed).map_err(Problem::internal)?;
                if constant_time_eq(&hash, &wanted) {
                    found = Some(*id);
                }
            }
            let Some(id) = found else {
                return Ok(false);
            };
            store::use_recovery_code(tx, id, now).await.map_err(Problem::internal)?;
            let event = AuditEvent::by(By::User(user_id), Some(org_id), "auth.mfa.recovery_used", "user")
                .on(user_id)
                .summary(format!("used a recovery code; {} are left", codes.len() - 1));
            audit::append(tx, &event, now).await.map_err(Problem::internal)?;
            Ok(true)
        }
    }
}

/// A seed on its way to the app.
pub(super) struct Enrolment {
    pub(super) secret: String,
    pub(super) link: String,
    pub(super) qr_svg: String,
}

/// Makes a seed that waits for its first code.
pub(super) async fn begin(state: &AppState, actor: &Actor) -> Result<Enrolment, Problem> {
    let now = state.clock.now();
    actor.confirmed_within(STEP_UP, now)?;
    let profile = accounts::profile(&state.pool, actor.user_id, actor.org_id).await?;
    let seed = model::make_seed();
    let totp = model::totp(&seed, &profile.email)?;
    let sealed = state.seal.seal(&seed_name(actor.user_id), &seed);
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let put = store::put_waiting_seed(&mut tx, actor.user_id, &sealed, now).await;
    if !put.map_err(Problem::internal)? {
        return Err(Problem::wrong_state("an authenticator app is enrolled already; remove it first"));
    }
    tx.commit().await.map_err(Problem::internal)?;
    let link = totp.to_url().map_err(Problem::internal)?;
    let qr_svg = model::qr_svg(&link)?;
    Ok(Enrolment { secret: totp.secret().to_base32(), link, qr_svg })
}

/// Takes the seed into use, when `proof` shows that the app has it; answers the recovery codes, for the only time.
pub(super) async fn confirm(state: &AppState, actor: &Actor, code: &Proof) -> Result<Vec<String>, Problem> {
    let now = state.clock.now();
    actor.confirmed_within(STEP_UP, now)?;
    throttle::hit(&state.pool, &ENROLMENT_CODES, &actor.user_id.to_string(), now).await?;
    let Proof::Code(code) = code else {
        return Err(wrong_code());
    };
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let seed = store::seed_for_update(&mut tx, actor.user_id).await.map_err(Problem::internal)?;
    let Some(seed) = seed.filter(|seed| !seed.enrolled) else {
        return Err(Problem::wrong_state("no enrolment has been begun"));
    };
    let plain = state.seal.open(&seed_name(actor.user_id), &seed.sealed).map_err(Problem::internal)?;
    let Some(step) = model::matched_step(&plain, code, now)? else {
        return Err(wrong_code());
    };
    store::take_step(&mut tx, actor.user_id, step).await.map_err(Problem::internal)?;
    store::enrol(&mut tx, actor.user_id, now).await.map_err(Problem::internal)?;
    let codes = put_recovery_codes(&mut tx, &state.seal, actor.user_id, now).await?;
    sessions::mark_second_factor(&mut tx, actor).await?;
    let event = AuditEvent::by_actor(actor, "auth.mfa.enrolled", "user")
        .on(actor.user_id)
        .summary("enrolled an authenticator app");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(codes)
}

async fn put_recovery_codes(
    tx: &mut Tx<'_>,
    seal: &InstallKey,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<String>, Problem> {
    let codes = model::make_recovery_codes();
    let rows: Vec<(Uuid, Vec<u8>)> = codes
        .iter()
        .map(|code| {
            let id = new_id();
            (id, seal.seal(&recovery_name(id), &recovery_hash(code)))
        })
        .collect();
    store::replace_recovery_codes(tx, user_id, &rows, now).await.map_err(Problem::internal)?;
    Ok(codes)
}

/// New recovery codes; the old ones stop working.
pub(super) async fn renew_recovery_codes(state: &AppState, actor: &Actor) -> Result<Vec<String>, Problem> {
    let now = state.clock.now();
    actor.confirmed_within(STEP_UP, now)?;
    if !factors_of(&state.pool, actor.user_id).await?.any() {
        return Err(Problem::wrong_state("recovery codes need a second factor they stand in for"));
    }
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    let codes = put_recovery_codes(&mut tx, &state.seal, actor.user_id, now).await?;
    let event = AuditEvent::by_actor(actor, "auth.mfa.enrolled", "user")
        .on(actor.user_id)
        .summary("made new recovery codes");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(codes)
}

/// Takes the app out of use. The recovery codes go with it unless a passkey is left that they stand in for.
pub(super) async fn disable(state: &AppState, actor: &Actor) -> Result<(), Problem> {
    let now = state.clock.now();
    actor.confirmed_within(STEP_UP, now)?;
    let passkeys = factors_of(&state.pool, actor.user_id).await?.passkeys;
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    if !store::delete_seed(&mut tx, actor.user_id).await.map_err(Problem::internal)? {
        return Err(Problem::wrong_state("no authenticator app is enrolled"));
    }
    if passkeys == 0 {
        store::delete_recovery_codes(&mut tx, actor.user_id).await.map_err(Problem::internal)?;
    }
    let event = AuditEvent::by_actor(actor, "auth.mfa.disabled", "user")
        .on(actor.user_id)
        .summary("removed the authenticator app");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Takes every second factor of somebody else away, ends their sessions and tells them by mail (auth 19).
pub(super) async fn reset(state: &AppState, actor: &Actor, user_id: Uuid) -> Result<(), Problem> {
    let now = state.clock.now();
    let grant = actor.grant(&MFA_RESET)?;
    actor.confirmed_within(STEP_UP, now)?;
    let address = store::member_address(&state.pool, &grant, user_id).await.map_err(Problem::internal)?;
    let address = address.ok_or_else(|| Problem::not_found("user"))?;
    if user_id == actor.user_id {
        return Err(Problem::wrong_state("your own second factor is removed on your security page"));
    }
    let mut tx = state.pool.begin().await.map_err(Problem::internal)?;
    clear(&mut tx, user_id).await?;
    sessions::end_sessions_of(&mut tx, user_id, None, "the second factor was reset", now).await?;
    let event = AuditEvent::by_actor(actor, "auth.mfa.reset", "user")
        .on(user_id)
        .summary("took the second factor of somebody else away");
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    mail::send(&mut tx, &state.seal, &reset_notice(actor, address), now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// Takes every second factor of an account away; the caller records why.
pub(crate) async fn clear(tx: &mut Tx<'_>, user_id: Uuid) -> Result<(), Problem> {
    store::delete_seed(tx, user_id).await.map_err(Problem::internal)?;
    store::delete_recovery_codes(tx, user_id).await.map_err(Problem::internal)?;
    passkeys::delete_all_of(tx, user_id).await
}

fn reset_notice(actor: &Actor, to: String) -> Mail {
    Mail {
        org_id: Some(actor.org_id),
        to,
        kind: "mfa_reset",
        subject: "Your second factor was removed".to_owned(),
        text: format!(
            "{} removed the second factor of your CT-Ops account and ended your sessions. Sign in and set up a new one. \
             If you did not ask for this, tell your administrators at once.",
            actor.name
        ),
        link: None,
    }
}

fn wrong_code() -> Problem {
    Problem::new(ProblemKind::Invalid, "invalid_code", "this code is not right; wait for the next one")
}
