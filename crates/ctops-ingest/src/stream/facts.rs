//! When the slowly changing facts of a host travel again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use ctops_proto::queue::HostFacts;
use tokio::time::Instant;

/// Used space changes with nearly every heartbeat. Smaller moves than a tenth of a percent wait this long, so that the
/// wide host row is not rewritten twice a minute for nothing.
const SMALL_CHANGES_EVERY: Duration = Duration::from_secs(300);
/// Hundredths of a percent in the step of used space that travels at once.
const STEP_CENTI: u32 = 10;

/// Remembers what was sent last on one stream.
#[derive(Default)]
pub(super) struct FactsGate {
    last: Option<Sent>,
}

struct Sent {
    coarse: u64,
    exact: u64,
    at: Instant,
}

impl FactsGate {
    /// Whether `facts` must travel with this report; if so, they count as sent.
    pub(super) fn admit(&mut self, facts: &HostFacts, now: Instant) -> bool {
        let (coarse, exact) = (fingerprint(facts, false), fingerprint(facts, true));
        let changed = match &self.last {
            None => true,
            Some(sent) if sent.coarse != coarse => true,
            Some(sent) => sent.exact != exact && now.duration_since(sent.at) >= SMALL_CHANGES_EVERY,
        };
        if changed {
            self.last = Some(Sent { coarse, exact, at: now });
        }
        changed
    }
}

/// A hash that only has to tell one agent's facts from its previous ones; an agent that forges a collision only hides
/// its own change.
fn fingerprint(facts: &HostFacts, exact: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&facts.agent_version, &facts.os, &facts.arch, &facts.os_version).hash(&mut hasher);
    facts.disks.len().hash(&mut hasher);
    for disk in &facts.disks {
        (&disk.mount_point, &disk.device, &disk.fs_type, disk.total_bytes).hash(&mut hasher);
        if exact {
            (disk.used_bytes, disk.free_bytes, disk.used_centi).hash(&mut hasher);
        } else {
            (disk.used_centi / STEP_CENTI).hash(&mut hasher);
        }
    }
    for interface in &facts.interfaces {
        (&interface.name, &interface.ip_addresses, &interface.mac_address, interface.is_up).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ctops_proto::queue::{Disk, Interface};

    fn facts() -> HostFacts {
        HostFacts {
            agent_version: "1.0.0".to_owned(),
            os: "linux".to_owned(),
            disks: vec![Disk {
                mount_point: "/".to_owned(),
                used_bytes: 500,
                used_centi: 5000,
                ..Disk::default()
            }],
            interfaces: vec![Interface { name: "eth0".to_owned(), is_up: true, ..Interface::default() }],
            ..HostFacts::default()
        }
    }

    #[test]
    fn facts_travel_first_and_then_only_when_changed() {
        let (mut gate, now) = (FactsGate::default(), Instant::now());
        assert!(gate.admit(&facts(), now));
        assert!(!gate.admit(&facts(), now));
        assert!(!gate.admit(&facts(), now + Duration::from_secs(86_400)));
        let changes: [fn(&mut HostFacts); 5] = [
            |f| f.agent_version = "1.0.1".to_owned(),
            |f| f.disks[0].used_centi = 5010,
            |f| f.interfaces[0].is_up = false,
            |f| f.interfaces[0].ip_addresses = vec!["10.0.0.1".to_owned()],
            |f| f.disks.clear(),
        ];
        for change in changes {
            let mut changed = facts();
            change(&mut changed);
            assert!(gate.admit(&changed, now));
            assert!(!gate.admit(&changed, now));
            assert!(gate.admit(&facts(), now), "back to what it was is a change as well");
        }
    }

    #[test]
    fn facts_when_only_used_bytes_moved_a_little_wait_five_minutes() {
        let (mut gate, now) = (FactsGate::default(), Instant::now());
        assert!(gate.admit(&facts(), now));
        let mut moved = facts();
        (moved.disks[0].used_bytes, moved.disks[0].used_centi) = (501, 5003);
        assert!(!gate.admit(&moved, now + SMALL_CHANGES_EVERY - Duration::from_millis(1)));
        assert!(gate.admit(&moved, now + SMALL_CHANGES_EVERY));
    }
}
