//! A rule that never finds anything is no rule: each is shown what it must find and what it must leave alone.

use super::{Source, sizes, tables, words};

fn a_file(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

/// Product files with enough test lines that the ratio is no finding.
fn with_tests(product: Source) -> Vec<Source> {
    let lines = product.text.lines().count();
    vec![product, a_file("crates/ctops-base/tests/it/main.rs", &"// line\n".repeat(lines + 1))]
}

fn lines(count: usize) -> String {
    "const A: u8 = 1;\n".repeat(count)
}

#[track_caller]
fn finds(findings: &[String], part: &str) {
    assert!(findings.iter().any(|finding| finding.contains(part)), "{part:?} is not among {findings:#?}");
}

#[test]
fn files_at_the_limit_pass_and_longer_ones_are_named() {
    let of = |path: &str, count| sizes::check(&with_tests(a_file(path, &lines(count))));
    assert_eq!(of("crates/ctops-base/src/lib.rs", 400), [""; 0]);
    finds(&of("crates/ctops-base/src/lib.rs", 401), "95th percentile");
    finds(
        &of("crates/ctops-base/src/lib.rs", 701),
        "crates/ctops-base/src/lib.rs has 701 lines, at most 700",
    );
    assert_eq!(of("web/src/App.tsx", 300), [""; 0]);
    finds(&of("web/src/App.tsx", 301), "split the component");
    assert_eq!(of("web/src/api/schema.gen.ts", 5_000), [""; 0], "generated files are as long as they are");
    assert_eq!(of("web/src/types.d.ts", 5_000), [""; 0]);
    assert_eq!(of("docs/dev/roadmap.md", 5_000), [""; 0]);
}

#[test]
fn long_files_are_no_finding_while_they_are_few() {
    let mut sources: Vec<Source> =
        (0..30).map(|number| a_file(&format!("crates/a/src/f{number}.rs"), &lines(10))).collect();
    sources.push(a_file("crates/a/src/long.rs", &lines(600)));
    sources.push(a_file("crates/a/tests/it/main.rs", &lines(2_000)));
    assert_eq!(sizes::check(&sources), [""; 0]);
    for number in 0..3 {
        sources.push(a_file(&format!("crates/a/src/long{number}.rs"), &lines(600)));
    }
    finds(&sizes::check(&sources), "95th percentile of file lengths is 600");
}

#[test]
fn functions_at_the_limit_pass_and_longer_ones_are_named_with_their_line() {
    let function = |head: &str, body: usize, indent: &str| {
        format!("use a;\n\n{indent}{head} {{\n{}{indent}}}\n", format!("{indent}    work();\n").repeat(body))
    };
    let of = |text: String| sizes::check(&with_tests(a_file("crates/ctops-base/src/lib.rs", &text)));
    for head in ["fn a()", "pub fn a()", "async fn a()", "pub(crate) async fn a()", "pub(super) fn a()"] {
        for indent in ["", "    "] {
            assert_eq!(of(function(head, 68, indent)), [""; 0], "{head}");
            finds(
                &of(function(head, 69, indent)),
                "crates/ctops-base/src/lib.rs:3 is a function of 71 lines",
            );
        }
    }
    assert_eq!(
        of(format!("trait T {{\n    fn a();\n{}}}\n", "    // more\n".repeat(200))),
        [""; 0],
        "no body"
    );
    assert_eq!(of(format!("fn one() {{}}\n{}", lines(200))), [""; 0], "one line");
}

#[test]
fn unit_tests_at_the_end_of_a_file_count_as_tests_and_not_as_product() {
    let unit = "\n#[cfg(test)]\nmod tests {\n".to_owned() + &"    // line\n".repeat(900) + "}\n";
    assert_eq!(sizes::check(&[a_file("crates/a/src/lib.rs", &(lines(300) + &unit))]), [""; 0]);
}

#[test]
fn too_few_test_lines_are_a_finding_wherever_tests_may_stand() {
    let product = || a_file("crates/a/src/lib.rs", &lines(300));
    finds(&sizes::check(&[product()]), "0 test lines for 300 product lines is 0.00");
    for path in [
        "crates/a/tests/it/main.rs",
        "crates/a/src/model/tests.rs",
        "crates/a/src/model/store_tests.rs",
        "crates/a/src/library_tests/mod.rs",
        "crates/ctops-testkit/src/lib.rs",
        "crates/ctops-system/src/lib.rs",
        "web/src/features/hosts/HostPage.test.tsx",
        "web/e2e/hosts.spec.ts",
        "web/src/testing/render.tsx",
    ] {
        assert_eq!(sizes::check(&[product(), a_file(path, &lines(300))]), [""; 0], "{path}");
    }
    for path in ["web/src/features/hosts/testing.md", "crates/a/src/latest.json"] {
        finds(&sizes::check(&[product(), a_file(path, &lines(300))]), "0 test lines");
    }
}

#[test]
fn names_that_say_nothing_are_findings_in_any_folder_and_case() {
    for path in [
        "crates/a/src/utils.rs",
        "web/src/helpers.ts",
        "crates/a/src/Common.rs",
        "web/src/app/misc.test.ts",
        "docs/dev/manager.md",
    ] {
        finds(&words::check(&[a_file(path, "")]), path);
    }
    for path in ["crates/a/src/utilisation.rs", "crates/a/src/uncommon.rs", "crates/common/src/lib.rs"] {
        assert_eq!(words::check(&[a_file(path, "")]), [""; 0], "{path}");
    }
}

#[test]
fn spellings_that_are_not_ours_are_findings_but_for_those_of_standards() {
    let of = |text: &str| words::check(&[a_file("docs/user/start.md", text)]);
    finds(&of("fine\nYour Organization is here\n"), "docs/user/start.md:2 says \"organization\"");
    finds(&of("the enrollment token"), "the word is \"enrolment\"");
    assert_eq!(of("the enrolment token of the organisation"), [""; 0]);
    assert_eq!(of("<input autocomplete=\"organization\">"), [""; 0]);
    assert_eq!(of("objectClass: organizationalUnit"), [""; 0]);
    assert_eq!(words::check(&[a_file("web/package.json", "organization")]), [""; 0], "not prose of ours");
}

#[test]
fn marks_of_unfinished_work_are_findings() {
    for mark in ["TODO", "FIXME", "XXX"] {
        for text in [format!("// {mark}: later"), format!("{mark} later")] {
            finds(&words::check(&[a_file("crates/a/src/lib.rs", &text)]), "crates/a/src/lib.rs:1 is a mark");
        }
    }
    assert_eq!(
        words::check(&[a_file("crates/a/src/lib.rs", "// METHODOLOGY: none; TODOS are people")]),
        [""; 0]
    );
}

#[test]
fn foundation_crates_know_no_product_nouns_but_the_codes_of_the_api() {
    let of = |path: &str, text: &str| words::check(&[a_file(path, text)]);
    finds(&of("crates/ctops-base/src/role.rs", "/// for enrolment\n"), "product noun \"enrolment\"");
    finds(&of("crates/ctops-slice/src/guard.rs", "\"hosts.read\""), "product noun \"hosts.read\"");
    assert_eq!(of("crates/ctops-slice/src/actor/mod.rs", "\"mfa_enrolment_required\""), [""; 0]);
    assert_eq!(of("crates/ctops-slice/src/audit/catalogue.rs", "enrolment"), [""; 0]);
    assert_eq!(of("crates/ctops-slice/tests/it/main.rs", "hosts.read"), [""; 0]);
    assert_eq!(of("crates/ctops-fleet/src/lib.rs", "heartbeat"), [""; 0]);
}

#[test]
fn tables_are_written_by_their_own_slice_only() {
    let of = |path: &str, sql: &str| {
        tables::check(&[a_file(path, &format!("fn a() {{ sqlx::query({sql:?}) }}\n"))])
    };
    let foreign = "crates/ctops-fleet/src/hosts/store.rs";
    for sql in [
        "INSERT INTO sessions (id) VALUES ($1)",
        "DELETE FROM sessions WHERE id = $1",
        "UPDATE sessions SET ip = $1",
        "UPDATE sessions s SET ip = $1",
        "WITH a AS (DELETE FROM sessions RETURNING id) SELECT id FROM a",
    ] {
        finds(&of(foreign, sql), "writes table sessions, which belongs to");
        assert_eq!(of("crates/ctops-identity/src/sessions/store.rs", sql), [""; 0], "{sql}");
    }
    assert_eq!(of(foreign, "SELECT id FROM sessions FOR UPDATE"), [""; 0], "reading is everybody's");
    assert_eq!(of("crates/ctops-fleet/tests/it/hosts.rs", "DELETE FROM sessions WHERE true"), [""; 0]);
    assert_eq!(of("crates/ctops-testkit/src/rows.rs", "INSERT INTO sessions (id)"), [""; 0]);
}

#[test]
fn statements_stand_in_stores_only() {
    let text = "fn a() { sqlx::query(\"SELECT 1\") }\n";
    let of = |path: &str| tables::check(&[a_file(path, text)]);
    finds(&of("crates/ctops-fleet/src/hosts/service.rs"), "holds SQL; move it to the store of its slice");
    for place in [
        "crates/ctops-fleet/src/hosts/store.rs",
        "crates/ctops-fleet/src/hosts/store/mod.rs",
        "crates/ctops-queue/src/consumer.rs",
        "crates/ctops-slice/src/throttle.rs",
        "crates/ctops-fleet/src/hosts/store_tests.rs",
        "crates/ctops-fleet/tests/it/hosts.rs",
    ] {
        assert_eq!(of(place), [""; 0], "{place}");
    }
    let unit = format!("fn a() {{}}\n\n#[cfg(test)]\nmod tests {{\n    {text}}}\n");
    assert_eq!(tables::check(&[a_file("crates/ctops-fleet/src/hosts/model.rs", &unit)]), [""; 0]);
}
