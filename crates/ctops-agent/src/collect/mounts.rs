//! The mount table `/proc/self/mountinfo` (proc_pid_mountinfo(5)): which mounts are real file systems.

/// File systems that hold no files of their own (wire contract 5.7). `autofs` is added: asking for its size would
/// mount what is behind it.
const SKIPPED: &[&str] = &[
    "tmpfs",
    "devtmpfs",
    "proc",
    "sysfs",
    "devpts",
    "cgroup",
    "cgroup2",
    "pstore",
    "debugfs",
    "tracefs",
    "securityfs",
    "hugetlbfs",
    "mqueue",
    "fusectl",
    "configfs",
    "ramfs",
    "bpf",
    "overlay",
    "squashfs",
    "nsfs",
    "autofs",
];

/// One mount of a real file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: String,
    /// What is mounted: usually a device.
    pub device: String,
    /// Type of the file system.
    pub fs_type: String,
    /// Number of the device, as text.
    number: String,
    /// Which directory of the file system is mounted.
    root: String,
}

impl Mount {
    /// Whether another machine or a program serves it, which may never answer.
    pub fn is_remote(&self) -> bool {
        self.fs_type.starts_with("fuse")
            || self.fs_type.starts_with("nfs")
            || ["cifs", "smb3", "9p", "ceph", "glusterfs", "lustre", "afs", "ocfs2", "gfs2", "virtiofs"]
                .contains(&self.fs_type.as_str())
    }

    /// Whether this is a directory of `other`'s file system, mounted a second time: the sandbox of the service
    /// manager is made of such mounts, and so are most bind mounts. Sub-volumes lie beside each other and stay.
    fn repeats(&self, other: &Self) -> bool {
        self.number == other.number
            && self
                .root
                .strip_prefix(&other.root)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || other.root.ends_with('/'))
    }
}

/// The mounts of real file systems, one per mount point (the last one hides the others), at most `limit`.
pub fn parse(mountinfo: &str, limit: usize) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for mount in mountinfo.lines().filter_map(parse_line) {
        if SKIPPED.contains(&mount.fs_type.as_str()) {
            // What is hidden under it cannot be measured.
            mounts.retain(|known| known.point != mount.point);
            continue;
        }
        if let Some(known) = mounts.iter_mut().find(|known| known.point == mount.point) {
            *known = mount;
        } else if mounts.len() < limit && !mounts.iter().any(|known| mount.repeats(known)) {
            mounts.push(mount);
        }
    }
    mounts
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn parse_line(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ');
    let number = left.nth(2)?.to_owned();
    let (root, point) = (unescape(left.next()?), unescape(left.next()?));
    let mut right = right.split(' ');
    let (fs_type, device) = (right.next()?.to_owned(), unescape(right.next()?));
    Some(Mount { point, device, fs_type, number, root })
}

/// Blank, tab, newline and backslash stand as three octal digits behind a backslash.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits =
            tail.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(|d| matches!(d, b'0'..=b'7')));
        let octal = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    const TABLE: &str = "\
22 28 0:20 / /proc rw,nosuid shared:5 - proc proc rw
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 28 254:2 / /srv/my\\040data rw shared:2 - xfs /dev/mapper/data\\134x rw
31 28 0:50 / /mnt/nfs rw - nfs4 server:/export rw
32 28 254:1 /var/lib/ct-ops /var/lib/ct-ops rw - ext4 /dev/vda1 rw
33 28 0:60 /@ /btrfs rw - btrfs /dev/vdb rw
34 28 0:60 /@home /home rw - btrfs /dev/vdb rw
35 28 0:70 / /run rw - tmpfs tmpfs rw
36 28 0:71 / /auto rw - autofs systemd-1 rw
";

    fn points(table: &str) -> Vec<String> {
        parse(table, 100).into_iter().map(|mount| mount.point).collect()
    }

    #[test]
    fn table_when_read_then_lists_real_file_systems_once() {
        assert_eq!(points(TABLE), ["/", "/srv/my data", "/mnt/nfs", "/btrfs", "/home"]);
        let mounts = parse(TABLE, 100);
        assert_eq!((mounts[1].device.as_str(), mounts[1].fs_type.as_str()), ("/dev/mapper/data\\x", "xfs"));
        assert!(mounts[2].is_remote() && !mounts[1].is_remote());
        assert_eq!(parse(TABLE, 2).len(), 2, "the list is bounded");
    }

    #[test]
    fn mount_point_when_used_twice_then_the_last_one_counts() {
        let twice = format!(
            "{TABLE}40 28 254:9 / /home rw - ext4 /dev/vdc rw\n41 28 0:99 / /btrfs rw - tmpfs tmpfs rw\n"
        );
        assert_eq!(points(&twice), ["/", "/srv/my data", "/mnt/nfs", "/home"]);
        assert_eq!(parse(&twice, 100)[3].device, "/dev/vdc");
    }

    #[test]
    fn directory_with_a_similar_name_when_mounted_again_then_is_no_repetition() {
        let table = "1 1 8:1 /data /a rw - ext4 /dev/sda rw\n2 1 8:1 /database /b rw - ext4 /dev/sda rw\n\
                     3 1 8:1 /data/x /c rw - ext4 /dev/sda rw\n";
        assert_eq!(points(table), ["/a", "/b"]);
    }

    #[test]
    fn line_when_damaged_then_is_skipped() {
        assert!(parse("\n- \n1 2 3\n1 2 3 / /x rw - ext4\n x - y z\n", 10).is_empty());
        assert_eq!(unescape("a\\04"), "a\\04");
        assert_eq!(unescape("a\\999b\\"), "a\\999b\\");
    }

    proptest! {
        #[test]
        fn any_table_is_read_without_panic(table in "([0-9:]{1,4} |/[a-z\\\\]{0,4}[0-7]{0,3} | - |ext4 |\\PC|\n)*") {
            prop_assert!(parse(&table, 5).len() <= 5);
        }
    }
}
