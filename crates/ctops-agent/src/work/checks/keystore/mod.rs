//! Certificates in key stores: PKCS#12 (RFC 7292) and Java's own format. Only certificates are looked for; keys stay
//! encrypted. Files are foreign input: every length is checked, and the work a file can ask for is bounded.

mod der;
pub(super) mod jks;
mod pbe;
pub(super) mod pkcs12;

#[cfg(test)]
mod tests;
