#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn installation(public_url: &str, pin: Option<&str>, ca: &str) -> Installation {
    Installation {
        public_url: public_url.into(),
        trusted_origins: Vec::new(),
        trust_proxy_headers: false,
        require_email_verification: false,
        session_lifetime: Duration::from_secs(1),
        session_idle: Duration::from_secs(1),
        ingest_address: "ops.example.com:9443".into(),
        server_ca_pem: ca.to_owned().into(),
        server_pin: pin.map(str::to_owned).into(),
        agent_dist_dir: std::path::PathBuf::new(),
        version: "0",
    }
}

fn address() -> IngestAddress {
    IngestAddress::parse("ops.example.com:9443").unwrap()
}

/// Runs `sh` on `script` without any environment; returns success, output and errors.
fn sh(args: &[&str], script: &str) -> (bool, String, String) {
    let mut child = Command::new("/bin/sh")
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// Spec: agents-enrolment 18
#[test]
fn ingest_address_when_host_and_port_are_sound_is_taken() {
    let long_label = "a".repeat(63);
    let long_name = format!("{long_label}.{long_label}.{long_label}.{}", "a".repeat(61));
    for good in [
        "ops.example.com:9443".to_owned(),
        "OPS:1".to_owned(),
        "10.0.0.1:65535".to_owned(),
        "[2001:db8::1]:9443".to_owned(),
        "[::ffff:10.0.0.1]:9443".to_owned(),
        "7zip.example:9443".to_owned(),
        format!("{long_name}:9443"),
    ] {
        assert_eq!(IngestAddress::parse(&good).unwrap().to_string(), good);
    }
}

/// Spec: agents-enrolment 18
#[test]
fn ingest_address_when_anything_is_off_is_refused() {
    let label = "a".repeat(64);
    let name = ["a".repeat(63), "a".repeat(63), "a".repeat(63), "a".repeat(62)].join(".");
    for bad in [
        "",
        ":",
        "host",
        "host:",
        ":9443",
        "host:0",
        "host:65536",
        "host:-1",
        "host:+1",
        "host:0x1",
        "host:9443 ",
        " host:9443",
        "ho st:1",
        "host:1\n",
        "host\n:1",
        "-host:1",
        "host-:1",
        "a..b:1",
        ".a:1",
        "a.:1",
        "a_b:1",
        "höst:1",
        "256.0.0.1:1",
        "1.2.3:1",
        "1.2.3.4.5:1",
        "2001:db8::1:9443",
        "[2001:db8::1]",
        "[fe80::1%eth0]:1",
        "[host]:1",
        "[]:1",
        "user@host:1",
        "https://host:1",
        "host/path:1",
        "$(id):1",
        "`id`:1",
        "';id;':1",
        "host:$(id)",
        "a;b:1",
        "host:1\r\nX: y",
    ] {
        assert_eq!(IngestAddress::parse(bad), Err(BadAddress), "{bad:?}");
    }
    assert_eq!(IngestAddress::parse(&format!("{label}:1")), Err(BadAddress));
    assert_eq!(IngestAddress::parse(&format!("{name}:1")), Err(BadAddress), "254 characters");
}

/// Spec: agents-enrolment 17
#[test]
fn install_command_carries_the_token_in_the_environment_only() {
    let plain = install_command(&installation("https://ops.example.com", None, ""), "tok_abc", false);
    assert_eq!(
        plain,
        "curl -fsSL \"https://ops.example.com/api/v1/agent/install.sh\" | env CT_OPS_ENROLMENT_TOKEN='tok_abc' sh"
    );
    let pinned = installation("https://ops.example.com", Some("sha256//abc="), "");
    assert_eq!(
        install_command(&pinned, "tok_abc", true),
        "curl -fsSL --pinnedpubkey 'sha256//abc=' -k \
         \"https://ops.example.com/api/v1/agent/install.sh?skip_verify=true\" \
         | env CT_OPS_ENROLMENT_TOKEN='tok_abc' sh"
    );
}

#[test]
fn script_when_checked_by_the_shell_has_no_errors() {
    let site =
        installation("https://ops.example.com", Some("sha256//abc="), "-----BEGIN CERTIFICATE-----\nAA==\n");
    let (fine, _, errors) = sh(&["-n"], &script(&site, &address(), true));
    assert!(fine && errors.is_empty(), "{errors}");
}

/// Spec: agents-enrolment 17
#[test]
fn script_without_a_token_stops_before_it_does_anything() {
    let text = script(&installation("https://ops.example.com", None, ""), &address(), false);
    let (fine, output, errors) = sh(&["-s"], &text);
    assert!(!fine);
    assert!(output.is_empty());
    assert_eq!(errors, "ct-ops install: CT_OPS_ENROLMENT_TOKEN is not set\n");
}

#[test]
fn script_when_it_breaks_off_anywhere_runs_nothing() {
    let text = script(&installation("https://ops.example.com", None, "PEM"), &address(), false);
    let end = text.rfind("main").unwrap();
    for cut in (0..end).step_by(97) {
        let (_, output, errors) = sh(&["-s"], text.get(..cut).unwrap());
        assert!(output.is_empty());
        assert!(!errors.contains("ct-ops install"), "cut at {cut}: {errors}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Spec: agents-enrolment 22
    #[test]
    fn script_whatever_the_values_are_is_inert_and_keeps_them(
        url in "https://[a-z'\"`$(){};&|<> \\\\\n*!#]{0,20}",
        pin in "sha256//['\"`$();\\\\\na-z]{0,10}",
        ca in "[-A-Z'\"`$();\\\\\n]{0,30}x",
    ) {
        let text = script(&installation(&url, Some(&pin), &ca), &address(), false);
        let (fine, _, errors) = sh(&["-n"], &text);
        prop_assert!(fine, "{}", errors);
        let values = text.strip_suffix(SCRIPT_BODY).unwrap();
        let show = format!("{values}printf '%s|%s|%s|%s' \"$BASE_URL\" \"$INGEST\" \"$PIN\" \"$CA_PEM\"");
        let (fine, output, errors) = sh(&["-s"], &show);
        prop_assert!(fine && errors.is_empty(), "{}", errors);
        prop_assert_eq!(output, format!("{url}|ops.example.com:9443|{pin}|{ca}"));
    }

    /// Spec: agents-enrolment 18, 22
    #[test]
    fn ingest_address_when_accepted_holds_no_character_that_a_shell_knows(text in "[a-z0-9.:\\[\\]$`'\" ;&\\n-]{1,20}") {
        if let Ok(address) = IngestAddress::parse(&text) {
            prop_assert!(address.0.bytes().all(|b| b.is_ascii_alphanumeric() || b".:[]-".contains(&b)));
        }
    }
}
