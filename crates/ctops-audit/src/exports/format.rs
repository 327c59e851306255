//! The three formats.

use serde_json::json;

use super::model::Export;
use crate::event::{SealedEvent, micros};

/// What a file is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with lines about the file in front that begin with `#`.
    Csv,
    /// One JSON object a line; the first one is about the file.
    JsonLines,
    /// Common Event Format, version 0; lines about the file begin with `#`.
    Cef,
}

/// Columns of a CSV file.
const COLUMNS: [&str; 27] = [
    "seq",
    "id",
    "at",
    "org_id",
    "actor_kind",
    "actor_id",
    "actor_name",
    "action",
    "target_type",
    "target_id",
    "target_label",
    "outcome",
    "reason_code",
    "cause",
    "summary",
    "before",
    "after",
    "repeats",
    "ip",
    "user_agent",
    "request_id",
    "session_hash",
    "auth_method",
    "second_factor",
    "api_key_id",
    "prev_hash",
    "hash",
];

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Csv, Self::JsonLines, Self::Cef];

    /// The name in the API and the database; also the ending of a file's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Cef => "cef",
        }
    }

    /// The format with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// Media type of a file.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/jsonl; charset=utf-8",
            Self::Cef => "text/plain; charset=utf-8",
        }
    }

    /// What stands in front of the first event.
    pub(super) fn head(self, export: &Export) -> String {
        let lines = export.about();
        match self {
            Self::JsonLines => {
                let about: serde_json::Map<_, _> =
                    lines.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
                format!("{}\n", json!({ "about": about }))
            }
            Self::Csv | Self::Cef => {
                let mut text: String =
                    lines.iter().map(|(name, value)| format!("# {name}: {}\r\n", one_line(value))).collect();
                if self == Self::Csv {
                    text.push_str(&COLUMNS.join(","));
                    text.push_str("\r\n");
                }
                text
            }
        }
    }

    /// One event.
    pub(super) fn line(self, event: &SealedEvent) -> String {
        match self {
            Self::JsonLines => {
                // A struct of plain fields always becomes JSON.
                let mut line = serde_json::to_string(event).unwrap_or_default();
                line.push('\n');
                line
            }
            Self::Csv => csv_line(event),
            Self::Cef => format!("{}\r\n", cef_line(event)),
        }
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn csv_line(sealed: &SealedEvent) -> String {
    let event = &sealed.event;
    let or_empty = |value: &Option<String>| value.clone().unwrap_or_default();
    let shown = |value: Option<String>| value.unwrap_or_default();
    let cells = [
        sealed.seq.to_string(),
        event.id.to_string(),
        micros(event.at),
        shown(event.org_id.map(|id| id.to_string())),
        event.actor_kind.clone(),
        or_empty(&event.actor_id),
        or_empty(&event.actor_name),
        event.action.clone(),
        event.target_type.clone(),
        or_empty(&event.target_id),
        or_empty(&event.target_label),
        event.outcome.clone(),
        or_empty(&event.reason_code),
        or_empty(&event.cause),
        event.summary.clone(),
        shown(event.before.as_ref().map(ToString::to_string)),
        shown(event.after.as_ref().map(ToString::to_string)),
        event.repeats.to_string(),
        or_empty(&event.ip),
        or_empty(&event.user_agent),
        or_empty(&event.request_id),
        or_empty(&event.session_hash),
        or_empty(&event.auth_method),
        shown(event.second_factor.map(|used| used.to_string())),
        shown(event.api_key_id.map(|id| id.to_string())),
        hex::encode(sealed.prev_hash.0),
        hex::encode(sealed.hash.0),
    ];
    let mut line = cells.map(|cell| csv_cell(&cell)).join(",");
    line.push_str("\r\n");
    line
}

/// First characters of what spreadsheets may take for a formula; some read the full-width forms like the others.
const FORMULA_SIGNS: [char; 13] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '|', '%', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// A cell that no spreadsheet takes for a formula: a tab goes in front of one (audit-log 14).
fn csv_cell(text: &str) -> String {
    let is_formula = text.starts_with(FORMULA_SIGNS);
    let guarded = if is_formula { format!("\t{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', '\r', '\n', '\t']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

/// One event in the Common Event Format.
fn cef_line(sealed: &SealedEvent) -> String {
    let event = &sealed.event;
    let severity = match event.outcome.as_str() {
        "denied" => 6,
        "failed" => 5,
        _ => 3,
    };
    let mut line = format!(
        "CEF:0|CT-Ops|ct-ops|{}|{}|{}|{severity}|",
        env!("CARGO_PKG_VERSION"),
        cef_header(&event.action),
        cef_header(&event.summary)
    );
    let millis = event.at.timestamp_millis().to_string();
    let (seq, hash, prev) =
        (sealed.seq.to_string(), hex::encode(sealed.hash.0), hex::encode(sealed.prev_hash.0));
    let (before, after) =
        (event.before.as_ref().map(ToString::to_string), event.after.as_ref().map(ToString::to_string));
    let id = event.id.to_string();
    let count = event.repeats.to_string();
    let pairs: [(&str, Option<&str>); 19] = [
        ("rt", Some(&millis)),
        ("externalId", Some(&id)),
        ("act", Some(&event.action)),
        ("outcome", Some(&event.outcome)),
        ("reason", event.reason_code.as_deref()),
        ("src", event.ip.as_deref()),
        ("suid", event.actor_id.as_deref()),
        ("suser", event.actor_name.as_deref()),
        ("spriv", Some(&event.actor_kind)),
        ("duid", event.target_id.as_deref()),
        ("dhost", event.target_label.as_deref().filter(|_| event.target_type == "host")),
        ("requestClientApplication", event.user_agent.as_deref()),
        ("cnt", Some(&count)),
        ("ctopsTargetType", Some(&event.target_type)),
        ("ctopsRequestId", event.request_id.as_deref()),
        ("ctopsBefore", before.as_deref()),
        ("ctopsAfter", after.as_deref()),
        ("ctopsSeq", Some(&seq)),
        ("ctopsPrevHash", Some(&prev)),
    ];
    for (name, value) in pairs.into_iter().chain([("ctopsHash", Some(hash.as_str()))]) {
        if let Some(value) = value {
            if !line.ends_with('|') {
                line.push(' ');
            }
            line.push_str(name);
            line.push('=');
            line.push_str(&cef_value(value));
        }
    }
    line
}

fn cef_header(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('|', "\\|")
}

fn cef_value(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('=', "\\=").replace("\r\n", "\\n");
    one_line(&escaped.replace(['\n', '\r'], "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{GENESIS, HashBytes, tests::sample};

    fn sealed() -> SealedEvent {
        let event = sample();
        let hash = HashBytes(event.hash(&GENESIS));
        SealedEvent { seq: 7, prev_hash: HashBytes(GENESIS), hash, event }
    }

    /// Spec: audit-log 14
    #[test]
    fn csv_guards_formulas_and_quotes_cells() {
        for (given, written) in [
            ("plain", "plain"),
            ("=1+1", "\"\t=1+1\""),
            ("@SUM(A1)", "\"\t@SUM(A1)\""),
            ("-5", "\"\t-5\""),
            ("+5", "\"\t+5\""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(csv_cell(given), written, "{given:?}");
        }
        let line = Format::Csv.line(&sealed());
        assert!(
            line.starts_with("7,00000000-0000-0000-0000-000000000001,2026-06-03T12:00:00.123456Z,"),
            "{line}"
        );
        assert!(line.contains("\"\t=changed | it\"") && line.ends_with("\r\n"), "{line}");
    }

    /// Spec: audit-log 14
    #[test]
    fn cef_escapes_what_would_end_a_field() {
        let line = cef_line(&sealed());
        assert!(line.starts_with("CEF:0|CT-Ops|ct-ops|"), "{line}");
        assert!(line.contains("|host.updated|=changed \\| it|3|rt=1780488000123 "), "{line}");
        assert!(line.contains(" suser=Ada \"L\" ") && line.contains(" dhost=web-1 "), "{line}");
        assert_eq!(cef_value("a=b\\c\nd"), "a\\=b\\\\c\\nd");
        assert!(!line.contains('\n'));
    }
}
