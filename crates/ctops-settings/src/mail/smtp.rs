//! One delivery to a relay, step by step (settings 10).

use std::time::Duration;

use chrono::DateTime;
use ctops_base::problem::error_chain;
use ctops_egress::{Egress, EgressError, Purpose, TlsTrust};
use lettre::Message;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::relay::{Encryption, Relay};
use super::stream::RelayStream;

/// For a connection (notifications 9).
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// For everything together (notifications 9).
const TOTAL_LIMIT: Duration = Duration::from_secs(30);
/// Longest reply before TLS, bytes.
const REPLY_LIMIT: usize = 8 * 1024;
/// What is said of a failure, characters: relays may answer with anything.
const SAID_LIMIT: usize = 300;

/// One step of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepName {
    /// The name has addresses, all of which may be reached.
    Resolve,
    /// A connection.
    Connect,
    /// It is secured.
    Tls,
    /// The account was accepted.
    Auth,
    /// The message was accepted.
    Accepted,
}

impl StepName {
    /// Name in the API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Accepted => "accepted",
        }
    }
}

/// A step that was taken. Texts hold no secrets.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Which.
    pub(super) name: StepName,
    /// What was seen.
    pub(super) detail: String,
}

/// A step that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {detail}", .step.as_str())]
pub(super) struct DeliveryError {
    /// Which.
    pub(super) step: StepName,
    /// Why, for people.
    pub(super) detail: String,
    /// Trying again will not help: the relay refuses the account, the sender or the recipient.
    pub(super) permanent: bool,
    /// The host needs an entry among the organisation's internal targets.
    pub(super) needs_target: bool,
}

impl DeliveryError {
    fn new(step: StepName, detail: impl Into<String>) -> Self {
        let detail: String = detail.into().chars().filter(|c| !c.is_control()).take(SAID_LIMIT).collect();
        Self { step, detail, permanent: false, needs_target: false }
    }

    fn of_egress(step: StepName, error: &EgressError) -> Self {
        let mut failed = Self::new(step, error_chain(error));
        failed.needs_target = error.code() == "egress_needs_target";
        failed
    }

    fn of_relay(step: StepName, error: &lettre::transport::smtp::Error) -> Self {
        let mut failed = Self::new(step, error_chain(error));
        failed.permanent = error.is_permanent();
        failed
    }
}

/// Delivers one message and notes every step that worked.
pub(super) async fn deliver(
    egress: &Egress,
    relay: &Relay,
    server_name: &str,
    message: &Message,
    steps: &mut Vec<Step>,
) -> Result<(), DeliveryError> {
    let mut at = StepName::Resolve;
    let work = attempt(egress, relay, server_name, message, steps, &mut at);
    match tokio::time::timeout(TOTAL_LIMIT, work).await {
        Ok(outcome) => outcome,
        Err(_) => {
            Err(DeliveryError::new(at, format!("the relay took more than {} s", TOTAL_LIMIT.as_secs())))
        }
    }
}

async fn attempt(
    egress: &Egress,
    relay: &Relay,
    server_name: &str,
    message: &Message,
    steps: &mut Vec<Step>,
    at: &mut StepName,
) -> Result<(), DeliveryError> {
    let (host, port) = (relay.page.host.as_str(), relay.page.port);
    let checked = egress.check(relay.org_id, Purpose::Smtp, host, port).await;
    checked.map_err(|error| DeliveryError::of_egress(StepName::Resolve, &error))?;
    steps.push(Step { name: StepName::Resolve, detail: host.to_owned() });
    *at = StepName::Connect;
    let stream = egress.connect(relay.org_id, Purpose::Smtp, host, port, CONNECT_LIMIT).await;
    let stream = stream.map_err(|error| DeliveryError::of_egress(StepName::Connect, &error))?;
    let peer = stream.peer_addr().map_or_else(|_| host.to_owned(), |peer| peer.to_string());
    steps.push(Step { name: StepName::Connect, detail: peer });
    let stream = secure(egress, relay, server_name, stream, steps, at).await?;
    let hello = ClientId::Domain(server_name.to_owned());
    let connection = AsyncSmtpConnection::connect_with_transport(stream, &hello).await;
    let mut connection = connection.map_err(|error| DeliveryError::of_relay(*at, &error))?;
    if !relay.page.username.is_empty() {
        *at = StepName::Auth;
        let password = relay.password.as_ref().map_or("", |password| password.as_str());
        let credentials = Credentials::new(relay.page.username.clone(), password.to_owned());
        let said = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
        said.map_err(|error| DeliveryError::of_relay(StepName::Auth, &error))?;
        steps.push(Step { name: StepName::Auth, detail: relay.page.username.clone() });
    }
    *at = StepName::Accepted;
    let said = connection.send(message.envelope(), &message.formatted()).await;
    let said = said.map_err(|error| DeliveryError::of_relay(StepName::Accepted, &error))?;
    let said: String = said.first_line().unwrap_or_default().chars().take(SAID_LIMIT).collect();
    steps.push(Step { name: StepName::Accepted, detail: said });
    // The message is delivered; how the relay takes leave does not matter.
    let _ = connection.quit().await;
    Ok(())
}

