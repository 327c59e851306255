//! The private server: its ordinary life, and what it refuses.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use ctops_pg::embedded::{Account, EmbeddedConfig, EmbeddedError, EmbeddedPostgres};
use ctops_pg::{Pool, connect, migrate};

/// A directory that every account can enter; temporary ones are closed by default.
pub(crate) fn open_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// A server in `dir`, with limits that let a failing test end soon.
pub(crate) fn config(dir: &Path) -> EmbeddedConfig {
    let limit = Duration::from_secs(60);
    EmbeddedConfig { start_limit: limit, stop_limit: limit, ..EmbeddedConfig::new(dir.join("postgres")) }
}

pub(crate) async fn setting(pool: &Pool, name: &str) -> String {
    sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn start_stop_start_keeps_data_and_settings() {
    let dir = open_dir();
    let server = EmbeddedPostgres::start(config(dir.path())).await.unwrap();
    let pool = connect(&server.url(), 2).await.unwrap();
    migrate::run(&pool).await.unwrap();
    sqlx::query("CREATE TABLE kept AS SELECT 42 AS answer").execute(&pool).await.unwrap();
    let expected = [
        ("listen_addresses", ""),
        ("max_connections", "60"),
        ("shared_buffers", "128MB"),
        ("fsync", "on"),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("is_superuser", "off"),
    ];
    for (name, value) in expected {
        assert_eq!(setting(&pool, name).await, value, "{name}");
    }
    pool.close().await;
    let exited = server.exited();
    server.stop().await.unwrap();
    assert_eq!(exited.await, "exit status: 0");

    fs::write(dir.path().join("postgres/local.conf"), "work_mem = 5MB\nlisten_addresses = '127.0.0.1'\n")
        .unwrap();
    let server = EmbeddedPostgres::start(config(dir.path())).await.unwrap();
    let pool = connect(&server.url(), 2).await.unwrap();
    let answer: i32 = sqlx::query_scalar("SELECT answer FROM kept").fetch_one(&pool).await.unwrap();
    assert_eq!(answer, 42);
    assert!(migrate::status(&pool).await.unwrap().is_current());
    assert_eq!(setting(&pool, "work_mem").await, "5MB", "local.conf is read");
    assert_eq!(setting(&pool, "listen_addresses").await, "", "and cannot open the network");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn server_runs_as_an_unprivileged_account_in_closed_directories() {
    let dir = open_dir();
    let server = EmbeddedPostgres::start(config(dir.path())).await.unwrap();
    let account = Account::choose(None).unwrap();
    assert_ne!(account.uid(), 0);
    let process = fs::metadata(format!("/proc/{}", server.pid())).unwrap();
    assert_eq!(process.uid(), account.uid());
    for part in ["", "data", "run"] {
        let metadata = fs::metadata(dir.path().join("postgres").join(part)).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o777), (account.uid(), 0o700), "{part:?}");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn second_start_on_the_same_directory_is_refused_and_names_the_process() {
    let dir = open_dir();
    let server = EmbeddedPostgres::start(config(dir.path())).await.unwrap();
    let error = EmbeddedPostgres::start(config(dir.path())).await.unwrap_err();
    assert!(
        matches!(error, EmbeddedError::InUse { pid: Some(pid), .. } if pid == std::process::id()),
        "{error}"
    );
    assert!(error.to_string().contains("in use by another ct-ops process"), "{error}");
    ctops_pg::ping(&connect(&server.url(), 1).await.unwrap()).await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn dropping_the_server_stops_it() {
    let dir = open_dir();
    let server = EmbeddedPostgres::start(config(dir.path())).await.unwrap();
    let exited = server.exited();
    drop(server);
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), exited).await.unwrap(), "exit status: 0");
}

#[tokio::test]
async fn data_of_another_major_version_is_refused_and_names_both() {
    let dir = open_dir();
    let server = EmbeddedPostgres::start(config(dir.path())).await.unwrap();
    let (installed, bin_dir) = (server.installation().major, server.installation().bin_dir.clone());
    server.stop().await.unwrap();
    fs::write(dir.path().join("postgres/data/PG_VERSION"), "9\n").unwrap();
    let config = EmbeddedConfig { bin_dir: Some(bin_dir), ..config(dir.path()) };
    let error = EmbeddedPostgres::start(config).await.unwrap_err();
    assert!(
        matches!(error, EmbeddedError::Version { found: 9, installed: i, .. } if i == installed),
        "{error}"
    );
    assert!(error.to_string().contains("made by PostgreSQL 9"), "{error}");
}

#[tokio::test]
async fn start_that_fails_repeats_what_the_server_said_and_frees_the_directory() {
    let dir = open_dir();
    EmbeddedPostgres::start(config(dir.path())).await.unwrap().stop().await.unwrap();
    let local = dir.path().join("postgres/local.conf");
    fs::write(&local, "no_such_setting = 1\n").unwrap();
    let error = EmbeddedPostgres::start(config(dir.path())).await.unwrap_err();
    assert!(
        matches!(&error, EmbeddedError::Stopped { log, .. } if log.contains("no_such_setting")),
        "{error}"
    );
    fs::remove_file(local).unwrap();
    EmbeddedPostgres::start(config(dir.path())).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn interrupted_first_start_is_begun_anew() {
    let dir = open_dir();
    let half = dir.path().join("postgres/data.new");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("PG_VERSION"), "15\n").unwrap();
    let account = Account::choose(None).unwrap();
    account.own(&dir.path().join("postgres")).unwrap();
    EmbeddedPostgres::start(config(dir.path())).await.unwrap().stop().await.unwrap();
    assert!(!half.exists());
}

#[tokio::test]
async fn missing_programs_are_told_with_the_directory() {
    let dir = open_dir();
    let config = EmbeddedConfig { bin_dir: Some(dir.path().join("nothing")), ..config(dir.path()) };
    let error = EmbeddedPostgres::start(config).await.unwrap_err();
    assert!(matches!(&error, EmbeddedError::NotPrograms(path) if path.ends_with("nothing")), "{error}");
}

#[tokio::test]
async fn data_directory_behind_a_closed_one_is_refused_and_names_it() {
    let dir = open_dir();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let outcome = EmbeddedPostgres::start(config(&closed)).await;
    if nix::unistd::Uid::effective().is_root() {
        let error = outcome.unwrap_err();
        assert!(
            matches!(&error, EmbeddedError::NotTraversable { dir, .. } if dir.ends_with("closed")),
            "{error}"
        );
        assert!(error.to_string().contains("chmod a+x"), "{error}");
    } else {
        outcome.unwrap().stop().await.unwrap();
    }
}

#[tokio::test]
async fn too_long_a_path_is_refused_with_the_limit() {
    let dir = open_dir();
    let error = EmbeddedPostgres::start(config(&dir.path().join("x".repeat(100)))).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::SocketPath { length, .. } if length > 107), "{error}");
}

#[tokio::test]
async fn directory_with_somebody_elses_files_is_left_alone() {
    let dir = open_dir();
    let root = dir.path().join("postgres");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("letter.txt"), "private").unwrap();
    let mode = fs::metadata(&root).unwrap().mode();
    let outcome = EmbeddedPostgres::start(config(dir.path())).await;
    if nix::unistd::Uid::effective().is_root() {
        let error = outcome.unwrap_err();
        assert!(matches!(&error, EmbeddedError::Owner { owner, .. } if owner == "root"), "{error}");
        assert_eq!(fs::metadata(&root).unwrap().mode(), mode);
    } else {
        outcome.unwrap().stop().await.unwrap();
    }
}
