//! `-install` and `-uninstall` on Linux with systemd (agents-enrolment 25, wire contract 11.3, 11.4).
//!
//! Installing again is how an agent is upgraded or given other settings: a running service is stopped first, and
//! settings that are not given stay. The service runs as account `ct-ops`, or as root with `CT_OPS_AGENT_USER=root`.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ctops_base::Clock;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tracing::{info, warn};

use crate::config::{self, AgentSection, ConfigError, ConfigFile, IngestSection};
use crate::files;
use crate::flags::{DEFAULT_CONFIG, Flags};
use crate::settings::{DEFAULT_DATA_DIR, Environment, Settings, SettingsError};

mod layout;
mod unit;

pub use layout::Layout;
use layout::{ACCOUNT, BINARY, CA_FILE, CONFIG_DIR, SERVICE, STATE_DIR, UNIT};

/// Group that Docker's packages give the engine's socket to.
const ENGINE_GROUP: &str = "docker";
const MAX_PROGRAM_BYTES: u64 = 256 * 1024 * 1024;
const MAX_CA_BYTES: u64 = 4 * 1024 * 1024;
/// What the agent keeps in a data directory of its own choice; such a directory may hold other things too.
const DATA_FILES: &[&str] = &[
    crate::identity::PRIVATE_KEY_FILE,
    crate::identity::PUBLIC_KEY_FILE,
    crate::data_dir::STATE_FILE,
    crate::data_dir::CONFIG_FILE,
    crate::work::TASKS_FILE,
    crate::data_dir::LEAF_FILE,
    crate::data_dir::AUTHORITY_FILE,
    crate::data_dir::WEB_CERTIFICATE_FILE,
];

/// Who the service runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Account {
    Root,
    Service,
}

impl Account {
    fn chosen(environment: Environment<'_>) -> Result<Self, InstallError> {
        match environment("CT_OPS_AGENT_USER").as_deref() {
            None | Some("" | ACCOUNT) => Ok(Self::Service),
            Some("root") => Ok(Self::Root),
            Some(other) => Err(InstallError::Account(other.to_owned())),
        }
    }

    fn owner(self) -> &'static str {
        match self {
            Self::Root => "root:root",
            Self::Service => "ct-ops:ct-ops",
        }
    }
}

