//! Installing into a directory that stands for a machine; the system's programs are replaced by ones that write down
//! how they were called.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ctops_agent::flags::Flags;
use ctops_agent::install::{InstallError, Layout, install, uninstall};
use ctops_base::Clock;

struct Machine {
    dir: tempfile::TempDir,
    layout: Layout,
}

const CONFIG: &str = "etc/ct-ops/agent.toml";
const BINARY: &str = "usr/local/bin/ct-ops-agent";
const UNIT: &str = "etc/systemd/system/ct-ops-agent.service";
const DATA: &str = "var/lib/ct-ops/agent";

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (root, tools) = (dir.path().join("root"), dir.path().join("tools"));
        fs::create_dir_all(root.join("run/systemd/system")).unwrap();
        fs::create_dir_all(root.join("etc/systemd/system")).unwrap();
        fs::create_dir_all(&tools).unwrap();
        let log = dir.path().join("calls");
        fs::write(&log, "").unwrap();
        for (tool, code) in [("systemctl", 0), ("useradd", 0), ("userdel", 0), ("chown", 0), ("id", 1)] {
            let script = format!("#!/bin/sh\necho {tool} \"$@\" >> {}\nexit {code}\n", log.display());
            fs::write(tools.join(tool), script).unwrap();
            fs::set_permissions(tools.join(tool), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let program = dir.path().join("new-agent");
        fs::write(&program, "program 1").unwrap();
        let layout = Layout::at(&root, &tools, &program);
        Self { dir, layout }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).unwrap().permissions().mode() & 0o777
    }

    /// The calls of the system's programs since the last look.
    fn calls(&self) -> Vec<String> {
        let log = self.dir.path().join("calls");
        let root = format!("{}/", self.dir.path().join("root").display());
        let calls = fs::read_to_string(&log).unwrap().lines().map(|line| line.replace(&root, "/")).collect();
        fs::write(log, "").unwrap();
        calls
    }

    fn install(&self, line: &str, environment: &[(&str, &str)]) -> Result<(), InstallError> {
        let flags = Flags::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).unwrap();
        let look =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
        let clock = Clock::manual(chrono::DateTime::from_timestamp(1_780_272_000, 0).unwrap());
        install(&self.layout, &flags, &look, &clock)
    }

    fn put_config(&self, text: &str, mode: u32) {
        fs::create_dir_all(self.path("etc/ct-ops")).unwrap();
        fs::write(self.path(CONFIG), text).unwrap();
        fs::set_permissions(self.path(CONFIG), fs::Permissions::from_mode(mode)).unwrap();
    }
}

fn certificate(dir: &Path) -> PathBuf {
    let path = dir.join("given.pem");
    fs::write(&path, crate::authority::self_signed_server("ingest").2).unwrap();
    path
}

/// Spec: agents-enrolment 25
#[test]
fn installation_when_the_machine_is_empty_then_sets_up_everything_and_starts() {
    let machine = Machine::new();
    let ca = certificate(machine.dir.path());
    let line =
        format!("-install -token tok_a -address ingest.example:9443 -tag a=$(id) -ca-cert {}", ca.display());
    machine.install(&line, &[]).unwrap();
    assert_eq!(machine.read(BINARY), "program 1");
    assert_eq!(
        (machine.mode(BINARY), machine.mode(CONFIG), machine.mode(UNIT), machine.mode(DATA)),
        (0o755, 0o600, 0o644, 0o700)
    );
    assert_eq!(
        machine.read(CONFIG),
        "[ingest]\naddress = \"ingest.example:9443\"\nca_cert_file = \"/etc/ct-ops/ca.pem\"\n\n\
         [agent]\nenrolment_token = \"tok_a\"\ndata_dir = \"/var/lib/ct-ops/agent\"\ntags = [\"a=$(id)\"]\n"
    );
    assert_eq!(machine.read("etc/ct-ops/ca.pem"), fs::read_to_string(ca).unwrap());
    assert_eq!(
        machine.calls(),
        [
            "id -u ct-ops",
            "useradd --system --user-group --home-dir /var/lib/ct-ops --no-create-home --shell /usr/sbin/nologin ct-ops",
            "chown --no-dereference ct-ops:ct-ops /etc/ct-ops/agent.toml",
            "chown --recursive --no-dereference ct-ops:ct-ops /var/lib/ct-ops/agent",
            "systemctl daemon-reload",
            "systemctl enable --now ct-ops-agent",
        ]
    );
}

/// Spec: agents-enrolment 25
#[test]
fn installation_when_repeated_then_stops_first_keeps_settings_and_a_copy_of_the_old_configuration() {
    let machine = Machine::new();
    let old = "[ingest]\naddress = \"old.example:1\"\nca_cert_file = \"/srv/ca.crt\"\n[agent]\nenrolment_token = \"tok_old\"\n\
               heartbeat_interval_secs = 60\ntags = [\"env:prod\"]\n";
    machine.put_config(old, 0o600);
    fs::write(machine.path(UNIT), "old unit").unwrap();
    fs::create_dir_all(machine.path("usr/local/bin")).unwrap();
    fs::write(machine.path(BINARY), "program 0").unwrap();
    machine.install("-install -token tok_new", &[("CT_OPS_AGENT_USER", "root")]).unwrap();
    assert_eq!(
        machine.read(CONFIG),
        "[ingest]\naddress = \"old.example:1\"\nca_cert_file = \"/srv/ca.crt\"\n\n[agent]\nenrolment_token = \"tok_new\"\n\
         data_dir = \"/var/lib/ct-ops/agent\"\nheartbeat_interval_secs = 60\ntags = [\"env=prod\"]\n"
    );
    let copy = "etc/ct-ops/agent.toml.20260601T000000Z.bak";
    assert_eq!(machine.read(copy), old);
    assert_eq!(machine.mode(copy), 0o600);
    assert_eq!(machine.read(BINARY), "program 1");
    let calls = machine.calls();
    assert_eq!(calls[0], "systemctl stop ct-ops-agent");
    assert!(calls.contains(&"chown --no-dereference root:root /etc/ct-ops/agent.toml".to_owned()));
    assert!(!calls.iter().any(|call| call.starts_with("useradd")));
    assert!(!machine.read(UNIT).contains("User="));
}

