//! A process that publishes is killed at random moments; what it had acknowledged must be there, once.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use ctops_base::clock::Clock;
use ctops_queue::log::Log;
use ctops_queue::{Queue, QueueError, Topic};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::{Member, open, small};

const TOPIC: Topic = Topic::METRICS_RAW;
const ROUNDS: u32 = 12;
const PUBLISHERS: u32 = 8;
/// Tells the child below where to publish, and in which round.
const DIRECTORY: &str = "CTOPS_QUEUE_TEST_DIRECTORY";
const ROUND: &str = "CTOPS_QUEUE_TEST_ROUND";

/// The process that gets killed: this test does nothing unless the one below starts it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_publishes_until_it_is_killed() {
    let (Ok(directory), Ok(round)) = (std::env::var(DIRECTORY), std::env::var(ROUND)) else {
        return;
    };
    let log = open(small(Path::new(&directory), &[TOPIC])).await;
    // Ends the line that the test harness has begun.
    say("");
    let publishers = (0..PUBLISHERS).map(|publisher| {
        let (log, round) = (Arc::clone(&log), round.clone());
        tokio::spawn(async move {
            for number in 0.. {
                let payload = format!("{round} {publisher} {number} {}", "x".repeat(number % 500));
                log.publish(TOPIC, Bytes::new(), Bytes::from(payload)).await.unwrap();
                say(&format!("acknowledged {round} {publisher} {number}"));
            }
        })
    });
    for publisher in publishers.collect::<Vec<_>>() {
        publisher.await.unwrap();
    }
}

/// Writes a line in one system call, past the capturing of the test harness.
fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}

fn start_child(directory: &Path, round: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_publishes_until_it_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the child after so many acknowledgements; returns all of them.
fn kill_after(mut child: Child, count: usize) -> Vec<String> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    // What the child wrote before it died is still read after the kill.
    for line in lines {
        if let Some(record) = line.unwrap().strip_prefix("acknowledged ") {
            acknowledged.push(record.to_owned());
        }
        if acknowledged.len() == count {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success(), "the child was killed, not finished");
    acknowledged
}

/// Spec: deployment 2
#[tokio::test]
async fn process_killed_at_random_moments_loses_no_acknowledged_record_and_doubles_none() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let count = random.random_range(1..600);
        acknowledged.extend(kill_after(start_child(directory.path(), round), count));
        let log = open(small(directory.path(), &[TOPIC])).await;
        let mut member = Member::join(log.as_ref(), "g", TOPIC).await;
        check(&member.read_all().await, &acknowledged, seed, round);
        drop(member);
        log.close().await;
    }
}

fn check(stored: &[String], acknowledged: &[String], seed: u64, round: u32) {
    let mut next: HashMap<(&str, &str), u64> = HashMap::new();
    for record in stored {
        let mut words = record.split(' ');
        let publisher = (words.next().unwrap(), words.next().unwrap());
        let number: u64 = words.next().unwrap().parse().unwrap();
        let expected = next.entry(publisher).or_default();
        assert_eq!(number, *expected, "seed {seed}, round {round}: publisher {publisher:?} is out of order");
        *expected += 1;
    }
    for record in acknowledged {
        let mut words = record.split(' ');
        let publisher = (words.next().unwrap(), words.next().unwrap());
        let number: u64 = words.next().unwrap().parse().unwrap();
        let stored = next.get(&publisher).copied().unwrap_or_default();
        assert!(number < stored, "seed {seed}, round {round}: acknowledged record {record} is lost");
    }
}

#[tokio::test]
async fn directory_of_another_living_process_is_refused_until_it_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start_child(directory.path(), 0);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("acknowledged")));
    let refusal = Log::open(small(directory.path(), &[TOPIC]), Clock::system()).await.unwrap_err();
    child.kill().unwrap();
    child.wait().unwrap();
    let QueueError::Locked { holder } = refusal else { panic!("{refusal}") };
    assert_eq!(holder, format!("process {}", child.id()));
    Log::open(small(directory.path(), &[TOPIC]), Clock::system()).await.unwrap();
}
