//! The private server and `kill -9`: of the server, of its parent, and what others leave behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ctops_pg::embedded::{Account, EmbeddedConfig, EmbeddedError, EmbeddedPostgres};
use ctops_pg::{Pool, connect};
use ctops_testkit::wait_until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::embedded::{config, open_dir};

const LIMIT: Duration = Duration::from_secs(60);

/// Names the directory for [`server_of_another_process`]; unset in an ordinary run.
const CHILD_DIR: &str = "CTOPS_PG_TEST_CHILD_DIR";

fn kill_9(pid: u32) {
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
}

/// A zombie does not live; how soon it is buried is up to the machine.
fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A process that is killed and buried when this is dropped, also by a failing test.
struct Helper(Child);

impl Drop for Helper {
    fn drop(&mut self) {
        // It may have ended before; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn committed(pool: &Pool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn killed_server_is_noticed_and_the_next_start_recovers_what_was_committed() {
    let dir = open_dir();
    let server = EmbeddedPostgres::start(config(dir.path())).await.unwrap();
    let pool = connect(&server.url(), 1).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept (id integer); INSERT INTO kept VALUES (1), (2)")
        .execute(&pool)
        .await
        .unwrap();
    let exited = server.exited();
    kill_9(server.pid());
    assert_eq!(tokio::time::timeout(LIMIT, exited).await.unwrap(), "signal: 9 (SIGKILL)");
    assert!(dir.path().join("postgres/data/postmaster.pid").exists(), "the killed server left its file");
    server.stop().await.expect("stopping what has ended is no error");

    let server = EmbeddedPostgres::start(config(dir.path())).await.unwrap();
    assert_eq!(committed(&connect(&server.url(), 1).await.unwrap()).await, 2);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn file_of_a_killed_server_whose_number_is_reused_does_not_stop_the_start() {
    let dir = open_dir();
    EmbeddedPostgres::start(config(dir.path())).await.unwrap().stop().await.unwrap();
    let file = dir.path().join("postgres/data/postmaster.pid");
    let mut sleeper = Command::new("sleep");
    sleeper.arg("600");
    let account = Account::choose(None).unwrap();
    account.apply(&mut sleeper);
    let stranger = Helper(sleeper.spawn().unwrap());
    fs::write(&file, format!("{}\n{}\n0\n5432\n\n\n", stranger.0.id(), dir.path().display())).unwrap();
    account.own(&file).unwrap();
    EmbeddedPostgres::start(config(dir.path())).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn server_that_somebody_started_by_hand_is_not_touched() {
    let dir = open_dir();
    let server = EmbeddedPostgres::start(config(dir.path())).await.unwrap();
    let bin_dir = server.installation().bin_dir.clone();
    server.stop().await.unwrap();
    let root = dir.path().join("postgres");
    let mut command = Command::new(bin_dir.join("postgres"));
    command
        .arg("-D")
        .arg(root.join("data"))
        .arg("-k")
        .arg(root.join("run"))
        .args(["-c", "listen_addresses="]);
    command.current_dir(&root).stdout(Stdio::null()).stderr(Stdio::null());
    Account::choose(None).unwrap().apply(&mut command);
    let mut by_hand = Helper(command.spawn().unwrap());
    wait_until(LIMIT, || async { root.join("run/.s.PGSQL.5432").exists() }).await;

    let config = EmbeddedConfig { takeover_limit: Duration::from_millis(200), ..config(dir.path()) };
    let error = EmbeddedPostgres::start(config).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::ServerRuns { .. }), "{error}");
    assert!(error.to_string().contains("stop it first"), "{error}");
    assert!(by_hand.0.try_wait().unwrap().is_none(), "it still runs");
}

/// Not a test of its own: the process that the tests below kill. It runs a server until it is killed.
#[tokio::test]
async fn server_of_another_process() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let server = EmbeddedPostgres::start(config(Path::new(&dir))).await.unwrap();
    let pool = connect(&server.url(), 1).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept (id integer); INSERT INTO kept VALUES (1)")
        .execute(&pool)
        .await
        .unwrap();
    println!("running {}", server.pid());
    std::future::pending::<()>().await;
}

/// Runs [`server_of_another_process`] in a process of its own; returns that and the process id of its server.
fn start_elsewhere(dir: &Path) -> (Helper, u32) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded_crash::server_of_another_process", "--nocapture", "--test-threads=1"])
        .env(CHILD_DIR, dir)
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Helper(child);
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let pid = lines.filter_map(|line| line.split_once("running ")?.1.trim().parse().ok()).next();
    (child, pid.expect("the other process says which server it runs"))
}

#[tokio::test]
async fn killed_parent_takes_its_server_along() {
    let dir = open_dir();
    let (parent, server) = start_elsewhere(dir.path());
    assert!(lives(server));
    drop(parent);
    wait_until(LIMIT, || async { !lives(server) }).await;
}

#[tokio::test]
async fn start_right_after_a_killed_parent_waits_for_its_server_and_finds_its_data() {
    let dir = open_dir();
    let (parent, old) = start_elsewhere(dir.path());
    let error = EmbeddedPostgres::start(config(dir.path())).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::InUse { pid: Some(pid), .. } if pid == parent.0.id()), "{error}");
    drop(parent);

    let server = EmbeddedPostgres::start(config(dir.path())).await.unwrap();
    assert!(!lives(old));
    assert_eq!(committed(&connect(&server.url(), 1).await.unwrap()).await, 1);
    server.stop().await.unwrap();
}
