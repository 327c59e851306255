//! What browsers and what agents are shown, kept fresh while the listeners run: files that were replaced are noticed
//! within seconds (deployment 10), and a certificate of our own is made anew in the last third of its life. Open
//! connections stay; new handshakes see the new certificate.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use ctops_base::Clock;
use ctops_base::problem::error_chain;
use ctops_fleet::agents::AgentTrust;
use ctops_ingest::tls::TlsMaterial;
use ctops_slice::state::Installation;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::measure;
use crate::roles::ServerRole;
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
    /// What agents pin as the web server's; the chain of it, PEM. None when this process does not know it.
    pub pinned: Option<String>,
}

/// Where certificates come from.
#[derive(Clone)]
pub struct CertificateSources {
    own_dir: PathBuf,
    names: Vec<String>,
    web: Option<TlsFiles>,
    ingest: Option<TlsFiles>,
    web_speaks_tls: bool,
    /// The chain of the certificate that agents pin, if it is given apart from the web server's own.
    pinned: Option<PathBuf>,
    /// Agents pin what the web server is configured with, because this process is that server or shares its files.
    pins_web: bool,
    trust: Arc<AgentTrust>,
    clock: Clock,
}

impl CertificateSources {
    /// As the settings say.
    pub fn new(settings: &Settings, role: ServerRole, trust: Arc<AgentTrust>, clock: Clock) -> Self {
        let mut extra = settings.values.list("CT_OPS_TLS_NAMES").to_vec();
        extra.push(host_of(&settings.ingest_address).trim_matches(['[', ']']).to_owned());
        let web_speaks_tls = settings.values.flag("CT_OPS_WEB_TLS");
        Self {
            own_dir: settings.state_dir.join("tls"),
            names: own_names(host_of(&settings.public_url), &extra),
            web: settings.web_tls.clone(),
            ingest: settings.ingest_tls.clone(),
            web_speaks_tls,
            pinned: settings.path("INGEST_WEB_SERVER_CERT"),
            pins_web: web_speaks_tls && (role.serves_web() || settings.web_tls.is_some()),
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
        let (web, ingest) = (given(&self.web)?, given(&self.ingest)?);
        let pinned = match &self.pinned {
            Some(path) => {
                Some(std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?)
            }
            None => self.pins_web.then(|| web.chain_pem.clone()),
        };
        Ok(Certificates { web, ingest, pinned })
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
            let now = self.look().await.err().map(|error| error_chain(error.as_ref())).unwrap_or_default();
            if !now.is_empty() && now != complaint {
                metrics::counter!(measure::CERTIFICATE_CHANGES, "outcome" => "refused").increment(1);
                tracing::warn!(cause = now, "a certificate cannot be used; the present one stays");
            }
            complaint = now;
        }
    }

    /// Looks once, and exchanges what is new.
    async fn look(&mut self) -> Result<()> {
        let sources = self.sources.clone();
        let loaded =
            tokio::task::spawn_blocking(move || sources.load()).await.context("reading certificates")?;
        let certificates = loaded?;
        if certificates != self.present {
            self.exchange(certificates)?;
            self.pin.announce().await;
        }
        Ok(())
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
        if let Some(chain_pem) = &certificates.pinned {
            self.pin.set(chain_pem)?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::TimeDelta;
    use ctops_crypto::seal::InstallKey;
    use ctops_testkit::{TestDb, a_clock};

    use super::*;

    fn installation() -> Arc<Installation> {
        Arc::new(Installation {
            public_url: "https://localhost:8443".into(),
            trusted_origins: vec![],
            trust_proxy_headers: false,
            require_email_verification: true,
            session_lifetime: Duration::from_secs(1),
            session_idle: Duration::from_secs(1),
            ingest_address: "localhost:9443".into(),
            server_ca_pem: String::new().into(),
            server_pin: None.into(),
            agent_dist_dir: PathBuf::new(),
            version: "0",
        })
    }

    async fn sources(
        db: &TestDb,
        state_dir: &std::path::Path,
        role: ServerRole,
        more: &[(&str, &str)],
        clock: &Clock,
    ) -> CertificateSources {
        let pairs = [("CT_OPS_STATE_DIR", state_dir.to_str().unwrap())];
        let pairs = pairs.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::load(pairs).unwrap();
        let key = InstallKey::from_bytes(&[7; 32]);
        let trust = AgentTrust::load_or_create(db.pool(), &key, clock).await.unwrap();
        CertificateSources::new(&settings, role, Arc::new(trust), clock.clone())
    }

    #[tokio::test]
    async fn own_certificate_when_its_last_third_begins_is_exchanged_everywhere_while_running() {
        let (db, dir, clock) = (TestDb::new().await, tempfile::tempdir().unwrap(), a_clock());
        let sources = sources(&db, dir.path(), ServerRole::All, &[], &clock).await;
        let present = sources.load().unwrap();
        assert_eq!(present.pinned.as_ref(), Some(&present.web.chain_pem));
        let web = Arc::new(ShownCertificate::new(&present.web).unwrap());
        let trusted = sources.trust.trusted_agent_cas();
        let shown = &present.ingest;
        let ingest = TlsMaterial::new(clock.clone(), &shown.chain_pem, &shown.key_pem, trusted).unwrap();
        let mut keeper = CertificateKeeper {
            sources,
            present: present.clone(),
            web: Some(web),
            ingest: Some(Arc::new(ingest)),
            installation: installation(),
            pin: WebPin::new(db.pool().clone()),
        };
        keeper.look().await.unwrap();
        assert!(keeper.present == present, "nothing to do");

        let life = present.web.not_after().unwrap() - clock.now();
        clock.advance(life * 2 / 3 + TimeDelta::days(2));
        keeper.look().await.unwrap();
        assert!(keeper.present.web != present.web);
        assert!(keeper.present.web.not_after().unwrap() - clock.now() > life / 2, "a whole life again");
        let pin = keeper.present.web.public_key_pin().unwrap();
        assert_eq!(keeper.installation.server_pin.get(), Some(pin), "install commands name the new key");
    }

    /// Spec: security 21
    #[tokio::test]
    async fn pinned_certificate_is_that_of_the_web_server_and_never_one_that_only_this_process_made() {
        let (db, dir, clock) = (TestDb::new().await, tempfile::tempdir().unwrap(), a_clock());
        let own = sources(&db, dir.path(), ServerRole::Ingest, &[], &clock).await.load().unwrap();
        assert_eq!(own.pinned, None, "the web server runs elsewhere");
        let (cert, key) = (dir.path().join("web.crt"), dir.path().join("web.key"));
        std::fs::write(&cert, &own.web.chain_pem).unwrap();
        std::fs::write(&key, &own.web.key_pem).unwrap();
        let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
        for given in
            [&[("WEB_TLS_CERT", cert), ("WEB_TLS_KEY", key)][..], &[("INGEST_WEB_SERVER_CERT", cert)]]
        {
            let told = sources(&db, dir.path(), ServerRole::Ingest, given, &clock).await.load().unwrap();
            assert_eq!(told.pinned.as_ref(), Some(&own.web.chain_pem), "{given:?}");
        }
        let proxied = [("CT_OPS_WEB_TLS", "false")];
        let proxied = sources(&db, dir.path(), ServerRole::All, &proxied, &clock).await.load().unwrap();
        assert_eq!(proxied.pinned, None, "a proxy speaks TLS");
    }
}
