//! Topic `metrics.raw`.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ctops_base::id::is_agent_id;
use ctops_pg::Tx;
use ctops_proto::queue::{HostFacts, Report};
use ctops_queue::{Handler, HandlerError, Parked, Record, Topic};
use prost::Message;
use uuid::Uuid;

use super::facts::facts_change;
use super::history::{self, centi};
use super::{id, moment};
use crate::hosts::model::{FactsChange, VitalsChange, VitalsSample};
use crate::hosts::{changes, service, store};
use crate::metrics::NewSample;
use crate::{agents, metrics as series};

/// Reports of hosts that are deleted or were never there.
const DROPPED: &str = "ctops_hosts_reports_dropped_total";

/// Describes the metrics of this slice to the installed recorder.
pub fn describe_metrics() {
    metrics::describe_counter!(
        DROPPED,
        "Reports that were left out because their host is deleted or was never there"
    );
}

/// Figures of a fleet may be this old when they are stored: people see them within two seconds, and 1,000 agents cost less
/// than two transactions a second (architecture, budgets).
const PACE: Duration = Duration::from_millis(1_500);

/// Turns accepted heartbeats into samples, current vitals and facts: one statement each per batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct MetricsConsumer;

#[async_trait]
impl Handler for MetricsConsumer {
    fn group(&self) -> &'static str {
        "metrics"
    }

    fn topic(&self) -> Topic {
        Topic::METRICS_RAW
    }

    fn pace(&self) -> Duration {
        PACE
    }

    async fn apply(&self, tx: &mut Tx<'_>, records: &[Record]) -> Result<Vec<Parked>, HandlerError> {
        let mut parked = Vec::new();
        let mut readings = Vec::with_capacity(records.len());
        for record in records {
            match read(&record.payload) {
                Ok(reading) => readings.push(reading),
                Err(reason) => parked.push(Parked { offset: record.offset, reason }),
            }
        }
        write(tx, readings).await?;
        Ok(parked)
    }
}

/// A report whose values the database takes.
struct Reading {
    host_id: Uuid,
    org_id: Uuid,
    agent_id: String,
    received_at: DateTime<Utc>,
    sample: Option<VitalsSample>,
    history: Vec<NewSample>,
    facts: Option<HostFacts>,
}

fn read(payload: &[u8]) -> Result<Reading, String> {
    let mut report = Report::decode(payload).map_err(|error| format!("not a report: {error}"))?;
    if !is_agent_id(&report.agent_id) {
        return Err("agent_id has not the form of an agent id".to_owned());
    }
    let received_at = moment("received_at_ms", report.received_at_ms)?;
    let recorded_at = moment("recorded_at_ms", report.recorded_at_ms)?;
    let uptime_seconds = report.uptime_seconds;
    if uptime_seconds.is_some_and(|seconds| seconds < 0) {
        return Err("uptime_seconds is negative".to_owned());
    }
    let sample = VitalsSample {
        recorded_at,
        received_at,
        cpu_centi: centi("cpu_centi", report.cpu_centi)?,
        memory_centi: centi("memory_centi", report.memory_centi)?,
        disk_centi: centi("disk_centi", report.disk_centi)?,
        uptime_seconds,
        clock_skewed: report.clock_skewed,
    };
    let host_id = id("host_id", &report.host_id)?;
    // A message that only delivers results is a sign of life and no measurement (monitoring 3).
    let sample = report.is_sample.then_some(sample);
    let history = history::samples(host_id, &mut report, sample.as_ref(), received_at)?;
    Ok(Reading {
        host_id,
        org_id: id("org_id", &report.org_id)?,
        agent_id: report.agent_id,
        received_at,
        sample,
        history,
        facts: report.facts,
    })
}

/// What a batch comes down to.
#[derive(Default)]
struct Changes {
    vitals: HashMap<Uuid, VitalsChange>,
    samples: Vec<NewSample>,
    facts: HashMap<Uuid, FactsChange>,
}

impl Changes {
    /// Takes the readings in the order of the log.
    fn add(&mut self, reading: Reading) {
        let Reading { host_id, received_at, sample, history, facts, .. } = reading;
        let change = self.vitals.entry(host_id).or_insert_with(|| VitalsChange {
            host_id,
            seen_at: received_at,
            newest: None,
        });
        change.seen_at = change.seen_at.max(received_at);
        if let Some(sample) = sample {
            let is_newest =
                change.newest.as_ref().is_none_or(|newest| newest.recorded_at <= sample.recorded_at);
            if is_newest {
                change.newest = Some(sample);
            }
        }
        self.samples.extend(history);
        if let Some(facts) = facts {
            // Facts have no time of their own: what arrived last is true.
            self.facts.insert(host_id, facts_change(host_id, &facts));
        }
    }
}

