//! One connection to one server of a directory: dialled and secured by the outbound client, spoken to through `ldap3`.
//!
//! `ldap3` gets one end of a local socket pair and never sees the network: every address is checked by
//! [`ctops_egress`], TLS is that of all outgoing connections, and what a server sends is cut off at
//! [`MAX_ANSWER_BYTES`], because the library would take a message of any announced length into memory.
//!
//! Referrals are not followed: they could lead anywhere. Dropping a connection closes it, so a request that is given up
//! leaves nothing behind.

mod dial;
mod refusal;

use std::time::Duration;

use ldap3::controls::{Control, ControlType, PagedResults, RawControl};
use ldap3::{DerefAliases, Ldap, LdapConnAsync, LdapConnSettings, LdapResult, SearchOptions, StdStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(crate) use dial::{Endpoint, Security, Tls, dial};
pub(crate) use ldap3::Scope;
pub(crate) use refusal::Refusal;

use crate::entry::{Entry, constructed, primitive};

/// Most that one connection reads, bytes.
const MAX_ANSWER_BYTES: u64 = 32 * 1024 * 1024;
/// Entries asked for per page; directories may refuse larger ones.
const PAGE_SIZE: i32 = 100;
/// Longest text of a directory that is shown to administrators, characters.
const MAX_DIAGNOSTIC_CHARS: usize = 300;

/// Result codes of RFC 4511 appendix A.
mod code {
    pub(super) const SUCCESS: u32 = 0;
    pub(super) const SIZE_LIMIT_EXCEEDED: u32 = 4;
    pub(super) const REFERRAL: u32 = 10;
    pub(super) const NO_SUCH_OBJECT: u32 = 32;
}

/// What is done with a directory, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Name to addresses that may be reached.
    Resolve,
    /// TCP.
    Connect,
    /// StartTLS, if asked for, and the handshake.
    Tls,
    /// Sign-in of the service account.
    Bind,
    /// A search.
    Search,
}

impl Step {
    /// The name in the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Step::Resolve => "resolve",
            Step::Connect => "connect",
            Step::Tls => "tls",
            Step::Bind => "bind",
            Step::Search => "search",
        }
    }
}

/// A step that failed, in words for administrators. Never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Which step.
    pub(crate) step: Step,
    /// Stable code.
    pub(crate) code: &'static str,
    /// One sentence.
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(step: Step, code: &'static str, detail: impl Into<String>) -> Self {
        Self { step, code, detail: detail.into() }
    }

    fn timed_out(step: Step, after: Duration) -> Self {
        Self::new(step, "timeout", format!("no answer within {} s", after.as_secs()))
    }

    fn of_result(step: Step, result: &LdapResult) -> Self {
        let text = ctops_base::text::clean(&result.text, MAX_DIAGNOSTIC_CHARS);
        Self::new(step, "directory_error", format!("the directory answered with code {}: {text}", result.rc))
    }

    fn of_library(step: Step, error: &ldap3::LdapError) -> Self {
        match error {
            ldap3::LdapError::LdapResult { result } => Self::of_result(step, result),
            ldap3::LdapError::FilterParsing => Self::new(step, "bad_filter", "the filter cannot be used"),
            _ => Self::new(
                step,
                "connection_lost",
                "the directory closed the connection or sent what is not LDAP",
            ),
        }
    }
}

/// One search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    /// Where it begins.
    pub(crate) base: &'a str,
    /// How deep it goes.
    pub(crate) scope: Scope,
    /// Which entries.
    pub(crate) filter: &'a str,
    /// Which attributes.
    pub(crate) attributes: &'a [&'a str],
    /// Most entries.
    pub(crate) limit: usize,
    /// Whether to ask page by page (RFC 2696), for more than a server gives at once.
    pub(crate) paged: bool,
}

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Entries.
    pub(crate) entries: Vec<Entry>,
    /// There are more than asked for, or than the directory gives.
    pub(crate) more: bool,
}

