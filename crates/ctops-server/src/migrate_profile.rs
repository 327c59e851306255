//! `ct-ops migrate-profile`: moves what waits in one queue into the other, while the server is stopped (deployment 3).

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use ctops_base::Clock;
use ctops_pg::Pool;
use ctops_queue::{Topic, Transferred, transfer};
use tokio_util::sync::CancellationToken;

use crate::queue::{self, ServerQueue};
use crate::queue_claim::QueueClaim;
use crate::settings::Settings;

/// Where the embedded log was before it was moved out; a copy for the operator, replaced by the next move.
const OLD_LOG: &str = "queue.moved";

/// The queue to move to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// The log in the state directory: one process, profile `single`.
    #[value(alias = "single")]
    Embedded,
    /// Brokers that speak the Kafka API: any number of processes, profiles `standard` and `ha`.
    #[value(aliases = ["standard", "ha"])]
    Kafka,
}

/// Moves the records and the consumers of an installation whose server is stopped; what to print.
///
/// # Errors
/// When the server runs, when a queue cannot be opened, or when not everything could be moved: then the old queue still
/// has everything, and the command can be run again.
pub async fn run(
    settings: &Settings,
    pool: &Pool,
    clock: &Clock,
    reads: &[(Topic, &'static str)],
    to: Profile,
    brokers: Option<&str>,
) -> Result<String> {
    let brokers = brokers.or_else(|| settings.values.text("CT_OPS_QUEUE_BROKERS"));
    let brokers = brokers.context("name the brokers with --brokers or CT_OPS_QUEUE_BROKERS")?;
    let label = format!("ct-ops migrate-profile ({})", std::process::id());
    let claim = QueueClaim::take_alone(pool, label).await.context("stop the server first")?;
    let done = CancellationToken::new();
    let keeping = tokio::spawn(claim.keep(done.clone()));
    let outcome = move_records(settings, pool, clock, reads, to, brokers).await;
    done.cancel();
    keeping.await.context("giving back the queue's lease")?;
    outcome
}

async fn move_records(
    settings: &Settings,
    pool: &Pool,
    clock: &Clock,
    reads: &[(Topic, &'static str)],
    to: Profile,
    brokers: &str,
) -> Result<String> {
    let embedded = queue::open_embedded(settings, reads, clock.clone()).await?;
    let shared = queue::open_brokers(settings, brokers, reads).await?;
    let (from, target) = match to {
        Profile::Kafka => (&embedded, &shared),
        Profile::Embedded => (&shared, &embedded),
    };
    let (from_queue, target_queue) = (from.handle(), target.handle());
    let moved = transfer(pool, clock, from_queue.as_ref(), target_queue.as_ref(), reads).await;
    let retired = match &moved {
        Ok(_) => retire(from, reads).await,
        Err(_) => String::new(),
    };
    for queue in [&embedded, &shared] {
        queue.close().await;
    }
    drop((from_queue, target_queue));
    let mut text = report(&moved?);
    text.push_str(&retired);
    match to {
        Profile::Kafka => {
            put_aside(&settings.state_dir)?;
            text.push_str(&format!(
                "The old log lies in {OLD_LOG} and can be deleted.\nSet CT_OPS_QUEUE_BROKERS={brokers} for every process, then \
                 start the server."
            ));
        }
        Profile::Embedded => {
            text.push_str("Remove CT_OPS_QUEUE_BROKERS from the settings, then start `ct-ops serve`.");
        }
    }
    Ok(text)
}

/// Makes sure that nobody reads the records of the old queue again by mistake.
#[cfg_attr(not(feature = "kafka"), expect(unused_variables, reason = "only brokers keep records by topic"))]
async fn retire(from: &ServerQueue, reads: &[(Topic, &'static str)]) -> String {
    match from {
        // Put aside as a whole when it is closed.
        ServerQueue::Embedded(_) => String::new(),
        #[cfg(feature = "kafka")]
        ServerQueue::Brokers(queue) => {
            let mut text = String::new();
            let topics: std::collections::BTreeSet<Topic> = reads.iter().map(|(topic, _)| *topic).collect();
            for topic in topics {
                if let Err(error) = queue.discard_all(topic).await {
                    let cause = ctops_base::problem::error_chain(&error);
                    text.push_str(&format!(
                        "{topic}: the brokers did not delete the moved records ({cause}); delete the topic before you use these \
                         brokers again.\n"
                    ));
                }
            }
            text
        }
    }
}

fn put_aside(state_dir: &Path) -> Result<()> {
    let (current, old) = (state_dir.join("queue"), state_dir.join(OLD_LOG));
    if !current.exists() {
        bail!("{} is gone; was it deleted meanwhile?", current.display());
    }
    if old.exists() {
        std::fs::remove_dir_all(&old).with_context(|| format!("deleting {}", old.display()))?;
    }
    std::fs::rename(&current, &old).with_context(|| format!("putting {} aside", current.display()))
}

fn report(moved: &[Transferred]) -> String {
    let mut text = String::new();
    for Transferred { topic, pending, found, published, was_done } in moved {
        let line = match (was_done, found) {
            (true, _) => format!("{topic}: was moved before\n"),
            (false, 0) => format!("{topic}: moved {published} records\n"),
            (false, _) => {
                format!("{topic}: moved {published} records, {pending} together with an earlier run\n")
            }
        };
        text.push_str(&line);
    }
    text
}