async fn write(tx: &mut Tx<'_>, readings: Vec<Reading>) -> Result<(), sqlx::Error> {
    // Agents before hosts: the order in which everybody locks.
    record_versions(tx, &readings).await?;
    let mut ids: Vec<Uuid> = readings.iter().map(|reading| reading.host_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let live: HashMap<Uuid, Uuid> = store::lock_hosts(tx, &ids).await?.into_iter().collect();
    let read = readings.len();
    let mut changes = Changes::default();
    let mut kept = 0;
    for reading in readings.into_iter().filter(|reading| live.get(&reading.host_id) == Some(&reading.org_id))
    {
        kept += 1;
        changes.add(reading);
    }
    metrics::counter!(DROPPED).increment((read - kept) as u64);
    if kept == 0 {
        return Ok(());
    }
    series::record(tx, &changes.samples).await?;
    let vitals: Vec<VitalsChange> = changes.vitals.into_values().collect();
    store::change_vitals(tx, &vitals).await?;
    let facts: Vec<FactsChange> = changes.facts.into_values().collect();
    let kinds = if write_facts(tx, &facts, &vitals).await? {
        changes::VITALS.and(changes::HOSTS)
    } else {
        changes::VITALS
    };
    let org = changes::only(vitals.iter().filter_map(|change| live.get(&change.host_id).copied()));
    service::announce(tx, kinds, org).await
}

/// Notes the versions that agents report together with their facts.
async fn record_versions(tx: &mut Tx<'_>, readings: &[Reading]) -> Result<(), sqlx::Error> {
    let versions: HashMap<&str, String> = readings
        .iter()
        .filter_map(|reading| {
            let version = super::facts::label(&reading.facts.as_ref()?.agent_version)?;
            Some((reading.agent_id.as_str(), version))
        })
        .collect();
    if versions.is_empty() {
        return Ok(());
    }
    let (ids, versions): (Vec<String>, Vec<String>) =
        versions.into_iter().map(|(id, version)| (id.to_owned(), version)).unzip();
    agents::record_versions(tx, &ids, &versions).await
}

/// Whether something about a host changed that lists and pages show.
async fn write_facts(
    tx: &mut Tx<'_>,
    facts: &[FactsChange],
    vitals: &[VitalsChange],
) -> Result<bool, sqlx::Error> {
    // The moment the facts count from is that of the latest message of the batch: the queue's time, not this clock's.
    let Some(now) = vitals.iter().map(|change| change.seen_at).max() else { return Ok(false) };
    if facts.is_empty() {
        return Ok(false);
    }
    let changed = store::change_facts(tx, facts, now).await?;
    let ids: Vec<Uuid> = facts.iter().map(|change| change.host_id).collect();
    let versions: Vec<Option<String>> = facts.iter().map(|change| change.agent_version.clone()).collect();
    let copied = store::copy_to_vitals(tx, &ids, &versions).await?;
    Ok(!changed.is_empty() || copied > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn report() -> Report {
        Report {
            host_id: Uuid::from_u128(1).to_string(),
            org_id: Uuid::from_u128(2).to_string(),
            agent_id: "a".repeat(24),
            received_at_ms: 1_780_488_000_000,
            recorded_at_ms: 1_780_488_000_000,
            cpu_centi: Some(10_000),
            is_sample: true,
            ..Report::default()
        }
    }

    fn reason(change: impl FnOnce(&mut Report)) -> String {
        let mut report = report();
        change(&mut report);
        read(&report.encode_to_vec()).err().unwrap_or_default()
    }

    /// Spec: monitoring 1, 3
    #[test]
    fn read_keeps_absent_values_absent_and_takes_samples_only_from_samples() {
        let sample = read(&report().encode_to_vec()).unwrap().sample.unwrap();
        assert_eq!(
            (sample.cpu_centi, sample.memory_centi, sample.uptime_seconds),
            (Some(10_000), None, None)
        );
        let delivery = Report { is_sample: false, ..report() };
        assert!(read(&delivery.encode_to_vec()).unwrap().sample.is_none());
    }

    #[test]
    fn read_of_values_the_database_would_refuse_says_which() {
        assert_eq!(reason(|_| ()), "");
        assert!(reason(|r| r.host_id = "host".into()).contains("host_id"));
        assert!(reason(|r| r.org_id.clear()).contains("org_id"));
        assert!(reason(|r| r.agent_id = "A".repeat(24)).contains("agent_id"));
        assert!(reason(|r| r.disk_centi = Some(10_001)).contains("disk_centi is 10001"));
        assert!(reason(|r| r.uptime_seconds = Some(-1)).contains("uptime"));
        assert!(reason(|r| r.recorded_at_ms = i64::MAX).contains("recorded_at_ms"));
        assert!(reason(|r| r.received_at_ms = -1).contains("received_at_ms"));
        assert!(read(b"\xff\xff\xff").err().unwrap().starts_with("not a report"));
    }

    #[test]
    fn changes_of_one_host_keep_the_newest_sample_and_the_last_arrival() {
        let at = |recorded_ms: i64, received_ms: i64, cpu| {
            let report = Report {
                recorded_at_ms: 1_780_488_000_000 + recorded_ms,
                received_at_ms: 1_780_488_000_000 + received_ms,
                cpu_centi: Some(cpu),
                ..report()
            };
            read(&report.encode_to_vec()).unwrap()
        };
        let mut changes = Changes::default();
        for reading in [at(1_000, 5_000, 1), at(3_000, 4_000, 2), at(2_000, 6_000, 3)] {
            changes.add(reading);
        }
        let change = &changes.vitals[&Uuid::from_u128(1)];
        assert_eq!(change.newest.as_ref().unwrap().cpu_centi, Some(2));
        assert_eq!(change.seen_at.timestamp_millis(), 1_780_488_006_000);
        assert_eq!(changes.samples.len(), 3, "late samples are history all the same");
    }
}
