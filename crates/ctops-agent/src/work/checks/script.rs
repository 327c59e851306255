//! `script`: a script of the server ends with 0. Runs only where the host accepts scripts.

use std::time::Duration;

use serde::Deserialize;

use super::{Outcome, Tools, seconds};
use crate::work::program::ProgramError;
use crate::work::tasks::REFUSED;
use crate::work::tasks::script::{Script as Runnable, ScriptError};

/// Output kept, bytes (monitoring 17).
const MAX_OUTPUT: usize = super::MAX_TEXT;
/// Longest script, bytes.
const MAX_SCRIPT: usize = 16 * 1024;

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Script {
    #[serde(alias = "inline", alias = "body")]
    script: String,
    interpreter: String,
    #[serde(alias = "timeout_seconds")]
    timeout_s: Option<i64>,
}

impl Script {
    /// Time-out of the script.
    pub(super) fn limit(&self) -> Duration {
        seconds(self.timeout_s, 30, 300) + Duration::from_secs(15)
    }

    pub(super) async fn run(&self, tools: &Tools) -> Outcome {
        if !tools.scripts_allowed {
            return Outcome::error(REFUSED);
        }
        if self.script.len() > MAX_SCRIPT {
            return Outcome::error(format!("invalid script config: longer than {MAX_SCRIPT} bytes"));
        }
        let limit = seconds(self.timeout_s, 30, 300);
        let runnable = match Runnable::new(&self.script, &self.interpreter, Some(limit)) {
            Ok(runnable) => runnable,
            Err(error) => return Outcome::error(format!("invalid script config: {error}")),
        };
        let mut output = Vec::new();
        let mut keep = |_, bytes: &[u8]| {
            let room = MAX_OUTPUT.saturating_sub(output.len());
            output.extend_from_slice(&bytes[..bytes.len().min(room)]);
        };
        let result =
            runnable.run(&tools.programs, &tools.scripts_dir, std::future::pending(), &mut keep).await;
        let text = String::from_utf8_lossy(&output).trim().to_owned();
        match result {
            Ok(0) => Outcome::pass(text),
            Ok(1) => Outcome::fail(text),
            Ok(code) => Outcome::error(format!("exit code {code}\n{text}")),
            Err(ScriptError::Program(ProgramError::TimedOut(..))) => Outcome::error("timed out"),
            Err(error) => Outcome::error(error.to_string()),
        }
    }
}
