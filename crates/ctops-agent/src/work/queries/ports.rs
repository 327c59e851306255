//! `list_ports`: listening sockets from `/proc/net`, with the programs that hold them from `/proc/*/fd` (proc(5)).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use ctops_base::text;
use ctops_proto::agent::PortInfo;

use super::MAX_ENTRIES;
use crate::files;

/// Read of a socket table, bytes: 100,000 connections have 15 MB.
const MAX_TABLE: u64 = 64 * 1024 * 1024;
const MAX_NAME: usize = 64;
/// Open files looked at, over all processes.
const MAX_FILES: usize = 2_000_000;

/// A TCP socket that listens.
const LISTEN: &str = "0A";
/// A UDP socket without a peer.
const UNCONNECTED: &str = "07";

/// A socket that takes what arrives.
#[derive(Debug, PartialEq, Eq)]
struct Listener {
    port: u16,
    inode: u64,
}

/// Listening ports, each once per program, ascending.
///
/// # Errors
/// In the words of the original, when the socket table cannot be read.
pub(super) fn list(proc: &Path) -> Result<Vec<PortInfo>, String> {
    let mut found: Vec<(&str, Listener)> = Vec::new();
    let tables = [
        ("tcp", "tcp", LISTEN),
        ("tcp6", "tcp", LISTEN),
        ("udp", "udp", UNCONNECTED),
        ("udp6", "udp", UNCONNECTED),
    ];
    for (table, protocol, state) in tables {
        match File::open(proc.join("net").join(table)) {
            Ok(file) => {
                let lines = BufReader::new(file).take(MAX_TABLE).lines().map_while(Result::ok);
                found.extend(
                    lines.filter_map(|line| listener(&line, state)).map(|listener| (protocol, listener)),
                );
            }
            // Kernels without IPv6 have no such tables.
            Err(_) if table != "tcp" => {}
            Err(error) => return Err(format!("neither 'ss' nor 'netstat' available: {error}")),
        }
    }
    let inodes = found.iter().map(|(_, listener)| listener.inode).filter(|inode| *inode != 0).collect();
    let holders = holders(proc, &inodes);
    let unique: BTreeSet<(u16, &str, &str)> = found
        .iter()
        .map(|(protocol, listener)| {
            (listener.port, *protocol, holders.get(&listener.inode).map_or("", String::as_str))
        })
        .collect();
    let ports = unique.into_iter().take(MAX_ENTRIES).map(|(port, protocol, process)| PortInfo {
        port: i32::from(port),
        protocol: protocol.to_owned(),
        process: process.to_owned(),
    });
    Ok(ports.collect())
}

/// The socket of a line if it is in `state` and has no peer, which for UDP the state does not tell.
fn listener(line: &str, state: &str) -> Option<Listener> {
    let columns: Vec<&str> = line.split_whitespace().take(10).collect();
    let [_, local, peer, found, .., inode] = columns[..] else { return None };
    let peer_port = peer.rsplit_once(':')?.1;
    if columns.len() != 10 || found != state || peer_port != "0000" {
        return None;
    }
    let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok().filter(|port| *port != 0)?;
    Some(Listener { port, inode: inode.parse().ok()? })
}

/// Which program holds which of the sockets. Of other users' processes only root may know.
fn holders(proc: &Path, wanted: &HashSet<u64>) -> HashMap<u64, String> {
    let mut found = HashMap::new();
    let mut budget = MAX_FILES;
    for process in fs::read_dir(proc).into_iter().flatten().flatten() {
        if !process.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
            continue;
        }
        for file in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            if found.len() == wanted.len() || budget == 0 {
                return found;
            }
            budget -= 1;
            let Ok(target) = fs::read_link(file.path()) else { continue };
            let inode = target.to_str().and_then(socket_inode).filter(|inode| wanted.contains(inode));
            if let Some(inode) = inode {
                found.entry(inode).or_insert_with(|| name_of(&process.path()));
            }
        }
    }
    found
}

/// `socket:[12345]`
fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn name_of(process: &Path) -> String {
    let comm = files::read_beginning(&process.join("comm"), 256).unwrap_or_default();
    text::clean(&String::from_utf8_lossy(&comm), MAX_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 17471 1 0000000000000000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18202 1 0000000000000000 100 0 0 10 0
   2: 0100007F:8A5C 0100007F:1538 01 00000000:00000000 00:00000000 00000000   105        0 99999 1 0000000000000000 20 4 30 10 -1
";
    const UDP: &str = "\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  316: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 15000 2 0000000000000000 0
  317: 0100007F:0050 0100007F:0051 07 00000000:00000000 00:00000000 00000000     0        0 15001 2 0000000000000000 0
";

    #[test]
    fn tables_when_read_then_only_listening_sockets_count() {
        let listening =
            |table: &str, state| table.lines().filter_map(|line| listener(line, state)).collect::<Vec<_>>();
        let tcp = listening(TCP, LISTEN);
        assert_eq!(tcp, [Listener { port: 5432, inode: 17471 }, Listener { port: 22, inode: 18202 }]);
        let udp = listening(UDP, UNCONNECTED);
        assert_eq!(udp, [Listener { port: 68, inode: 15000 }]);
        assert_eq!(socket_inode("socket:[17471]"), Some(17471));
        assert_eq!(socket_inode("pipe:[1]"), None);
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_panic(line in "\\PC{0,120}|[0-9A-F: ]{0,120}") {
            let _ = listener(&line, LISTEN);
        }
    }
}
