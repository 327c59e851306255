//! Paging as api-conventions 4 lays down: `page` and `page_size` in, items and the total out.

/// Which page of a list, already checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// 1-based.
    pub page: u32,
    /// Rows on a page.
    pub page_size: u32,
}

impl PageRequest {
    /// Rows before this page.
    pub fn offset(&self) -> i64 {
        i64::from(self.page.saturating_sub(1)) * i64::from(self.page_size)
    }

    /// Rows on this page at most.
    pub fn limit(&self) -> i64 {
        i64::from(self.page_size)
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Rows in the whole list.
    pub total: i64,
    /// What was asked for.
    pub request: PageRequest,
}

impl<T> Page<T> {
    /// The same page with every item converted.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(convert).collect(),
            total: self.total,
            request: self.request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_of_the_last_possible_page_does_not_overflow() {
        let request = PageRequest { page: u32::MAX, page_size: 200 };
        assert_eq!(request.offset(), (i64::from(u32::MAX) - 1) * 200);
        assert_eq!(PageRequest { page: 1, page_size: 50 }.offset(), 0);
    }
}
