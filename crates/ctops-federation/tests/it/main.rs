//! The area with real identity providers and a real database.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod oidc;
mod oidc_refusals;
mod openid_provider;
mod providers;
mod saml;
mod saml_provider;
mod second_factor;
mod step_up;
mod support;
