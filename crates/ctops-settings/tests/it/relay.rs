//! A small real mail relay (RFC 5321) with STARTTLS, TLS from the first byte and AUTH PLAIN.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How a relay behaves.
#[derive(Clone, Default)]
pub(crate) struct Manners {
    /// Offers STARTTLS.
    pub(crate) starttls: bool,
    /// Speaks TLS from the first byte.
    pub(crate) tls: bool,
    /// Demands this account.
    pub(crate) account: Option<(&'static str, &'static str)>,
    /// Refuses recipients that contain this.
    pub(crate) refuses: Option<&'static str>,
    /// Answers to every recipient that it should be tried later.
    pub(crate) busy: bool,
    /// Sends this together with its consent to STARTTLS.
    pub(crate) injects: &'static str,
}

/// A mail that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
    pub(crate) secured: bool,
}

/// A relay on this machine; it ends with the test's runtime.
pub(crate) struct Relay {
    pub(crate) port: u16,
    pub(crate) ca_pem: String,
    taken: Arc<Mutex<Vec<Taken>>>,
    heard: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Shared {
    manners: Manners,
    acceptor: TlsAcceptor,
    taken: Arc<Mutex<Vec<Taken>>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    pub(crate) async fn start(manners: Manners) -> Self {
        let (ca_pem, config) = identity();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Shared {
            manners,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            taken: Arc::default(),
            heard: Arc::default(),
        };
        let relay = Self { port, ca_pem, taken: shared.taken.clone(), heard: shared.heard.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(greet(shared.clone(), stream));
            }
        });
        relay
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// Every line that clients said.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// A certificate for 127.0.0.1 and localhost, and the authority that signed it.
fn identity() -> (String, ServerConfig) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_cert = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let issuer = Issuer::new(authority, &authority_key);
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())))
        .unwrap();
    (authority_cert.pem(), config)
}

async fn greet(shared: Shared, stream: TcpStream) -> std::io::Result<()> {
    if shared.manners.tls {
        let secured = shared.acceptor.accept(stream).await?;
        converse(&shared, BufStream::new(secured), true, true).await?;
        return Ok(());
    }
    let Some(stream) = converse(&shared, BufStream::new(stream), false, true).await? else { return Ok(()) };
    let secured = shared.acceptor.accept(stream).await?;
    converse(&shared, BufStream::new(secured), true, false).await?;
    Ok(())
}

/// Talks until the client leaves, or asks for TLS: then the stream is given back.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Shared,
    mut stream: BufStream<S>,
    secured: bool,
    greets: bool,
) -> std::io::Result<Option<S>> {
    if greets {
        say(&mut stream, "220 relay.example.com ESMTP").await?;
    }
    let mut signed_in = shared.manners.account.is_none();
    let (mut from, mut to) = (String::new(), Vec::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_owned();
        shared.heard.lock().unwrap().push(line.clone());
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => {
                let mut features = vec!["250-relay.example.com", "250-8BITMIME"];
                if shared.manners.starttls && !secured {
                    features.push("250-STARTTLS");
                }
                features.push("250 AUTH PLAIN LOGIN");
                say(&mut stream, &features.join("\r\n")).await?;
            }
            "STARTTLS" => {
                say(&mut stream, &format!("220 go ahead{}", shared.manners.injects)).await?;
                return Ok(Some(stream.into_inner()));
            }
            "AUTH" => {
                signed_in = shared.manners.account.is_some_and(|(user, password)| {
                    let expected = STANDARD.encode(format!("\0{user}\0{password}"));
                    line.split(' ').nth(2) == Some(expected.as_str())
                });
                say(&mut stream, if signed_in { "235 welcome" } else { "535 wrong user or password" })
                    .await?;
            }
            "MAIL" if !signed_in => say(&mut stream, "530 sign in first").await?,
            "MAIL" => {
                from = address(&line);
                say(&mut stream, "250 ok").await?;
            }
            "RCPT" if shared.manners.busy => say(&mut stream, "451 try later").await?,
            "RCPT" if shared.manners.refuses.is_some_and(|word| line.contains(word)) => {
                say(&mut stream, "550 no such person").await?;
            }
            "RCPT" => {
                to.push(address(&line));
                say(&mut stream, "250 ok").await?;
            }
            "DATA" => {
                say(&mut stream, "354 go on").await?;
                let text = data(&mut stream).await?;
                let taken = Taken { from: from.clone(), to: std::mem::take(&mut to), text, secured };
                shared.taken.lock().unwrap().push(taken);
                say(&mut stream, "250 queued as 42").await?;
            }
            "QUIT" => {
                say(&mut stream, "221 bye").await?;
                return Ok(None);
            }
            _ => say(&mut stream, "502 what").await?,
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
    text: &str,
) -> std::io::Result<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await?;
    stream.flush().await
}

async fn data<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line.trim_end() == "." {
            return Ok(text);
        }
        text.push_str(&line);
    }
}

fn address(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}
