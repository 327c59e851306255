//! The one-line command and the script it runs (agents-enrolment 17, 18, 22).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ctops_slice::state::Installation;

use super::shell::{double_quoted, single_quoted};

/// What the script does, after the values it works with. Kept as a file, so that shells and checkers can read it.
const SCRIPT_BODY: &str = include_str!("install.sh");
/// Longest DNS name and longest label of one (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// `host:port` of ingest, checked: a DNS name, an IPv4 address or an IPv6 address in brackets, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IngestAddress(String);

/// The text is not `host:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be host:port with a DNS name, an IPv4 address or an IPv6 address in brackets, and a port from 1 to 65535"
)]
pub(super) struct BadAddress;

impl IngestAddress {
    /// Reads an address.
    pub(super) fn parse(text: &str) -> Result<Self, BadAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(BadAddress)?;
        let is_number = (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
        if !is_number || port.parse::<u16>().map_or(true, |number| number == 0) || !is_host(host) {
            return Err(BadAddress);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for IngestAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > MAX_NAME || !host.split('.').all(is_label) {
        return false;
    }
    // A name that ends in a number is an IPv4 address or a mistake.
    let ends_in_number = host.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    !ends_in_number || host.parse::<Ipv4Addr>().is_ok()
}

/// The command that an operator copies: the token travels in the environment, never in the address.
///
/// With a pin, `-k` lets curl leave the certificate chain alone and `--pinnedpubkey` makes it refuse every other key, so
/// that a self-made server certificate is as good as any.
pub(super) fn install_command(installation: &Installation, secret: &str, skip_verify: bool) -> String {
    let query = if skip_verify { "?skip_verify=true" } else { "" };
    let url = double_quoted(&format!("{}/api/v1/agent/install.sh{query}", installation.public_url));
    let pin = installation
        .server_pin
        .get()
        .map(|pin| format!("--pinnedpubkey {} -k ", single_quoted(&pin)))
        .unwrap_or_default();
    format!("curl -fsSL {pin}{url} | env CT_OPS_ENROLMENT_TOKEN={} sh", single_quoted(secret))
}

/// The install script for agents that will connect to `ingest`.
pub(super) fn script(installation: &Installation, ingest: &IngestAddress, skip_verify: bool) -> String {
    format!(
        "#!/bin/sh\n\
         # Installs the CT-Ops agent on this machine.\n\
         BASE_URL={}\n\
         INGEST={}\n\
         PIN={}\n\
         SKIP_VERIFY={}\n\
         CA_PEM={}\n\
         {SCRIPT_BODY}",
        single_quoted(&installation.public_url),
        single_quoted(&ingest.to_string()),
        single_quoted(installation.server_pin.get().as_deref().unwrap_or_default()),
        single_quoted(if skip_verify { "true" } else { "false" }),
        single_quoted(installation.server_ca_pem.get().trim_end()),
    )
}

#[cfg(test)]
mod tests;
