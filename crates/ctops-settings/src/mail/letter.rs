//! From a letter to a message as it goes over the wire (RFC 5322).

use chrono::{DateTime, Utc};
use ctops_slice::mail::Letter;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use uuid::Uuid;

use super::relay::SmtpRelay;

/// The letter cannot be written: an address is not one.
#[derive(Debug, thiserror::Error)]
#[error("the {0} is not an e-mail address")]
pub(super) struct BadAddress(&'static str);

/// Writes the message. `id` and `server_name` make its id, which stays the same over all attempts.
pub(super) fn message(
    relay: &SmtpRelay,
    letter: &Letter,
    id: Uuid,
    server_name: &str,
    now: DateTime<Utc>,
) -> Result<Message, BadAddress> {
    let address = |text: &str, what| text.parse().map_err(|_| BadAddress(what));
    let name = Some(relay.from_name.clone()).filter(|name| !name.is_empty());
    let mut message = Message::builder()
        .from(Mailbox::new(name, address(&relay.from_address, "sender")?))
        .to(Mailbox::new(None, address(&letter.to, "recipient")?))
        .subject(letter.subject.clone())
        .date(now.into())
        .message_id(Some(format!("<{id}@{server_name}>")))
        .header(ContentType::TEXT_PLAIN)
        .body(body(letter))
        .map_err(|_| BadAddress("recipient"))?;
    // Tells vacation responders to keep quiet (RFC 3834).
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
    Ok(message)
}

fn body(letter: &Letter) -> String {
    match &letter.link {
        Some(link) => format!("{}\r\n\r\n{link}\r\n", letter.text.trim_end()),
        None => format!("{}\r\n", letter.text.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn written(to: &str, subject: &str) -> Result<String, BadAddress> {
        let relay = SmtpRelay { from_address: "ops@example.com".into(), ..SmtpRelay::default() };
        let letter = Letter {
            to: to.into(),
            subject: subject.into(),
            text: "Grüße".into(),
            link: Some("https://ops.example.com/verify?token=abc".into()),
        };
        let now = DateTime::from_timestamp(1_780_488_000, 0).unwrap();
        let message = message(&relay, &letter, Uuid::nil(), "ops.example.com", now)?;
        Ok(String::from_utf8(message.formatted()).unwrap())
    }

    #[test]
    fn message_names_sender_date_and_id_and_carries_the_link() {
        let text = written("ada@example.com", "Verify").unwrap();
        assert!(text.contains("From: CT-Ops <ops@example.com>\r\n"), "{text}");
        assert!(
            text.contains("To: ada@example.com\r\n") && text.contains("Auto-Submitted: auto-generated\r\n")
        );
        assert!(text.contains("Message-ID: <00000000-0000-0000-0000-000000000000@ops.example.com>\r\n"));
        assert!(text.contains("Date: Wed, 03 Jun 2026 12:00:00 +0000\r\n"), "{text}");
        assert!(text.contains("verify?token"), "{text}");
    }

    #[test]
    fn recipient_when_it_is_more_than_an_address_is_refused() {
        for to in ["", "ada", "ada@example.com, eve@example.com", "a@b.c>\r\nRCPT TO:<eve@example.com"] {
            assert!(written(to, "x").is_err(), "{to:?}");
        }
        assert!(!written("ada@example.com", "x\r\nBcc: eve@example.com").unwrap().contains("\r\nBcc:"));
    }
}
