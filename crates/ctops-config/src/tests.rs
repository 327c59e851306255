#![allow(clippy::unwrap_used)]

use super::*;

const REGISTRY: Registry = Registry {
    settings: &[
        Setting {
            env: "CT_OPS_KEY",
            aliases: &["OLD_KEY"],
            kind: Kind::LongText(8),
            default: None,
            secret: true,
            since: "0.1",
            about: "A key.",
        },
        Setting {
            env: "CT_OPS_WAIT",
            aliases: &[],
            kind: Kind::Duration(1, 86_400),
            default: Some("30s"),
            secret: false,
            since: "0.1",
            about: "A wait.",
        },
        Setting {
            env: "CT_OPS_MAIL",
            aliases: &[],
            kind: Kind::StrictFlag,
            default: Some("true"),
            secret: false,
            since: "0.1",
            about: "A switch.",
        },
    ],
    prefixes: &["CT_OPS_"],
    reserved: &["CT_OPS_LATER"],
};

fn load(pairs: &[(&str, &str)]) -> Result<Values, Vec<Mistake>> {
    REGISTRY.load(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
}

#[test]
fn defaults_hold_until_the_environment_says_otherwise() {
    let values = load(&[]).unwrap();
    assert_eq!((values.number("CT_OPS_WAIT"), values.flag("CT_OPS_MAIL")), (30, true));
    let values = load(&[("CT_OPS_WAIT", "15m"), ("CT_OPS_MAIL", "0")]).unwrap();
    assert_eq!((values.number("CT_OPS_WAIT"), values.flag("CT_OPS_MAIL")), (900, false));
    assert_eq!(load(&[("CT_OPS_WAIT", " ")]).unwrap().number("CT_OPS_WAIT"), 30, "empty counts as unset");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mistakes =
        load(&[("CT_OPS_KEY", "short"), ("CT_OPS_WAIT", "soon"), ("CT_OPS_WIAT", "1"), ("PATH", "/bin")])
            .unwrap_err();
    let names: Vec<_> = mistakes.iter().map(|m| m.env.as_str()).collect();
    assert_eq!(names, ["CT_OPS_KEY", "CT_OPS_WAIT", "CT_OPS_WIAT"]);
    assert!(mistakes[2].message.contains("did you mean CT_OPS_WAIT?"), "{}", mistakes[2]);
}

/// Spec: auth 6
#[test]
fn a_strict_switch_knows_four_spellings() {
    for (text, on) in [("true", true), ("1", true), ("false", false), ("0", false)] {
        assert_eq!(load(&[("CT_OPS_MAIL", text)]).unwrap().flag("CT_OPS_MAIL"), on);
    }
    for text in ["yes", "TRUE", "on", "2"] {
        assert!(load(&[("CT_OPS_MAIL", text)]).is_err(), "{text}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let values = load(&[("CT_OPS_KEY", "super-secret-value")]).unwrap();
    let secret = values.secret("CT_OPS_KEY").unwrap();
    assert_eq!(secret.expose(), "super-secret-value");
    assert!(!format!("{secret:?}").contains("super"));
    assert!(!values.print().join("\n").contains("super"));
    let mistakes = load(&[("CT_OPS_KEY", "hunter2")]).unwrap_err();
    assert!(!mistakes[0].to_string().contains("hunter2"));
}

#[test]
fn secrets_come_from_files_too_but_not_from_both() {
    let path = std::env::temp_dir().join(format!("ctops-config-{}", std::process::id()));
    std::fs::write(&path, "from-a-file\n").unwrap();
    let file = path.to_str().unwrap();
    assert_eq!(
        load(&[("CT_OPS_KEY_FILE", file)]).unwrap().secret("CT_OPS_KEY").unwrap().expose(),
        "from-a-file"
    );
    assert!(load(&[("CT_OPS_KEY_FILE", file), ("CT_OPS_KEY", "direct-value")]).is_err());
    std::fs::remove_file(&path).unwrap();
    assert!(load(&[("CT_OPS_KEY_FILE", file)]).is_err(), "a missing file is a mistake");
}

#[test]
fn aliases_and_reserved_names_are_known() {
    assert!(load(&[("OLD_KEY", "long enough")]).unwrap().secret("CT_OPS_KEY").is_some());
    assert_eq!(load(&[("CT_OPS_LATER", "x")]).unwrap().notes().len(), 1);
}

#[test]
fn values_are_checked_by_kind() {
    let good: &[(Kind, &str)] = &[
        (Kind::Size(0, 1 << 40), "2GiB"),
        (Kind::Url, "https://localhost:8443/"),
        (Kind::Listen, "[::1]:9443"),
        (Kind::Choice(&["a", "b"]), "b"),
        (Kind::List, "a, b ,,c"),
    ];
    for (kind, text) in good {
        assert!(kind.parse(text).is_ok(), "{text}");
    }
    let bad: &[(Kind, &str)] = &[
        (Kind::Size(0, 1 << 40), "2GB"),
        (Kind::Duration(1, 10), "11"),
        (Kind::Url, "localhost:8443"),
        (Kind::Url, "ftp://host"),
        (Kind::Url, "https://user@host"),
        (Kind::Listen, "localhost"),
        (Kind::Choice(&["a", "b"]), "c"),
        (Kind::Integer(1, 65_535), "65536"),
    ];
    for (kind, text) in bad {
        assert!(kind.parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_reference_names_every_setting() {
    let text = REGISTRY.reference("ct-ops");
    for setting in REGISTRY.settings {
        assert!(text.contains(setting.env));
        assert!(REGISTRY.example().contains(setting.env));
    }
}
