//! Ids, clock, limits, pages, roles and problems: the words every other crate speaks.
//!
//! Pure: no input or output, no runtime, no database.

pub mod clock;
pub mod id;
pub mod page;
pub mod problem;
pub mod role;
pub mod text;

pub use clock::Clock;
pub use page::{Page, PageRequest};
pub use problem::{FieldProblem, Problem, ProblemKind};
pub use role::Role;
