//! What the list of containers can be asked for.

use ctops_base::{FieldProblem, PageRequest, Problem};
use ctops_slice::paging::{PageSizes, parse_page};

/// Page sizes of the list (containers 19).
const PAGE_SIZES: PageSizes = PageSizes { allowed: &[25, 50, 100, 200], default: 50 };
/// Longest text of a filter, characters (api-conventions 12; images have up to 512 bytes).
const MAX_TEXT_CHARS: usize = 512;

/// State of a container as engines name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::containers) enum RuntimeState {
    /// Runs.
    Running,
    /// Ran.
    Exited,
    /// Never ran.
    Created,
    /// Is paused.
    Paused,
    /// Is about to run again.
    Restarting,
    /// Is about to go.
    Removing,
    /// Cannot be removed.
    Dead,
}

impl RuntimeState {
    /// Every state.
    pub(in crate::containers) const ALL: [Self; 7] = [
        Self::Running,
        Self::Exited,
        Self::Created,
        Self::Paused,
        Self::Restarting,
        Self::Removing,
        Self::Dead,
    ];

    /// The name in the API and the database.
    pub(in crate::containers) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Exited => "exited",
            Self::Created => "created",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Dead => "dead",
        }
    }
}

/// What the list is sorted by. Without one: present ones first, then the last seen, then by name (containers 19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::containers) enum ContainerSortKey {
    /// Name, whatever its case.
    Name,
    /// Image.
    Image,
    /// State.
    State,
    /// When it was started.
    Started,
    /// Restarts.
    Restarts,
    /// When it was last seen.
    LastSeen,
}

/// Order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::containers) struct ContainerSort {
    /// By what.
    pub(in crate::containers) key: ContainerSortKey,
    /// Largest first.
    pub(in crate::containers) descending: bool,
}

impl ContainerSort {
    /// `name` or `-name`.
    pub(in crate::containers) fn parse(text: &str) -> Option<Self> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let key = match name {
            "name" => ContainerSortKey::Name,
            "image" => ContainerSortKey::Image,
            "state" => ContainerSortKey::State,
            "started" => ContainerSortKey::Started,
            "restarts" => ContainerSortKey::Restarts,
            "last_seen" => ContainerSortKey::LastSeen,
            _ => return None,
        };
        Some(Self { key, descending })
    }
}

/// One page of a host's containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::containers) struct ContainerQuery {
    /// Part of name, image or id; never empty.
    pub(in crate::containers) search: Option<String>,
    /// Only in this state.
    pub(in crate::containers) state: Option<RuntimeState>,
    /// Only of this image.
    pub(in crate::containers) image: Option<String>,
    /// Only of this compose project.
    pub(in crate::containers) project: Option<String>,
    /// Only those that are there, or only those that are gone.
    pub(in crate::containers) present: Option<bool>,
    /// In which order.
    pub(in crate::containers) sort: Option<ContainerSort>,
    /// Which page.
    pub(in crate::containers) page: PageRequest,
}

/// The parameters as they came; empty ones count as absent.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::containers) struct ContainerQueryInput<'a> {
    /// Free text.
    pub(in crate::containers) search: Option<&'a str>,
    /// Name of a state.
    pub(in crate::containers) state: Option<&'a str>,
    /// Image.
    pub(in crate::containers) image: Option<&'a str>,
    /// Compose project.
    pub(in crate::containers) project: Option<&'a str>,
    /// `true` or `false`.
    pub(in crate::containers) present: Option<&'a str>,
    /// Name of a sort key, `-` before it for descending.
    pub(in crate::containers) sort: Option<&'a str>,
    /// Page, from 1.
    pub(in crate::containers) page: Option<&'a str>,
    /// Rows on a page.
    pub(in crate::containers) page_size: Option<&'a str>,
}

impl ContainerQuery {
    /// Checks all parameters.
    ///
    /// # Errors
    /// `validation_failed` naming every parameter that is not acceptable.
    pub(in crate::containers) fn parse(input: &ContainerQueryInput<'_>) -> Result<Self, Problem> {
        let mut wrong = Vec::new();
        let search = text("search", input.search, 200, &mut wrong);
        let image = text("image", input.image, MAX_TEXT_CHARS, &mut wrong);
        let project = text("project", input.project, MAX_TEXT_CHARS, &mut wrong);
        let states = "running, exited, created, paused, restarting, removing, dead";
        let state = |name: &str| RuntimeState::ALL.into_iter().find(|state| state.as_str() == name);
        let state = known("state", input.state, state, states, &mut wrong);
        let present = known("present", input.present, |text| text.parse().ok(), "true, false", &mut wrong);
        let keys = "name, image, state, started, restarts, last_seen, each also with - before it";
        let sort = known("sort", input.sort, ContainerSort::parse, keys, &mut wrong);
        match parse_page(input.page, input.page_size, PAGE_SIZES) {
            Ok(page) if wrong.is_empty() => Ok(Self { search, state, image, project, present, sort, page }),
            Ok(_) => Err(Problem::invalid(wrong)),
            Err(problem) => {
                wrong.extend_from_slice(problem.fields());
                Err(Problem::invalid(wrong))
            }
        }
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn text(path: &str, value: Option<&str>, max: usize, wrong: &mut Vec<FieldProblem>) -> Option<String> {
    let value = given(value)?;
    if value.chars().count() > max || value.contains('\0') {
        wrong.push(field(path, format!("has more than {max} characters or a NUL character")));
        return None;
    }
    Some(value.to_owned())
}

fn known<T>(
    path: &str,
    value: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
    allowed: &str,
    wrong: &mut Vec<FieldProblem>,
) -> Option<T> {
    let parsed = parse(given(value)?);
    if parsed.is_none() {
        wrong.push(field(path, format!("must be one of {allowed}")));
    }
    parsed
}

fn field(path: &str, message: String) -> FieldProblem {
    FieldProblem { path: path.to_owned(), code: "invalid", message }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Spec: containers 19
    #[test]
    fn parse_takes_every_state_and_names_what_is_not_acceptable() {
        for state in RuntimeState::ALL {
            let input = ContainerQueryInput { state: Some(state.as_str()), ..ContainerQueryInput::default() };
            assert_eq!(ContainerQuery::parse(&input).unwrap().state, Some(state));
        }
        assert_eq!(ContainerQuery::parse(&ContainerQueryInput::default()).unwrap().page.page_size, 50);
        let bad = ContainerQueryInput {
            search: Some(&"x".repeat(201)),
            state: Some("sleeping"),
            present: Some("maybe"),
            sort: Some("cpu"),
            page: Some("0"),
            ..ContainerQueryInput::default()
        };
        let problem = ContainerQuery::parse(&bad).unwrap_err();
        let paths: Vec<_> = problem.fields().iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["search", "state", "present", "sort", "page"]);
    }
}
