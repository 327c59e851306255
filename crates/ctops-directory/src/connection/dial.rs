//! From a name to a secured stream.

use std::sync::Arc;
use std::time::Duration;

use ctops_egress::{Egress, EgressError, Purpose, TlsTrust};
use ldap3::asn1::parse_tag;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use uuid::Uuid;

use super::{Connection, Failure, Step};
use crate::entry::{constructed, primitive};

/// ExtendedRequest StartTLS with message id 1 (RFC 4511 sections 4.12, 4.14).
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
/// Longest answer to it, bytes.
const MAX_START_TLS_ANSWER: usize = 4096;

/// How a connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// Not at all.
    None,
    /// After asking for it (StartTLS).
    Start,
    /// From the first byte (LDAPS).
    Immediate,
}

/// How a connection is secured, and whom it trusts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Security<'a> {
    /// When TLS begins.
    pub(crate) tls: Tls,
    /// Whether the server's certificate is checked.
    pub(crate) verify: bool,
    /// The only authorities to trust, PEM; the system's without.
    pub(crate) ca_pem: Option<&'a str>,
}

/// Where to connect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint<'a> {
    /// The organisation that asks.
    pub(crate) org_id: Uuid,
    /// Name or address.
    pub(crate) host: &'a str,
    /// Port.
    pub(crate) port: u16,
    /// For the connection and for TLS, each.
    pub(crate) connect_within: Duration,
    /// For each operation after that.
    pub(crate) answer_within: Duration,
}

/// Connects. `passed` is told of each step that was done.
///
/// # Errors
/// [`Failure`].
pub(crate) async fn dial(
    egress: &Egress,
    endpoint: Endpoint<'_>,
    security: Security<'_>,
    mut passed: impl FnMut(Step),
) -> Result<Connection, Failure> {
    let Endpoint { org_id, host, port, connect_within, answer_within } = endpoint;
    let late = |step| move |_| Failure::timed_out(step, connect_within);
    let check = egress.check(Some(org_id), Purpose::Ldap, host, port);
    let checked = timeout(connect_within, check).await.map_err(late(Step::Resolve))?;
    checked.map_err(|error| of_egress(&error))?;
    passed(Step::Resolve);
    let stream = egress.connect(Some(org_id), Purpose::Ldap, host, port, connect_within).await;
    let mut stream = stream.map_err(|error| of_egress(&error))?;
    passed(Step::Connect);
    if security.tls == Tls::None {
        return Connection::over(stream, answer_within).await;
    }
    let secure = async {
        if security.tls == Tls::Start {
            start_tls(&mut stream).await?;
        }
        handshake(egress, stream, host, security).await
    };
    let stream = timeout(connect_within, secure).await.map_err(late(Step::Tls))??;
    passed(Step::Tls);
    let shown = stream.get_ref().1.peer_certificates();
    let certificate = shown.and_then(|chain| chain.first()).map(|leaf| leaf.to_vec());
    let mut connection = Connection::over(stream, answer_within).await?;
    connection.certificate = certificate;
    Ok(connection)
}

fn of_egress(error: &EgressError) -> Failure {
    let step = match error {
        EgressError::Connect { .. } | EgressError::Timeout(_) => Step::Connect,
        EgressError::Tls { .. } | EgressError::BadTrust => Step::Tls,
        _ => Step::Resolve,
    };
    let detail = match error {
        // What exactly is wrong with a certificate is what administrators look for.
        EgressError::Tls { source, .. } => format!("{error}: {source}"),
        _ => error.to_string(),
    };
    Failure::new(step, error.code(), detail)
}

async fn handshake(
    egress: &Egress,
    stream: TcpStream,
    host: &str,
    security: Security<'_>,
) -> Result<TlsStream<TcpStream>, Failure> {
    if security.verify {
        let trust = security.ca_pem.map_or(TlsTrust::System, TlsTrust::Only);
        return egress.tls(stream, host, trust).await.map_err(|error| of_egress(&error));
    }
    let failed =
        |text: String| Failure::new(Step::Tls, "tls_failed", format!("TLS with {host} failed: {text}"));
    let config = unverified().map_err(|error| failed(error.to_string()))?;
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(name).map_err(|error| failed(error.to_string()))?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    connected.map_err(|error| failed(error.to_string()))
}

/// Asks for TLS and reads exactly the answer, so that nothing sent in clear before the handshake counts after it.
async fn start_tls(stream: &mut TcpStream) -> Result<(), Failure> {
    let lost =
        |_| Failure::new(Step::Tls, "connection_lost", "the directory closed the connection at StartTLS");
    let malformed = || Failure::new(Step::Tls, "bad_answer", "the answer to StartTLS is not LDAP");
    stream.write_all(START_TLS).await.map_err(lost)?;
    let mut answer = vec![0_u8; 2];
    stream.read_exact(&mut answer).await.map_err(lost)?;
    if answer[0] != 0x30 {
        return Err(malformed());
    }
    // BER lengths: one byte, or their own count and then so many bytes (X.690 section 8.1.3).
    let length = match answer[1] {
        short @ 0..=0x7f => usize::from(short),
        count @ 0x81..=0x84 => {
            read_length(stream, &mut answer, usize::from(count - 0x80)).await.map_err(lost)?
        }
        _ => return Err(malformed()),
    };
    if length > MAX_START_TLS_ANSWER {
        return Err(malformed());
    }
    let head = answer.len();
    answer.resize(head + length, 0);
    stream.read_exact(&mut answer[head..]).await.map_err(lost)?;
    match result_code(&answer).ok_or_else(malformed)? {
        0 => Ok(()),
        code => {
            let detail = format!("the directory does not offer StartTLS here (code {code})");
            Err(Failure::new(Step::Tls, "start_tls_refused", detail))
        }
    }
}

async fn read_length(stream: &mut TcpStream, answer: &mut Vec<u8>, count: usize) -> std::io::Result<usize> {
    let mut bytes = vec![0_u8; count];
    stream.read_exact(&mut bytes).await?;
    answer.extend_from_slice(&bytes);
    Ok(bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
}

/// The result code in an ExtendedResponse.
fn result_code(message: &[u8]) -> Option<u32> {
    let (_, tag) = parse_tag(message).ok()?;
    let response = constructed(tag)?.into_iter().nth(1).filter(|response| response.id == 24)?;
    let code = primitive(constructed(response)?.into_iter().next()?)?;
    (code.len() <= 4).then(|| code.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// A configuration that takes any certificate, for directories whose administrator switched the check off.
fn unverified() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(algorithms)))
        .with_no_client_auth();
    Ok(config)
}

/// Takes any certificate, but only from who holds its key.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_request_for_tls_is_well_formed() {
        let (rest, tag) = parse_tag(START_TLS).unwrap();
        assert!(rest.is_empty());
        let request = constructed(tag).unwrap().into_iter().nth(1).unwrap();
        assert_eq!(request.id, 23);
        let name = primitive(constructed(request).unwrap().into_iter().next().unwrap()).unwrap();
        assert_eq!(name, b"1.3.6.1.4.1.1466.20037");
    }

    #[test]
    fn the_answer_to_it_is_read_or_refused() {
        let answer = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00";
        assert_eq!(result_code(answer), Some(52));
        for bad in
            [&b""[..], b"\x30\x00", b"\x30\x03\x02\x01\x01", b"\x30\x05\x02\x01\x01\x78\x00", b"\x04\x01a"]
        {
            assert_eq!(result_code(bad), None);
        }
    }
}
