//! What a slice is: state, actor, grants, HTTP problems, paging, events and audit.
