//! Facts of a report as the record keeps them.

use std::net::IpAddr;

use ctops_base::text::clean;
use ctops_proto::limits::{MAX_ADDRESSES, MAX_DISKS, MAX_INTERFACES, MAX_LABEL_CHARS, MAX_PATH_CHARS};
use ctops_proto::queue::{Disk, HostFacts, Interface};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::hosts::model::{FactsChange, percent};

/// Interfaces of containers and virtual machines: their addresses say nothing about where the host is (hosts 21).
const INNER_INTERFACES: [&str; 9] =
    ["br-", "cali", "cni", "docker", "flannel", "lxcbr", "podman", "veth", "virbr"];

/// What the report says about the host. Empty texts and lists say nothing.
pub(super) fn facts_change(host_id: Uuid, facts: &HostFacts) -> FactsChange {
    let disks: Vec<Value> = facts.disks.iter().take(MAX_DISKS).map(disk).collect();
    let interfaces: Vec<Value> = facts.interfaces.iter().take(MAX_INTERFACES).map(interface).collect();
    let addresses = addresses(&facts.interfaces);
    FactsChange {
        host_id,
        agent_version: label(&facts.agent_version),
        os: label(&facts.os),
        os_version: label(&facts.os_version),
        arch: label(&facts.arch),
        ip_addresses: (!addresses.is_empty()).then_some(addresses),
        disks: (!disks.is_empty()).then_some(Value::Array(disks)),
        interfaces: (!interfaces.is_empty()).then_some(Value::Array(interfaces)),
    }
}

/// A short text, if there is any.
pub(super) fn label(text: &str) -> Option<String> {
    Some(clean(text, MAX_LABEL_CHARS)).filter(|text| !text.is_empty())
}

fn disk(disk: &Disk) -> Value {
    let centi = i16::try_from(disk.used_centi.min(10_000)).unwrap_or(10_000);
    json!({
        "mount_point": clean(&disk.mount_point, MAX_PATH_CHARS),
        "device": clean(&disk.device, MAX_PATH_CHARS),
        "fs_type": clean(&disk.fs_type, MAX_LABEL_CHARS),
        "total_bytes": disk.total_bytes,
        "used_bytes": disk.used_bytes,
        "free_bytes": disk.free_bytes,
        "percent_used": percent(centi),
    })
}

fn interface(interface: &Interface) -> Value {
    let addresses: Vec<String> =
        interface.ip_addresses.iter().take(MAX_ADDRESSES).map(|text| clean(text, MAX_LABEL_CHARS)).collect();
    json!({
        "name": clean(&interface.name, MAX_LABEL_CHARS),
        "ip_addresses": addresses,
        "mac_address": clean(&interface.mac_address, MAX_LABEL_CHARS),
        "is_up": interface.is_up,
    })
}

/// The addresses at which others may reach the host, in the order reported.
fn addresses(interfaces: &[Interface]) -> Vec<String> {
    let outer = interfaces
        .iter()
        .filter(|interface| !INNER_INTERFACES.iter().any(|prefix| interface.name.starts_with(prefix)));
    let mut found: Vec<String> = Vec::new();
    for address in outer.flat_map(|interface| &interface.ip_addresses).filter_map(|text| reachable(text)) {
        if found.len() < MAX_ADDRESSES && !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

fn reachable(text: &str) -> Option<String> {
    let address = text.trim().parse::<IpAddr>().ok()?.to_canonical();
    let local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let hidden = local || address.is_loopback() || address.is_multicast() || address.is_unspecified();
    (!hidden).then(|| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eth(name: &str, addresses: &[&str]) -> Interface {
        Interface {
            name: name.to_owned(),
            ip_addresses: addresses.iter().map(|&text| text.to_owned()).collect(),
            mac_address: "02:00:00:00:00:01".to_owned(),
            is_up: true,
        }
    }

    #[test]
    fn facts_change_of_empty_facts_changes_nothing() {
        let change = facts_change(Uuid::nil(), &HostFacts::default());
        let nothing = FactsChange {
            host_id: Uuid::nil(),
            agent_version: None,
            os: None,
            os_version: None,
            arch: None,
            ip_addresses: None,
            disks: None,
            interfaces: None,
        };
        assert_eq!(change, nothing);
    }

    #[test]
    fn addresses_shown_are_those_others_can_reach() {
        let all = [
            eth("lo", &["127.0.0.1", "::1"]),
            eth("eth0", &["10.0.0.7", "fe80::1", "2001:db8::7", "not an address"]),
            eth("eth1", &["10.0.0.7", "169.254.1.1", "192.168.1.1"]),
            eth("docker0", &["172.17.0.1"]),
            eth("br-12ab", &["172.18.0.1"]),
        ];
        assert_eq!(addresses(&all), ["10.0.0.7", "2001:db8::7", "192.168.1.1"]);
        let many: Vec<String> = (0..300).map(|n| format!("10.1.{}.{}", n / 250, n % 250 + 1)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(addresses(&[eth("eth0", &many)]).len(), MAX_ADDRESSES);
    }

    #[test]
    fn hostile_text_is_cleaned_before_it_is_kept() {
        let facts = HostFacts {
            os: "lin\0ux\u{202e}".into(),
            disks: vec![Disk { mount_point: "/\u{1b}[31m".into(), used_centi: 70_000, ..Disk::default() }],
            interfaces: vec![eth("eth\u{7}0", &[])],
            ..HostFacts::default()
        };
        let change = facts_change(Uuid::nil(), &facts);
        assert_eq!(change.os.as_deref(), Some("linux"));
        let disks = change.disks.unwrap_or_default();
        assert_eq!(disks[0]["mount_point"], "/[31m");
        assert_eq!(disks[0]["percent_used"], 100.0);
        assert_eq!(change.interfaces.unwrap_or_default()[0]["name"], "eth0");
    }
}
