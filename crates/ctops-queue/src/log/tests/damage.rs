//! Torn tails are cut, damage is reported.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use super::*;

/// Where each record of the first segment begins, then where the last one ends.
fn frame_starts(file: &Path) -> Vec<usize> {
    let bytes = fs::read(file).unwrap();
    let mut starts = vec![HEADER_BYTES as usize];
    while let frame::Decoded::Frame(frame) = frame::decode(&bytes[*starts.last().unwrap()..]) {
        starts.push(starts.last().unwrap() + frame.total());
    }
    starts
}

fn flip(file: &Path, at: usize) {
    let file = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at as u64).unwrap();
}

async fn log_with(directory: &Path, payloads: &[&str]) {
    let log = open_local(directory);
    for payload in payloads {
        publish(&log, *payload).await.unwrap();
    }
}

/// Spec: deployment 2
#[tokio::test]
async fn tail_torn_at_any_byte_is_cut_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    log_with(dir.path(), &["first", "second", "third"]).await;
    let file = files(dir.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    let starts = frame_starts(&file);
    assert_eq!(starts.len(), 4);
    for cut in starts[1]..starts[3] {
        for zeros_follow in [true, false] {
            let mut torn = whole[..cut].to_vec();
            if zeros_follow {
                torn.resize(whole.len(), 0);
            }
            fs::write(&file, &torn).unwrap();
            let kept = if cut < starts[2] { 1 } else { 2 };
            let mut expected = ["first", "second"][..kept].to_vec();
            let log = open_local(dir.path());
            assert_eq!(read(&log).await, expected, "cut at {cut}, zeros {zeros_follow}");
            publish(&log, "new").await.unwrap();
            drop(log);
            expected.push("new");
            assert_eq!(read(&open_local(dir.path())).await, expected, "cut at {cut}, zeros {zeros_follow}");
        }
    }
}

#[tokio::test]
async fn bytes_behind_a_cut_tail_never_come_back() {
    let dir = tempfile::tempdir().unwrap();
    {
        let log = open_local(dir.path());
        let group = ["aaaa", "bbbb", "cccc"].map(|payload| (Bytes::from("key"), Bytes::from(payload)));
        log.publish_many(TOPIC, group.to_vec()).await.unwrap();
    }
    let file = files(dir.path()).remove(0);
    flip(&file, frame_starts(&file)[0] + 10);
    let log = open_local(dir.path());
    assert_eq!(read(&log).await, [] as [&str; 0], "records of one group are torn together");
    publish(&log, "dddd").await.unwrap();
    drop(log);
    assert_eq!(
        read(&open_local(dir.path())).await,
        ["dddd"],
        "the old second record has the right offset and place"
    );
}

/// Spec: deployment 2
#[tokio::test]
async fn damage_before_a_later_group_stops_the_start_and_names_the_record() {
    let dir = tempfile::tempdir().unwrap();
    log_with(dir.path(), &["first", "second", "third"]).await;
    let file = files(dir.path()).remove(0);
    let starts = frame_starts(&file);
    let untouched = fs::read(&file).unwrap();
    for at in starts[1]..starts[2] {
        flip(&file, at);
        let error = open(Arc::new(LocalDisk), dir.path()).unwrap_err();
        let QueueError::Corrupt { topic, offset, segment, byte, ref detail } = error else {
            panic!("{error}")
        };
        assert_eq!((topic, offset, segment, byte), (TOPIC, 1, 0, starts[1] as u64), "byte {at}");
        assert!(detail.contains("later record 2 is intact"), "{detail}");
        fs::write(&file, &untouched).unwrap();
    }
    assert_eq!(read(&open_local(dir.path())).await.len(), 3);
}

#[tokio::test]
async fn damage_in_an_older_segment_is_reported_when_read_and_not_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let payload = "x".repeat(900);
    log_with(dir.path(), &[payload.as_str(); 10]).await;
    let all = files(dir.path());
    assert!(all.len() >= 3, "{all:?}");
    flip(&all[0], frame_starts(&all[0])[2] + 40);
    let log = open_local(dir.path());
    for _ in 0..2 {
        let error = try_read(&log).await.unwrap_err();
        assert!(matches!(error, QueueError::Corrupt { offset: 2, segment: 0, .. }), "{error}");
    }
    publish(&log, "publishing goes on").await.unwrap();
}

#[tokio::test]
async fn segment_that_is_missing_in_between_is_reported_when_read() {
    let dir = tempfile::tempdir().unwrap();
    let payload = "x".repeat(900);
    log_with(dir.path(), &[payload.as_str(); 10]).await;
    fs::remove_file(&files(dir.path())[1]).unwrap();
    let error = try_read(&open_local(dir.path())).await.unwrap_err();
    assert!(error.to_string().contains("the segment ends before the next one begins"), "{error}");
}

#[tokio::test]
async fn segment_with_a_damaged_header_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    log_with(dir.path(), &["first"]).await;
    let file = files(dir.path()).remove(0);
    flip(&file, 20);
    let error = open(Arc::new(LocalDisk), dir.path()).unwrap_err();
    assert!(matches!(error, QueueError::Corrupt { byte: 0, .. }), "{error}");
    fs::write(&file, b"short").unwrap();
    let error = open(Arc::new(LocalDisk), dir.path()).unwrap_err();
    assert!(error.to_string().contains("shorter than its header"), "{error}");
}

#[tokio::test]
async fn segment_that_never_got_its_name_is_removed_at_start() {
    let dir = tempfile::tempdir().unwrap();
    log_with(dir.path(), &["first"]).await;
    let left_over = dir.path().join(TOPIC.name()).join("00000000000000000001.tmp");
    fs::write(&left_over, b"half a header").unwrap();
    assert_eq!(read(&open_local(dir.path())).await, ["first"]);
    assert!(!left_over.exists());
}
