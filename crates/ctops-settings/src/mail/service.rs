//! Testing the relay; mail that waits.

use std::time::Duration;

use ctops_base::{FieldProblem, Problem, Role};
use ctops_slice::Actor;
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::mail::{Letter, seal_name};
use ctops_slice::settings::{Document, PageInfo, SETTINGS_WRITE, SettingsPage, read};
use ctops_slice::throttle::{self, Rate};
use lettre::Address;
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::relay::{PASSWORD, Relay, SmtpRelay};
use super::smtp::{DeliveryError, Step};
use super::store::WaitingLetter;
use super::{MAIL_PENDING, letter, relay, smtp, store};
use crate::Deps;

/// Tests of one organisation (settings 10).
const TESTS: Rate = Rate { scope: "smtp_test", limit: 5, window: Duration::from_secs(60) };
/// Letters in the list of pending mail.
const LISTED: i64 = 200;

/// A wish to test.
pub(super) struct TestWish {
    /// Who gets the mail.
    pub(super) recipient: String,
    /// Keys of the page that differ from what is stored.
    pub(super) changes: Document,
    /// A password that is not stored.
    pub(super) password: Option<String>,
}

/// What a test found.
pub(super) struct TestReport {
    /// Steps that worked.
    pub(super) steps: Vec<Step>,
    /// The one that did not.
    pub(super) failure: Option<DeliveryError>,
    /// The host that was tried.
    pub(super) host: String,
}

/// Sends a test mail through the relay as it is stored, with `changes` that are not.
pub(super) async fn test(deps: &Deps, actor: &Actor, wish: TestWish) -> Result<TestReport, Problem> {
    let grant = actor.grant(&SETTINGS_WRITE)?;
    let now = deps.clock.now();
    if wish.recipient.parse::<Address>().is_err() {
        return Err(Problem::invalid_field("recipient", "not_an_address", "must be an e-mail address"));
    }
    let relay = relay_to_test(deps, grant.org_id(), wish.changes, wish.password).await?;
    throttle::hit(&deps.pool, &TESTS, &grant.org_id().to_string(), now).await?;
    let letter = Letter {
        to: wish.recipient,
        subject: "Test of the mail relay".to_owned(),
        text: "This mail shows that CT-Ops can send mail through this relay.".to_owned(),
        link: None,
    };
    let message = letter::message(&relay.page, &letter, ctops_base::id::new_id(), &deps.server_name, now);
    let message = message
        .map_err(|error| Problem::invalid_field("from_address", "not_an_address", error.to_string()))?;
    let mut steps = Vec::new();
    let failure = smtp::deliver(&deps.egress, &relay, &deps.server_name, &message, &mut steps).await.err();
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    let mut event = AuditEvent::by_actor(actor, "smtp.tested", "settings_page")
        .on(SmtpRelay::NAME)
        .summary(format!("tested the mail relay {}:{}", relay.page.host, relay.page.port));
    if let Some(failure) = &failure {
        event = event.failed(failure.step.as_str());
    }
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(TestReport { steps, failure, host: relay.page.host })
}

/// The stored password goes only where it was meant to go: to the stored host and port (settings 5).
async fn relay_to_test(
    deps: &Deps,
    org_id: Uuid,
    changes: Document,
    password: Option<String>,
) -> Result<Relay, Problem> {
    let stored: SmtpRelay = read(&deps.pool, org_id).await?;
    let info = PageInfo::of::<SmtpRelay>();
    let mut wanted = match serde_json::to_value(&stored) {
        Ok(Value::Object(document)) => document,
        _ => Document::new(),
    };
    for (name, value) in changes {
        let key = info.key(&name).filter(|key| !key.is_secret());
        let key =
            key.ok_or_else(|| Problem::invalid_field(&name, "unknown_field", "is not a key of this page"))?;
        let fits = key.kind.check(&value);
        fits.map_err(|misfit| Problem::invalid_field(&name, misfit.code, misfit.message))?;
        wanted.insert(name, value);
    }
    // A test is possible before the relay is turned on.
    wanted.insert("enabled".to_owned(), json!(true));
    (info.check)(&wanted).map_err(Problem::invalid)?;
    let page: SmtpRelay = serde_json::from_value(Value::Object(wanted)).map_err(Problem::internal)?;
    let same_target = page.host.eq_ignore_ascii_case(&stored.host) && page.port == stored.port;
    let password = match password {
        Some(given) => Some(Zeroizing::new(given)),
        None if same_target => relay::stored_password(deps, org_id).await?,
        None if page.username.is_empty() => None,
        None => {
            let message = "must be given again: host or port differ from those it was stored for".to_owned();
            let field = FieldProblem { path: PASSWORD.to_owned(), code: "required", message };
            return Err(Problem::invalid(vec![field]));
        }
    };
    Ok(Relay { org_id: Some(org_id), page, password })
}

