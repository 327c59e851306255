//! Sizes of the mounted file systems (statvfs(3)).

use std::time::Duration;

use ctops_base::text;
use ctops_proto::agent::DiskInfo;
use ctops_proto::limits;
use nix::sys::statvfs::statvfs;
use tokio::task::JoinHandle;
use tracing::warn;

use super::mounts::{self, Mount};

/// How long file systems of other machines may take to answer.
const REMOTE_PATIENCE: Duration = Duration::from_secs(2);

/// Measures file systems. Those of other machines are asked on a thread of their own, since a dead server blocks the
/// caller for ever; while it does, they are left out and the rest of the report is not held up.
#[derive(Debug, Default)]
pub struct DiskMeter {
    remote: Option<JoinHandle<Vec<DiskInfo>>>,
}

impl DiskMeter {
    /// The file systems of the mount table `mountinfo` that have a size, in its order, remote ones last.
    pub async fn measure(&mut self, mountinfo: &str) -> Vec<DiskInfo> {
        let (remote, local): (Vec<_>, Vec<_>) =
            mounts::parse(mountinfo, limits::MAX_DISKS).into_iter().partition(Mount::is_remote);
        let mut disks: Vec<DiskInfo> = local.iter().filter_map(size_of).collect();
        disks.extend(self.measure_remote(remote).await);
        disks
    }

    async fn measure_remote(&mut self, mounts: Vec<Mount>) -> Vec<DiskInfo> {
        if mounts.is_empty() && self.remote.is_none() {
            return Vec::new();
        }
        let fresh = self.remote.is_none();
        let mut task = self.remote.take().unwrap_or_else(|| {
            tokio::task::spawn_blocking(move || mounts.iter().filter_map(size_of).collect())
        });
        // A thread left over from an earlier report has had its time.
        let patience = if fresh { REMOTE_PATIENCE } else { Duration::ZERO };
        match tokio::time::timeout(patience, &mut task).await {
            Ok(result) => result.unwrap_or_default(),
            Err(_) => {
                if fresh {
                    warn!(waited = ?REMOTE_PATIENCE, "a network file system does not answer, leaving all of them out");
                }
                self.remote = Some(task);
                Vec::new()
            }
        }
    }
}

/// The root file system's use in per cent; without one, that of the first file system.
pub fn headline_percent(disks: &[DiskInfo]) -> Option<f32> {
    let root = disks.iter().find(|disk| disk.mount_point == "/");
    root.or_else(|| disks.first()).map(|disk| disk.percent_used)
}

/// `None` for file systems without size and those that cannot be asked.
fn size_of(mount: &Mount) -> Option<DiskInfo> {
    let stat = statvfs(mount.point.as_str()).ok()?;
    let block = stat.fragment_size();
    let total = stat.blocks().saturating_mul(block);
    let free = stat.blocks_free().saturating_mul(block).min(total);
    sized(mount, total, free)
}

fn sized(mount: &Mount, total: u64, free: u64) -> Option<DiskInfo> {
    if total == 0 {
        return None;
    }
    let used = total - free;
    #[expect(clippy::cast_precision_loss, reason = "a percentage needs no more than the precision of f64")]
    let percent = used as f64 / total as f64 * 100.0;
    Some(DiskInfo {
        mount_point: text::clean(&mount.point, limits::MAX_PATH_CHARS),
        device: text::clean(&mount.device, limits::MAX_LABEL_CHARS),
        fs_type: text::clean(&mount.fs_type, limits::MAX_LABEL_CHARS),
        total_bytes: total,
        used_bytes: used,
        free_bytes: free,
        #[expect(clippy::cast_possible_truncation, reason = "a value from 0 to 100 fits")]
        percent_used: percent as f32,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn mount(point: &str) -> Mount {
        mounts::parse(&format!("1 1 8:1 / {point} rw - ext4 /dev/sda rw\n"), 1).remove(0)
    }

    #[test]
    fn size_when_known_then_gives_used_free_and_percent() {
        let disk = sized(&mount("/"), 1000, 250).unwrap();
        assert_eq!((disk.total_bytes, disk.used_bytes, disk.free_bytes), (1000, 750, 250));
        assert!((disk.percent_used - 75.0).abs() < f32::EPSILON);
        assert_eq!(sized(&mount("/"), 0, 0), None);
    }

    /// Spec: monitoring 1
    #[test]
    fn headline_when_there_is_a_root_then_is_the_root_else_the_first_else_absent() {
        let disk = |point, used: u64| sized(&mount(point), 100, 100 - used).unwrap();
        assert_eq!(headline_percent(&[disk("/a", 10), disk("/", 20)]), Some(20.0));
        assert_eq!(headline_percent(&[disk("/a", 10), disk("/b", 20)]), Some(10.0));
        assert_eq!(headline_percent(&[]), None);
    }

    #[tokio::test]
    async fn file_system_when_it_cannot_be_asked_then_is_left_out() {
        let table = "1 1 8:1 / / rw - ext4 /dev/sda rw\n2 1 8:2 / /nonexistent rw - ext4 /dev/sdb rw\n\
                     3 1 0:9 / /nonexistent/n rw - nfs4 server:/ rw\n";
        let disks = DiskMeter::default().measure(table).await;
        assert_eq!(disks.iter().map(|disk| disk.mount_point.as_str()).collect::<Vec<_>>(), ["/"]);
    }

    #[tokio::test]
    async fn network_file_system_when_it_hangs_then_is_left_out_until_it_answers() {
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let stuck = tokio::task::spawn_blocking(move || {
            let _ = blocked.recv();
            vec![DiskInfo { mount_point: "/late".to_owned(), ..DiskInfo::default() }]
        });
        let mut meter = DiskMeter { remote: Some(stuck) };
        assert!(meter.measure("").await.is_empty());
        assert!(meter.measure("").await.is_empty(), "asking again does not wait either");
        release.send(()).unwrap();
        let task = meter.remote.take().unwrap();
        assert_eq!(task.await.unwrap()[0].mount_point, "/late");
    }
}
