//! From queue messages to changes of hosts.
//!
//! - [`MetricsConsumer`]: accepted heartbeats become samples, vitals and facts.
//! - [`StatusConsumer`]: leases that began or ended become statuses.
//!
//! Messages were validated before they were queued. They are checked again as far as the database would refuse a value,
//! so that one bad message is parked without holding up its neighbours.

mod facts;
mod history;
mod metrics;
mod status;

pub use metrics::{MetricsConsumer, describe_metrics};
pub use status::StatusConsumer;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A UUID of a message.
fn id(name: &str, text: &str) -> Result<Uuid, String> {
    text.parse().map_err(|_| format!("{name} is not a UUID"))
}

/// A moment of a message, milliseconds since the Unix epoch.
fn moment(name: &str, millis: i64) -> Result<DateTime<Utc>, String> {
    // PostgreSQL's time stamps begin and end elsewhere than chrono's; the years 1970 to 9999 are common to both.
    const YEAR_10000_MS: i64 = 253_402_300_800_000;
    (0..YEAR_10000_MS)
        .contains(&millis)
        .then(|| DateTime::from_timestamp_millis(millis))
        .flatten()
        .ok_or_else(|| format!("{name} {millis} is not between the years 1970 and 9999"))
}
