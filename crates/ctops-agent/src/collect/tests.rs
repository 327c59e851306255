#![allow(clippy::unwrap_used)]

use std::fs;

use super::*;
use proptest::prelude::*;

/// A machine made of files.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["proc/self", "proc/net", "proc/1", "proc/77", "etc/ssh"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let machine = Self(dir);
        for (name, content) in files {
            machine.write(name, content.as_bytes());
        }
        machine
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.0.path().join(name), content).unwrap();
    }

    fn sources(&self) -> Sources {
        let [proc, etc, run] = ["proc", "etc", "run"].map(|name| self.0.path().join(name));
        Sources { proc, etc, run }
    }

    fn collector(&self) -> Collector {
        let clock = Clock::manual(chrono::DateTime::from_timestamp(1_780_272_000, 0).unwrap());
        Collector::new(self.sources(), clock, Duration::from_secs(30))
    }
}

const COMPLETE: &[(&str, &str)] = &[
    ("proc/stat", "cpu  1000 100 500 8000 400 0 0 0 0 0\n"),
    ("proc/meminfo", "MemTotal: 8000 kB\nMemAvailable: 6000 kB\nSwapTotal: 1000 kB\nSwapFree: 750 kB\n"),
    ("proc/loadavg", "0.52 1.58 2.59 1/467 12345\n"),
    ("proc/net/dev", "lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\neth0: 1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n"),
    (
        "etc/ssh/ssh_host_ed25519_key.pub",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEnnpBXBswPuugQkLDKwbrVlyz4GJFcYQou6ck4BlnF5 root@example\n",
    ),
    ("proc/uptime", "12345.67 1.0\n"),
    ("proc/self/mountinfo", "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n"),
    ("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
    ("etc/machine-id", "0123456789abcdef0123456789ABCDEF\n"),
];

/// Spec: monitoring 1
#[tokio::test]
async fn report_when_everything_can_be_read_then_is_complete_from_the_second_one() {
    let machine = Machine::new(COMPLETE);
    let mut collector = machine.collector();
    let first = collector.collect().await;
    assert_eq!(first.absent_vitals, ["cpu"], "processor use needs two readings");
    machine.write("proc/stat", b"cpu  1150 100 550 8700 500 0 0 0 70 0\n");
    let report = collector.collect().await;
    assert!(report.absent_vitals.is_empty());
    assert_eq!((report.cpu_percent, report.memory_percent), (20.0, 25.0));
    assert_eq!((report.uptime_seconds, report.timestamp_unix), (12345, 1_780_272_000));
    assert_eq!(report.disks.len(), 1);
    assert_eq!(report.disk_percent, report.disks[0].percent_used);
    assert_eq!(report.os_version, "Debian GNU/Linux 12 (bookworm)");
    assert_eq!((report.os.as_str(), report.interval_seconds), ("linux", 30));
    assert_eq!(report.agent_version, crate::VERSION);
}

/// Spec: monitoring 2
#[tokio::test]
async fn report_when_everything_can_be_read_then_has_load_swap_processes_traffic_and_host_keys() {
    let machine = Machine::new(COMPLETE);
    let mut collector = machine.collector();
    let now = Instant::now();
    let first = collector.collect_at(now).await;
    assert_eq!(first.measurements.unwrap().network, [], "rates need two readings");
    assert_eq!(first.ssh_host_keys.len(), 1);
    machine.write("proc/net/dev", b"eth0: 3000 1 0 0 0 0 0 0 500 1 5 0 0 0 0 0\n");
    let more = collector.collect_at(now + Duration::from_secs(10)).await.measurements.unwrap();
    assert_eq!((more.load1_centi, more.load5_centi, more.load15_centi), (Some(52), Some(158), Some(259)));
    assert_eq!((more.swap_centi, more.process_count), (Some(2500), Some(2)));
    let eth0 = &more.network[0];
    assert_eq!((eth0.name.as_str(), eth0.receive_bytes, eth0.transmit_bytes), ("eth0", 200, 0));
    assert_eq!((eth0.receive_errors_centi, eth0.transmit_errors_centi), (0, 50));
}

/// Spec: agents-enrolment 32
#[tokio::test]
async fn metric_when_turned_off_then_is_absent_and_not_even_read() {
    let machine = Machine::new(COMPLETE);
    let mut collector = machine.collector();
    let now = Instant::now();
    let at = |seconds| now + Duration::from_secs(seconds);
    collector.collect_at(now).await;
    let off = PushedConfig {
        revision: 7,
        collect_cpu: false,
        collect_memory: false,
        collect_disk: false,
        collect_network: false,
        ..PushedConfig::default()
    };
    collector.configure(off, Duration::from_secs(60));
    machine.write("proc/stat", b"cpu  1150 100 550 8700 500 0 0 0 70 0\n");
    let report = collector.collect_at(at(30)).await;
    assert_eq!(report.absent_vitals, ["cpu", "memory", "disk"]);
    assert!(report.disks.is_empty());
    assert_eq!(report.measurements, Some(Measurements::default()));
    assert_eq!((report.config_revision, report.interval_seconds), (7, 60));
    collector.configure(PushedConfig { revision: 8, ..PushedConfig::default() }, Duration::from_secs(30));
    let report = collector.collect_at(at(60)).await;
    assert_eq!(report.absent_vitals, ["cpu"], "turned on again it begins anew");
    assert_eq!(report.measurements.unwrap().network, []);
}

/// Spec: monitoring 1
#[tokio::test]
async fn value_when_it_cannot_be_read_then_is_named_absent_and_not_zero() {
    let report = Machine::new(&[]).collector().collect().await;
    assert_eq!(report.absent_vitals, ["cpu", "memory", "disk", "uptime"]);
    let machine = Machine::new(COMPLETE);
    machine.write("proc/meminfo", b"\xff\xfe nonsense");
    machine.write("proc/uptime", b"soon");
    let report = machine.collector().collect().await;
    assert_eq!(report.absent_vitals, ["cpu", "memory", "uptime"]);
}

#[test]
fn machine_id_when_present_then_is_hashed_and_stable() {
    let expected =
        hex(digest::digest(&digest::SHA256, b"ct-ops machine id\n0123456789abcdef0123456789abcdef").as_ref());
    assert_eq!(Machine::new(COMPLETE).sources().machine_id(), expected);
    for bad in ["", "uninitialized\n", "0123\n", &"0".repeat(300)] {
        assert_eq!(Machine::new(&[("etc/machine-id", bad)]).sources().machine_id(), "", "{bad:?}");
    }
}

#[test]
fn this_machine_when_described_then_has_a_name_and_an_architecture_of_go() {
    assert!(!hostname().is_empty());
    assert!(["amd64", "arm64", "386", "riscv64", "arm"].contains(&arch()), "{}", arch());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_content_of_proc_gives_a_report_within_the_limits(
        stat: Vec<u8>, meminfo: Vec<u8>, uptime: Vec<u8>, more: Vec<u8>, mounts in "([0-9]:[0-9] |/[a-z\u{1b}\u{202e}]{0,9} | - ext4 |\n)*", release: Vec<u8>,
    ) {
        let machine = Machine::new(&[]);
        machine.write("proc/stat", &stat);
        machine.write("proc/meminfo", &meminfo);
        machine.write("proc/uptime", &uptime);
        machine.write("proc/loadavg", &more);
        machine.write("proc/net/dev", &more);
        machine.write("etc/ssh/ssh_host_x.pub", &more);
        machine.write("proc/self/mountinfo", mounts.as_bytes());
        machine.write("etc/os-release", &release);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let report = runtime.block_on(machine.collector().collect());
        prop_assert!((0.0..=100.0).contains(&report.memory_percent) && report.uptime_seconds >= 0);
        prop_assert!(report.disks.iter().all(|disk| !disk.mount_point.chars().any(char::is_control)));
        prop_assert!(report.os_version.chars().count() <= limits::MAX_LABEL_CHARS);
    }
}
