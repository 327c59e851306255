//! Log lines as Go's slog writes text: `time=… level=INFO msg="…" key=value …` on standard output (wire contract
//! 11.5), so that existing journal filters keep working.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use ctops_base::Clock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Longest value written, characters: some values come from the server or from other programs.
const MAX_VALUE_CHARS: usize = 2000;

/// Writes the log of this process to standard output. Later calls change nothing.
pub fn to_stdout(clock: Clock) {
    // A second subscriber is refused; the first one keeps writing.
    let _ = tracing::subscriber::set_global_default(SlogText::new(clock, Box::new(std::io::stdout())));
}

/// An error with all its causes, separated by `: `.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    with_causes(error.to_string(), error.source())
}

/// `text` with the causes from `cause` on; what it says already is not said again.
pub fn with_causes(mut text: String, mut cause: Option<&(dyn Error + 'static)>) -> String {
    while let Some(next) = cause {
        let message = next.to_string();
        if !text.contains(&message) {
            let _ = write!(text, ": {message}");
        }
        cause = next.source();
    }
    text
}

/// Formats this program's own events; those of its libraries only from WARN.
pub struct SlogText {
    clock: Clock,
    out: Mutex<Box<dyn Write + Send>>,
}

impl SlogText {
    /// A log that goes to `out`, one write per line.
    pub fn new(clock: Clock, out: Box<dyn Write + Send>) -> Self {
        Self { clock, out: Mutex::new(out) }
    }
}

impl fmt::Debug for SlogText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlogText")
    }
}

impl Subscriber for SlogText {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && (*metadata.level() <= Level::WARN
                || (*metadata.level() <= Level::INFO && metadata.target().starts_with("ctops_")))
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let time = self.clock.now().format("%Y-%m-%dT%H:%M:%S%.3fZ");
        let level = event.metadata().level();
        let mut line = format!("time={time} level={level} msg=");
        append_value(&mut line, &fields.message);
        line.push_str(&fields.others);
        line.push('\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written must not stop the agent.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Fields {
    fn add(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            // tracing keeps the name `message` for the text of the event, slog does not.
            let name = if field.name() == "server_message" { "message" } else { field.name() };
            self.others.push(' ');
            self.others.push_str(name);
            self.others.push('=');
            append_value(&mut self.others, value);
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

/// Appends `value`, quoted when slog would quote it: empty, blanks, `=`, `"` or anything that does not print.
fn append_value(line: &mut String, value: &str) {
    let plain = |c: char| !matches!(c, ' ' | '=' | '"') && prints(c);
    if !value.is_empty() && value.chars().all(plain) && value.len() <= MAX_VALUE_CHARS {
        line.push_str(value);
        return;
    }
    line.push('"');
    for c in value.chars().take(MAX_VALUE_CHARS) {
        match c {
            '"' | '\\' => {
                line.push('\\');
                line.push(c);
            }
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if prints(c) => line.push(c),
            c if (c as u32) < 0x80 => {
                let _ = write!(line, "\\x{:02x}", c as u32);
            }
            c if (c as u32) <= 0xffff => {
                let _ = write!(line, "\\u{:04x}", c as u32);
            }
            c => {
                let _ = write!(line, "\\U{:08x}", c as u32);
            }
        }
    }
    if value.chars().nth(MAX_VALUE_CHARS).is_some() {
        line.push('…');
    }
    line.push('"');
}

/// Whether a terminal shows `c` as itself. Rust's own escaping knows the unprintable ranges of Unicode.
fn prints(c: char) -> bool {
    matches!(c, '"' | '\\' | '\'') || (c.escape_debug().len() == 1 && !ctops_base::text::is_hostile(c))
}

#[cfg(test)]
pub(crate) mod capture;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::capture::Lines;
    use super::*;
    use proptest::prelude::*;
    use tracing::{debug, info, warn};

    fn logged(work: impl FnOnce()) -> String {
        let clock = Clock::manual(chrono::DateTime::from_timestamp_millis(1_700_000_000_123).unwrap());
        let lines = Lines::default();
        let subscriber = SlogText::new(clock, Box::new(lines.clone()));
        tracing::subscriber::with_default(subscriber, work);
        lines.text()
    }

    #[test]
    fn event_when_logged_then_reads_like_slog_text() {
        let text = logged(|| {
            info!(data_dir = %"/var/lib/ct-ops", interval_secs = 30, ok = true, "agent identity ready");
            warn!(err = "a \"b\"", empty = "", equals = "a=b", "short");
            debug!("not shown");
        });
        assert_eq!(
            text,
            "time=2023-11-14T22:13:20.123Z level=INFO msg=\"agent identity ready\" data_dir=/var/lib/ct-ops interval_secs=30 ok=true\n\
             time=2023-11-14T22:13:20.123Z level=WARN msg=short err=\"a \\\"b\\\"\" empty=\"\" equals=\"a=b\"\n"
        );
    }

    #[test]
    fn hostile_value_when_logged_then_cannot_forge_a_line_or_move_the_cursor() {
        let text = logged(|| info!(server_message = "x\ntime=0 level=ERROR\r\t\u{1b}[2J\u{7f}\u{202e}", "m"));
        assert_eq!(text.lines().count(), 1);
        assert!(
            text.ends_with("msg=m message=\"x\\ntime=0 level=ERROR\\r\\t\\x1b[2J\\x7f\\u202e\"\n"),
            "{text}"
        );
    }

    #[test]
    fn endless_value_when_logged_then_is_cut() {
        let text = logged(|| info!(value = "y".repeat(100_000), "m"));
        assert!(text.len() < 2200 && text.contains('…'), "{} bytes", text.len());
    }

    #[test]
    fn error_with_causes_when_chained_then_names_each_once() {
        let inner = std::io::Error::other("disk on fire");
        let outer = crate::config::ConfigError::Unreadable("/x".into(), inner);
        assert_eq!(chain(&outer), "configuration file /x cannot be read: disk on fire");
    }

    proptest! {
        #[test]
        fn any_value_stays_on_one_printable_line(value: String) {
            let text = logged(|| info!(value = value.as_str(), "m"));
            let line = text.strip_suffix('\n').unwrap();
            prop_assert!(line.chars().all(|c| !c.is_control()));
        }
    }
}
