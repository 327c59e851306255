//! Who an agent says it is: checked, cleaned and bounded before anything is looked up.

use std::net::{IpAddr, Ipv6Addr};

use ctops_base::{FieldProblem, Problem, text};
use ctops_crypto::csr::{Csr, ed25519_from_identity};
use ctops_crypto::secret::sha256;
use ctops_proto::limits::{
    MAX_ADDRESSES, MAX_CSR_BYTES, MAX_HOSTNAME_CHARS, MAX_LABEL_CHARS, MAX_PUBLIC_KEY_BYTES, MAX_TOKEN_BYTES,
};

use super::model::RegisterInput;
use crate::enrolment::{Tag, check_tags};

/// Name of a machine that gave none.
pub(super) const NO_HOSTNAME: &str = "unknown";

/// A checked call of `Register`, without the token.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) public_key: String,
    pub(super) key_sha256: [u8; 32],
    pub(super) facts: MachineFacts,
    pub(super) tags: Vec<Tag>,
    /// Signed by the key that `public_key` names.
    pub(super) csr: Option<Proven>,
}

/// What an agent says about its machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MachineFacts {
    pub(super) hostname: String,
    pub(super) os: Option<String>,
    pub(super) os_version: Option<String>,
    pub(super) arch: Option<String>,
    pub(super) agent_version: Option<String>,
    pub(super) machine_id: Option<String>,
    /// As sent, for people.
    pub(super) ip_addresses: Vec<String>,
    /// Those that identify the machine (hosts 21).
    pub(super) identity_ips: Vec<String>,
}

impl MachineFacts {
    /// The name to recognise the machine by; none when it gave none.
    pub(super) fn own_hostname(&self) -> Option<&str> {
        (self.hostname != NO_HOSTNAME).then_some(self.hostname.as_str())
    }
}

/// A certificate request whose key is the agent's registered key.
#[derive(Clone, Debug)]
pub(super) struct Proven {
    pub(super) der: Vec<u8>,
    pub(super) csr: Csr,
}

/// Checks everything that needs no database.
///
/// # Errors
/// `validation_failed` naming the first field that is not acceptable.
pub(super) fn check(input: &RegisterInput) -> Result<Candidate, Problem> {
    let invalid = |path, code, message: String| Err(Problem::invalid_field(path, code, message));
    if input.enrolment_token.is_empty() {
        return invalid("enrolment_token", "required", "enrolment token is missing".into());
    }
    if input.enrolment_token.len() > MAX_TOKEN_BYTES {
        let message = format!("enrolment token has more than {MAX_TOKEN_BYTES} bytes");
        return invalid("enrolment_token", "too_long", message);
    }
    if input.public_key.is_empty() {
        return invalid("public_key", "required", "public key is missing".into());
    }
    if input.public_key.len() > MAX_PUBLIC_KEY_BYTES {
        let message = format!("public key has more than {MAX_PUBLIC_KEY_BYTES} bytes");
        return invalid("public_key", "too_long", message);
    }
    if ed25519_from_identity(&input.public_key).is_none() {
        return invalid("public_key", "invalid", "public key is not an Ed25519 key in PEM".into());
    }
    let tags = input.tags.iter().filter(|(key, value)| !key.trim().is_empty() && !value.trim().is_empty());
    let tags = tags.map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
    Ok(Candidate {
        key_sha256: sha256(input.public_key.as_bytes()),
        facts: facts(input)?,
        tags: check_tags(tags).map_err(Problem::invalid)?,
        csr: prove(&input.csr_der, &input.public_key)?,
        public_key: input.public_key.clone(),
    })
}

/// Reads a certificate request and checks that the key it proves possession of is the one in `identity`. Without this,
/// whoever knows another agent's public key could have a certificate issued in its name.
///
/// # Errors
/// `validation_failed` on `csr_der`.
pub(super) fn prove(csr_der: &[u8], identity: &str) -> Result<Option<Proven>, Problem> {
    if csr_der.is_empty() {
        return Ok(None);
    }
    let invalid = |message: String| Problem::invalid_field("csr_der", "invalid", message);
    if csr_der.len() > MAX_CSR_BYTES {
        return Err(invalid(format!("certificate request has more than {MAX_CSR_BYTES} bytes")));
    }
    let csr = Csr::parse(csr_der).map_err(|error| invalid(error.to_string()).caused_by(error))?;
    if csr.proves_identity(identity) == Some(true) {
        Ok(Some(Proven { der: csr_der.to_vec(), csr }))
    } else {
        Err(invalid("certificate request is not for the key that is registered".into()))
    }
}

fn facts(input: &RegisterInput) -> Result<MachineFacts, Problem> {
    if input.ip_addresses.len() > MAX_ADDRESSES {
        let message = format!("there are {} addresses, at most {MAX_ADDRESSES}", input.ip_addresses.len());
        return Err(Problem::invalid(vec![FieldProblem {
            path: "ip_addresses".into(),
            code: "too_many",
            message,
        }]));
    }
    let label = |text: &str| Some(text::clean(text, MAX_LABEL_CHARS)).filter(|cleaned| !cleaned.is_empty());
    let hostname = text::clean(&input.hostname, MAX_HOSTNAME_CHARS);
    Ok(MachineFacts {
        hostname: if hostname.is_empty() { NO_HOSTNAME.to_owned() } else { hostname },
        os: label(&input.os),
        os_version: label(&input.os_version),
        arch: label(&input.arch),
        agent_version: label(&input.agent_version),
        machine_id: label(&input.machine_id),
        ip_addresses: addresses(&input.ip_addresses, |_| true),
        identity_ips: addresses(&input.ip_addresses, is_identity),
    })
}

/// The readable ones among `texts` that pass `keep`, in one spelling and each once.
fn addresses(texts: &[String], keep: impl Fn(&IpAddr) -> bool) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for address in texts.iter().filter_map(|text| text.trim().parse::<IpAddr>().ok()) {
        let address = address.to_canonical();
        let text = address.to_string();
        if keep(&address) && !kept.contains(&text) {
            kept.push(text);
        }
    }
    kept
}

/// Whether an address tells one machine from another (hosts 21): private IPv4 addresses that end in .1 are bridges and
/// gateways, present on many machines at once.
fn is_identity(address: &IpAddr) -> bool {
    if address.is_loopback() || address.is_multicast() || address.is_unspecified() {
        return false;
    }
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_link_local() || v4.is_broadcast() || v4.is_private() && v4.octets()[3] == 1)
        }
        IpAddr::V6(v6) => !is_link_local(v6),
    }
}

/// `fe80::/10` (RFC 4291 section 2.5.6).
fn is_link_local(address: &Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

/// The key's fingerprint as people compare it: `SHA256:` and the digest of `agent_key.pub` in hex, which is what
/// `sha256sum` prints for that file on the machine.
pub fn key_fingerprint(key_sha256: &[u8]) -> String {
    use std::fmt::Write;
    key_sha256.iter().fold(String::from("SHA256:"), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
