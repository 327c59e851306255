//! PostgreSQL: pool, migrations, notifications, the embedded server, time partitions.
//!
//! - [`connect`] and [`ConnectOptions`]: the pool, with the limits that web and background work need.
//! - [`migrate`]: brings the schema to what this program was built with.
//! - [`notify`]: one `LISTEN` connection for the whole process, with notice of gaps.
//! - [`leader`]: election of the one process that does what must be done once.
//! - [`partitions`]: day partitions of time-series tables, made ahead and dropped behind.
//! - [`embedded`]: a private PostgreSQL as child process, for the profile without a database of its own.
//! - [`schema`]: the schema as text, for the committed `db/schema.sql`.

pub mod embedded;
pub mod leader;
pub mod migrate;
pub mod notify;
pub mod partitions;
mod pool;
pub mod schema;

pub use pool::{
    ConnectOptions, PgError, Pool, Tx, WEB_STATEMENT_TIMEOUT, connect, ping, server_time, server_version,
};
