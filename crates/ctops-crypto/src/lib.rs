//! Certificate authority, certificates, tokens and sealing of secrets.
