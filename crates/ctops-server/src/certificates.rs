//! What browsers and what agents are shown.

use anyhow::Result;
use ctops_base::Clock;
use ctops_fleet::agents::AgentTrust;

use crate::settings::{Settings, TlsFiles, host_of};
use crate::tls::{ServerCertificate, own_names, write_atomically};

/// The two server certificates of this process. Both are the same one when the server made it itself.
pub struct Certificates {
    /// For browsers.
    pub web: ServerCertificate,
    /// For agents.
    pub ingest: ServerCertificate,
}

impl Certificates {
    /// Reads the given files; what is not given is made, signed by the installation's own authority.
    ///
    /// # Errors
    /// Naming the file that cannot be used.
    pub fn load(settings: &Settings, trust: &AgentTrust, clock: &Clock) -> Result<Self> {
        let dir = settings.state_dir.join("tls");
        let mut extra = settings.values.list("CT_OPS_TLS_NAMES").to_vec();
        extra.push(host_of(&settings.ingest_address).trim_matches(['[', ']']).to_owned());
        let names = own_names(host_of(&settings.public_url), &extra);
        let own = ServerCertificate::load_or_make(&dir, trust.server_authority(), &names, clock.now())?;
        write_atomically(&dir.join("ca.pem"), trust.server_authority().cert_pem().as_bytes(), 0o644)?;
        let given = |files: &Option<TlsFiles>| match files {
            Some(files) => ServerCertificate::from_files(files),
            None => Ok(own.clone()),
        };
        Ok(Self { web: given(&settings.web_tls)?, ingest: given(&settings.ingest_tls)? })
    }
}
