//! Internal targets: what an organisation's administrators opened (security 8).

use std::fmt;
use std::net::IpAddr;

use crate::address::{AddressKind, kind_of};

/// Longest text of an entry, characters: a host name has at most 253 (RFC 1035).
pub const MAX_CHARACTERS: usize = 254;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A range of addresses.
    Cidr(IpAddr, u8),
    /// One host by its name, lower case.
    Host(String),
    /// All hosts below a domain: `.corp.example` as written, lower case.
    Suffix(String),
}

/// Why an entry is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither a range, an address, a name nor a suffix.
    #[error("must be a range (10.1.0.0/16), an address, a host name, or a suffix (.corp.example)")]
    Malformed,
    /// Bits behind the prefix are set.
    #[error("has bits set behind the prefix")]
    NotANetwork,
    /// Covers most of the internet, or all of it.
    #[error("is too wide: at least /8 for IPv4 and /16 for IPv6")]
    TooWide,
    /// Covers what is never reached.
    #[error("covers addresses that are never reached: loopback, link-local or a metadata service")]
    Forbidden,
}

impl TargetError {
    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "invalid",
            Self::NotANetwork => "not_a_network",
            Self::TooWide => "too_wide",
            Self::Forbidden => "forbidden_target",
        }
    }
}

impl Target {
    /// Reads an entry as people write it.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let text = text.trim().trim_end_matches('.').to_ascii_lowercase();
        if text.is_empty() || text.len() > MAX_CHARACTERS {
            return Err(TargetError::Malformed);
        }
        if let Some((address, prefix)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| TargetError::Malformed)?;
            let prefix: u8 = prefix.parse().map_err(|_| TargetError::Malformed)?;
            return Self::range(address, prefix);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Self::range(address, if address.is_ipv4() { 32 } else { 128 });
        }
        if let Some(domain) = text.strip_prefix('.') {
            return match is_name(domain) {
                true => Ok(Self::Suffix(text)),
                false => Err(TargetError::Malformed),
            };
        }
        if text == "localhost" || text.ends_with(".localhost") {
            return Err(TargetError::Forbidden);
        }
        if is_name(&text) { Ok(Self::Host(text)) } else { Err(TargetError::Malformed) }
    }

    fn range(address: IpAddr, prefix: u8) -> Result<Self, TargetError> {
        let (width, least) = if address.is_ipv4() { (32, 8) } else { (128, 16) };
        if prefix > width {
            return Err(TargetError::Malformed);
        }
        if prefix < least {
            return Err(TargetError::TooWide);
        }
        if masked(address, prefix) != address {
            return Err(TargetError::NotANetwork);
        }
        let target = Self::Cidr(address, prefix);
        let never = NEVER.iter().filter_map(|text| text.parse().ok());
        let covers = never.into_iter().any(|known: IpAddr| target.covers(known));
        match kind_of(address) {
            _ if covers => Err(TargetError::Forbidden),
            AddressKind::Loopback | AddressKind::Forbidden => Err(TargetError::Forbidden),
            _ => Ok(target),
        }
    }

    /// Whether an address lies in this range.
    pub fn covers(&self, address: IpAddr) -> bool {
        match self {
            Self::Cidr(network, prefix) => {
                network.is_ipv4() == address.is_ipv4() && masked(address, *prefix) == *network
            }
            Self::Host(_) | Self::Suffix(_) => false,
        }
    }

    /// Whether this entry names the host.
    pub fn names(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match self {
            Self::Host(name) => *name == host,
            Self::Suffix(suffix) => host.ends_with(suffix.as_str()) && host.len() > suffix.len(),
            Self::Cidr(..) => false,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr(address, prefix) => write!(f, "{address}/{prefix}"),
            Self::Host(text) | Self::Suffix(text) => f.write_str(text),
        }
    }
}

/// One address of each range that no entry may cover.
const NEVER: [&str; 9] = [
    "127.0.0.1",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "::1",
    "fe80::1",
    "fd00:ec2::254",
    "fd20:ce::254",
];

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::from((u32::from(v4) & mask).to_be_bytes())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::from((u128::from(v6) & mask).to_be_bytes())
        }
    }
}

/// A host name: labels of letters, digits, hyphens and underscores; the last one not a number, which would be an address.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.split('.').all(is_label) && last.bytes().any(|b| !b.is_ascii_digit()) && !last.starts_with("0x")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn entries_are_read_as_people_write_them() {
        for (text, wanted) in [
            ("10.1.0.0/16", "10.1.0.0/16"),
            ("192.168.7.9", "192.168.7.9/32"),
            ("fd12:3456::/32", "fd12:3456::/32"),
            (" Hooks.Corp.Example. ", "hooks.corp.example"),
            (".corp.example", ".corp.example"),
            ("mail_1", "mail_1"),
        ] {
            assert_eq!(Target::parse(text).unwrap().to_string(), wanted);
        }
    }

    /// Spec: security 8
    #[test]
    fn entries_that_open_too_much_are_refused() {
        for (text, why) in [
            ("0.0.0.0/0", TargetError::TooWide),
            ("::/0", TargetError::TooWide),
            ("127.0.0.0/8", TargetError::Forbidden),
            ("127.0.0.1", TargetError::Forbidden),
            ("169.254.169.254", TargetError::Forbidden),
            ("168.0.0.0/8", TargetError::Forbidden),
            ("100.64.0.0/10", TargetError::Forbidden),
            ("fd00::/16", TargetError::Forbidden),
            ("fe80::/16", TargetError::Forbidden),
            ("::ffff:127.0.0.1", TargetError::Forbidden),
            ("localhost", TargetError::Forbidden),
            ("10.1.2.3/16", TargetError::NotANetwork),
            ("10.0.0.0/33", TargetError::Malformed),
            ("", TargetError::Malformed),
            (".", TargetError::Malformed),
            ("a b", TargetError::Malformed),
            ("http://x", TargetError::Malformed),
            ("2130706433", TargetError::Malformed),
            ("0x7f.1", TargetError::Malformed),
        ] {
            assert_eq!(Target::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_suffix_names_what_is_below_it_only() {
        let suffix = Target::parse(".corp.example").unwrap();
        assert!(suffix.names("a.corp.example") && suffix.names("A.B.Corp.Example."));
        assert!(
            !suffix.names("corp.example")
                && !suffix.names("evilcorp.example")
                && !suffix.names(".corp.example")
        );
        let range = Target::parse("10.1.0.0/16").unwrap();
        assert!(range.covers("10.1.255.255".parse().unwrap()) && !range.covers("10.2.0.0".parse().unwrap()));
        assert!(!range.covers("::ffff:10.1.0.1".parse().unwrap()), "only the form it was written in");
    }
}
