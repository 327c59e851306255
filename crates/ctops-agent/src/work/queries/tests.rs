#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use ctops_proto::agent::ServiceInfo;

fn query(query_type: &str) -> AgentQuery {
    AgentQuery { query_id: "q".to_owned(), query_type: query_type.to_owned() }
}

/// Spec: monitoring 23
#[tokio::test]
async fn ports_when_asked_for_then_name_a_listener_of_this_process() {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp =
        std::net::UdpSocket::bind("[::1]:0").or_else(|_| std::net::UdpSocket::bind("127.0.0.1:0")).unwrap();
    let result = answer(query("list_ports"), Sources::system(), &Programs::system()).await;
    assert_eq!((result.status.as_str(), result.query_id.as_str()), ("ok", "q"));
    let of = |port: u16, protocol: &str| {
        result.ports.iter().find(|info| info.port == i32::from(port) && info.protocol == protocol)
    };
    assert!(!of(tcp.local_addr().unwrap().port(), "tcp").unwrap().process.is_empty());
    assert!(of(udp.local_addr().unwrap().port(), "udp").is_some());
}

#[tokio::test]
async fn ports_when_they_cannot_be_read_then_the_error_is_that_of_the_original() {
    let nowhere = Sources {
        proc: "/nonexistent".into(),
        etc: "/nonexistent/etc".into(),
        run: "/nonexistent/run".into(),
    };
    let result = answer(query("list_ports"), nowhere.clone(), &Programs::system()).await;
    assert_eq!(result.status, "error");
    assert!(result.error.starts_with("neither 'ss' nor 'netstat' available: "), "{}", result.error);
    let result = answer(query("list_services"), nowhere.clone(), &Programs::system()).await;
    assert_eq!(result.error, "systemd is not available on this host");
    let result = answer(query("other"), nowhere, &Programs::system()).await;
    assert_eq!(result.error, "unknown query type: other");
}

#[tokio::test]
async fn services_when_asked_for_then_are_those_systemctl_lists() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("run/systemd/system")).unwrap();
    let systemctl = dir.path().join("systemctl");
    let write = |script: &str| {
        fs::write(&systemctl, script).unwrap();
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let sources =
        Sources { proc: dir.path().join("proc"), etc: dir.path().join("etc"), run: dir.path().join("run") };
    let programs = Programs::in_directories(&dir.path().display().to_string());
    write("#!/bin/sh\necho '  cron.service  loaded active running Regular jobs'\necho bad\n");
    let result = answer(query("list_services"), sources.clone(), &programs).await;
    let expected = ServiceInfo {
        name: "cron.service".to_owned(),
        load_state: "loaded".to_owned(),
        active_sub: "running".to_owned(),
    };
    assert_eq!(result.services, [expected]);
    write("#!/bin/sh\necho 'no bus' >&2\nexit 1\n");
    let result = answer(query("list_services"), sources, &programs).await;
    assert_eq!(result.error, "systemctl failed: exit code 1: no bus");
}
