//! Telling people by mail that somebody signed in as them from a new device or network (auth, beyond 4).

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};
use ctops_base::Problem;
use ctops_base::text::clean;
use ctops_crypto::secret::sha256;
use ctops_pg::Tx;
use ctops_slice::AppState;
use ctops_slice::mail::{self, Mail};
use uuid::Uuid;

use super::model::{MAX_USER_AGENT_CHARS, NewSession};
use super::store;
use crate::accounts;

/// Remembers where this sign-in came from and mails a notice when it is new. A first sign-in has nothing to be new
/// against.
pub(super) async fn note(
    tx: &mut Tx<'_>,
    state: &AppState,
    new: &NewSession,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let device = hash("device", new.user_id, &device_of(&new.user_agent));
    let network = hash("network", new.user_id, &network_of(new.ip));
    let fresh =
        store::remember_origins(tx, new.user_id, &["device", "network"], &[device, network], now).await;
    let fresh = fresh.map_err(Problem::internal)?;
    if fresh.is_empty() {
        return Ok(());
    }
    let profile = accounts::profile(&state.pool, new.user_id, new.org_id).await?;
    let notice = notice(state, new, &fresh, profile.email, now);
    mail::send(tx, &state.seal, &notice, now).await.map_err(Problem::internal)
}

fn notice(state: &AppState, new: &NewSession, fresh: &[String], to: String, now: DateTime<Utc>) -> Mail {
    let at = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    let device = clean(&new.user_agent, MAX_USER_AGENT_CHARS);
    Mail {
        org_id: Some(new.org_id),
        to,
        kind: "new_sign_in",
        subject: "New sign-in to CT-Ops".to_owned(),
        text: format!(
            "Your account was used to sign in from a new {} at {at}.\n\nAddress: {}\nDevice: {device}\n\nIf this was \
             you, there is nothing to do. If not, end the session and change your password at once.",
            fresh.join(" and "),
            new.ip,
        ),
        link: Some(format!("{}/account/sessions", state.installation.public_url)),
    }
}

/// Salted with the user, so that equal values of two people do not show.
fn hash(kind: &str, user_id: Uuid, value: &str) -> Vec<u8> {
    sha256(format!("{kind}:{user_id}:{value}").as_bytes()).to_vec()
}

/// The browser without its version, which changes every few weeks.
fn device_of(user_agent: &str) -> String {
    user_agent.chars().filter(|c| !c.is_ascii_digit() && !matches!(c, '.' | '_')).collect()
}

/// The neighbourhood of an address: its /24 or /48, because addresses change within it.
fn network_of(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn updates_of_a_browser_and_neighbouring_addresses_are_nothing_new() {
        let firefox =
            |version: &str| device_of(&format!("Mozilla/5.0 (X11; Linux x86_64) Firefox/{version}"));
        assert_eq!(firefox("128.0"), firefox("145.0.1"));
        assert_ne!(firefox("128.0"), device_of("curl/8.11.0"));
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("192.0.2.7"), network("192.0.2.250"));
        assert_eq!(network("192.0.2.7"), network("::ffff:192.0.2.9"), "the same address in IPv6 clothes");
        assert_ne!(network("192.0.2.7"), network("192.0.3.7"));
        assert_eq!(network("2001:db8:1:2::3"), network("2001:db8:1:ffff::9"));
        assert_ne!(network("2001:db8:1::1"), network("2001:db8:2::1"));
        let id = Uuid::from_u128;
        assert_ne!(hash("device", id(1), "x"), hash("device", id(2), "x"));
    }
}
