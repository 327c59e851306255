//! What browsers and what agents are shown, kept fresh while the listeners run: files that were replaced are noticed
//! within seconds (deployment 10), and a certificate of our own is made anew in the last third of its life. Open
//! connections stay; new handshakes see the new certificate.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use ctops_base::Clock;
use ctops_base::problem::error_chain;
use ctops_fleet::agents::AgentTrust;
use ctops_ingest::tls::TlsMaterial;
use ctops_slice::state::Installation;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::measure;
use crate::settings::{Settings, TlsFiles, host_of};
use crate::tls::{ServerCertificate, ShownCertificate, own_names, write_atomically};
use crate::web_pin::WebPin;

/// How often files are read again; a replaced one must be noticed within 30 s (deployment 10).
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The two server certificates of this process. Both are the same one when the server made it itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificates {
    /// For browsers.
    pub web: ServerCertificate,
    /// For agents.
    pub ingest: ServerCertificate,
}

/// Where certificates come from.
#[derive(Clone)]
pub struct CertificateSources {
    own_dir: PathBuf,
    names: Vec<String>,
    web: Option<TlsFiles>,
    ingest: Option<TlsFiles>,
    web_speaks_tls: bool,
    trust: Arc<AgentTrust>,
    clock: Clock,
}

impl CertificateSources {
    /// As the settings say.
    pub fn new(settings: &Settings, trust: Arc<AgentTrust>, clock: Clock) -> Self {
        let mut extra = settings.values.list("CT_OPS_TLS_NAMES").to_vec();
        extra.push(host_of(&settings.ingest_address).trim_matches(['[', ']']).to_owned());
        Self {
            own_dir: settings.state_dir.join("tls"),
            names: own_names(host_of(&settings.public_url), &extra),
            web: settings.web_tls.clone(),
            ingest: settings.ingest_tls.clone(),
            web_speaks_tls: settings.values.flag("CT_OPS_WEB_TLS"),
            trust,
            clock,
        }
    }

    /// Reads the given files; what is not given is made, signed by the installation's own authority.
    ///
    /// # Errors
    /// Naming the file that cannot be used.
    pub fn load(&self) -> Result<Certificates> {
        let authority = self.trust.server_authority();
        let own = ServerCertificate::load_or_make(&self.own_dir, authority, &self.names, self.clock.now())?;
        let authority_file = self.own_dir.join("ca.pem");
        if std::fs::read_to_string(&authority_file).ok().as_deref() != Some(authority.cert_pem()) {
            write_atomically(&authority_file, authority.cert_pem().as_bytes(), 0o644)?;
        }
        let given = |files: &Option<TlsFiles>| match files {
            Some(files) => ServerCertificate::from_files(files),
            None => Ok(own.clone()),
        };
        Ok(Certificates { web: given(&self.web)?, ingest: given(&self.ingest)? })
    }

    /// Whether the web server itself speaks TLS, so that its certificate is the one people and agents see.
    pub fn web_speaks_tls(&self) -> bool {
        self.web_speaks_tls
    }

    /// What agents trust the server by, PEM.
    pub fn server_ca_pem(&self, certificates: &Certificates) -> String {
        match self.ingest {
            None => self.trust.server_authority().cert_pem().to_owned(),
            Some(_) => certificates.ingest.chain_pem.clone(),
        }
    }

    /// The pin of the web server's key, when nobody else vouches for it.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn server_pin(&self, certificates: &Certificates) -> Result<Option<String>> {
        let serves_own = self.web_speaks_tls && self.web.is_none();
        serves_own.then(|| certificates.web.public_key_pin()).transpose()
    }
}

/// Exchanges the certificates of the listeners of this process when they change.
pub struct CertificateKeeper {
    /// Where they come from.
    pub sources: CertificateSources,
    /// Those in use.
    pub present: Certificates,
    /// The web listener's, if this process has one with TLS.
    pub web: Option<Arc<ShownCertificate>>,
    /// The agents' listener's, if this process has one.
    pub ingest: Option<Arc<TlsMaterial>>,
    /// What install commands say.
    pub installation: Arc<Installation>,
    /// What agents pin.
    pub pin: Arc<WebPin>,
}

impl CertificateKeeper {
    /// Looks again and again until `shutdown`. What cannot be used changes nothing and is logged once.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut complaint = String::new();
        self.report();
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let sources = self.sources.clone();
            let Ok(loaded) = tokio::task::spawn_blocking(move || sources.load()).await else { continue };
            let outcome = match loaded {
                Ok(certificates) if certificates == self.present => Ok(()),
                Ok(certificates) => {
                    let exchanged = self.exchange(certificates);
                    if exchanged.is_ok() {
                        self.pin.announce().await;
                    }
                    exchanged
                }
                Err(error) => Err(error),
            };
            let now = outcome.err().map(|error| error_chain(error.as_ref())).unwrap_or_default();
            if !now.is_empty() && now != complaint {
                metrics::counter!(measure::CERTIFICATE_CHANGES, "outcome" => "refused").increment(1);
                tracing::warn!(cause = now, "a certificate cannot be used; the present one stays");
            }
            complaint = now;
        }
    }

    fn exchange(&mut self, certificates: Certificates) -> Result<()> {
        if let Some(web) = &self.web {
            web.set(&certificates.web)?;
        }
        if let Some(ingest) = &self.ingest {
            let certificate = &certificates.ingest;
            ingest.set_server_certificate(&certificate.chain_pem, &certificate.key_pem)?;
        }
        self.installation.server_ca_pem.set(self.sources.server_ca_pem(&certificates));
        self.installation.server_pin.set(self.sources.server_pin(&certificates)?);
        if self.sources.web_speaks_tls() {
            self.pin.set(&certificates.web)?;
        }
        self.present = certificates;
        metrics::counter!(measure::CERTIFICATE_CHANGES, "outcome" => "used").increment(1);
        tracing::info!("the server's certificates were exchanged");
        self.report();
        Ok(())
    }

    fn report(&self) {
        let shown = [
            ("web", self.web.is_some(), &self.present.web),
            ("ingest", self.ingest.is_some(), &self.present.ingest),
        ];
        for (listener, _, certificate) in shown.into_iter().filter(|(_, runs, _)| *runs) {
            if let Ok(ends) = certificate.not_after() {
                metrics::gauge!(measure::CERTIFICATE_ENDS, "listener" => listener)
                    .set(ends.timestamp() as f64);
            }
        }
    }
}
