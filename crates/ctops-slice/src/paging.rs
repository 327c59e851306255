//! Page parameters of lists (api-conventions 4): strings in, a checked [`PageRequest`] out, and the answer's shape.

use ctops_base::{FieldProblem, Page, PageRequest, Problem};
use serde::Serialize;
use utoipa::ToSchema;

/// Page sizes a list offers, and the one used when none is asked for.
#[derive(Clone, Copy, Debug)]
pub struct PageSizes {
    /// Acceptable values.
    pub allowed: &'static [u32],
    /// Used when the parameter is absent.
    pub default: u32,
}

/// What most lists offer.
pub const STANDARD_SIZES: PageSizes = PageSizes { allowed: &[10, 20, 25, 50, 100, 200], default: 50 };

/// Checks `page` and `page_size` as they came.
///
/// # Errors
/// `validation_failed` naming every parameter that is not acceptable.
pub fn parse_page(page: Option<&str>, size: Option<&str>, sizes: PageSizes) -> Result<PageRequest, Problem> {
    let mut fields = Vec::new();
    let parsed_page = match page.map_or(Ok(1), str::parse::<u32>) {
        Ok(number) if number >= 1 => number,
        _ => {
            fields.push(field("page", "must be a whole number from 1 up".to_owned()));
            1
        }
    };
    let parsed_size = match size.map_or(Ok(sizes.default), str::parse::<u32>) {
        Ok(number) if sizes.allowed.contains(&number) => number,
        _ => {
            let allowed: Vec<String> = sizes.allowed.iter().map(u32::to_string).collect();
            fields.push(field("page_size", format!("must be one of {}", allowed.join(", "))));
            sizes.default
        }
    };
    if fields.is_empty() {
        Ok(PageRequest { page: parsed_page, page_size: parsed_size })
    } else {
        Err(Problem::invalid(fields))
    }
}

fn field(path: &str, message: String) -> FieldProblem {
    FieldProblem { path: path.to_owned(), code: "invalid", message }
}

/// The answer of a paged list.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageBody<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Which page this is, from 1.
    pub page: u32,
    /// Rows on a page.
    pub page_size: u32,
    /// Rows in the whole list.
    pub total: i64,
}

impl<T> From<Page<T>> for PageBody<T> {
    fn from(page: Page<T>) -> Self {
        Self {
            items: page.items,
            page: page.request.page,
            page_size: page.request.page_size,
            total: page.total,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn absent_parameters_mean_the_first_page_of_the_default_size() {
        assert_eq!(parse_page(None, None, STANDARD_SIZES).unwrap(), PageRequest { page: 1, page_size: 50 });
    }

    #[test]
    fn every_bad_parameter_is_named() {
        let problem = parse_page(Some("0"), Some("51"), STANDARD_SIZES).unwrap_err();
        let paths: Vec<_> = problem.fields().iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["page", "page_size"]);
        for page in ["-1", "1.5", "", "99999999999", "x"] {
            assert!(parse_page(Some(page), None, STANDARD_SIZES).is_err(), "{page}");
        }
    }
}
