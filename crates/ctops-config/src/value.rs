use std::fmt;

/// Type and bounds of a setting.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text of at least so many characters.
    LongText(usize),
    /// A path.
    Path,
    /// `true`, `false`, `1`, `0`, `yes`, `no`, `on`, `off` in any case.
    Flag,
    /// `true`, `false`, `1`, `0` only (auth 6).
    StrictFlag,
    /// A whole number between two bounds, both included.
    Integer(u64, u64),
    /// A duration in seconds between two bounds; accepts `90`, `90s`, `15m`, `24h`, `7d`.
    Duration(u64, u64),
    /// A size in bytes between two bounds; accepts `1048576`, `64KiB`, `4MiB`, `2GiB`.
    Size(u64, u64),
    /// An absolute `http` or `https` URL.
    Url,
    /// `address:port` to listen on.
    Listen,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Texts separated by commas.
    List,
}

/// A checked value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, path, URL, address or choice.
    Text(String),
    /// Switch.
    Flag(bool),
    /// Number, seconds or bytes.
    Number(u64),
    /// List.
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Flag(on) => write!(f, "{on}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::List(items) => f.write_str(&items.join(",")),
        }
    }
}

impl Kind {
    /// Parses `text`.
    ///
    /// # Errors
    /// A sentence fragment saying what would be right; it never repeats the text, which may be a secret.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        match *self {
            Kind::Text | Kind::Path => Ok(Value::Text(text.to_owned())),
            Kind::LongText(least) => match text.chars().count() {
                count if count >= least => Ok(Value::Text(text.to_owned())),
                count => Err(format!("has {count} characters, at least {least} are needed")),
            },
            Kind::Flag => parse_flag(text).ok_or_else(|| "must be true or false".to_owned()),
            Kind::StrictFlag => match text {
                "true" | "1" => Ok(Value::Flag(true)),
                "false" | "0" => Ok(Value::Flag(false)),
                _ => Err("must be one of true, false, 1, 0".to_owned()),
            },
            Kind::Integer(low, high) => bounded(text.parse().ok(), low, high, "a whole number"),
            Kind::Duration(low, high) => {
                let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
                bounded(with_unit(text, &units), low, high, "seconds, or a number with s, m, h or d,")
            }
            Kind::Size(low, high) => {
                let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
                bounded(with_unit(text, &units), low, high, "bytes, or a number with KiB, MiB or GiB,")
            }
            Kind::Url => parse_url(text),
            Kind::Listen => match text.parse::<std::net::SocketAddr>() {
                Ok(address) => Ok(Value::Text(address.to_string())),
                Err(_) => Err("must be an IP address and port, for example 127.0.0.1:8443".to_owned()),
            },
            Kind::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Kind::Choice(words) => Err(format!("must be one of {}", words.join(", "))),
            Kind::List => Ok(Value::List(
                text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect(),
            )),
        }
    }

    /// How the reference names the type.
    pub fn describe(&self) -> String {
        match *self {
            Kind::Text => "text".to_owned(),
            Kind::LongText(least) => format!("text, at least {least} characters"),
            Kind::Path => "path".to_owned(),
            Kind::Flag | Kind::StrictFlag => "true or false".to_owned(),
            Kind::Integer(low, high) => format!("whole number, {low} to {high}"),
            Kind::Duration(low, high) => format!("duration, {low} to {high} s (also 15m, 24h, 7d)"),
            Kind::Size(low, high) => format!("size, {low} to {high} bytes (also 4MiB, 2GiB)"),
            Kind::Url => "URL".to_owned(),
            Kind::Listen => "address:port".to_owned(),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::List => "comma-separated list".to_owned(),
        }
    }
}

fn parse_flag(text: &str) -> Option<Value> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(Value::Flag(true)),
        "false" | "0" | "no" | "off" => Some(Value::Flag(false)),
        _ => None,
    }
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    for (suffix, factor) in units {
        if let Some(number) = text.strip_suffix(suffix) {
            return number.trim().parse::<u64>().ok()?.checked_mul(*factor);
        }
    }
    text.parse().ok()
}

fn bounded(number: Option<u64>, low: u64, high: u64, what: &str) -> Result<Value, String> {
    match number {
        Some(number) if (low..=high).contains(&number) => Ok(Value::Number(number)),
        _ => Err(format!("must be {what} from {low} to {high}")),
    }
}

fn parse_url(text: &str) -> Result<Value, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let plain = !authority.is_empty() && !authority.contains(['@', ' ']);
    if plain {
        Ok(Value::Text(text.trim_end_matches('/').to_owned()))
    } else {
        Err("must be an absolute URL, for example https://ct-ops.example.com".to_owned())
    }
}
