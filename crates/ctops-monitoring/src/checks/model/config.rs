//! Parameters by type of check (monitoring, table): what is accepted, and how agents read it.

use ctops_base::{FieldProblem, Problem};
use ctops_slice::http::parse_json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::field;

/// Host names and addresses, characters (RFC 1035).
const MAX_HOST_CHARS: usize = 253;
/// Paths, bytes (monitoring, table).
const MAX_PATH_BYTES: usize = 4096;
/// Addresses of web pages, and other texts of one line, bytes.
const MAX_LINE_BYTES: usize = 2048;
/// Bodies of requests, bytes.
const MAX_BODY_BYTES: usize = 8 * 1024;
/// Scripts, bytes (monitoring, table).
const MAX_SCRIPT_BYTES: usize = 16 * 1024;
/// Entries of lists.
const MAX_ENTRIES: usize = 50;

/// Who reads the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checks) enum Dialect {
    /// Our agents.
    Own,
    /// Agents of the original product (wire contract 6.1).
    Original,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::checks) struct Port {
    host: String,
    port: u16,
    #[serde(default = "tcp")]
    protocol: String,
    #[serde(default = "five")]
    timeout_s: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    payload: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    expected_reply: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::checks) struct Process {
    process_name: String,
    #[serde(default = "one")]
    min_count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_count: Option<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Codes {
    One(u16),
    Many(Vec<u16>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: String,
    #[serde(default)]
    value: String,
    /// The value is sealed and never shown.
    #[serde(default)]
    secret: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::checks) struct Http {
    url: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default = "ok")]
    expected_status: Codes,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<Header>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    body: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    body_contains: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    body_regex: String,
    #[serde(default)]
    follow_redirects: bool,
    #[serde(default = "yes")]
    verify_tls: bool,
    #[serde(default = "ten")]
    timeout_s: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::checks) struct Certificate {
    host: String,
    #[serde(default = "https")]
    port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    #[serde(default = "ten")]
    timeout_s: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::checks) struct CertFile {
    file_path: String,
    format: String,
    #[serde(default)]
    password: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    alias: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::checks) struct ServiceAccount {
    #[serde(default = "first_uid")]
    min_human_uid: u32,
    #[serde(default = "last_uid")]
    max_human_uid: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::checks) struct SshKeyScan {
    #[serde(default)]
    scan_paths: Vec<String>,
    #[serde(default)]
    skip_paths: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::checks) struct PatchStatus {
    #[serde(default = "thirty")]
    max_age_days: u32,
    #[serde(default = "five_hundred")]
    max_packages: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::checks) struct Script {
    script: String,
    #[serde(default = "sh")]
    interpreter: String,
    #[serde(default = "thirty")]
    timeout_s: u32,
}

fn tcp() -> String {
    "tcp".to_owned()
}
fn get() -> String {
    "GET".to_owned()
}
fn sh() -> String {
    "sh".to_owned()
}
fn ok() -> Codes {
    Codes::One(200)
}
fn yes() -> bool {
    true
}
fn one() -> u32 {
    1
}
fn five() -> u32 {
    5
}
fn ten() -> u32 {
    10
}
fn thirty() -> u32 {
    30
}
fn five_hundred() -> u32 {
    500
}
fn https() -> u16 {
    443
}
fn first_uid() -> u32 {
    1000
}
fn last_uid() -> u32 {
    60_000
}

/// Parameters of a known type.
#[derive(Clone, Debug)]
pub(in crate::checks) enum CheckConfig {
    Port(Port),
    Process(Process),
    Http(Box<Http>),
    Certificate(Certificate),
    CertFile(CertFile),
    ServiceAccount(ServiceAccount),
    SshKeyScan(SshKeyScan),
    PatchStatus(PatchStatus),
    Script(Script),
}

impl CheckConfig {
    /// Reads parameters of a check of `kind`.
    ///
    /// # Errors
    /// `validation_failed` for an unknown kind or a wrong value, `unknown_field` for an unknown key.
    pub(in crate::checks) fn parse(kind: &str, config: &Value) -> Result<Self, Problem> {
        Ok(match kind {
            "port" => Self::Port(read(config)?),
            "process" => Self::Process(read(config)?),
            "http" => Self::Http(Box::new(read(config)?)),
            "certificate" => Self::Certificate(read(config)?),
            "cert_file" => Self::CertFile(read(config)?),
            "service_account" => Self::ServiceAccount(read(config)?),
            "ssh_key_scan" => Self::SshKeyScan(read(config)?),
            "patch_status" => Self::PatchStatus(read(config)?),
            "script" => Self::Script(read(config)?),
            _ => {
                let kinds = "port, process, http, certificate, cert_file, service_account, ssh_key_scan, \
                             patch_status, script";
                return Err(Problem::invalid_field("type", "invalid", format!("must be one of {kinds}")));
            }
        })
    }

