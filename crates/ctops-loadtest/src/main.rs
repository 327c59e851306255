//! The `ct-ops-loadtest` program.

fn main() {}
