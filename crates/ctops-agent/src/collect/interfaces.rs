//! Network interfaces with their addresses (getifaddrs(3)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ctops_base::text;
use ctops_proto::agent::NetworkInterface;
use ctops_proto::limits;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;

/// Interfaces made by container and virtualisation software; their addresses repeat on many hosts (wire contract
/// 4.5).
const BRIDGES: &[&str] = &["br-", "cali", "cni", "docker", "flannel", "lxcbr", "podman", "veth", "virbr"];

/// All interfaces but loopback, including those that are down; empty if they cannot be listed.
pub fn collect() -> Vec<NetworkInterface> {
    let mut interfaces: Vec<NetworkInterface> = Vec::new();
    for entry in getifaddrs().into_iter().flatten() {
        if !entry.flags.contains(InterfaceFlags::IFF_LOOPBACK) {
            add(&mut interfaces, &entry);
        }
    }
    interfaces
}

fn add(interfaces: &mut Vec<NetworkInterface>, entry: &InterfaceAddress) {
    let name = text::clean(&entry.interface_name, limits::MAX_LABEL_CHARS);
    let position = interfaces.iter().position(|known| known.name == name).or_else(|| {
        let fresh = NetworkInterface { name, ..NetworkInterface::default() };
        (interfaces.len() < limits::MAX_INTERFACES).then(|| {
            interfaces.push(fresh);
            interfaces.len() - 1
        })
    });
    let Some(interface) = position.and_then(|position| interfaces.get_mut(position)) else { return };
    interface.is_up |= entry.flags.contains(InterfaceFlags::IFF_UP);
    let Some(address) = &entry.address else { return };
    if let Some(ip) = address
        .as_sockaddr_in()
        .map(|v4| IpAddr::V4(v4.ip()))
        .or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    {
        let ip = ip.to_string();
        if interface.ip_addresses.len() < limits::MAX_ADDRESSES && !interface.ip_addresses.contains(&ip) {
            interface.ip_addresses.push(ip);
        }
    } else if let Some(mac) = address.as_link_addr().and_then(nix::sys::socket::LinkAddr::addr) {
        interface.mac_address = mac_text(mac);
    }
}

/// Tunnels and the like have an address of zeros, which is none.
fn mac_text(mac: [u8; 6]) -> String {
    if mac == [0; 6] {
        return String::new();
    }
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// The addresses that identify this host (wire contract 4.5): of interfaces that are up and not made by container
/// software, without loopback, link-local, multicast and unspecified ones.
pub fn identifying_addresses(interfaces: &[NetworkInterface]) -> Vec<String> {
    interfaces
        .iter()
        .filter(|interface| {
            interface.is_up && !BRIDGES.iter().any(|prefix| interface.name.starts_with(prefix))
        })
        .flat_map(|interface| &interface.ip_addresses)
        .filter(|address| address.parse().is_ok_and(identifies))
        .take(limits::MAX_ADDRESSES)
        .cloned()
        .collect()
}

fn identifies(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => identifies_v4(v4),
        IpAddr::V6(v6) => identifies_v6(v6),
    }
}

fn identifies_v4(address: Ipv4Addr) -> bool {
    !(address.is_loopback() || address.is_link_local() || address.is_multicast() || address.is_unspecified())
}

fn identifies_v6(address: Ipv6Addr) -> bool {
    let link_local = address.segments()[0] & 0xffc0 == 0xfe80;
    !(address.is_loopback() || link_local || address.is_multicast() || address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, is_up: bool, addresses: &[&str]) -> NetworkInterface {
        NetworkInterface {
            name: name.to_owned(),
            ip_addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
            mac_address: String::new(),
            is_up,
        }
    }

    /// Spec: agents-enrolment 8
    #[test]
    fn addresses_when_filtered_then_only_identifying_ones_are_left() {
        let interfaces = [
            interface(
                "eth0",
                true,
                &["10.0.0.5", "169.254.1.1", "fe80::1", "2001:db8::5", "0.0.0.0", "224.0.0.1"],
            ),
            interface("eth1", false, &["10.0.0.6"]),
            interface("docker0", true, &["172.17.0.1"]),
            interface("br-12ab", true, &["172.18.0.1"]),
            interface("veth1", true, &["172.19.0.1"]),
            interface("bridge0", true, &["192.168.1.1", "ff02::1", "::", "::1", "127.0.0.1", "nonsense"]),
        ];
        assert_eq!(identifying_addresses(&interfaces), ["10.0.0.5", "2001:db8::5", "192.168.1.1"]);
    }

    #[test]
    fn interfaces_of_this_machine_when_listed_then_have_no_loopback_and_valid_addresses() {
        for interface in collect() {
            assert_ne!(interface.name, "lo");
            assert!(interface.ip_addresses.iter().all(|address| address.parse::<IpAddr>().is_ok()));
            assert!(interface.mac_address.is_empty() || interface.mac_address.len() == 17);
        }
    }

    #[test]
    fn hardware_address_when_all_zero_then_is_empty() {
        assert_eq!(mac_text([0; 6]), "");
        assert_eq!(mac_text([0x02, 0xab, 0, 1, 2, 0xff]), "02:ab:00:01:02:ff");
    }
}
