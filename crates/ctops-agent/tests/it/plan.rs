//! What the peer is to answer, and what it tells the test.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use ctops_proto::agent::{
    DockerTelemetryBatch, HeartbeatRequest, HeartbeatResponse, RegisterRequest, RegisterResponse,
    SoftwareInventoryChunk,
};
use tokio::sync::mpsc;
use tonic::{Code, Status};

use crate::authority::{Authority, Life};

/// Answer to a `Register` call.
#[derive(Clone, Debug)]
pub enum Registered {
    /// Approved, with a certificate in the answer.
    Active,
    /// Approved, with the certificate signed last time.
    ActiveWithStored,
    /// Approved, certificate not signed yet.
    ActiveWithoutLeaf,
    Pending {
        waited: bool,
    },
    Status(&'static str),
    Error(Code),
    /// Exactly this, with a certificate for the request if it is to be signed.
    Recorded {
        response: Box<RegisterResponse>,
        signs: bool,
    },
}

/// Answer to a new heartbeat stream.
#[derive(Clone, Debug)]
pub enum Opened {
    Accept,
    Refuse(Code),
    /// Ends the stream after the first answer.
    AcceptOne,
}

/// What happened at the peer.
#[derive(Debug)]
pub enum Event {
    Connected {
        from: std::net::IpAddr,
    },
    Registered {
        request: Box<RegisterRequest>,
        shown: Option<Vec<u8>>,
        at: Instant,
    },
    StreamOpened {
        stream: u64,
        shown: Option<Vec<u8>>,
    },
    Beat {
        stream: u64,
        report: Box<HeartbeatRequest>,
        at: Instant,
    },
    /// `clean`: the agent closed its side; otherwise the connection broke or the peer ended it.
    StreamClosed {
        stream: u64,
        clean: bool,
    },
    Renewed {
        agent_id: String,
        shown: Option<Vec<u8>>,
    },
    /// Container telemetry of one upload; it was answered as ordered.
    Telemetry {
        batches: Vec<DockerTelemetryBatch>,
    },
    /// Packages of one upload, with the token they came under; it was answered as ordered.
    Inventory {
        token: String,
        chunks: Vec<SoftwareInventoryChunk>,
    },
    /// A terminal was opened, which no server offers.
    Terminal,
    HandshakeFailed,
}

/// The peer's orders; what is not ordered goes well.
pub struct Plan {
    pub register: VecDeque<Registered>,
    pub open: VecDeque<Opened>,
    pub renew: VecDeque<Code>,
    /// Refusals of the next uploads of container telemetry.
    pub telemetry: VecDeque<Code>,
    /// From the first message with buffered samples on, a stream is not answered any more.
    pub mute_deliveries: bool,
    /// Sent first of all on every new stream that is accepted.
    pub greeting: Option<HeartbeatResponse>,
    /// The direct answer to every heartbeat.
    pub reply: HeartbeatResponse,
    /// Refusals of the next uploads of packages.
    pub inventory: VecDeque<Code>,
    /// Client certificates refused in the handshake.
    pub refused: HashSet<Vec<u8>>,
    /// Streams that are read but not answered any more.
    pub mute: HashSet<u64>,
    /// Refuse every client certificate in the handshake.
    pub refuse_all: bool,
    /// Life of the certificates signed from now on, by `Register` and by renewal.
    pub life: Life,
    pub renewed_life: Life,
    pub authority: Authority,
    pub stored_leaf: String,
    pub streams: HashMap<u64, mpsc::UnboundedSender<Result<HeartbeatResponse, Status>>>,
    pub next_stream: u64,
    pub tokens: u64,
}

impl Plan {
    pub fn new() -> Self {
        Self {
            register: VecDeque::new(),
            open: VecDeque::new(),
            renew: VecDeque::new(),
            telemetry: VecDeque::new(),
            mute_deliveries: false,
            greeting: None,
            reply: HeartbeatResponse { ok: true, ..HeartbeatResponse::default() },
            inventory: VecDeque::new(),
            refused: HashSet::new(),
            mute: HashSet::new(),
            refuse_all: false,
            life: Life::FRESH,
            renewed_life: Life::FRESH,
            authority: Authority::new(),
            stored_leaf: String::new(),
            streams: HashMap::new(),
            next_stream: 0,
            tokens: 0,
        }
    }
}
