//! What kind of address an address is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a connection to an address would reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressKind {
    /// This machine.
    Loopback,
    /// Never a target: unspecified, link-local, multicast, broadcast, documentation, benchmark, reserved, metadata services.
    Forbidden,
    /// A private network (RFC 1918, RFC 4193, RFC 6598).
    Private,
    /// The internet.
    Public,
}

/// Addresses at which cloud providers serve credentials to whoever asks.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

/// The kind of `address`; embedded IPv4 addresses count as themselves (security 7).
pub fn kind_of(address: IpAddr) -> AddressKind {
    match address {
        IpAddr::V4(v4) => kind_of_v4(v4),
        IpAddr::V6(v6) => kind_of_v6(v6),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> AddressKind {
    let [a, b, c, _] = address.octets();
    if METADATA_V4.contains(&address) {
        return AddressKind::Forbidden;
    }
    match (a, b, c) {
        (127, ..) => AddressKind::Loopback,
        (0 | 224..=255, ..)
        | (169, 254, _)
        | (192, 0, 0 | 2)
        | (192, 88, 99)
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => AddressKind::Forbidden,
        (10, ..) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => AddressKind::Private,
        _ => AddressKind::Public,
    }
}

fn kind_of_v6(address: Ipv6Addr) -> AddressKind {
    if address == Ipv6Addr::LOCALHOST {
        return AddressKind::Loopback;
    }
    if METADATA_V6.contains(&address) {
        return AddressKind::Forbidden;
    }
    if let Some(embedded) = embedded_v4(address) {
        return kind_of_v4(embedded);
    }
    let segments = address.segments();
    if let [_, _, _, _, 0 | 0x200, 0x5efe, high, low] = segments
        && kind_of_v4(v4_of(high, low)) != AddressKind::Public
    {
        // ISATAP (RFC 5214) names a neighbour by its IPv4 address; nobody needs it.
        return AddressKind::Forbidden;
    }
    match segments {
        // Site-local addresses (fec0::/10) are deprecated by RFC 3879, ORCHIDs name no host.
        [0xfe80..=0xffff, ..]
        | [0x2001, 0xdb8, ..]
        | [0x3fff, 0..=0x0fff, ..]
        | [0x2001, 2, 0, ..]
        | [0x2001, 0x10..=0x2f, ..]
        | [0x2001, 0, ..]
        | [0x64, 0xff9b, 1, ..]
        | [0x100, 0, 0, 0, ..]
        | [0, ..] => AddressKind::Forbidden,
        [0xfc00..=0xfdff, ..] => AddressKind::Private,
        [0x2000..=0x3fff, ..] => AddressKind::Public,
        _ => AddressKind::Forbidden,
    }
}

fn v4_of(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

/// The IPv4 address inside a mapped, translated, compatible, NAT64 or 6to4 address.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0, 0, 0, 0, 0, 0, high, low] => Some(v4_of(high, low)),
        [0x2002, high, low, ..] => Some(v4_of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn kinds(addresses: &[&str], wanted: AddressKind) {
        for address in addresses {
            assert_eq!(kind_of(address.parse().unwrap()), wanted, "{address}");
        }
    }

    /// Spec: security 7
    #[test]
    fn every_range_is_what_it_is() {
        use AddressKind::{Forbidden, Loopback, Private, Public};
        kinds(&["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"], Loopback);
        kinds(
            &[
                "0.0.0.0",
                "0.1.2.3",
                "169.254.1.1",
                "169.254.169.254",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.1",
                "255.255.255.255",
                "192.0.2.1",
                "198.51.100.7",
                "203.0.113.9",
                "198.18.0.1",
                "198.19.255.255",
                "100.100.100.200",
                "168.63.129.16",
                "192.0.0.192",
                "::",
                "fe80::1",
                "febf::1",
                "fec0::1",
                "ff02::1",
                "2001:db8::1",
                "3fff::1",
                "2001:2::1",
                "fd00:ec2::254",
                "2001::1",
                "100::1",
                "::ffff:169.254.169.254",
                "::ffff:0.0.0.0",
                "64:ff9b::a9fe:a9fe",
                "2002:a9fe:a9fe::1",
                "2001:470:1:2:0:5efe:a9fe:a9fe",
                "::169.254.169.254",
                "64:ff9b:1::1",
                "4000::1",
            ],
            Forbidden,
        );
        kinds(
            &[
                "10.0.0.1",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.1.1",
                "100.64.0.1",
                "fc00::1",
                "fd12:3456::1",
                "::ffff:10.0.0.1",
                "2002:c0a8:0101::1",
                "64:ff9b::a00:1",
            ],
            Private,
        );
        kinds(
            &[
                "8.8.8.8",
                "172.32.0.1",
                "100.128.0.1",
                "2606:4700::1111",
                "2002:808:808::1",
                "64:ff9b::808:808",
            ],
            Public,
        );
    }

    proptest! {
        /// Spec: security 7
        #[test]
        fn an_embedded_address_is_never_better_than_itself(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from(bits);
            let wanted = kind_of(v4.into());
            prop_assert_eq!(kind_of(v4.to_ipv6_mapped().into()), wanted);
            let low = Ipv6Addr::from(u128::from(bits));
            prop_assert!(low == Ipv6Addr::LOCALHOST || kind_of(low.into()) == wanted);
            let nat64 = Ipv6Addr::from((0x0064_ff9b_u128 << 96) | u128::from(bits));
            prop_assert_eq!(kind_of(nat64.into()), wanted);
        }
    }
}