/// Spec: agents-enrolment 24, 25
#[test]
fn installation_when_something_is_wrong_then_changes_nothing() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("-install", &[]),
        ("-install -token t -address nonsense", &[]),
        ("-install -token t -ca-cert /nonexistent", &[]),
        ("-install -token t", &[("CT_OPS_AGENT_USER", "nobody")]),
        ("-install -token t", &[("CT_OPS_DATA_DIR", "relative")]),
        ("-install -token t", &[("CT_OPS_HEARTBEAT_INTERVAL_SECS", "1")]),
    ];
    for (line, environment) in cases {
        let machine = Machine::new();
        assert!(machine.install(line, environment).is_err(), "{line} {environment:?}");
        assert!(
            machine.calls().is_empty() && !machine.path(BINARY).exists() && !machine.path(CONFIG).exists()
        );
    }
    let machine = Machine::new();
    machine.put_config("[agent]\n", 0o644);
    assert!(matches!(machine.install("-install -token t", &[]), Err(InstallError::Config(_))));
    let machine = Machine::new();
    fs::remove_dir_all(machine.path("run")).unwrap();
    assert!(matches!(machine.install("-install -token t", &[]), Err(InstallError::NoSystemd)));
}

#[test]
fn data_directory_when_only_the_configuration_names_it_then_is_not_given_away() {
    let machine = Machine::new();
    machine.put_config("[agent]\nenrolment_token = \"t\"\ndata_dir = \"/etc/ssl\"\n", 0o600);
    machine.install("-install", &[]).unwrap();
    assert!(!machine.calls().iter().any(|call| call.contains("/etc/ssl")));
    machine.install("-install", &[("CT_OPS_DATA_DIR", "/srv/agent")]).unwrap();
    assert!(
        machine.calls().contains(&"chown --recursive --no-dereference ct-ops:ct-ops /srv/agent".to_owned())
    );
    assert!(machine.read(UNIT).contains("ReadWritePaths=\"/srv/agent\""));
}

/// Spec: agents-enrolment 25
#[test]
fn uninstallation_when_done_then_nothing_of_the_agent_is_left() {
    let machine = Machine::new();
    machine.install("-install -token t", &[("CT_OPS_DATA_DIR", "/srv/agent")]).unwrap();
    machine.install("-install -token t", &[]).unwrap();
    fs::create_dir_all(machine.path(DATA)).unwrap();
    fs::write(machine.path(&format!("{DATA}/agent_key.pem")), "key").unwrap();
    fs::write(machine.path("srv/agent/agent_key.pem"), "key").unwrap();
    fs::write(machine.path("srv/agent/other"), "not ours").unwrap();
    machine.calls();
    uninstall(&machine.layout).unwrap();
    for path in [BINARY, UNIT, "etc/ct-ops", "var/lib/ct-ops", "srv/agent/agent_key.pem"] {
        assert!(!machine.path(path).exists(), "{path}");
    }
    assert_eq!(machine.read("srv/agent/other"), "not ours");
    assert_eq!(
        machine.calls(),
        ["systemctl disable --now ct-ops-agent", "systemctl daemon-reload", "userdel ct-ops"]
    );
    uninstall(&machine.layout).unwrap();
}

/// Spec: agents-enrolment 25
#[test]
fn uninstallation_when_the_server_lives_on_the_machine_too_then_its_files_stay() {
    let machine = Machine::new();
    machine.install("-install -token t", &[]).unwrap();
    fs::write(machine.path("etc/ct-ops/server.toml"), "server").unwrap();
    fs::create_dir_all(machine.path("var/lib/ct-ops/server")).unwrap();
    machine.calls();
    uninstall(&machine.layout).unwrap();
    assert!(!machine.path(DATA).exists() && !machine.path(CONFIG).exists());
    assert_eq!(machine.read("etc/ct-ops/server.toml"), "server");
    assert!(machine.path("var/lib/ct-ops/server").exists());
    assert!(!machine.calls().iter().any(|call| call.starts_with("userdel")));
}

/// Spec: agents-enrolment 25
#[test]
fn service_when_a_container_engine_is_installed_then_joins_its_group_unless_told_not_to() {
    let machine = Machine::new();
    let getent = machine.dir.path().join("tools/getent");
    fs::write(&getent, "#!/bin/sh\n[ \"$*\" = 'group docker' ]\n").unwrap();
    fs::set_permissions(&getent, fs::Permissions::from_mode(0o755)).unwrap();
    let line = "-install -token tok_a -address ingest.example:9443";
    machine.install(line, &[]).unwrap();
    assert!(machine.read(UNIT).contains("\nSupplementaryGroups=docker\n"));
    machine.install(line, &[("CT_OPS_AGENT_CONTAINERS", "no")]).unwrap();
    assert!(!machine.read(UNIT).contains("SupplementaryGroups"));
}
