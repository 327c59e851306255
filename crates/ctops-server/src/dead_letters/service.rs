//! Looking at letters, asking for replays, discarding.

use ctops_base::{Clock, Page, PageRequest, Problem};
use ctops_pg::notify::{JOBS, notify};
use ctops_pg::{Pool, Tx};
use ctops_queue::dead_letters::{self, DeadLetter, LetterStatus, LettersOf};
use ctops_slice::Actor;
use ctops_slice::audit::{self, AuditEvent, By};
use serde_json::json;

use super::SYSTEM_DEAD_LETTERS;
use super::model::{Preview, SHOWN_BYTES};

/// Who looks and decides.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// A signed-in administrator.
    Person(&'a Actor),
    /// The operator on the server's own machine.
    Operator,
}

impl Who<'_> {
    /// Whose letters they may see.
    fn letters(self) -> Result<LettersOf, Problem> {
        match self {
            Who::Person(actor) => Ok(LettersOf::Organisation(actor.grant(&SYSTEM_DEAD_LETTERS)?.org_id())),
            Who::Operator => Ok(LettersOf::Everybody),
        }
    }

    fn event(self, action: &'static str) -> AuditEvent {
        match self {
            Who::Person(actor) => AuditEvent::by_actor(actor, action, "dead_letter"),
            Who::Operator => AuditEvent::by(By::SupportCli, None, action, "dead_letter"),
        }
    }
}

/// A page of letters, newest first.
///
/// # Errors
/// `forbidden` without the permission; `internal` when the database fails.
pub async fn list(
    pool: &Pool,
    who: Who<'_>,
    status: Option<LetterStatus>,
    page: PageRequest,
) -> Result<Page<DeadLetter>, Problem> {
    dead_letters::list(pool, who.letters()?, status, page).await.map_err(Problem::internal)
}

/// One letter with the beginning of its payload.
///
/// # Errors
/// `not_found` when there is none for them; `forbidden`; `internal` when the database fails.
pub async fn get(pool: &Pool, who: Who<'_>, id: i64) -> Result<(DeadLetter, Preview), Problem> {
    let found = dead_letters::get(pool, who.letters()?, id, SHOWN_BYTES as i32).await;
    let (letter, beginning) =
        found.map_err(Problem::internal)?.ok_or_else(|| Problem::not_found("dead letter"))?;
    let size = usize::try_from(letter.payload_bytes).unwrap_or(0);
    let preview = Preview::new(&letter.topic, &beginning, size);
    Ok((letter, preview))
}

/// Asks for a letter to be applied again; the process that leads does it within seconds.
///
/// # Errors
/// `not_found`; `wrong_state` when a replay was asked for before or the letter was replayed; `forbidden`; `internal`.
pub async fn replay(pool: &Pool, clock: &Clock, who: Who<'_>, id: i64) -> Result<DeadLetter, Problem> {
    let (letter, _) = get(pool, who, id).await?;
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    if !dead_letters::request_replay(&mut tx, id, clock.now()).await.map_err(Problem::internal)? {
        return Err(Problem::wrong_state("a replay of this dead letter was asked for already"));
    }
    record(&mut tx, clock, who, "dead_letter.replay_requested", &letter).await?;
    notify(&mut *tx, JOBS, super::jobs::JOB).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)?;
    Ok(get(pool, who, id).await?.0)
}

/// Forgets a letter for good.
///
/// # Errors
/// `not_found`; `forbidden`; `internal` when the database fails.
pub async fn discard(pool: &Pool, clock: &Clock, who: Who<'_>, id: i64) -> Result<(), Problem> {
    let (letter, _) = get(pool, who, id).await?;
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    if !dead_letters::discard(&mut tx, id).await.map_err(Problem::internal)? {
        return Err(Problem::not_found("dead letter"));
    }
    record(&mut tx, clock, who, "dead_letter.discarded", &letter).await?;
    tx.commit().await.map_err(Problem::internal)
}

async fn record(
    tx: &mut Tx<'_>,
    clock: &Clock,
    who: Who<'_>,
    action: &'static str,
    letter: &DeadLetter,
) -> Result<(), Problem> {
    let before = json!({
        "group": letter.group,
        "topic": letter.topic,
        "offset": letter.offset,
        "reason": letter.reason,
        "status": letter.status().as_str(),
    });
    let event = who
        .event(action)
        .on(letter.id)
        .summary(format!(
            "record {} of {} that {} could not apply",
            letter.offset, letter.topic, letter.group
        ))
        .change(Some(before), None);
    audit::append(tx, &event, clock.now()).await.map_err(Problem::internal)
}
