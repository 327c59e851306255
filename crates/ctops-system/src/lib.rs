//! System tests: real processes together.
//!
//! Everything is in `tests/it`. A test starts the built programs `ct-ops`, `ct-ops-agent` and `ct-ops-loadtest` on
//! loopback, each installation in a directory of its own with the embedded PostgreSQL, and drives them from outside:
//! through the web API, the wire contract, signals, files and a look into the database.
