//! The list of revoked keys: fetched through the outbound client, never while somebody waits for a page (licensing 17).

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;
use ctops_egress::{Egress, OutboundRequest, Purpose};
use ctops_licence::revocation::MAX_BUNDLE_BYTES;
use ctops_licence::{Bundle, read_bundle};
use ctops_pg::Pool;
use ctops_pg::notify::{LICENCES, notify};
use http::StatusCode;

use super::entitlements::Licensing;
use super::store;

/// Between two good fetches.
const EVERY: TimeDelta = TimeDelta::minutes(15);
/// After a failure.
const AFTER_FAILURE: TimeDelta = TimeDelta::minutes(5);

/// What fetches the list.
#[derive(Clone, Debug)]
pub(super) struct Fetcher {
    pub(super) pool: Pool,
    pub(super) egress: Egress,
    pub(super) url: Option<String>,
    pub(super) licensing: Licensing,
}

impl Fetcher {
    /// Whether it is time to ask again.
    pub(super) async fn is_due(&self, now: DateTime<Utc>) -> Result<bool, Problem> {
        let Some(row) = store::bundle(&self.pool).await.map_err(Problem::internal)? else { return Ok(true) };
        let pause = if row.last_error.is_some() { AFTER_FAILURE } else { EVERY };
        // A clock that was set back does not stop the fetching.
        Ok(row.attempted_at.is_none_or(|last| now - last >= pause || last > now))
    }

    /// Asks once. What the issuer or the network did wrong is noted, not returned.
    pub(super) async fn fetch(&self, now: DateTime<Utc>) -> Result<(), Problem> {
        let Some(url) = &self.url else { return Ok(()) };
        match self.ask(url, now).await? {
            Ok((raw, bundle)) => self.keep(&raw, &bundle, now).await,
            Err(error) => {
                tracing::warn!("the list of revoked licences was not fetched: {error}");
                store::note_failure(&self.pool, &error, now).await.map_err(Problem::internal)
            }
        }
    }

    async fn ask(&self, url: &str, now: DateTime<Utc>) -> Result<Result<(String, Bundle), String>, Problem> {
        let request = OutboundRequest { max_answer: MAX_BUNDLE_BYTES, ..OutboundRequest::get(url) };
        let answer = match self.egress.https(None, Purpose::LicenceRevocation, request).await {
            Ok(answer) if answer.status == StatusCode::OK => answer,
            Ok(answer) => return Ok(Err(format!("the answer has status {}", answer.status.as_u16()))),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let Ok(raw) = std::str::from_utf8(&answer.body) else {
            return Ok(Err("the answer is not text".into()));
        };
        let raw = raw.trim().to_owned();
        let mut connection = self.pool.acquire().await.map_err(Problem::internal)?;
        let keys = self.licensing.verifiers(&mut connection).await?;
        let bundle = match read_bundle(&raw, &keys) {
            Ok(bundle) => bundle,
            Err(error) => return Ok(Err(format!("the list does not count: {}", error.code()))),
        };
        if bundle.expires_at <= now.timestamp() {
            return Ok(Err("the list has expired".into()));
        }
        let stored =
            store::bundle(&mut *connection).await.map_err(Problem::internal)?.and_then(|row| row.issued_at);
        if stored.is_some_and(|stored| stored.timestamp() > bundle.issued_at) {
            return Ok(Err("the list is older than the one that is kept".into()));
        }
        Ok(Ok((raw, bundle)))
    }

    async fn keep(&self, raw: &str, bundle: &Bundle, now: DateTime<Utc>) -> Result<(), Problem> {
        let moment = |second| DateTime::from_timestamp(second, 0).unwrap_or_default();
        let times = (moment(bundle.issued_at), moment(bundle.expires_at));
        let mut tx = self.pool.begin().await.map_err(Problem::internal)?;
        store::keep_bundle(&mut tx, raw, times, now).await.map_err(Problem::internal)?;
        notify(&mut *tx, LICENCES, "").await.map_err(Problem::internal)?;
        tx.commit().await.map_err(Problem::internal)?;
        self.licensing.forget(None);
        Ok(())
    }
}