/// Why an installation is not changed, or not completely.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Only root may.
    #[error("installing and uninstalling need root")]
    NotRoot,
    /// There is no systemd to run the service.
    #[error("systemd is not running on this machine")]
    NoSystemd,
    /// An account the service does not run as.
    #[error("CT_OPS_AGENT_USER is {0:?}, allowed are ct-ops and root")]
    Account(String),
    /// A data directory that cannot stand in a unit file.
    #[error("data directory {} is not an absolute path without quotes, backslashes and control characters", .0.display())]
    DataDir(PathBuf),
    /// `-ca-cert` names no certificates.
    #[error("{} holds no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    /// The present configuration cannot be taken over.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The wanted settings are incomplete or wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The new configuration cannot be written as TOML.
    #[error("configuration cannot be written")]
    Encode(#[from] toml::ser::Error),
    /// One of the steps failed.
    #[error("{0} failed")]
    Step(&'static str, #[source] io::Error),
}

/// Names the step an I/O error belongs to.
trait During<T> {
    fn during(self, step: &'static str) -> Result<T, InstallError>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, step: &'static str) -> Result<T, InstallError> {
        self.map_err(|error| InstallError::Step(step, error))
    }
}

/// Installs or upgrades the service and starts it. Everything is checked before anything is changed.
///
/// # Errors
/// Without root, systemd or a usable configuration; or when a step fails.
pub fn install(
    layout: &Layout,
    flags: &Flags,
    environment: Environment<'_>,
    clock: &Clock,
) -> Result<(), InstallError> {
    check_machine(layout)?;
    let account = Account::chosen(environment)?;
    let config_path = layout.path(DEFAULT_CONFIG);
    let present = config::load_for_installer(&config_path, ACCOUNT)?;
    let settings = Settings::resolve(&present, environment, flags)?;
    let unit_text =
        unit::text(account, &engine_groups(layout, environment), &settings.data_dir, settings.allowance)?;
    let authorities = read_authorities(&settings, &present)?;

    if layout.path(UNIT).exists() {
        // Not running is what is wanted.
        layout.succeeds("systemctl", &["stop", SERVICE]);
    }
    install_program(layout).during("copying the program")?;
    make_directory(&layout.path(CONFIG_DIR), 0o755).during("making the configuration directory")?;
    make_directory(&layout.path(STATE_DIR), 0o755).during("making the data directory")?;
    make_directory(&layout.path(&settings.data_dir), 0o700).during("making the data directory")?;
    if account == Account::Service && !layout.succeeds("id", &["-u", ACCOUNT]) {
        let home = ["--home-dir", STATE_DIR, "--no-create-home", "--shell", "/usr/sbin/nologin"];
        let arguments = [["--system", "--user-group"].as_slice(), &home, &[ACCOUNT]].concat();
        layout.run("useradd", &arguments).during("making the account")?;
    }
    if let Some(authorities) = &authorities {
        files::replace(&layout.path(CA_FILE), authorities, 0o644).during("copying the certificates")?;
    }
    back_up(&config_path, clock).during("keeping the old configuration")?;
    let text = toml::to_string(&merged(&settings, &present, authorities.is_some()))?;
    files::replace(&config_path, text.as_bytes(), 0o600).during("writing the configuration")?;
    hand_over(layout, account, &settings, environment).during("setting the owner")?;
    files::replace(&layout.path(UNIT), unit_text.as_bytes(), 0o644).during("writing the service")?;
    layout.run("systemctl", &["daemon-reload"]).during("reloading systemd")?;
    layout.run("systemctl", &["enable", "--now", SERVICE]).during("starting the service")?;
    info!(service = SERVICE, address = %settings.address, "agent installed and started");
    Ok(())
}

/// Removes the service, the program, its configuration and its data. Missing parts are no error. `/etc/ct-ops` and
/// `/var/lib/ct-ops` stay if they hold more than the agent's files: the server may live on the same machine.
///
/// # Errors
/// Without root, or when something cannot be removed.
pub fn uninstall(layout: &Layout) -> Result<(), InstallError> {
    if layout.is_system() && !nix::unistd::geteuid().is_root() {
        return Err(InstallError::NotRoot);
    }
    let config_path = layout.path(DEFAULT_CONFIG);
    let data_dir =
        config::load_for_installer(&config_path, ACCOUNT).ok().and_then(|file| file.agent.data_dir);
    if layout.path(UNIT).exists() {
        layout.succeeds("systemctl", &["disable", "--now", SERVICE]);
    }
    files::remove_if_present(&layout.path(UNIT)).during("removing the service")?;
    layout.succeeds("systemctl", &["daemon-reload"]);
    files::remove_if_present(&layout.path(BINARY)).during("removing the program")?;
    if let Some(other) = data_dir.filter(|dir| dir != DEFAULT_DATA_DIR) {
        let other = layout.path(other);
        for file in DATA_FILES {
            files::remove_if_present(&other.join(file)).during("removing the data")?;
        }
        remove_tree(&other.join(crate::update::PROGRAM_DIR)).during("removing updated programs")?;
        remove_tree(&other.join(crate::work::SCRIPTS_DIR)).during("removing scripts")?;
        remove_if_empty(&other).during("removing the data")?;
    }
    remove_tree(&layout.path(DEFAULT_DATA_DIR)).during("removing the data")?;
    remove_configuration(layout).during("removing the configuration")?;
    remove_if_empty(&layout.path(STATE_DIR)).during("removing the data")?;
    remove_if_empty(&layout.path(CONFIG_DIR)).during("removing the configuration")?;
    if !layout.path(STATE_DIR).exists() && !layout.path(CONFIG_DIR).exists() {
        // Nothing of the product is left that the account could own.
        layout.succeeds("userdel", &[ACCOUNT]);
    }
    info!(service = SERVICE, "agent uninstalled");
    Ok(())
}

/// The group that may use the container engine's socket, if there is one; `CT_OPS_AGENT_CONTAINERS=no` leaves it out. Its
/// members can do on this machine whatever the engine can, which is everything.
fn engine_groups(layout: &Layout, environment: Environment<'_>) -> Vec<&'static str> {
    let unwanted = environment("CT_OPS_AGENT_CONTAINERS").is_some_and(|value| value == "no");
    if !unwanted && layout.succeeds("getent", &["group", ENGINE_GROUP]) {
        vec![ENGINE_GROUP]
    } else {
        Vec::new()
    }
}

fn check_machine(layout: &Layout) -> Result<(), InstallError> {
    if layout.is_system() && !nix::unistd::geteuid().is_root() {
        return Err(InstallError::NotRoot);
    }
    // sd_booted(3)
    if layout.path("/run/systemd/system").is_dir() { Ok(()) } else { Err(InstallError::NoSystemd) }
}

/// The certificates given anew, to be copied where the service account can read them.
fn read_authorities(settings: &Settings, present: &ConfigFile) -> Result<Option<Vec<u8>>, InstallError> {
    let Some(path) = &settings.ca_cert_file else { return Ok(None) };
    if path.to_str() == present.ingest.ca_cert_file.as_deref() {
        return Ok(None);
    }
    let content = files::read(path, MAX_CA_BYTES).during("reading the certificates to trust")?;
    let readable = CertificateDer::pem_slice_iter(&content).next().is_some_and(|first| first.is_ok());
    if readable { Ok(Some(content)) } else { Err(InstallError::NoCertificate(path.clone())) }
}

fn install_program(layout: &Layout) -> io::Result<()> {
    let target = layout.path(BINARY);
    if fs::canonicalize(layout.program()).ok() == fs::canonicalize(&target).ok() && target.exists() {
        return Ok(());
    }
    if let Some(parent) = target.parent() {
        make_directory(parent, 0o755)?;
    }
    files::replace(&target, &files::read(layout.program(), MAX_PROGRAM_BYTES)?, 0o755)
}

fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Keeps the present configuration beside the new one, under the time of its replacement.
fn back_up(path: &Path, clock: &Clock) -> io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.bak", clock.now().format("%Y%m%dT%H%M%SZ")));
    files::replace(Path::new(&name), &files::read(path, MAX_CA_BYTES)?, 0o600)
}

fn merged(settings: &Settings, present: &ConfigFile, copied: bool) -> ConfigFile {
    let seconds = i64::try_from(settings.heartbeat_interval.as_secs()).unwrap_or_default();
    let default = i64::from(ctops_proto::limits::DEFAULT_HEARTBEAT_INTERVAL_SECS);
    ConfigFile {
        ingest: IngestSection {
            address: Some(settings.address.to_string()),
            ca_cert_file: if copied { Some(CA_FILE.to_owned()) } else { present.ingest.ca_cert_file.clone() },
            tls_skip_verify: settings.tls_skip_verify.then_some(true),
        },
        agent: AgentSection {
            enrolment_token: Some(settings.enrolment_token.clone()),
            org_token: None,
            data_dir: Some(settings.data_dir.display().to_string()),
            heartbeat_interval_secs: (seconds != default).then_some(seconds),
            tags: settings.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect(),
            allow_tasks: present.agent.allow_tasks.clone(),
            update_public_key: present.agent.update_public_key.clone(),
            memory_limit_mb: present.agent.memory_limit_mb,
            cpu_limit_percent: present.agent.cpu_limit_percent,
        },
    }
}

/// Gives configuration and data to the account. A data directory that only the configuration names is left alone:
/// that file belongs to the account, and root must not give away a directory on its word.
fn hand_over(
    layout: &Layout,
    account: Account,
    settings: &Settings,
    environment: Environment<'_>,
) -> io::Result<()> {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    layout.run("chown", &["--no-dereference", account.owner(), &text(layout.path(DEFAULT_CONFIG))])?;
    let named_now = environment("CT_OPS_DATA_DIR").is_some_and(|dir| Path::new(&dir) == settings.data_dir);
    if named_now || settings.data_dir == Path::new(DEFAULT_DATA_DIR) {
        let data_dir = text(layout.path(&settings.data_dir));
        return layout.run("chown", &["--recursive", "--no-dereference", account.owner(), &data_dir]);
    }
    warn!(data_dir = %settings.data_dir.display(), "data directory keeps its owner, the service must be able to write it");
    Ok(())
}

fn remove_configuration(layout: &Layout) -> io::Result<()> {
    let entries = match fs::read_dir(layout.path(CONFIG_DIR)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name == "agent.toml"
            || name == "ca.pem"
            || (name.starts_with("agent.toml.") && name.ends_with(".bak"))
        {
            files::remove_if_present(&path)?;
        }
    }
    Ok(())
}

fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove_if_empty(path: &Path) -> io::Result<()> {
    match fs::remove_dir(path) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Err(error)
        }
        _ => Ok(()),
    }
}
