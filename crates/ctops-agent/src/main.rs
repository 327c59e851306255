//! The `ct-ops-agent` executable; everything it does is in the library.

use std::process::ExitCode;

use ctops_agent::program::Build;

fn main() -> ExitCode {
    let mut arguments = Vec::new();
    for argument in std::env::args_os().skip(1) {
        match argument.into_string() {
            Ok(text) => arguments.push(text),
            Err(_) => {
                eprintln!("an argument is not valid UTF-8");
                return ExitCode::from(ctops_agent::EXIT_USAGE);
            }
        }
    }
    ExitCode::from(ctops_agent::run(Build::COMPILED, &arguments))
}
