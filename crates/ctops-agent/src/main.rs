//! The `ct-ops-agent` program.

fn main() {}
