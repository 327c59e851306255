//! The session cookie (auth 12).

use axum::http::HeaderValue;
use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_slice::guard::session_cookie_name;
use ctops_slice::state::Installation;

/// The cookie that carries `token` until `expires_at`.
///
/// # Errors
/// `internal` when the token cannot be in a header, which a token of ours always can.
pub(crate) fn session_cookie(
    installation: &Installation,
    token: &str,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<HeaderValue, Problem> {
    let name = session_cookie_name(installation);
    cookie_named(installation, name, token, (expires_at - now).num_seconds().max(0))
}

/// The cookie that makes the browser forget its session.
///
/// # Errors
/// `internal`, never in practice.
pub(crate) fn clearing_cookie(installation: &Installation) -> Result<HeaderValue, Problem> {
    cookie_named(installation, session_cookie_name(installation), "", 0)
}

/// A cookie with the attributes of the session cookie.
///
/// # Errors
/// `internal` when the value cannot be in a header.
pub(crate) fn cookie_named(
    installation: &Installation,
    name: &str,
    value: &str,
    max_age_s: i64,
) -> Result<HeaderValue, Problem> {
    let secure = if installation.is_https() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}");
    let mut header = HeaderValue::from_str(&text).map_err(Problem::internal)?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::PathBuf;
    use std::time::Duration;

    use chrono::TimeDelta;

    use super::*;

    fn at(public_url: &str) -> Installation {
        Installation {
            public_url: public_url.into(),
            trusted_origins: Vec::new(),
            trust_proxy_headers: false,
            require_email_verification: true,
            session_lifetime: Duration::from_secs(60),
            session_idle: Duration::from_secs(60),
            ingest_address: String::new(),
            server_ca_pem: String::new().into(),
            server_pin: None.into(),
            agent_dist_dir: PathBuf::new(),
            version: "0",
        }
    }

    /// Spec: auth 12
    #[test]
    fn cookie_over_https_is_bound_to_the_host_and_over_http_drops_secure() {
        let now = DateTime::UNIX_EPOCH;
        let ends = now + TimeDelta::days(7);
        assert_eq!(
            session_cookie(&at("https://ops.example.com"), "tok", now, ends).unwrap(),
            "__Host-ctops_session=tok; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800; Secure"
        );
        assert_eq!(
            session_cookie(&at("http://localhost:8080"), "tok", now, ends).unwrap(),
            "ctops_session=tok; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800"
        );
        let cleared = clearing_cookie(&at("https://ops.example.com")).unwrap();
        assert_eq!(cleared, "__Host-ctops_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure");
        assert!(cleared.is_sensitive(), "header dumps must not show it");
    }
}