    /// Adds what is wrong with the values.
    pub(in crate::checks) fn check(&self, fields: &mut Vec<FieldProblem>) {
        let mut wrong = |is_wrong: bool, path: &str, message: &str| {
            if is_wrong {
                fields.push(field(&format!("config.{path}"), message));
            }
        };
        match self {
            Self::Port(port) => {
                wrong(!is_host(&port.host), "host", "must be a host name or address");
                wrong(port.port == 0, "port", "must be 1 to 65535");
                wrong(!["tcp", "udp"].contains(&port.protocol.as_str()), "protocol", "must be tcp or udp");
                wrong(!(1..=30).contains(&port.timeout_s), "timeout_s", "must be 1 to 30");
                wrong(
                    !is_text(&port.payload, MAX_LINE_BYTES),
                    "payload",
                    "must be text of at most 2048 bytes",
                );
                let reply = is_text(&port.expected_reply, MAX_LINE_BYTES);
                wrong(!reply, "expected_reply", "must be text of at most 2048 bytes");
            }
            Self::Process(process) => {
                wrong(!is_line(&process.process_name, 255), "process_name", "must have 1 to 255 characters");
                let bounded = process.max_count.is_some_and(|max| max < process.min_count);
                wrong(bounded, "max_count", "must not be below min_count");
            }
            Self::Http(http) => http.check(&mut wrong),
            Self::Certificate(certificate) => {
                wrong(!is_host(&certificate.host), "host", "must be a host name or address");
                wrong(certificate.port == 0, "port", "must be 1 to 65535");
                let named = certificate.server_name.as_deref().is_none_or(is_host);
                wrong(!named, "server_name", "must be a host name or address");
                wrong(!(1..=60).contains(&certificate.timeout_s), "timeout_s", "must be 1 to 60");
            }
            Self::CertFile(file) => {
                wrong(
                    !is_certificate_path(&file.file_path),
                    "file_path",
                    "must be an absolute path to a file",
                );
                let known = ["pem", "pkcs12", "jks"].contains(&file.format.as_str());
                wrong(!known, "format", "must be pem, pkcs12 or jks");
                wrong(file.password.len() > MAX_LINE_BYTES, "password", "has more than 2048 bytes");
                wrong(!is_text(&file.alias, 255), "alias", "must be text of at most 255 bytes");
            }
            Self::ServiceAccount(accounts) => {
                let ordered = accounts.min_human_uid <= accounts.max_human_uid;
                wrong(!ordered, "max_human_uid", "must not be below min_human_uid");
            }
            Self::SshKeyScan(scan) => {
                wrong(!are_paths(&scan.scan_paths), "scan_paths", "must be at most 50 absolute paths");
                wrong(!are_paths(&scan.skip_paths), "skip_paths", "must be at most 50 absolute paths");
            }
            Self::PatchStatus(patch) => {
                wrong(!(1..=3650).contains(&patch.max_age_days), "max_age_days", "must be 1 to 3650");
                wrong(!(1..=1000).contains(&patch.max_packages), "max_packages", "must be 1 to 1000");
            }
            Self::Script(script) => {
                let sized = (1..=MAX_SCRIPT_BYTES).contains(&script.script.len());
                wrong(!sized || script.script.contains('\0'), "script", "must be text of 1 to 16384 bytes");
                let known = ["sh", "bash", "python3", "powershell"].contains(&script.interpreter.as_str());
                wrong(!known, "interpreter", "must be sh, bash, python3 or powershell");
                wrong(!(1..=300).contains(&script.timeout_s), "timeout_s", "must be 1 to 300");
            }
        }
    }

    /// As JSON, with defaults filled in.
    pub(in crate::checks) fn into_value(self) -> Value {
        let value = match self {
            Self::Port(config) => serde_json::to_value(config),
            Self::Process(config) => serde_json::to_value(config),
            Self::Http(config) => serde_json::to_value(config),
            Self::Certificate(config) => serde_json::to_value(config),
            Self::CertFile(config) => serde_json::to_value(config),
            Self::ServiceAccount(config) => serde_json::to_value(config),
            Self::SshKeyScan(config) => serde_json::to_value(config),
            Self::PatchStatus(config) => serde_json::to_value(config),
            Self::Script(config) => serde_json::to_value(config),
        };
        value.unwrap_or_default()
    }
}

