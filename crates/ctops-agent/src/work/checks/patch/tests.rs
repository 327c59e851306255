#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use ctops_base::Clock;

/// A machine with one package manager that says `output` and ends with `code`.
fn machine(manager: &str, output: &str, code: i32) -> (tempfile::TempDir, Tools) {
    let dir = tempfile::tempdir().unwrap();
    for name in ["bin", "etc", "var/log"] {
        fs::create_dir_all(dir.path().join(name)).unwrap();
    }
    let program = dir.path().join("bin").join(manager);
    fs::write(&program, format!("#!/bin/sh\ncat <<'END'\n{output}END\nexit {code}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let tools = Tools {
        clock: Clock::manual("2026-02-01T12:00:00Z".parse().unwrap()),
        sources: crate::collect::Sources {
            proc: dir.path().join("proc"),
            etc: dir.path().join("etc"),
            run: dir.path().join("run"),
        },
        programs: Programs::in_directories(&dir.path().join("bin").display().to_string()),
        scripts_dir: dir.path().to_owned(),
        scripts_allowed: false,
        roots: std::sync::Arc::default(),
        max_document: 16 * 1024,
    };
    (dir, tools)
}

async fn run(patch: &Patch, tools: &Tools) -> (Verdict, serde_json::Value) {
    let outcome = patch.run(tools).await;
    (outcome.verdict, serde_json::from_str(&outcome.output).unwrap())
}

/// Spec: monitoring 17
#[tokio::test]
async fn host_when_patched_recently_then_passes_and_lists_its_updates() {
    let listed = "Listing...\na/stable 2 amd64 [upgradable from: 1]\nb/stable 2 amd64 [upgradable from: 1]\n";
    let (dir, tools) = machine("apt", listed, 0);
    fs::write(dir.path().join("var/log/pacman.log"), "").unwrap();
    fs::write(dir.path().join("var/log/dpkg.log"), "2026-01-30 12:00:00 upgrade a:amd64 1 2\n").unwrap();
    let (verdict, report) = run(&Patch { max_age_days: 30, max_packages: 1 }, &tools).await;
    assert_eq!(verdict, Verdict::Pass);
    assert_eq!((report["status"].as_str(), report["package_manager"].as_str()), (Some("pass"), Some("apt")));
    assert_eq!(
        (report["updates_count"].as_u64(), report["updates_truncated"].as_bool()),
        (Some(2), Some(true))
    );
    assert_eq!(report["updates"].as_array().unwrap().len(), 1);
    assert!((2..=3).contains(&report["patch_age_days"].as_i64().unwrap()), "{report}");
    assert!(report["warnings"].is_null() && report.get("error").is_none());
    let (verdict, report) = run(&Patch { max_age_days: 1, max_packages: 0 }, &tools).await;
    assert_eq!((verdict, report["status"].as_str()), (Verdict::Fail, Some("fail")));
    assert_eq!(report["updates"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn host_without_manager_or_date_when_checked_then_gives_an_error() {
    let (_dir, tools) = machine("something", "", 0);
    let (verdict, report) = run(&Patch::default(), &tools).await;
    assert_eq!(verdict, Verdict::Error);
    assert_eq!(report["error"], "no supported package manager found");
    assert_eq!(report["max_age_days"], 30);
    let (_dir, tools) = machine("zypper", "", 4);
    let (verdict, report) = run(&Patch::default(), &tools).await;
    assert_eq!(verdict, Verdict::Error);
    assert_eq!(report["error"], "no date of the last patch found");
    assert!(report["warnings"][0].as_str().unwrap().contains("zypper ended with 4"), "{report}");
}

#[tokio::test]
async fn dnf_when_it_says_hundred_then_its_list_counts() {
    let (dir, tools) =
        machine("dnf", "a.x86_64 2-1 updates\nObsoleting Packages\nb.x86_64 2-1 updates\n", 100);
    fs::write(dir.path().join("var/log/dnf.rpm.log"), "2026-02-01T10:00:00Z SUBDEBUG Upgrade: a\n").unwrap();
    let (verdict, report) = run(&Patch::default(), &tools).await;
    assert_eq!(verdict, Verdict::Pass);
    assert_eq!(report["updates_count"], 1);
    assert_eq!(report["last_patched_at"], "2026-02-01T10:00:00Z");
    assert_eq!(report["patch_age_days"], 1);
}
