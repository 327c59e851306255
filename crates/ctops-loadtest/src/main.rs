//! The `ct-ops-loadtest` executable; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    ExitCode::from(ctops_loadtest::run(&arguments))
}
