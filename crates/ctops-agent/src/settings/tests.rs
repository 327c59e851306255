#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{AgentSection, IngestSection};
use proptest::prelude::*;

fn file() -> ConfigFile {
    ConfigFile {
        ingest: IngestSection {
            address: Some("file.example:1".to_owned()),
            ca_cert_file: Some("/file/ca".to_owned()),
            tls_skip_verify: None,
        },
        agent: AgentSection {
            enrolment_token: Some(Secret::new("tok_file")),
            org_token: Some(Secret::new("tok_file_old")),
            data_dir: Some("/file/data".to_owned()),
            heartbeat_interval_secs: Some(60),
            tags: vec!["env=file".to_owned(), "site=a".to_owned()],
            allow_tasks: None,
            ..AgentSection::default()
        },
    }
}

fn flags(line: &str) -> Flags {
    Flags::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).unwrap()
}

fn resolve(file: &ConfigFile, environment: &[(&str, &str)], line: &str) -> Result<Settings, SettingsError> {
    let look = |name: &str| {
        environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    Settings::resolve(file, &look, &flags(line))
}

const ENVIRONMENT: &[(&str, &str)] = &[
    ("CT_OPS_INGEST_ADDRESS", " env.example:2 "),
    ("CT_OPS_INGEST_CA_CERT", "/env/ca"),
    ("CT_OPS_ENROLMENT_TOKEN", " tok_env "),
    ("CT_OPS_ORG_TOKEN", "tok_env_old"),
    ("CT_OPS_DATA_DIR", "/env/data"),
    ("CT_OPS_HEARTBEAT_INTERVAL_SECS", "90"),
    ("CT_OPS_TAGS", "env=env, role:web,"),
];

fn tag_texts(settings: &Settings) -> Vec<String> {
    settings.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect()
}

/// Spec: agents-enrolment 23
#[test]
fn value_when_given_in_several_layers_then_flag_beats_environment_beats_file_beats_default() {
    let lowest = resolve(&ConfigFile::default(), &[], "-token t").unwrap();
    assert_eq!(lowest.address.to_string(), "localhost:9443");
    assert_eq!(lowest.data_dir, PathBuf::from("/var/lib/ct-ops/agent"));
    assert_eq!(lowest.heartbeat_interval, Duration::from_secs(30));
    assert!(lowest.ca_cert_file.is_none() && !lowest.tls_skip_verify && lowest.tags.is_empty());

    let from_file = resolve(&file(), &[], "").unwrap();
    assert_eq!(from_file.address.to_string(), "file.example:1");
    assert_eq!(from_file.ca_cert_file, Some(PathBuf::from("/file/ca")));
    assert_eq!(from_file.enrolment_token.expose(), "tok_file");
    assert_eq!(from_file.data_dir, PathBuf::from("/file/data"));
    assert_eq!(from_file.heartbeat_interval, Duration::from_secs(60));
    assert_eq!(tag_texts(&from_file), ["env=file", "site=a"]);

    let from_environment = resolve(&file(), ENVIRONMENT, "").unwrap();
    assert_eq!(from_environment.address.to_string(), "env.example:2");
    assert_eq!(from_environment.ca_cert_file, Some(PathBuf::from("/env/ca")));
    assert_eq!(from_environment.enrolment_token.expose(), "tok_env");
    assert_eq!(from_environment.data_dir, PathBuf::from("/env/data"));
    assert_eq!(from_environment.heartbeat_interval, Duration::from_secs(90));
    assert_eq!(tag_texts(&from_environment), ["env=env", "role=web"]);

    let line = "-address flag.example:3 -ca-cert /flag/ca -token tok_flag -tag env=flag -tls-skip-verify";
    let from_flags = resolve(&file(), ENVIRONMENT, line).unwrap();
    assert_eq!(from_flags.address.to_string(), "flag.example:3");
    assert_eq!(from_flags.ca_cert_file, Some(PathBuf::from("/flag/ca")));
    assert_eq!(from_flags.enrolment_token.expose(), "tok_flag");
    assert_eq!(tag_texts(&from_flags), ["env=flag", "role=web"]);
    assert!(from_flags.tls_skip_verify);
}

#[test]
fn empty_environment_variables_when_resolved_then_count_as_not_set() {
    let blank: Vec<(&str, &str)> = ENVIRONMENT.iter().map(|(name, _)| (*name, " ")).collect();
    let settings = resolve(&file(), &blank, "").unwrap();
    assert_eq!(settings.address.to_string(), "file.example:1");
    assert_eq!(settings.enrolment_token.expose(), "tok_file");
    assert_eq!(settings.heartbeat_interval, Duration::from_secs(60));
}

/// Spec: agents-enrolment 23
#[test]
fn older_token_name_when_alone_then_is_accepted_with_a_warning() {
    let mut old = file();
    old.agent.enrolment_token = None;
    let (lines, guard) = crate::logging::capture::captured();
    assert_eq!(resolve(&old, &[], "").unwrap().enrolment_token.expose(), "tok_file_old");
    assert_eq!(
        resolve(&old, &[("CT_OPS_ORG_TOKEN", "tok_env_old")], "").unwrap().enrolment_token.expose(),
        "tok_env_old"
    );
    drop(guard);
    let text = lines.text();
    assert!(
        text.contains("level=WARN msg=\"agent.org_token is deprecated, use agent.enrolment_token\""),
        "{text}"
    );
    assert!(text.contains("CT_OPS_ORG_TOKEN is deprecated") && !text.contains("tok_"), "{text}");
}

#[test]
fn no_token_at_all_when_resolved_then_is_refused() {
    assert!(matches!(resolve(&ConfigFile::default(), &[], ""), Err(SettingsError::NoToken)));
    assert!(matches!(resolve(&ConfigFile::default(), &[], "-token="), Err(SettingsError::NoToken)));
}

/// Spec: agents-enrolment 26
#[test]
fn heartbeat_interval_when_outside_5_to_300_then_is_refused() {
    for (text, accepted) in
        [("4", false), ("5", true), ("300", true), ("301", false), ("-30", false), ("soon", false)]
    {
        let variables = [("CT_OPS_HEARTBEAT_INTERVAL_SECS", text)];
        assert_eq!(resolve(&file(), &variables, "").is_ok(), accepted, "{text}");
    }
    for (seconds, accepted) in [(0, false), (4, false), (5, true), (300, true), (301, false), (-1, false)] {
        let mut file = file();
        file.agent.heartbeat_interval_secs = Some(seconds);
        assert_eq!(resolve(&file, &[], "").is_ok(), accepted, "{seconds}");
    }
}

#[test]
fn address_when_parsed_then_is_host_and_port_or_refused() {
    for good in ["a:1", "ingest.corp.example.com:9443", "10.0.0.1:65535", "[::1]:9443"] {
        assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
    }
    for bad in
        ["", "a", "a:", ":1", "a:0", "a:65536", "::1:9443", "[::1]", "[a]:1", "a b:1", "https://a:1", "a:1/x"]
    {
        assert!(bad.parse::<Address>().is_err(), "{bad:?}");
    }
}

#[test]
fn token_when_settings_are_printed_then_stays_hidden() {
    let text = format!("{:?} {:?}", resolve(&file(), ENVIRONMENT, "").unwrap(), file());
    assert!(!text.contains("tok_"), "{text}");
}

proptest! {
    #[test]
    fn any_address_text_is_read_without_panic(text: String) {
        let _ = text.parse::<Address>();
    }

    #[test]
    fn accepted_address_survives_the_round_trip(text in "[a-z0-9.:\\[\\]-]{1,30}") {
        if let Ok(address) = text.parse::<Address>() {
            prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }
}

/// Spec: agents-enrolment 28
#[test]
fn update_key_and_limits_when_given_then_are_checked() {
    let resolved = |adjust: fn(&mut AgentSection)| {
        let mut file = file();
        adjust(&mut file.agent);
        Settings::resolve(&file, &|_| None, &Flags::default())
    };
    let plain = resolved(|_| ()).unwrap();
    assert_eq!((plain.update_key, plain.allowance.memory_bytes), (None, 64 << 20));
    let settings = resolved(|agent| {
        agent.update_public_key = Some("AB".repeat(32));
        (agent.memory_limit_mb, agent.cpu_limit_percent) = (Some(8), Some(100));
    })
    .unwrap();
    assert_eq!(settings.update_key, Some([0xab; 32]));
    assert_eq!((settings.allowance.memory_bytes, settings.allowance.cpu_percent), (8 << 20, 100));
    assert!(resolved(|agent| agent.update_public_key = Some("abc".to_owned())).is_err());
    assert!(resolved(|agent| agent.memory_limit_mb = Some(7)).is_err());
    assert!(resolved(|agent| agent.cpu_limit_percent = Some(0)).is_err());
}
