//! One delivery of a batch of events.

use std::time::Duration;

use aws_lc_rs::hmac;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use ctops_crypto::seal::InstallKey;
use ctops_egress::{Egress, EgressError, OutboundRequest, Purpose, TlsTrust};
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::model::{Forwarder, Kind, host_and_port};
use crate::event::{SealedEvent, micros};

/// Connecting, and then sending, may take this long.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a syslog server may take to close after we did.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);
/// Most bytes of a webhook's answer; nothing is read from it but its status.
const MAX_ANSWER: usize = 64 * 1024;
/// Facility "log audit" (13) of RFC 5424, times eight.
const FACILITY: u8 = 13 * 8;
/// Longest MSGID (RFC 5424 section 6).
const MSGID: usize = 32;

/// Why a batch was not taken. The text is shown to administrators.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryError {
    /// Nothing was reached.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[source] std::io::Error),
    /// It took too long.
    #[error("the server did not take the events in time")]
    TooSlow,
    /// The answer of a webhook.
    #[error("the server answered {0}")]
    Status(u16),
    /// The kept secret or address cannot be used.
    #[error("{0}")]
    Unusable(&'static str),
}

impl DeliveryError {
    /// The host that an internal target would open the way to (security 8).
    pub(super) fn needs_target(&self) -> Option<String> {
        match self {
            Self::Egress(EgressError::Refused { host, why }) if why.helped_by_entry() => Some(host.clone()),
            _ => None,
        }
    }
}

/// Sends events; when it returns, the other side took them.
pub(super) async fn deliver(
    egress: &Egress,
    seal: &InstallKey,
    forwarder: &Forwarder,
    events: &[SealedEvent],
    now: DateTime<Utc>,
) -> Result<(), DeliveryError> {
    match forwarder.kind {
        Kind::Webhook => post(egress, seal, forwarder, events, now).await,
        Kind::SyslogTcp | Kind::SyslogTls => {
            let (host, port) = host_and_port(forwarder.kind, &forwarder.endpoint)
                .ok_or(DeliveryError::Unusable("the address is not host:port"))?;
            let frames: Vec<u8> = events.iter().flat_map(syslog_frame).collect();
            let org_id = Some(forwarder.org_id);
            let stream = egress.connect(org_id, Purpose::Syslog, &host, port, LIMIT).await?;
            if forwarder.kind == Kind::SyslogTls {
                write(egress.tls(stream, &host, TlsTrust::System).await?, &frames).await
            } else {
                write(stream, &frames).await
            }
        }
    }
}

/// Syslog has no acknowledgement. The nearest to one is that the other side read to our end of the stream and closed
/// without an error, which is waited for.
async fn write<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, frames: &[u8]) -> Result<(), DeliveryError> {
    let sending = async {
        stream.write_all(frames).await?;
        stream.flush().await?;
        stream.shutdown().await
    };
    timeout(LIMIT, sending).await.map_err(|_| DeliveryError::TooSlow)?.map_err(DeliveryError::Broken)?;
    let mut rest = [0; 512];
    let closing = async {
        loop {
            match stream.read(&mut rest).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // TLS servers that just close are common, and what was sent arrived.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(DeliveryError::Broken(error)),
            }
        }
    };
    // A server that keeps the connection open has not refused anything.
    timeout(CLOSE_LIMIT, closing).await.unwrap_or(Ok(()))
}

/// An event as a message of RFC 5424 with its length in front (RFC 6587 section 3.4.1). The text is the event as one
/// JSON object, with its place in the chain.
pub fn syslog_frame(sealed: &SealedEvent) -> Vec<u8> {
    let severity = match sealed.event.outcome.as_str() {
        "denied" => 4,
        "failed" => 5,
        _ => 6,
    };
    let action: String = sealed.event.action.chars().filter(char::is_ascii_graphic).take(MSGID).collect();
    // A struct of plain fields always becomes JSON; the mark in front says that it is UTF-8.
    let text = serde_json::to_string(sealed).unwrap_or_default();
    let message = format!(
        "<{}>1 {} - ct-ops - {action} - \u{feff}{text}",
        FACILITY + severity,
        micros(sealed.event.at)
    );
    let mut frame = format!("{} ", message.len()).into_bytes();
    frame.extend_from_slice(message.as_bytes());
    frame
}

