//! What the list of packages can be asked for.

use ctops_base::{FieldProblem, PageRequest, Problem};
use ctops_slice::paging::{PageSizes, parse_page};

use super::source_name;

/// Page sizes of the list (software-inventory 11).
const PAGE_SIZES: PageSizes = PageSizes { allowed: &[25, 50, 100, 200], default: 100 };
/// Longest search, characters (api-conventions 12).
const MAX_SEARCH_CHARS: usize = 200;

/// What the list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageSortKey {
    /// Name, whatever its case.
    Name,
    /// Version, as text.
    Version,
    /// Architecture.
    Architecture,
    /// Publisher, whatever its case.
    Publisher,
    /// Source.
    Source,
    /// When it was first seen.
    FirstSeen,
    /// When it was last seen.
    LastSeen,
}

/// Order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackageSort {
    /// By what.
    pub key: PackageSortKey,
    /// Largest first.
    pub descending: bool,
}

impl PackageSort {
    /// `name` or `-name`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let key = match name {
            "name" => PackageSortKey::Name,
            "version" => PackageSortKey::Version,
            "architecture" => PackageSortKey::Architecture,
            "publisher" => PackageSortKey::Publisher,
            "source" => PackageSortKey::Source,
            "first_seen" => PackageSortKey::FirstSeen,
            "last_seen" => PackageSortKey::LastSeen,
            _ => return None,
        };
        Some(Self { key, descending })
    }
}

/// One page of a host's packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageQuery {
    /// Part of name, version or publisher; never empty.
    pub search: Option<String>,
    /// Only of this source.
    pub source: Option<String>,
    /// Also packages that are gone.
    pub include_removed: bool,
    /// In which order.
    pub sort: PackageSort,
    /// Which page.
    pub page: PageRequest,
}

/// The parameters as they came; empty ones count as absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct PackageQueryInput<'a> {
    /// Free text.
    pub search: Option<&'a str>,
    /// Name of a source.
    pub source: Option<&'a str>,
    /// `true` or `false`.
    pub include_removed: Option<&'a str>,
    /// Name of a sort key, `-` before it for descending.
    pub sort: Option<&'a str>,
    /// Page, from 1.
    pub page: Option<&'a str>,
    /// Rows on a page.
    pub page_size: Option<&'a str>,
}

impl PackageQuery {
    /// Checks all parameters.
    ///
    /// # Errors
    /// `validation_failed` naming every parameter that is not acceptable.
    pub fn parse(input: &PackageQueryInput<'_>) -> Result<Self, Problem> {
        let mut wrong = Vec::new();
        let given =
            |text: Option<&'_ str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let search = given(input.search);
        if search.as_ref().is_some_and(|text| text.chars().count() > MAX_SEARCH_CHARS || text.contains('\0'))
        {
            wrong.push(field("search", "has more than 200 characters or a NUL character"));
        }
        let source = given(input.source);
        if source.as_ref().is_some_and(|text| source_name(text) != *text) {
            wrong.push(field("source", "is not the name of a source"));
        }
        let include_removed = match given(input.include_removed).as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                wrong.push(field("include_removed", "must be true or false"));
                false
            }
        };
        let mut sort = PackageSort { key: PackageSortKey::Name, descending: false };
        if let Some(text) = given(input.sort) {
            match PackageSort::parse(&text) {
                Some(parsed) => sort = parsed,
                None => wrong.push(field(
                    "sort",
                    "must be one of name, version, architecture, publisher, source, first_seen, last_seen, each also \
                     with - before it",
                )),
            }
        }
        match parse_page(input.page, input.page_size, PAGE_SIZES) {
            Ok(page) if wrong.is_empty() => Ok(Self { search, source, include_removed, sort, page }),
            Ok(_) => Err(Problem::invalid(wrong)),
            Err(problem) => {
                wrong.extend_from_slice(problem.fields());
                Err(Problem::invalid(wrong))
            }
        }
    }
}

fn field(path: &str, message: &str) -> FieldProblem {
    FieldProblem { path: path.to_owned(), code: "invalid", message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Spec: software-inventory 11
    #[test]
    fn parse_without_parameters_is_a_hundred_live_packages_by_name() {
        let query = PackageQuery::parse(&PackageQueryInput::default()).unwrap();
        assert_eq!((query.page.page_size, query.include_removed), (100, false));
        assert_eq!(query.sort, PackageSort { key: PackageSortKey::Name, descending: false });
    }

    #[test]
    fn parse_names_every_parameter_that_is_not_acceptable() {
        let input = PackageQueryInput {
            search: Some(&"x".repeat(201)),
            source: Some("not a source"),
            include_removed: Some("yes"),
            sort: Some("size"),
            page: Some("0"),
            page_size: Some("7"),
        };
        let problem = PackageQuery::parse(&input).unwrap_err();
        let paths: Vec<_> = problem.fields().iter().map(|field| field.path.as_str()).collect();
        assert_eq!(paths, ["search", "source", "include_removed", "sort", "page", "page_size"]);
    }
}
