//! The schema as text, for the committed `db/schema.sql`.

use std::path::Path;
use std::process::Stdio;

/// What stands at the top of the text.
const HEADER: &str = "\
-- What the files of db/migrations add up to. Generated: do not edit.
-- To write it anew: CT_OPS_BLESS=1 cargo test -p ctops-pg schema
";

/// Why the schema was not written down.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// `pg_dump` cannot be run.
    #[error("pg_dump cannot be run")]
    Run(#[from] std::io::Error),
    /// `pg_dump` failed.
    #[error("pg_dump failed: {0}")]
    Failed(String),
}

/// The schema of the database at `url` as SQL, in a form that only changes when the schema does: without the version of
/// the programs, session settings and owners. `pg_dump` is taken from `bin_dir`.
///
/// # Errors
/// [`SchemaError`] when `pg_dump` is missing or fails.
pub async fn dump(bin_dir: &Path, url: &str) -> Result<String, SchemaError> {
    let output = tokio::process::Command::new(bin_dir.join("pg_dump"))
        .args([
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            "--no-tablespaces",
            "--no-password",
            "--dbname",
            url,
        ])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    if !output.status.success() {
        return Err(SchemaError::Failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(normalise(&String::from_utf8_lossy(&output.stdout)))
}

/// Keeps the statements and drops comments, session settings and `psql` commands; one empty line between statements.
fn normalise(dump: &str) -> String {
    let mut text = HEADER.to_owned();
    let mut gap = true;
    for line in dump.lines().map(str::trim_end) {
        let noise =
            ["--", "SET ", "SELECT pg_catalog.set_config", "\\"].iter().any(|start| line.starts_with(start));
        if noise || line.is_empty() {
            gap = true;
            continue;
        }
        if gap {
            text.push('\n');
        }
        gap = false;
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalise_keeps_only_statements() {
        let dump = "--\n-- PostgreSQL database dump\n--\n\n\\restrict x1\n\nSET a = b;\n\n\n\
                    -- Name: t\n\nCREATE TABLE t (\n    id integer\n);\n\n\nCREATE INDEX i ON t (id);\n\n\\unrestrict x1\n";
        let expected =
            format!("{HEADER}\nCREATE TABLE t (\n    id integer\n);\n\nCREATE INDEX i ON t (id);\n");
        assert_eq!(normalise(dump), expected);
    }
}
