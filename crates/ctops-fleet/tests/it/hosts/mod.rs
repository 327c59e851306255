//! Hosts: the API, the consumers, live views and the life of a record.

mod api;
mod consume;
mod life;
mod live;
mod status;
pub(crate) mod support;
