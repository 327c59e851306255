//! Releases enter and leave the store.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_base::{Clock, Problem};
use ctops_pg::{Pool, Tx};
use ctops_proto::release::Version;
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::{Actor, AppState};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};
use uuid::Uuid;

use super::rollouts;
use crate::releases::bundle::{self, BundleError, SignedManifest};
use crate::releases::files::TakeError;
use crate::releases::model::Release;
use crate::releases::{RELEASES_PUBLISH, ReleaseDeps, store};

/// Releases shown at most.
const MAX_LISTED: i64 = 200;

/// Who publishes or withdraws.
#[derive(Clone, Copy, Debug)]
pub enum Publisher<'a> {
    /// Somebody signed in.
    Person(&'a Actor),
    /// The operator on the server's own machine.
    Operator,
}

impl Publisher<'_> {
    fn user_id(self) -> Option<Uuid> {
        match self {
            Self::Person(actor) => Some(actor.user_id),
            Self::Operator => None,
        }
    }

    fn event(self, action: &'static str, id: Uuid) -> AuditEvent {
        match self {
            Self::Person(actor) => AuditEvent::by_actor(actor, action, "agent_release"),
            Self::Operator => AuditEvent::by(By::SupportCli, None, action, "agent_release"),
        }
        .on(id)
    }
}

/// Takes a bundle into the store and begins the rollouts it causes. Importing the same bundle again completes the files,
/// for instance on another machine, and changes nothing else. Returns version and channel.
///
/// # Errors
/// `forbidden`; `validation_failed` when it is no bundle, is not signed with the trusted key or its programs are not those
/// of its manifest; `conflict` when the version was published with other programs; `internal`.
pub async fn import(
    (pool, clock, deps): (&Pool, &Clock, &ReleaseDeps),
    publisher: Publisher<'_>,
    reader: &mut (impl AsyncRead + Unpin),
) -> Result<(Version, String), Problem> {
    if let Publisher::Person(actor) = publisher {
        actor.grant(&RELEASES_PUBLISH)?;
    }
    let signed = bundle::read_manifest(reader, &deps.trusted_key).await.map_err(refused)?;
    let manifest = &signed.manifest;
    let known = store::published_as(pool, manifest.version).await.map_err(Problem::internal)?;
    let programs = |artifacts: &[ctops_proto::release::Artifact]| -> BTreeMap<String, String> {
        artifacts.iter().map(|a| (format!("{}/{}", a.os, a.arch), a.sha256.clone())).collect()
    };
    let wanted = programs(&manifest.artifacts);
    if known.iter().any(|(_, _, artifacts)| programs(&artifacts.0) != wanted) {
        let detail = format!("{} was published with other programs; publish a new version", manifest.version);
        return Err(Problem::conflict(detail));
    }
    for artifact in &manifest.artifacts {
        deps.files.take(reader, artifact).await.map_err(not_taken)?;
    }
    if reader.read(&mut [0]).await.map_err(Problem::internal)? != 0 {
        return Err(invalid("bundle goes on after its last program"));
    }
    if !known.iter().any(|(_, json, _)| *json == signed.json) {
        record(pool, publisher, &signed, clock.now()).await?;
    }
    Ok((signed.manifest.version, signed.manifest.channel))
}

async fn record(
    pool: &Pool,
    publisher: Publisher<'_>,
    signed: &SignedManifest,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let (manifest, id) = (&signed.manifest, new_id());
    let released_at = DateTime::parse_from_rfc3339(&manifest.released_at)
        .map_err(|_| invalid("released_at is not a moment (RFC 3339)"))?
        .to_utc();
    let mut tx = pool.begin().await.map_err(Problem::internal)?;
    let inserted = store::insert(&mut tx, id, signed, released_at, publisher.user_id(), now)
        .await
        .map_err(Problem::internal)?;
    if !inserted {
        let detail = format!("{} was published in {} already", manifest.version, manifest.channel);
        return Err(Problem::conflict(detail));
    }
    let event = publisher
        .event("agent_release.published", id)
        .summary(format!("published agent release {} in {}", manifest.version, manifest.channel))
        .change(
            None,
            Some(json!({
                "version": manifest.version, "channel": manifest.channel, "minimum_version": manifest.minimum_version,
            })),
        );
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    rollouts::begin_for_minimum(&mut tx, id, manifest, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

fn refused(error: BundleError) -> Problem {
    match error {
        BundleError::Unreadable(_) => {
            Problem::malformed("malformed_bundle", "the bundle was cut off").caused_by(error)
        }
        error => invalid(&error.to_string()),
    }
}

fn not_taken(error: TakeError) -> Problem {
    match error {
        TakeError::Differs(..) => invalid(&error.to_string()),
        TakeError::Open => Problem::unavailable(error.to_string()),
        TakeError::File(_) => Problem::internal(error),
    }
}

fn invalid(message: &str) -> Problem {
    Problem::invalid_field("bundle", "invalid", message)
}

/// Releases for people.
pub(in crate::releases) async fn list(
    state: &AppState,
    actor: &Actor,
    channel: Option<&str>,
) -> Result<Vec<Release>, Problem> {
    actor.grant(&crate::agents::AGENTS_READ)?;
    store::list(&state.pool, channel, MAX_LISTED).await.map_err(Problem::internal)
}

/// Releases for the operator, newest version first.
///
/// # Errors
/// `internal`.
pub async fn list_for_operator(pool: &Pool) -> Result<Vec<Release>, Problem> {
    store::list(pool, None, MAX_LISTED).await.map_err(Problem::internal)
}

/// Withdraws a release: nobody is offered it any more. Agents that run it keep it.
///
/// # Errors
/// `forbidden`, `not_found`, `wrong_state`.
pub(in crate::releases) async fn withdraw(
    pool: &Pool,
    publisher: Publisher<'_>,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    if let Publisher::Person(actor) = publisher {
        actor.grant(&RELEASES_PUBLISH)?;
    }
    let mut tx: Tx<'_> = pool.begin().await.map_err(Problem::internal)?;
    let withdrawn = store::withdraw(&mut tx, id, now).await.map_err(Problem::internal)?;
    let Some((version, channel)) = withdrawn else {
        return match store::exists(&mut tx, id).await.map_err(Problem::internal)? {
            true => Err(Problem::wrong_state("the release is withdrawn already")),
            false => Err(Problem::not_found("release")),
        };
    };
    let event = publisher
        .event("agent_release.withdrawn", id)
        .summary(format!("withdrew agent release {version} from {channel}"));
    audit::append(&mut tx, &event, now).await.map_err(Problem::internal)?;
    tx.commit().await.map_err(Problem::internal)
}

/// The same for the operator, who names version and channel.
///
/// # Errors
/// `not_found`, `wrong_state`, `internal`.
pub async fn withdraw_for_operator(
    pool: &Pool,
    clock: &Clock,
    version: Version,
    channel: &str,
) -> Result<(), Problem> {
    let releases = store::list(pool, Some(channel), MAX_LISTED).await.map_err(Problem::internal)?;
    let release = releases.iter().find(|release| release.version == version);
    let id = release.ok_or_else(|| Problem::not_found("release"))?.id;
    withdraw(pool, Publisher::Operator, id, clock.now()).await
}
