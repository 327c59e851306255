//! The systemd unit (systemd.service(5), systemd.exec(5)).

use std::path::Path;

use super::layout::{ACCOUNT, BINARY};
use super::{Account, InstallError};
use crate::flags::DEFAULT_CONFIG;
use crate::watchdog::{Allowance, DEFAULT_CPU_PERCENT};

/// What systemd grants beyond the limit that the agent keeps by itself, MiB: the page cache counts there too.
const MEMORY_RESERVE_MIB: u64 = 32;

/// The unit of a service that runs as `account`, with the rights of `groups` too, and may write `data_dir` only.
///
/// The sandbox leaves open what the agent reads: `/proc` of all processes and the sizes of all file systems. Hence
/// `ProtectHome=read-only`, not `yes`, which would hide a `/home` of its own. Updated programs lie in the data directory,
/// so the program in `/usr/local/bin` stays out of reach.
///
/// # Errors
/// When `data_dir` cannot be written in a unit.
pub(super) fn text(
    account: Account,
    groups: &[&str],
    data_dir: &Path,
    allowance: Allowance,
) -> Result<String, InstallError> {
    let data_dir = quoted(data_dir)?;
    let revoked = crate::EXIT_REVOKED;
    let memory = (allowance.memory_bytes >> 20) + MEMORY_RESERVE_MIB;
    let cpu = allowance.cpu_percent.max(DEFAULT_CPU_PERCENT);
    let user = match account {
        Account::Root => String::new(),
        Account::Service if groups.is_empty() => format!("User={ACCOUNT}\nGroup={ACCOUNT}\n"),
        // systemd does not start a service with a group that does not exist.
        Account::Service => {
            format!("User={ACCOUNT}\nGroup={ACCOUNT}\nSupplementaryGroups={}\n", groups.join(" "))
        }
    };
    Ok(format!(
        "\
[Unit]
Description=CT-Ops Agent
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={BINARY} -config {DEFAULT_CONFIG}
Restart=always
RestartSec=5
RestartPreventExitStatus={revoked}
TimeoutStopSec=10
StandardOutput=journal
StandardError=journal
{user}\
UMask=0077
MemoryMax={memory}M
CPUQuota={cpu}%
TasksMax=64
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths={data_dir}
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"
    ))
}

/// A path as one word of a unit: in quotes, with specifiers escaped.
fn quoted(path: &Path) -> Result<String, InstallError> {
    let refused = || InstallError::DataDir(path.to_owned());
    let text = path.to_str().filter(|_| path.is_absolute()).ok_or_else(refused)?;
    if text.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | '\'')) {
        return Err(refused());
    }
    Ok(format!("\"{}\"", text.replace('%', "%%")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Spec: agents-enrolment 25
    #[test]
    fn unit_when_written_then_restarts_always_but_not_after_a_revocation() {
        let unit =
            text(Account::Service, &[], Path::new("/var/lib/ct-ops/agent"), Allowance::default()).unwrap();
        for line in [
            "ExecStart=/usr/local/bin/ct-ops-agent -config /etc/ct-ops/agent.toml",
            "Restart=always",
            "RestartSec=5",
            "RestartPreventExitStatus=3",
            "User=ct-ops",
            "Group=ct-ops",
            "MemoryMax=96M",
            "CPUQuota=20%",
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "ReadWritePaths=\"/var/lib/ct-ops/agent\"",
            "WantedBy=multi-user.target",
        ] {
            assert!(unit.lines().any(|found| found == line), "{line}");
        }
        let as_root =
            text(Account::Root, &[], Path::new("/var/lib/ct-ops/agent"), Allowance::default()).unwrap();
        assert!(!as_root.contains("User=") && as_root.contains("StandardError=journal\nUMask=0077\n"));
    }

    /// Spec: agents-enrolment 25
    #[test]
    fn unit_when_a_container_engine_is_there_then_may_use_its_socket_and_read_proc() {
        let data_dir = Path::new("/var/lib/ct-ops/agent");
        let unit = text(Account::Service, &["docker"], data_dir, Allowance::default()).unwrap();
        assert!(unit.lines().any(|line| line == "SupplementaryGroups=docker"));
        let families = unit.lines().find(|line| line.starts_with("RestrictAddressFamilies=")).unwrap();
        assert!(families.split(['=', ' ']).any(|family| family == "AF_UNIX"), "{families}");
        for hides in ["ProtectProc=", "ProcSubset=", "PrivateNetwork=", "PrivateMounts=", "ProtectHome=yes"] {
            assert!(!unit.contains(hides), "{hides} would hide what is measured");
        }
        let as_root = text(Account::Root, &["docker"], data_dir, Allowance::default()).unwrap();
        assert!(!as_root.contains("SupplementaryGroups="));
    }

    #[test]
    fn data_directory_when_it_could_break_the_unit_then_is_refused() {
        assert!(
            text(Account::Root, &[], Path::new("/srv/50%/my data"), Allowance::default())
                .unwrap()
                .contains("ReadWritePaths=\"/srv/50%%/my data\"")
        );
        for bad in ["relative", "/a\nUser=root", "/a\"b", "/a\\b"] {
            assert!(text(Account::Root, &[], Path::new(bad), Allowance::default()).is_err(), "{bad:?}");
        }
    }
}
