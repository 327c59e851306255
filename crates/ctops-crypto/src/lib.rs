//! Keys, certificates, tokens and sealed secrets.
//!
//! | Module | Holds |
//! |---|---|
//! | [`authority`] | certificate authorities; client leaves for agents, certificates for our listeners |
//! | [`csr`] | certificate requests of agents, with proof of possession |
//! | [`peer`] | what an agent's certificate says about it |
//! | [`spiffe`] | the identity in a certificate: `spiffe://ct-ops/agent/<agent id>` |
//! | [`jwt`] | RS256 tokens for agents and the JWKS document |
//! | [`seal`] | encryption of secrets at rest |
//! | [`secret`] | hashing, random tokens, comparison in constant time |
//! | [`signing`] | Ed25519 keys that releases of the agent are signed with |
//!
//! Everything is pure: no I/O, and the time is an argument. No error, `Debug` or log text contains a key or a token.

pub mod authority;
pub mod csr;
pub mod jwt;
pub mod peer;
pub mod seal;
pub mod secret;
pub mod signing;
pub mod spiffe;
