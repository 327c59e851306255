//! `ct-ops doctor`: looks at everything the server depends on and says what is wrong (deployment 7). It changes nothing
//! and works whether the server runs or not.

use std::fmt;
use std::io::Write;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Clock;
use ctops_base::problem::error_chain;
use ctops_pg::Pool;
use ctops_pg::migrate;

use crate::settings::{Settings, TlsFiles, host_of};
use crate::storage::Storage;
use crate::tls::{ServerCertificate, ShownCertificate};

/// Less free space than this is wrong, less than the other worth a remark.
const LITTLE_SPACE: u64 = 1 << 30;
const SCARCE_SPACE: u64 = 5 << 30;
/// The clocks of server and database may differ by this much.
const CLOCK_LIMIT: TimeDelta = TimeDelta::seconds(5);
/// Certificates that end sooner are worth a remark.
const SOON: TimeDelta = TimeDelta::days(14);
/// For a broker to accept a connection.
const BROKER_LIMIT: Duration = Duration::from_secs(3);
/// For the database to answer.
const DATABASE_LIMIT: Duration = Duration::from_secs(10);

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Remark,
    Wrong,
}

/// One line of the report.
struct Finding {
    verdict: Verdict,
    what: &'static str,
    text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Good => "ok",
            Verdict::Remark => "note",
            Verdict::Wrong => "WRONG",
        };
        write!(f, "{verdict:<5}  {:<12}  {}", self.what, self.text)
    }
}

/// Prints one line for everything that was looked at.
///
/// # Errors
/// When something is wrong.
pub fn run(settings: &Settings) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clock = Clock::system();
    let mut findings = vec![
        finding("settings", Ok((Verdict::Good, "in order".into()))),
        finding("disk", disk(&settings.state_dir)),
        finding("name", name(&settings.public_url)),
    ];
    findings.extend(runtime.block_on(database(settings, &clock)));
    findings.push(finding("queue", queue(settings.values.text("CT_OPS_QUEUE_BROKERS"))));
    findings.push(finding("web port", port(settings.web_listen)));
    findings.push(finding("agent port", port(settings.ingest_listen)));
    for (what, files) in [("web TLS", &settings.web_tls), ("agent TLS", &settings.ingest_tls)] {
        findings.push(finding(what, certificate(settings, files.as_ref(), clock.now())));
    }
    let mut out = std::io::stdout();
    for finding in &findings {
        writeln!(out, "{finding}").context("writing to standard output")?;
    }
    match findings.iter().filter(|finding| finding.verdict == Verdict::Wrong).count() {
        0 => Ok(()),
        1 => bail!("one thing is wrong"),
        count => bail!("{count} things are wrong"),
    }
}

fn finding(what: &'static str, outcome: Result<(Verdict, String)>) -> Finding {
    let (verdict, text) = outcome.unwrap_or_else(|error| (Verdict::Wrong, error_chain(error.as_ref())));
    Finding { verdict, what, text }
}

/// Free space where the server keeps its state, or will.
fn disk(state_dir: &Path) -> Result<(Verdict, String)> {
    let existing = state_dir.ancestors().find(|path| path.exists()).context("no directory exists")?;
    let space = nix::sys::statvfs::statvfs(existing)
        .with_context(|| format!("looking at the disk of {}", existing.display()))?;
    let free = space.blocks_available() * space.fragment_size();
    let text = format!("{} MiB free for {}", free >> 20, state_dir.display());
    Ok(match free {
        free if free < LITTLE_SPACE => (Verdict::Wrong, format!("{text}; the server needs 1 GiB at least")),
        free if free < SCARCE_SPACE => (Verdict::Remark, text),
        _ => (Verdict::Good, text),
    })
}

/// Whether the name people use leads anywhere.
fn name(public_url: &str) -> Result<(Verdict, String)> {
    let host = host_of(public_url).trim_matches(['[', ']']);
    let addresses: Vec<String> = (host, 0)
        .to_socket_addrs()
        .with_context(|| format!("{host} of BETTER_AUTH_URL is not known here"))?
        .map(|address| address.ip().to_string())
        .collect();
    Ok((Verdict::Good, format!("{host} is {}", addresses.join(", "))))
}

async fn database(settings: &Settings, clock: &Clock) -> Vec<Finding> {
    let is_embedded = settings.database_url.is_none();
    if is_embedded && !settings.state_dir.join("postgres/data/postmaster.pid").exists() {
        let text = "embedded, not running now".to_owned();
        return vec![finding("database", Ok((Verdict::Remark, text)))];
    }
    let pool = match tokio::time::timeout(DATABASE_LIMIT, Storage::attach(settings)).await {
        Ok(Ok(pool)) => pool,
        Ok(Err(error)) => return vec![finding("database", Err(error))],
        Err(_) => {
            let error = anyhow::anyhow!("no answer within {} s", DATABASE_LIMIT.as_secs());
            return vec![finding("database", Err(error))];
        }
    };
    vec![finding("database", schema(&pool).await), finding("clock", clocks(&pool, clock).await)]
}

async fn schema(pool: &Pool) -> Result<(Verdict, String)> {
    let version = ctops_pg::server_version(pool).await.context("asking for the version")? / 10_000;
    let status = migrate::status(pool).await.context("looking at the schema")?;
    let text = format!("PostgreSQL {version}");
    Ok(match status.is_current() {
        true => (Verdict::Good, format!("{text}, schema current")),
        false => (
            Verdict::Remark,
            format!("{text}, schema not current; the next start or `ct-ops migrate` changes that"),
        ),
    })
}

