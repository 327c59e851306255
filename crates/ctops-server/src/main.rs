//! The `ct-ops` program.

fn main() {}
