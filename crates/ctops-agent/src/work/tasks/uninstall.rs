//! `agent_uninstall`: removes this agent after its answer is on the way.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tracing::{info, warn};

use super::Done;
use crate::work::program::Programs;

/// For the result to reach the server.
const PAUSE: Duration = Duration::from_secs(3);
const LOG: &str = "/tmp/ct-ops-uninstall.log";

/// Schedules the removal.
pub(super) fn task(programs: &Programs) -> Done {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return Done::failed(format!("the agent's program cannot be found: {error}")),
    };
    let command = detached(programs, &program);
    tokio::spawn(async move {
        tokio::time::sleep(PAUSE).await;
        start(command);
    });
    Done {
        exit_code: 0,
        result_json: r#"{"status":"scheduled","note":"the agent removes itself in a few seconds"}"#
            .to_owned(),
        error: String::new(),
    }
}

/// A command that goes on when the agent's service is stopped: a unit of its own, else a session of its own.
fn detached(programs: &Programs, program: &Path) -> Command {
    let mut command = if let Some(systemd_run) = programs.find("systemd-run") {
        let mut command = Command::new(systemd_run);
        command.args(["--no-block", "--collect", "--"]).arg(program).arg("-uninstall");
        command
    } else {
        let mut command = Command::new("setsid");
        let line = format!("umask 0027; exec \"$0\" -uninstall >{LOG} 2>&1");
        command.args(["sh", "-c", &line]).arg(program);
        command
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn start(mut command: Command) {
    match command.spawn() {
        Ok(mut child) => {
            info!("removal of this agent started");
            // Reaps it, should the agent outlive it.
            tokio::task::spawn_blocking(move || child.wait());
        }
        Err(error) => warn!(err = %error, "removal of this agent cannot be started"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removal_when_prepared_then_does_not_belong_to_the_agents_service() {
        let program = Path::new("/usr/local/bin/ct-ops-agent");
        let command = detached(&Programs::in_directories("/nonexistent"), program);
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(command.get_program(), "setsid");
        assert_eq!(words.last().map(String::as_str), Some("/usr/local/bin/ct-ops-agent"));
        assert!(words[2].contains("umask 0027") && words[2].contains(LOG));
    }
}
