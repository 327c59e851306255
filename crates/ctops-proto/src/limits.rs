//! Sizes and counts accepted from agents. Checked once, at the edge.

/// Largest gRPC message accepted on any method, bytes (security 17).
pub const MAX_MESSAGE_BYTES: usize = 50 * 1024 * 1024;
/// Largest heartbeat message, bytes (security 17).
pub const MAX_HEARTBEAT_BYTES: usize = 4 * 1024 * 1024;
/// Largest response an agent accepts, bytes: the default of the original agent's gRPC library.
pub const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// Host name, characters (RFC 1035 section 2.3.4).
pub const MAX_HOSTNAME_CHARS: usize = 253;
/// Public key text, bytes: an Ed25519 key in PEM has 113, an RSA 4096 key about 800.
pub const MAX_PUBLIC_KEY_BYTES: usize = 4096;
/// Certificate request, bytes.
pub const MAX_CSR_BYTES: usize = 16 * 1024;
/// Enrolment token, bytes: ours have 47, the original's 24.
pub const MAX_TOKEN_BYTES: usize = 512;
/// Tags in one registration.
pub const MAX_TAGS: usize = 64;
/// Tag key, characters (agents-enrolment, data).
pub const MAX_TAG_KEY_CHARS: usize = 100;
/// Tag value, characters (agents-enrolment, data).
pub const MAX_TAG_VALUE_CHARS: usize = 500;
/// Addresses of one host or one interface.
pub const MAX_ADDRESSES: usize = 64;
/// Mounted file systems in one heartbeat.
pub const MAX_DISKS: usize = 256;
/// Network interfaces in one heartbeat.
pub const MAX_INTERFACES: usize = 256;
/// Short labels from the host: operating system, architecture, version, device, interface name; characters.
pub const MAX_LABEL_CHARS: usize = 128;
/// Mount points and other paths, characters (Linux `PATH_MAX` is 4096 bytes).
pub const MAX_PATH_CHARS: usize = 1024;
/// Buffered samples in one heartbeat: one hour at the usual interval.
pub const MAX_LATE_SAMPLES: usize = 120;
/// Mount points, and interfaces, of one host of which a history is kept.
pub const MAX_SERIES: usize = 64;
/// Name of a mount point or interface in the history, characters: 4 bytes each fit an index row of PostgreSQL.
pub const MAX_SERIES_CHARS: usize = 255;
/// Highest load average in the history, hundredths.
pub const MAX_LOAD_CENTI: u32 = 100_000_000;
/// Highest number of processes in the history; Linux allows 4,194,304.
pub const MAX_PROCESSES: u32 = 100_000_000;
/// Highest network rate in the history, bytes per second: far above any interface, and low enough that a day of them
/// can be added up.
pub const MAX_RATE: u64 = 10_000_000_000_000;
/// Highest rate of network errors in the history, hundredths per second.
pub const MAX_ERROR_CENTI: u32 = 1_000_000_000;
/// Longest wait for approval inside one `Register` call, seconds.
pub const MAX_REGISTER_WAIT_SECS: u32 = 25;
/// Heartbeat interval bounds, seconds (agents-enrolment 26).
pub const HEARTBEAT_INTERVAL_SECS: std::ops::RangeInclusive<u32> = 5..=300;
/// Heartbeat interval assumed when the agent does not say, seconds.
pub const DEFAULT_HEARTBEAT_INTERVAL_SECS: u32 = 30;