/// The clocks of this machine and of the database's. Agents' certificates and leases depend on them.
async fn clocks(pool: &Pool, clock: &Clock) -> Result<(Verdict, String)> {
    let theirs = ctops_pg::server_time(pool).await.context("asking for the time")?;
    let difference = (theirs - clock.now()).abs();
    let text = format!("differs from the database's by {} ms", difference.num_milliseconds());
    Ok((if difference > CLOCK_LIMIT { Verdict::Wrong } else { Verdict::Good }, text))
}

/// Whether any of the brokers can be reached.
fn queue(brokers: Option<&str>) -> Result<(Verdict, String)> {
    let Some(brokers) = brokers else { return Ok((Verdict::Good, "in the state directory".into())) };
    let answers = |broker: &str| {
        let addresses = broker.trim().to_socket_addrs().into_iter().flatten();
        addresses.into_iter().any(|address| TcpStream::connect_timeout(&address, BROKER_LIMIT).is_ok())
    };
    let (reached, silent): (Vec<&str>, Vec<&str>) = brokers.split(',').partition(|broker| answers(broker));
    if reached.is_empty() {
        bail!("none of the brokers {brokers} can be reached");
    }
    Ok(match silent.is_empty() {
        true => (Verdict::Good, format!("brokers {brokers} can be reached")),
        false => (Verdict::Remark, format!("brokers that cannot be reached: {}", silent.join(", "))),
    })
}

/// Whether a listener could be opened; an open one is probably ours.
fn port(address: SocketAddr) -> Result<(Verdict, String)> {
    match std::net::TcpListener::bind(address) {
        Ok(_) => Ok((Verdict::Good, format!("{address} is free"))),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Ok((Verdict::Remark, format!("{address} is in use, by this server if it runs")))
        }
        Err(error) => Err(error).with_context(|| format!("{address} cannot be listened on")),
    }
}

fn certificate(
    settings: &Settings,
    files: Option<&TlsFiles>,
    now: DateTime<Utc>,
) -> Result<(Verdict, String)> {
    let own = TlsFiles {
        cert: settings.state_dir.join("tls/server.crt"),
        key: settings.state_dir.join("tls/server.key"),
    };
    if files.is_none() && !own.cert.exists() {
        return Ok((Verdict::Good, "made by the server at its first start".into()));
    }
    let certificate = ServerCertificate::from_files(files.unwrap_or(&own))?;
    ShownCertificate::new(&certificate)?;
    let ends = certificate.not_after()?;
    let text = format!("valid until {}", ends.format("%Y-%m-%d"));
    Ok(match ends - now {
        left if left <= TimeDelta::zero() => {
            (Verdict::Wrong, format!("ended on {}", ends.format("%Y-%m-%d")))
        }
        // Our own is renewed long before.
        left if left < SOON => (Verdict::Remark, text),
        _ => (Verdict::Good, text),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ctops_crypto::authority::{Authority, Purpose};

    use super::*;

    fn verdict(outcome: Result<(Verdict, String)>) -> Verdict {
        finding("x", outcome).verdict
    }

    #[test]
    fn port_when_taken_is_worth_a_remark_and_when_foreign_is_wrong() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(verdict(port(taken.local_addr().unwrap())), Verdict::Remark);
        // TEST-NET-1 (RFC 5737) is nobody's own address.
        assert_eq!(verdict(port("192.0.2.1:9443".parse().unwrap())), Verdict::Wrong);
    }

    #[test]
    fn certificate_when_its_key_is_another_or_its_time_is_over_then_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let now = Utc::now();
        let authority = Authority::generate(Purpose::ServerCa, now).unwrap();
        let write = |name: &str| {
            let made = authority.issue_server(&["localhost".to_owned()], now).unwrap();
            let files = TlsFiles {
                cert: dir.path().join(format!("{name}.crt")),
                key: dir.path().join(format!("{name}.key")),
            };
            std::fs::write(&files.cert, made.cert_chain_pem).unwrap();
            std::fs::write(&files.key, made.key_pem.as_bytes()).unwrap();
            (files, made.not_after)
        };
        let settings = Settings::load([]).unwrap();
        let look = |files: &TlsFiles, at| verdict(certificate(&settings, Some(files), at));
        let ((one, ends), (other, _)) = (write("one"), write("other"));
        assert_eq!(look(&one, now), Verdict::Good);
        assert_eq!(look(&one, ends - TimeDelta::days(1)), Verdict::Remark);
        assert_eq!(look(&one, ends), Verdict::Wrong);
        assert_eq!(look(&TlsFiles { cert: one.cert, key: other.key }, now), Verdict::Wrong);
        assert_eq!(look(&TlsFiles { cert: "/nowhere".into(), key: "/nowhere".into() }, now), Verdict::Wrong);
    }

    #[test]
    fn queue_when_no_broker_can_be_reached_then_is_wrong() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap().to_string();
        assert_eq!(verdict(queue(None)), Verdict::Good);
        assert_eq!(verdict(queue(Some(&there))), Verdict::Good);
        assert_eq!(verdict(queue(Some(&format!("{there},127.0.0.1:1")))), Verdict::Remark);
        assert_eq!(verdict(queue(Some("127.0.0.1:1,nowhere"))), Verdict::Wrong);
    }

    #[test]
    fn name_when_it_leads_nowhere_then_is_wrong() {
        assert_eq!(verdict(name("https://localhost:8443")), Verdict::Good);
        assert_eq!(verdict(name("https://nothing.invalid")), Verdict::Wrong);
    }
}
