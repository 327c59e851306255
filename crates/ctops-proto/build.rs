//! Compiles the `.proto` files with protox, so that no `protoc` is needed.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let files = ["agent/v1/ingest.proto", "agent/v1/release.proto", "queue/v1/queue.proto"]
        .map(|file| root.join(file));
    println!("cargo::rerun-if-changed={}", root.display());
    let set = protox::compile(&files, [&root])?;
    tonic_prost_build::configure().build_transport(false).compile_fds(set)?;
    Ok(())
}
