//! Turns the files of `db/migrations` into a table of the program, so that no file has to travel beside it.

#![allow(clippy::expect_used, reason = "a build script can only stop the build")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let crate_dir =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the crate directory"));
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the output directory"));
    let migrations = crate_dir.join("../../db/migrations");
    println!("cargo::rerun-if-changed={}", migrations.display());
    println!("cargo::rerun-if-changed=build.rs");

    let table = table_of(&migrations);
    fs::write(out_dir.join("migrations.rs"), table).expect("the output directory is writable");
}

/// The source text of the array, in the order of the versions.
fn table_of(migrations: &Path) -> String {
    let mut files: Vec<PathBuf> = fs::read_dir(migrations)
        .unwrap_or_else(|error| panic!("{}: {error}", migrations.display()))
        .map(|entry| entry.expect("the directory is readable").path())
        .collect();
    files.sort();

    let mut table = String::from("&[\n");
    let mut previous = 0;
    for file in &files {
        println!("cargo::rerun-if-changed={}", file.display());
        let (version, name) = version_and_name(file);
        assert!(version > previous, "{}: the version is not unique", file.display());
        previous = version;
        let path = file.canonicalize().expect("the file exists");
        writeln!(
            table,
            "    Migration {{ version: {version}, name: {name:?}, sql: include_str!({path:?}) }},"
        )
        .expect("a string takes everything");
    }
    table.push(']');
    table
}

/// `20261122090000_hosts_create.sql` is version 20261122090000, name `hosts_create`.
fn version_and_name(file: &Path) -> (i64, String) {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let parts = stem.split_once('_').filter(|(version, name)| {
        version.len() == 14
            && version.bytes().all(|b| b.is_ascii_digit())
            && !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && file.extension().is_some_and(|extension| extension == "sql")
    });
    let Some((version, name)) = parts else {
        panic!("{}: a migration is named <yyyymmddhhmmss>_<slice>_<what>.sql", file.display());
    };
    (version.parse().expect("fourteen digits fit"), name.to_owned())
}