/// The signature of a delivery: HMAC-SHA256 over the time stamp, a full stop and the body, hex.
pub fn sign_body(secret: &[u8], timestamp: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signed = [timestamp.to_string().as_bytes(), b".", body].concat();
    hex::encode(hmac::sign(&key, &signed).as_ref())
}

async fn post(
    egress: &Egress,
    seal: &InstallKey,
    forwarder: &Forwarder,
    events: &[SealedEvent],
    now: DateTime<Utc>,
) -> Result<(), DeliveryError> {
    let sealed = forwarder.secret.as_ref().ok_or(DeliveryError::Unusable("there is no secret"))?;
    let secret = seal
        .open(&Forwarder::secret_name(forwarder.id), sealed)
        .map_err(|_| DeliveryError::Unusable("the secret cannot be read; enter it again"))?;
    let body = json!({ "organisation": forwarder.org_id, "events": events }).to_string();
    let timestamp = now.timestamp();
    let signature = format!("sha256={}", sign_body(&secret, timestamp, body.as_bytes()));
    let first = events.first().map_or(0, |event| event.seq);
    let last = events.last().map_or(0, |event| event.seq);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let own = [
        ("x-ctops-timestamp", timestamp.to_string()),
        ("x-ctops-signature", signature),
        ("x-ctops-delivery", format!("{}:{first}-{last}", forwarder.id)),
    ];
    for (name, value) in own {
        let value = HeaderValue::from_str(&value).map_err(|_| DeliveryError::Unusable("a header is bad"))?;
        headers.insert(name, value);
    }
    let request = OutboundRequest {
        method: Method::POST,
        url: forwarder.endpoint.clone(),
        headers,
        body: Bytes::from(body),
        max_answer: MAX_ANSWER,
    };
    let answer = egress.https(Some(forwarder.org_id), Purpose::Webhook, request).await?;
    if answer.status.is_success() { Ok(()) } else { Err(DeliveryError::Status(answer.status.as_u16())) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::event::{GENESIS, HashBytes, tests::sample};

    /// Spec: audit-log 15
    #[test]
    fn syslog_message_has_the_form_of_rfc_5424_and_its_length_in_front() {
        let event = sample();
        let hash = HashBytes(event.hash(&GENESIS));
        let mut sealed = SealedEvent { seq: 3, prev_hash: HashBytes(GENESIS), hash, event };
        sealed.event.outcome = "denied".into();
        let frame = String::from_utf8(syslog_frame(&sealed)).unwrap();
        let (length, message) = frame.split_once(' ').unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), message.len());
        let (head, text) = message.split_once('\u{feff}').unwrap();
        assert_eq!(head, "<108>1 2026-06-03T12:00:00.123456Z - ct-ops - host.updated - ");
        let read: SealedEvent = serde_json::from_str(text).unwrap();
        assert_eq!(read, sealed);
        assert!(!message.contains('\n'), "a line feed would end the message for simple receivers");
    }

    /// Spec: audit-log 15
    #[test]
    fn webhook_signature_is_hmac_sha256_over_time_and_body() {
        // Checked with: printf '1.{}' | openssl dgst -sha256 -hmac key
        let signature = sign_body(b"key", 1, b"{}");
        assert_eq!(signature.len(), 64);
        assert_ne!(signature, sign_body(b"key", 2, b"{}"), "a replay under another time is told apart");
        assert_ne!(signature, sign_body(b"kez", 1, b"{}"));
        assert_eq!(signature, EXPECTED);
    }

    const EXPECTED: &str = "1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224";
}
