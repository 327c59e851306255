//! What the list can be asked for: from the query string to a checked [`HostQuery`].

use ctops_base::{FieldProblem, PageRequest, Problem};
use ctops_slice::paging::{PageSizes, parse_page};
use uuid::Uuid;

use super::{HostStatus, Vital};

/// Page sizes of the list (hosts 12).
const PAGE_SIZES: PageSizes = PageSizes { allowed: &[25, 50, 100, 200], default: 50 };
/// Longest search, characters (api-conventions 12).
const MAX_SEARCH_CHARS: usize = 200;
/// Longest value of the other filters, characters: what agents may report.
const MAX_LABEL_CHARS: usize = ctops_proto::limits::MAX_LABEL_CHARS;
/// Filter value that stands for "not known": operating system, architecture and agent version may be absent.
pub(in crate::hosts) const UNKNOWN: &str = "unknown";

/// What the list is sorted by (hosts 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// Host name, whatever its case.
    Hostname,
    /// Operating system, whatever its case.
    Os,
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
    /// Root file system.
    Disk,
    /// When it was last seen.
    LastSeen,
    /// Status, by name.
    Status,
}

/// Order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// Largest first. Absent values come last all the same.
    pub descending: bool,
}

impl Sort {
    /// `cpu` or `-cpu`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let key = match name {
            "hostname" => SortKey::Hostname,
            "os" => SortKey::Os,
            "cpu" => SortKey::Cpu,
            "memory" => SortKey::Memory,
            "disk" => SortKey::Disk,
            "last_seen" => SortKey::LastSeen,
            "status" => SortKey::Status,
            _ => return None,
        };
        Some(Self { key, descending })
    }
}

/// Which hosts. The default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFilter {
    /// Part of the host name, display name or an address; never empty.
    pub search: Option<String>,
    /// Status.
    pub status: Option<HostStatus>,
    /// Operating system, or [`UNKNOWN`].
    pub os: Option<String>,
    /// Architecture, or [`UNKNOWN`].
    pub arch: Option<String>,
    /// Version of the agent, or [`UNKNOWN`].
    pub agent_version: Option<String>,
    /// Only stale ones (hosts 5).
    pub stale: bool,
    /// Only online ones whose vital is hot (hosts 8).
    pub hot: Option<Vital>,
    /// Only members of this host group, which was found before.
    pub group: Option<Uuid>,
}

/// One page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostQuery {
    /// Which hosts.
    pub filter: HostFilter,
    /// In which order.
    pub sort: Sort,
    /// Which page.
    pub page: PageRequest,
}

/// The parameters as they came; empty ones count as absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostListInput<'a> {
    /// Free text.
    pub search: Option<&'a str>,
    /// Name of a status.
    pub status: Option<&'a str>,
    /// Operating system.
    pub os: Option<&'a str>,
    /// Architecture.
    pub arch: Option<&'a str>,
    /// Version of the agent.
    pub agent_version: Option<&'a str>,
    /// `true` or `false`.
    pub stale: Option<&'a str>,
    /// Name of a vital.
    pub hot: Option<&'a str>,
    /// Name of a sort key, `-` before it for descending.
    pub sort: Option<&'a str>,
    /// Page, from 1.
    pub page: Option<&'a str>,
    /// Rows on a page.
    pub page_size: Option<&'a str>,
}

impl HostQuery {
    /// Checks all parameters.
    ///
    /// # Errors
    /// `validation_failed` naming every parameter that is not acceptable.
    pub fn parse(input: &HostListInput<'_>) -> Result<Self, Problem> {
        let mut wrong = Vec::new();
        let filter = HostFilter {
            search: bounded("search", input.search, MAX_SEARCH_CHARS, &mut wrong),
            status: known(
                "status",
                input.status,
                HostStatus::parse,
                "online, offline, pending, unknown",
                &mut wrong,
            ),
            os: bounded("os", input.os, MAX_LABEL_CHARS, &mut wrong),
            arch: bounded("arch", input.arch, MAX_LABEL_CHARS, &mut wrong),
            agent_version: bounded("agent_version", input.agent_version, MAX_LABEL_CHARS, &mut wrong),
            stale: known("stale", input.stale, |text| text.parse().ok(), "true, false", &mut wrong)
                .unwrap_or(false),
            hot: known("hot", input.hot, Vital::parse, "cpu, memory, disk", &mut wrong),
            group: None,
        };
        let keys = "hostname, os, cpu, memory, disk, last_seen, status, each also with - before it";
        let sort = known("sort", input.sort, Sort::parse, keys, &mut wrong)
            .unwrap_or(Sort { key: SortKey::Hostname, descending: false });
        match parse_page(input.page, input.page_size, PAGE_SIZES) {
            Ok(page) if wrong.is_empty() => Ok(Self { filter, sort, page }),
            Ok(_) => Err(Problem::invalid(wrong)),
            Err(problem) => {
                wrong.extend_from_slice(problem.fields());
                Err(Problem::invalid(wrong))
            }
        }
    }
}

/// Trimmed text of at most `max` characters without control characters; empty text is absent.
fn bounded(path: &str, text: Option<&str>, max: usize, wrong: &mut Vec<FieldProblem>) -> Option<String> {
    let text = text.map(str::trim).filter(|text| !text.is_empty())?;
    let chars = text.chars().count();
    if chars > max {
        wrong.push(field(path, "too_long", format!("has {chars} characters, at most {max}")));
        return None;
    }
    // PostgreSQL refuses NUL in text, so it can match nothing.
    if text.contains('\0') {
        wrong.push(field(path, "invalid", "has a NUL character".to_owned()));
        return None;
    }
    Some(text.to_owned())
}

/// One value of a closed list.
fn known<T>(
    path: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
    allowed: &str,
    wrong: &mut Vec<FieldProblem>,
) -> Option<T> {
    let text = text.filter(|text| !text.is_empty())?;
    let value = parse(text);
    if value.is_none() {
        wrong.push(field(path, "invalid", format!("must be one of {allowed}")));
    }
    value
}

fn field(path: &str, code: &'static str, message: String) -> FieldProblem {
    FieldProblem { path: path.to_owned(), code, message }
}