/// A connection.
pub(crate) struct Connection {
    ldap: Ldap,
    driver: JoinHandle<()>,
    patience: Duration,
    /// What the server showed, DER.
    pub(crate) certificate: Option<Vec<u8>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Speaks LDAP over a stream that is connected and, where wanted, secured.
    pub(crate) async fn over<S>(stream: S, patience: Duration) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let broken = |_| Failure::new(Step::Connect, "internal", "no local socket is left");
        let (ours, theirs) = UnixStream::pair().map_err(broken)?;
        let theirs = theirs.into_std().map_err(broken)?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs));
        let opened = LdapConnAsync::with_settings(settings, "ldapi:///").await;
        let (connection, ldap) = opened.map_err(|error| Failure::of_library(Step::Connect, &error))?;
        let driver = tokio::spawn(async move {
            tokio::select! {
                () = pump(stream, ours) => {}
                _ = connection.drive() => {}
            }
        });
        Ok(Self { ldap, driver, patience, certificate: None })
    }

    /// Signs in as `dn`. An empty name or password would be an anonymous sign-in that every directory accepts (RFC 4513
    /// section 5.1.2), so neither gets as far as the server.
    ///
    /// # Errors
    /// [`Failure`] when the directory did not judge.
    pub(crate) async fn bind(&mut self, dn: &str, password: &str) -> Result<Result<(), Refusal>, Failure> {
        if dn.trim().is_empty() || password.is_empty() {
            return Ok(Err(Refusal::EMPTY));
        }
        let ask = RawControl { ctype: refusal::PASSWORD_POLICY.to_owned(), crit: false, val: None };
        self.ldap.with_controls(vec![ask]);
        let answer = timeout(self.patience, self.ldap.simple_bind(dn, password)).await;
        let answer = answer.map_err(|_| Failure::timed_out(Step::Bind, self.patience))?;
        let result = answer.map_err(|error| Failure::of_library(Step::Bind, &error))?;
        refusal::judge(&result).map_err(|()| Failure::of_result(Step::Bind, &result))
    }

    /// Searches. An absent base finds nothing.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) async fn search(&mut self, query: Query<'_>) -> Result<Found, Failure> {
        let patience = self.patience;
        let work = async {
            let mut found = Found::default();
            let mut cookie = Vec::new();
            loop {
                let next = self.search_page(&query, cookie, &mut found).await?;
                match next {
                    Some(next) if !found.more => cookie = next,
                    _ => return Ok(found),
                }
            }
        };
        timeout(patience, work).await.map_err(|_| Failure::timed_out(Step::Search, patience))?
    }

    /// One page, or everything when pages are not asked for. Returns where the next page begins.
    async fn search_page(
        &mut self,
        query: &Query<'_>,
        cookie: Vec<u8>,
        found: &mut Found,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let failed = |error: ldap3::LdapError| Failure::of_library(Step::Search, &error);
        let limit = i32::try_from(query.limit).unwrap_or(i32::MAX);
        let seconds = i32::try_from(self.patience.as_secs()).unwrap_or(i32::MAX);
        let mut options = SearchOptions::new().deref(DerefAliases::Never).timelimit(seconds);
        if query.paged {
            self.ldap.with_controls(PagedResults { size: PAGE_SIZE, cookie });
        } else {
            options = options.sizelimit(limit);
        }
        self.ldap.with_search_options(options);
        let attributes = query.attributes.to_vec();
        let search = self.ldap.streaming_search(query.base, query.scope, query.filter, attributes);
        let mut stream = search.await.map_err(failed)?;
        while let Some(item) = stream.next().await.map_err(failed)? {
            if item.is_ref() || item.is_intermediate() {
                continue;
            }
            if found.entries.len() == query.limit {
                found.more = true;
                return Ok(None);
            }
            let entry = Entry::read(item.0);
            let malformed =
                || Failure::new(Step::Search, "bad_answer", "the directory sent a malformed entry");
            found.entries.push(entry.ok_or_else(malformed)?);
        }
        let result = stream.finish().await;
        match result.rc {
            code::SUCCESS => Ok(next_page(&result)),
            code::SIZE_LIMIT_EXCEEDED => {
                found.more = true;
                Ok(None)
            }
            code::NO_SUCH_OBJECT => Ok(None),
            code::REFERRAL => {
                let detail = "the directory refers to another server, and referrals are not followed";
                Err(Failure::new(Step::Search, "referral", detail))
            }
            _ => Err(Failure::of_result(Step::Search, &result)),
        }
    }
}

/// Where the next page begins; none after the last. Read by hand, because the library panics on malformed controls.
fn next_page(result: &LdapResult) -> Option<Vec<u8>> {
    let value = result.ctrls.iter().find_map(|control| match control {
        Control(Some(ControlType::PagedResults), raw) => raw.val.as_deref(),
        _ => None,
    })?;
    let (_, tag) = ldap3::asn1::parse_tag(value).ok()?;
    let cookie = primitive(constructed(tag)?.into_iter().nth(1)?)?;
    (!cookie.is_empty()).then_some(cookie)
}

/// Carries bytes between the server and `ldap3` until one of them ends, or the server sent too much.
async fn pump<S: AsyncRead + AsyncWrite>(server: S, ours: UnixStream) {
    let (from_server, mut to_server) = tokio::io::split(server);
    let (mut from_us, mut to_us) = ours.into_split();
    let mut from_server = from_server.take(MAX_ANSWER_BYTES);
    tokio::select! {
        _ = tokio::io::copy(&mut from_us, &mut to_server) => {}
        _ = tokio::io::copy(&mut from_server, &mut to_us) => {}
    }
    to_server.shutdown().await.ok();
}
