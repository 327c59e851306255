//! The key of this service towards one SAML provider.

use ctops_base::{Clock, Problem};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

/// Years that the certificate is valid. Providers compare it letter by letter, so nobody renews it in passing.
const YEARS: i32 = 10;

/// A key and its certificate. There is no `Debug`: the key is secret.
pub(crate) struct OwnKey {
    /// Self-signed.
    pub(crate) certificate_pem: String,
    /// PKCS#8.
    pub(crate) key_pem: String,
}

/// Makes an RSA key of 2048 bits, which every provider can encrypt for.
///
/// # Errors
/// `internal` when no key can be made.
pub(crate) fn make_own_key(public_url: &str, clock: &Clock) -> Result<OwnKey, Problem> {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(Problem::internal)?;
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    let host = url::Url::parse(public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    name.push(DnType::CommonName, host.as_deref().unwrap_or("ct-ops"));
    params.distinguished_name = name;
    let now = clock.now();
    let year = |years: i32| {
        use chrono::Datelike;
        let month = u8::try_from(now.month()).unwrap_or(1);
        rcgen::date_time_ymd(now.year() + years, month, 1)
    };
    params.not_before = year(0);
    params.not_after = year(YEARS);
    let certificate = params.self_signed(&key).map_err(Problem::internal)?;
    Ok(OwnKey { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::identity_providers::read_certificates;

    #[test]
    fn own_certificate_names_the_installation_and_lasts() {
        let own = make_own_key("https://ops.example.com", &ctops_testkit::a_clock()).unwrap();
        let found = read_certificates(&own.certificate_pem).unwrap();
        assert_eq!(found[0].subject, "CN=ops.example.com");
        assert!(!found[0].ends_soon(ctops_testkit::start_time()));
        assert!(own.key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
    }
}
