//! Packages on their way to the server: chunks of 500 on a client stream (wire contract 8, software-inventory 4).

use std::sync::Arc;
use std::time::Duration;

use ctops_proto::agent::SoftwareInventoryChunk;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request};

use super::{Inventory, Packages, Source};
use crate::dial::Client;

/// Packages in one chunk; servers take 1,000.
const CHUNK: usize = 500;
/// For the whole call.
const CALL: Duration = Duration::from_secs(300);

/// Why the packages did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The token cannot be sent.
    #[error("the token cannot be sent")]
    Token,
    /// The server does not accept the token.
    #[error("the server does not accept the token: {0}")]
    Unauthenticated(String),
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Unavailable(String),
    /// The server refused them.
    #[error("{0:?}: {1}")]
    Refused(Code, String),
    /// It took too long.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// Packages were lost on the way.
    #[error("the server has {0} of {1} packages")]
    Incomplete(i32, usize),
}

/// Sends `inventory` as the scan `scan_id`.
///
/// # Errors
/// When the server did not confirm every package.
pub async fn send(
    mut client: Client,
    token: &str,
    agent_id: &str,
    scan_id: &str,
    inventory: &Arc<Inventory>,
) -> Result<(), SendError> {
    let total = inventory.len();
    let authorization: MetadataValue<Ascii> =
        format!("Bearer {token}").parse().map_err(|_| SendError::Token)?;
    let chunks = chunks(inventory.clone(), scan_id, agent_id);
    let mut request = Request::new(tokio_stream::iter(chunks));
    request.metadata_mut().insert("authorization", authorization);
    let answer = tokio::time::timeout(CALL, client.submit_software_inventory(request)).await;
    let answer = answer.map_err(|_| SendError::TimedOut(CALL))?;
    let ack = answer.map_err(|status| {
        let message = status.message().to_owned();
        match status.code() {
            Code::Unauthenticated => SendError::Unauthenticated(message),
            Code::Unavailable | Code::Cancelled | Code::Unknown => SendError::Unavailable(message),
            code => SendError::Refused(code, message),
        }
    })?;
    let received = ack.into_inner().received;
    if usize::try_from(received) == Ok(total) { Ok(()) } else { Err(SendError::Incomplete(received, total)) }
}

/// The inventory in chunks of one source each, made one by one as they are sent.
fn chunks(
    inventory: Arc<Inventory>,
    scan_id: &str,
    agent_id: &str,
) -> impl Iterator<Item = SoftwareInventoryChunk> + Send + 'static {
    let starts = |(part, packages): (usize, &(Source, Packages))| {
        let count = packages.1.len();
        (0..count).step_by(CHUNK).map(move |start| (part, start)).collect::<Vec<_>>()
    };
    let pieces: Vec<(usize, usize)> = inventory.parts.iter().enumerate().flat_map(starts).collect();
    let last = pieces.len().saturating_sub(1);
    let (scan_id, agent_id) = (scan_id.to_owned(), agent_id.to_owned());
    pieces.into_iter().enumerate().map(move |(index, (part, start))| SoftwareInventoryChunk {
        scan_id: scan_id.clone(),
        agent_id: agent_id.clone(),
        source: inventory.parts[part].0.as_str().to_owned(),
        chunk_index: i32::try_from(index).unwrap_or(i32::MAX),
        is_last: index == last,
        packages: inventory.slice(part, start, CHUNK),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctops_proto::agent::SoftwarePackage;

    /// Spec: software-inventory 4
    #[test]
    fn inventory_when_cut_into_chunks_then_each_has_one_source_and_the_last_is_marked() {
        let packages = |count: usize| -> Packages {
            let named = |number: usize| SoftwarePackage {
                name: number.to_string(),
                version: "1".to_owned(),
                ..SoftwarePackage::default()
            };
            (0..count).map(named).collect()
        };
        let inventory = Inventory {
            parts: vec![(Source::Dpkg, packages(1200)), (Source::Snap, packages(3))],
            ..Inventory::default()
        };
        let chunks: Vec<_> = chunks(Arc::new(inventory), "scan", "agent").collect();
        let shapes: Vec<_> = chunks
            .iter()
            .map(|chunk| (chunk.source.as_str(), chunk.chunk_index, chunk.packages.len(), chunk.is_last))
            .collect();
        assert_eq!(
            shapes,
            [("dpkg", 0, 500, false), ("dpkg", 1, 500, false), ("dpkg", 2, 200, false), ("snap", 3, 3, true)]
        );
        assert!(chunks.iter().all(|chunk| chunk.scan_id == "scan" && chunk.agent_id == "agent"));
    }
}
