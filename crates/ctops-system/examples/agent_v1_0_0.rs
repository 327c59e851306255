//! The agent as version v1.0.0, for system tests of updates.

mod variant;

fn main() -> std::process::ExitCode {
    variant::run("v1.0.0")
}
