//! Streams the file of an export, a chunk at a time, and signs it when the last one was read.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_slice::AppState;
use futures_util::Stream;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::model::{Export, Signed, signed_message};
use super::store;
use crate::chain::signing_key;
use crate::events::store::begin;
use crate::events::{Filter, FilterInput};

/// Events in memory at once.
const CHUNK: i64 = 2_000;

enum Step {
    Head,
    After(Option<(DateTime<Utc>, Uuid)>),
    Done,
}

struct Writing {
    state: AppState,
    org_id: Uuid,
    export: Export,
    filter: Filter,
    hasher: Sha256,
    step: Step,
}

/// The bytes of the file. A failure in the middle ends the answer early, and no signature is made.
///
/// # Errors
/// When the kept filter cannot be read.
pub(super) fn file(
    state: AppState,
    org_id: Uuid,
    export: Export,
) -> Result<impl Stream<Item = Result<Bytes, sqlx::Error>>, Problem> {
    let input: FilterInput = serde_json::from_value(export.filter.clone()).map_err(Problem::internal)?;
    let filter = input.check(export.created_at)?;
    let writing = Writing { state, org_id, export, filter, hasher: Sha256::new(), step: Step::Head };
    Ok(futures_util::stream::try_unfold(writing, |mut writing| async move {
        let part = writing.next().await?;
        Ok(part.map(|part| (part, writing)))
    }))
}

impl Writing {
    async fn next(&mut self) -> Result<Option<Bytes>, sqlx::Error> {
        let text = match self.step {
            Step::Head => {
                self.step = Step::After(None);
                self.export.format.head(&self.export)
            }
            Step::After(after) => self.chunk(after).await?,
            Step::Done => return Ok(None),
        };
        self.hasher.update(text.as_bytes());
        if matches!(self.step, Step::Done) {
            self.sign().await?;
        }
        Ok(Some(Bytes::from(text)))
    }

    async fn chunk(&mut self, after: Option<(DateTime<Utc>, Uuid)>) -> Result<String, sqlx::Error> {
        let mut tx = begin(&self.state.pool).await?;
        let events =
            store::chunk(&mut tx, self.org_id, &self.filter, self.export.last_seq, after, CHUNK).await?;
        drop(tx);
        let full = i64::try_from(events.len()).unwrap_or(i64::MAX) >= CHUNK;
        self.step = match events.last() {
            Some(last) if full => Step::After(Some((last.event.at, last.event.id))),
            _ => Step::Done,
        };
        Ok(events.iter().map(|event| self.export.format.line(event)).collect())
    }

    async fn sign(&mut self) -> Result<(), sqlx::Error> {
        let sha256 = std::mem::take(&mut self.hasher).finalize().into();
        let key = signing_key(&self.state.seal);
        let signed = Signed {
            sha256,
            signature: key.sign(signed_message(self.export.id, &sha256).as_bytes()).to_vec(),
            public_key: key.public_key().to_vec(),
        };
        store::sign(&self.state.pool, self.export.id, &signed, self.state.clock.now()).await
    }
}
