//! File and function lengths: what does not fit in mind does not get reviewed.

use super::Source;

/// Lines of a product file, hard stop; 95 in 100 files stay below [`P95`].
const FILE: usize = 700;
const P95: usize = 400;
/// Lines of a function.
const FUNCTION: usize = 70;
/// Lines of a TSX file.
const TSX: usize = 300;
/// Test lines per product line over the whole tree. The aim is 0.6; the pages of the UI are behind, and the roadmap says so.
const TEST_RATIO: f64 = 0.59;

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    let (mut product, mut test) = (Vec::new(), 0);
    for source in sources.iter().filter(|s| is_code(&s.path)) {
        let total = source.text.lines().count();
        let own = if is_test(&source.path) { 0 } else { product_lines(source) };
        test += total - own;
        if own == 0 {
            continue;
        }
        product.push(own);
        if own > FILE {
            findings.push(format!("{} has {own} lines, at most {FILE}; split it", source.path));
        }
        if source.path.ends_with(".tsx") && own > TSX {
            findings.push(format!("{} has {own} lines, at most {TSX}; split the component", source.path));
        }
        if source.path.ends_with(".rs") {
            findings.extend(long_functions(source));
        }
    }
    product.sort_unstable();
    let p95 = product.get(product.len() * 95 / 100).copied().unwrap_or(0);
    if p95 > P95 {
        findings.push(format!("the 95th percentile of file lengths is {p95}, at most {P95}"));
    }
    let lines: usize = product.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "line counts are small")]
    let ratio = test as f64 / lines.max(1) as f64;
    if ratio < TEST_RATIO {
        findings.push(format!(
            "{test} test lines for {lines} product lines is {ratio:.2}, at least {TEST_RATIO}"
        ));
    }
    findings
}

fn is_code(path: &str) -> bool {
    let generated = path.contains(".gen.") || path.ends_with(".d.ts");
    !generated && [".rs", ".ts", ".tsx"].iter().any(|end| path.ends_with(end))
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/")
        || path.contains("_tests/")
        || path.ends_with("tests.rs")
        || path.contains(".test.")
        || path.contains(".spec.")
        || path.contains("/e2e/")
        || path.contains("/testing/")
        || path.contains("ctops-testkit/")
        || path.contains("ctops-system/")
}

/// Lines before the unit tests at the end of the file.
fn product_lines(source: &Source) -> usize {
    let end = source.text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(source.text.len());
    source.text[..end].lines().count()
}

/// Functions by indentation: from the line with `fn` to the closing brace in its column (rustfmt guarantees it).
fn long_functions(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut findings = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let is_function = [
            "fn ",
            "pub fn ",
            "async fn ",
            "pub async fn ",
            "pub(crate) fn ",
            "pub(crate) async fn ",
            "pub(super) fn ",
            "pub(super) async fn ",
        ]
        .iter()
        .any(|head| code.starts_with(head));
        if !is_function || code.ends_with(';') || code.ends_with('}') {
            continue;
        }
        let close = format!("{}}}", " ".repeat(line.len() - code.len()));
        let length = lines[start..].iter().position(|l| *l == close).map_or(0, |end| end + 1);
        if length > FUNCTION {
            findings.push(format!(
                "{}:{} is a function of {length} lines, at most {FUNCTION}; extract a step",
                source.path,
                start + 1
            ));
        }
    }
    findings
}