/// The connection as the mail library takes it, secured as asked for.
async fn secure(
    egress: &Egress,
    relay: &Relay,
    server_name: &str,
    mut stream: TcpStream,
    steps: &mut Vec<Step>,
    at: &mut StepName,
) -> Result<Box<dyn AsyncTokioStream>, DeliveryError> {
    if relay.page.encryption == Encryption::None {
        return Ok(Box::new(stream));
    }
    *at = StepName::Tls;
    let mut greeting = Vec::new();
    if relay.page.encryption == Encryption::Starttls {
        greeting = begin_tls(&mut stream, server_name).await?;
    }
    let trust = match relay.page.ca_pem.as_str() {
        "" => TlsTrust::System,
        pem => TlsTrust::Only(pem),
    };
    let secured = egress.tls(stream, &relay.page.host, trust).await;
    let secured = secured.map_err(|error| DeliveryError::of_egress(StepName::Tls, &error))?;
    steps.push(Step { name: StepName::Tls, detail: describe(&secured) });
    Ok(Box::new(RelayStream::new(&greeting, secured)))
}

/// Asks for TLS (RFC 3207). Whatever the relay, or somebody in between, sends after its consent would be taken for
/// protected afterwards, so anything more ends the attempt. Returns the greeting.
async fn begin_tls(stream: &mut TcpStream, server_name: &str) -> Result<Vec<u8>, DeliveryError> {
    let greeting = reply(stream, "220").await?;
    let gone = |error: std::io::Error| DeliveryError::new(StepName::Tls, error.to_string());
    stream.write_all(format!("EHLO {server_name}\r\n").as_bytes()).await.map_err(gone)?;
    let features = String::from_utf8_lossy(&reply(stream, "250").await?).to_ascii_uppercase();
    if !features.lines().any(|line| line.get(4..).is_some_and(|word| word.trim() == "STARTTLS")) {
        return Err(DeliveryError::new(StepName::Tls, "the relay does not offer STARTTLS"));
    }
    stream.write_all(b"STARTTLS\r\n").await.map_err(gone)?;
    reply(stream, "220").await?;
    Ok(greeting)
}

/// Reads one reply, which may have several lines (RFC 5321 section 4.2.1), and demands its code.
async fn reply(stream: &mut TcpStream, code: &str) -> Result<Vec<u8>, DeliveryError> {
    let failed = |detail: &str| DeliveryError::new(StepName::Tls, detail);
    let mut said = Vec::new();
    loop {
        let read = stream.read_buf(&mut said).await.map_err(|error| failed(&error.to_string()))?;
        if read == 0 {
            return Err(failed("the relay closed the connection"));
        }
        if said.len() > REPLY_LIMIT {
            return Err(failed("the relay says more than it should"));
        }
        if let Some(end) = end_of_reply(&said) {
            if end != said.len() {
                return Err(failed("the relay, or somebody before it, says more than it was asked"));
            }
            break;
        }
    }
    if said.starts_with(code.as_bytes()) {
        return Ok(said);
    }
    let text = String::from_utf8_lossy(&said);
    Err(failed(text.lines().next().unwrap_or_default()))
}

/// Where the first complete reply ends.
fn end_of_reply(said: &[u8]) -> Option<usize> {
    let mut begin = 0;
    while let Some(length) = said[begin..].iter().position(|byte| *byte == b'\n') {
        let line = &said[begin..begin + length];
        begin += length + 1;
        if line.get(3) != Some(&b'-') {
            return Some(begin);
        }
    }
    None
}

/// Version of TLS and the relay's certificate.
fn describe(stream: &TlsStream<TcpStream>) -> String {
    let session = stream.get_ref().1;
    let version = session.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
    let leaf = session.peer_certificates().and_then(|chain| chain.first());
    let leaf = leaf.and_then(|der| X509Certificate::from_der(der).ok());
    let Some((_, certificate)) = leaf else { return version.to_owned() };
    let until = DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0).unwrap_or_default();
    format!("{version}, certificate of {} until {}", certificate.subject(), until.format("%Y-%m-%d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_end_at_the_first_line_without_a_hyphen() {
        assert_eq!(end_of_reply(b"220 hello\r\n"), Some(11));
        assert_eq!(end_of_reply(b"250-one\r\n250-two\r\n"), None);
        assert_eq!(end_of_reply(b"250-one\r\n250 two\r\n"), Some(18));
        assert_eq!(
            end_of_reply(b"220 go\r\n250 injected\r\n"),
            Some(8),
            "more than one reply is seen as such"
        );
        assert_eq!(end_of_reply(b""), None);
    }

    #[test]
    fn what_relays_say_is_cut_and_cleaned() {
        let error = DeliveryError::new(StepName::Auth, format!("\u{1b}[31m{}", "x".repeat(1000)));
        assert!(error.detail.chars().count() == SAID_LIMIT && !error.detail.contains('\u{1b}'));
    }
}