/// A letter that waits, opened.
pub(super) struct PendingMail {
    /// The row.
    pub(super) row: WaitingLetter,
    /// The letter.
    pub(super) letter: Letter,
    /// Whether this person may see its link.
    pub(super) may_reveal: bool,
}

/// Mail of this organisation that no relay took, and mail of the installation to its members.
pub(super) async fn pending(deps: &Deps, actor: &Actor) -> Result<Vec<PendingMail>, Problem> {
    let grant = actor.grant(&MAIL_PENDING)?;
    let rows =
        store::waiting(&deps.pool, &grant, deps.clock.now(), LISTED).await.map_err(Problem::internal)?;
    let opened: Vec<(WaitingLetter, Letter)> = rows
        .into_iter()
        .filter_map(|row| {
            let plain = deps.seal.open(&seal_name(row.id), &row.sealed).ok()?;
            Some((row, serde_json::from_slice(&plain).ok()?))
        })
        .collect();
    let addresses: Vec<String> = opened.iter().map(|(_, letter)| letter.to.to_lowercase()).collect();
    let owners = store::owners(&deps.pool, &grant, &addresses).await.map_err(Problem::internal)?;
    let is_super_admin = actor.roles().contains(&Role::SuperAdmin);
    let view = |(row, letter): (WaitingLetter, Letter)| {
        let owner = owners.iter().find(|(address, ..)| *address == letter.to.to_lowercase());
        let (is_member, is_protected) =
            owner.map_or((false, false), |(_, member, protected)| (*member, *protected));
        let is_ours = row.org_id.is_some() || is_member;
        is_ours.then_some(PendingMail { row, letter, may_reveal: is_super_admin || !is_protected })
    };
    Ok(opened.into_iter().filter_map(view).collect())
}

async fn find(deps: &Deps, actor: &Actor, id: Uuid) -> Result<PendingMail, Problem> {
    let found = pending(deps, actor).await?.into_iter().find(|mail| mail.row.id == id);
    found.ok_or_else(|| Problem::not_found("mail"))
}

/// The link of one mail, for handing it over by other means. Audited.
pub(super) async fn reveal(deps: &Deps, actor: &Actor, id: Uuid) -> Result<Option<String>, Problem> {
    let mail = find(deps, actor, id).await?;
    if !mail.may_reveal {
        return Err(Problem::forbidden());
    }
    note(deps, actor, &mail, "mail.link_revealed", "looked at the link of").await?;
    Ok(mail.letter.link)
}

/// Throws one mail away.
pub(super) async fn discard(deps: &Deps, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    let mail = find(deps, actor, id).await?;
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    if !store::discard(&mut tx, id).await.map_err(Problem::internal)? {
        return Err(Problem::not_found("mail"));
    }
    let event = event(actor, &mail, "mail.discarded", "discarded");
    audit::append(&mut tx, &event, deps.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

async fn note(
    deps: &Deps,
    actor: &Actor,
    mail: &PendingMail,
    action: &'static str,
    verb: &str,
) -> Result<(), Problem> {
    let mut tx = deps.pool.begin().await.map_err(Problem::internal)?;
    let event = event(actor, mail, action, verb);
    audit::append(&mut tx, &event, deps.clock.now()).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

fn event(actor: &Actor, mail: &PendingMail, action: &'static str, verb: &str) -> AuditEvent {
    AuditEvent::by_actor(actor, action, "mail")
        .on(mail.row.id)
        .labelled(mail.letter.to.clone())
        .summary(format!("{verb} a mail ({}) that waits", mail.row.kind))
}
