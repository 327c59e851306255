//! `service`: starts, stops or asks for a systemd service (tasks 18).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::output::TaskOutput;
use super::{Done, config};
use crate::work::program::{self, Programs};

const LIMIT: Duration = Duration::from_secs(60);
/// For the question whether it runs.
const QUESTION: Duration = Duration::from_secs(5);
/// Longest unit name, bytes.
const MAX_NAME: usize = 256;
/// What `systemctl status` says of a service that does not run; the question itself is answered.
const NOT_RUNNING: i32 = 3;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    service_name: String,
    action: String,
}

#[derive(Serialize)]
struct Result<'r> {
    service_name: &'r str,
    action: &'r str,
    is_active: bool,
}

/// Runs the task.
pub(super) async fn task(
    config_json: &str,
    programs: &Programs,
    cancel: &Notify,
    output: &mut TaskOutput<'_>,
) -> Done {
    let given: Config = match config("service", config_json) {
        Ok(given) => given,
        Err(done) => return done,
    };
    if let Err(error) = given.check() {
        return Done::failed(format!("invalid service config: {error}"));
    }
    let (name, action) = (given.service_name.as_str(), given.action.as_str());
    let mut command = programs.command("systemctl");
    command.args(["--no-pager", "--no-ask-password", action, "--", name]);
    let mut sink = |stream, bytes: &[u8]| output.push(stream, bytes);
    let status = match program::run("systemctl", command, LIMIT, cancel.notified(), &mut sink).await {
        Ok(status) => status,
        Err(error) => return error.into(),
    };
    let exit_code = match status.code().unwrap_or(-1) {
        NOT_RUNNING if action == "status" => 0,
        code => code,
    };
    let answer = programs.output("systemctl", &["is-active", "--", name], QUESTION, 256).await;
    let is_active = answer.is_ok_and(|answer| answer.code == 0);
    let result = Result { service_name: name, action, is_active };
    let error = if exit_code == 0 { String::new() } else { format!("systemctl ended with {exit_code}") };
    Done { exit_code, result_json: serde_json::to_string(&result).unwrap_or_default(), error }
}

impl Config {
    fn check(&self) -> std::result::Result<(), String> {
        let name = &self.service_name;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"@._:\\-".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(allowed) {
            return Err("service_name is not a name of a unit".to_owned());
        }
        match self.action.as_str() {
            "start" | "stop" | "restart" | "reload" | "enable" | "disable" | "status" => Ok(()),
            other => Err(format!("unsupported action: {other}")),
        }
    }
}
