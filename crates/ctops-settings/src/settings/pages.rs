//! The pages that are served.

use std::sync::Arc;

use ctops_base::Problem;
use ctops_slice::Actor;
use ctops_slice::settings::{Overrides, PageInfo};

/// Every page with the name of its audit event, and what the environment fixes. Clones share it.
#[derive(Clone, Debug)]
pub struct Pages(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pages: Vec<ServedPage>,
    overrides: Arc<Overrides>,
}

/// One page.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServedPage {
    /// The page.
    pub(super) info: PageInfo,
    /// `settings.<page>.changed`.
    pub(super) changed: &'static str,
}

impl Pages {
    /// Takes the pages in the order of the navigation.
    pub fn new(pages: impl IntoIterator<Item = PageInfo>, overrides: Arc<Overrides>) -> Self {
        // Names of audit events live as long as the program; there is one per page.
        let name =
            |page: &str| -> &'static str { format!("settings.{}.changed", page.replace('-', "_")).leak() };
        let mut pages: Vec<_> =
            pages.into_iter().map(|info| ServedPage { changed: name(info.name), info }).collect();
        pages.sort_by_key(|page| page.info.section);
        Self(Arc::new(Inner { pages, overrides }))
    }

    /// The pages, in the order of the navigation.
    pub(crate) fn infos(&self) -> impl Iterator<Item = &PageInfo> {
        self.0.pages.iter().map(|page| &page.info)
    }

    pub(super) fn overrides(&self) -> &Overrides {
        &self.0.overrides
    }

    pub(super) fn all(&self) -> &[ServedPage] {
        &self.0.pages
    }

    /// The pages this person may see.
    pub(super) fn visible(&self, actor: &Actor) -> impl Iterator<Item = &ServedPage> {
        self.0.pages.iter().filter(|page| actor.grant(page.info.read).is_ok())
    }

    /// A page by its name.
    ///
    /// # Errors
    /// `not_found`.
    pub(super) fn find(&self, name: &str) -> Result<&ServedPage, Problem> {
        let found = self.0.pages.iter().find(|page| page.info.name == name);
        found.ok_or_else(|| Problem::not_found("settings page"))
    }
}