/// Parameters, secrets included, in the words of the agent that reads them. `run` is when somebody asked for a run at once:
/// agents of the original product start a check anew when its parameters change, and ignore keys they do not know.
pub(in crate::checks) fn for_agent(mut config: Value, dialect: Dialect, run: Option<i64>) -> String {
    if dialect == Dialect::Original
        && let Some(map) = config.as_object_mut()
    {
        if let Some(timeout) = map.remove("timeout_s") {
            map.insert("timeout_seconds".to_owned(), timeout);
        }
        if let Some(run) = run {
            map.insert("requested_at_ms".to_owned(), json!(run));
        }
    }
    config.to_string()
}

impl Http {
    fn check(&self, wrong: &mut impl FnMut(bool, &str, &str)) {
        let rest = self.url.strip_prefix("http://").or_else(|| self.url.strip_prefix("https://"));
        let named =
            rest.is_some_and(|rest| rest.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '['));
        let plain = self.url.chars().all(|c| c.is_ascii_graphic());
        let bounded = self.url.len() <= MAX_LINE_BYTES;
        wrong(!(named && plain && bounded), "url", "must be an address with http:// or https://");
        let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        wrong(
            !methods.contains(&self.method.as_str()),
            "method",
            "must be an HTTP method in capital letters",
        );
        let codes = match &self.expected_status {
            Codes::One(code) => std::slice::from_ref(code),
            Codes::Many(codes) => codes,
        };
        let known = codes.iter().all(|code| (100..=599).contains(code));
        let counted = (1..=MAX_ENTRIES).contains(&codes.len());
        wrong(!(known && counted), "expected_status", "must be one code or a list of codes from 100 to 599");
        let is_header = |header: &Header| {
            let token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
            let name = !header.name.is_empty() && header.name.len() <= 255 && header.name.bytes().all(token);
            let value = header.value.len() <= MAX_LINE_BYTES && !header.value.chars().any(char::is_control);
            name && value
        };
        let fine = self.headers.len() <= MAX_ENTRIES && self.headers.iter().all(is_header);
        wrong(!fine, "headers", "must be at most 50 names with values of one line");
        wrong(!is_text(&self.body, MAX_BODY_BYTES), "body", "must be text of at most 8192 bytes");
        let contains = is_text(&self.body_contains, MAX_LINE_BYTES);
        wrong(!contains, "body_contains", "must be text of at most 2048 bytes");
        let regex = is_text(&self.body_regex, MAX_LINE_BYTES);
        wrong(!regex, "body_regex", "must be text of at most 2048 bytes");
        let both = !self.body_contains.is_empty() && !self.body_regex.is_empty();
        wrong(both, "body_regex", "must not be given together with body_contains");
        wrong(!(1..=60).contains(&self.timeout_s), "timeout_s", "must be 1 to 60");
    }
}

fn read<T: DeserializeOwned>(config: &Value) -> Result<T, Problem> {
    parse_json(config.to_string().as_bytes()).map_err(|problem| {
        let inside = |mut wrong: FieldProblem| {
            wrong.path = match wrong.path.as_str() {
                "body" => "config".to_owned(),
                path => format!("config.{path}"),
            };
            wrong
        };
        let fields = problem.fields().iter().cloned().map(inside).collect();
        problem.with_fields(fields)
    })
}

/// NUL is in none: reading the configuration refuses it, because the database cannot keep it in JSON.
fn is_text(text: &str, max_bytes: usize) -> bool {
    text.len() <= max_bytes
}

fn is_line(text: &str, max_chars: usize) -> bool {
    let count = text.chars().count();
    (1..=max_chars).contains(&count) && !text.chars().any(ctops_base::text::is_hostile)
}

fn is_host(text: &str) -> bool {
    is_line(text, MAX_HOST_CHARS)
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'))
}

fn is_path(text: &str) -> bool {
    let windows = text.get(1..3).is_some_and(|drive| drive == ":\\" || drive == ":/");
    (text.starts_with('/') || windows) && text.len() <= MAX_PATH_BYTES && !text.contains('\0')
}

fn are_paths(paths: &[String]) -> bool {
    paths.len() <= MAX_ENTRIES && paths.iter().all(|path| is_path(path))
}

/// Not where the kernel answers, and without detours (monitoring, table).
fn is_certificate_path(text: &str) -> bool {
    // Empty parts and single dots are no directories: `//proc` and `/./proc` are `/proc`.
    let first = text.split('/').find(|part| !matches!(*part, "" | "."));
    let is_kernels = first.is_some_and(|part| ["proc", "sys", "dev"].contains(&part));
    let detour = text.split(['/', '\\']).any(|part| part == "..");
    is_path(text) && !detour && !is_kernels
}
