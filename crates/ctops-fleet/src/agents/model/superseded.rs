//! News between nodes about streams that have to end.

use std::collections::BTreeMap;
use std::fmt;

use uuid::Uuid;

/// Streams of one node that other nodes' streams of the same agents took the place of: it ends them (hosts 4). Another
/// payload of [`ctops_pg::notify::AGENTS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupersededSessions {
    /// The node that holds them.
    pub node_id: Uuid,
    /// The sessions under which it announced them.
    pub sessions: Vec<Uuid>,
}

impl SupersededSessions {
    /// Sessions in one notification, so that it fits into a payload: a UUID and a comma have 37 bytes.
    const MOST: usize = 200;

    /// As few signals as possible for these pairs of node and session.
    pub(in crate::agents) fn gather(pairs: &[(Uuid, Uuid)]) -> Vec<Self> {
        let mut by_node: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for (node_id, session) in pairs {
            by_node.entry(*node_id).or_default().push(*session);
        }
        let pieces = by_node.into_iter().flat_map(|(node_id, sessions)| {
            let pieces: Vec<Self> =
                sessions.chunks(Self::MOST).map(|piece| Self { node_id, sessions: piece.to_vec() }).collect();
            pieces
        });
        pieces.collect()
    }

    /// Reads a payload; none when it has another form.
    pub fn parse(payload: &str) -> Option<Self> {
        let (node_id, sessions) = payload.strip_prefix("superseded:")?.split_once(':')?;
        let sessions = sessions.split(',').map(|session| session.parse().ok()).collect::<Option<_>>()?;
        Some(Self { node_id: node_id.parse().ok()?, sessions })
    }
}

impl fmt::Display for SupersededSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sessions: Vec<String> = self.sessions.iter().map(Uuid::to_string).collect();
        write!(f, "superseded:{}:{}", self.node_id, sessions.join(","))
    }
}
