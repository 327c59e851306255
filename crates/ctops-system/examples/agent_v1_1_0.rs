//! The agent as version v1.1.0, for system tests of updates.

mod variant;

fn main() -> std::process::ExitCode {
    variant::run("v1.1.0")
}
