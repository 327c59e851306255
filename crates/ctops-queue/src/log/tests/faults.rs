//! A disk that refuses: nothing is acknowledged, and the log recovers as soon as the disk does.

use std::fs::File;
use std::io;
use std::sync::atomic::AtomicBool;

use super::*;

/// The local disk with switches for each kind of failure.
#[derive(Default)]
struct Faulty {
    allocate: AtomicBool,
    write: AtomicBool,
    sync: AtomicBool,
    cut: AtomicBool,
}

fn unless(broken: &AtomicBool) -> io::Result<()> {
    if broken.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

impl Disk for Faulty {
    fn allocate(&self, file: &File, bytes: u64) -> io::Result<()> {
        unless(&self.allocate).and_then(|()| LocalDisk.allocate(file, bytes))
    }

    /// A failing write leaves half of its bytes.
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let broken = unless(&self.write);
        let part = if broken.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        LocalDisk.write(file, part, at).and(broken)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        unless(&self.sync).and_then(|()| LocalDisk.sync(file))
    }

    fn cut(&self, file: &File, bytes: u64) -> io::Result<()> {
        unless(&self.cut).and_then(|()| LocalDisk.cut(file, bytes))
    }
}

/// Publishes around a failure of what `switch` names and checks that only the acknowledged records exist.
async fn check(before: &[&str], switches: fn(&Faulty) -> Vec<&AtomicBool>) {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Faulty::default());
    let log = open(Arc::clone(&disk) as Arc<dyn Disk>, dir.path()).unwrap();
    for payload in before {
        publish(&log, *payload).await.unwrap();
    }
    let set = |broken| switches(&disk).into_iter().for_each(|switch| switch.store(broken, Ordering::SeqCst));
    set(true);
    for _ in 0..3 {
        let refusal = publish(&log, "refused").await.unwrap_err();
        assert!(matches!(refusal, PublishError::Unavailable { topic: TOPIC, .. }), "{refusal}");
        assert_eq!(refusal.to_string(), "the queue cannot store records of events.raw");
        assert_eq!(log.health(), Health::Unavailable);
    }
    assert_eq!(read(&log).await, before);
    set(false);
    publish(&log, "after").await.unwrap();
    assert_eq!(log.health(), Health::Ready);
    let mut expected = before.to_vec();
    expected.push("after");
    assert_eq!(read(&log).await, expected);
    drop(log);
    assert_eq!(read(&open_local(dir.path())).await, expected);
}

#[tokio::test]
async fn log_whose_writes_fail_acknowledges_nothing_and_recovers() {
    check(&["one", "two"], |disk| vec![&disk.write]).await;
    check(&[], |disk| vec![&disk.write]).await;
}

#[tokio::test]
async fn log_whose_syncs_fail_acknowledges_nothing_and_recovers() {
    check(&["one", "two"], |disk| vec![&disk.sync]).await;
    check(&[], |disk| vec![&disk.sync]).await;
}

#[tokio::test]
async fn log_that_can_neither_write_nor_repair_recovers_when_it_can() {
    check(&["one", "two"], |disk| vec![&disk.write, &disk.cut]).await;
}

#[tokio::test]
async fn log_without_space_for_a_first_segment_recovers_when_there_is_some() {
    check(&[], |disk| vec![&disk.allocate]).await;
}

#[tokio::test]
async fn one_failed_sync_moves_writing_to_a_new_segment() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Faulty::default());
    let log = open(Arc::clone(&disk) as Arc<dyn Disk>, dir.path()).unwrap();
    publish(&log, "before").await.unwrap();
    disk.sync.store(true, Ordering::SeqCst);
    publish(&log, "refused").await.unwrap_err();
    disk.sync.store(false, Ordering::SeqCst);
    publish(&log, "after").await.unwrap();
    let files = files(dir.path());
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(files[1].ends_with("00000000000000000001.log"), "the refused record has no offset: {files:?}");
}

#[tokio::test]
async fn segment_without_records_is_replaced_after_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Faulty::default());
    let log = open(Arc::clone(&disk) as Arc<dyn Disk>, dir.path()).unwrap();
    let large = "x".repeat(3000);
    publish(&log, large.clone()).await.unwrap();
    disk.allocate.store(true, Ordering::SeqCst);
    publish(&log, large.clone()).await.unwrap_err();
    assert_eq!(files(dir.path()).len(), 1, "a failed attempt leaves no file");
    publish(&log, "small records still fit").await.unwrap();
    assert_eq!(log.health(), Health::Ready);
    disk.allocate.store(false, Ordering::SeqCst);
    publish(&log, large).await.unwrap();
    assert_eq!(read(&log).await.len(), 3);
}

#[tokio::test]
async fn log_on_a_full_disk_still_opens_for_its_consumers() {
    let dir = tempfile::tempdir().unwrap();
    publish(&open_local(dir.path()), "kept").await.unwrap();
    let disk = Arc::new(Faulty::default());
    disk.allocate.store(true, Ordering::SeqCst);
    let log = open(disk, dir.path()).unwrap();
    assert_eq!(read(&log).await, ["kept"]);
}
