//! A certified OpenID provider (npm `oidc-provider`) as a process of the test, and a browser that visits it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ctops_egress::{Egress, EgressOptions, OutboundRequest, Purpose, TlsTrust};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::support::{App, SITE};

/// Client secret; with characters that must be encoded on their way.
pub(crate) const SECRET: &str = "s3cret: with + and / and %";

/// The running provider.
pub(crate) struct OpenIdProvider {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub(crate) issuer: String,
    pub(crate) ca_pem: String,
    browser: Egress,
}

/// Whom it signs in, and how.
pub(crate) struct Setup {
    pub(crate) subject: &'static str,
    pub(crate) amr: Vec<&'static str>,
    pub(crate) claims: Value,
    pub(crate) algorithm: &'static str,
    pub(crate) claims_at_userinfo: bool,
    /// The token says that they gave their credentials so long ago, whatever was asked for.
    pub(crate) seconds_ago: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            subject: "alice",
            amr: vec!["pwd", "mfa"],
            claims: json!({
                "name": "Alice Liddell", "email": "alice@example.com", "email_verified": true, "groups": ["ops"],
            }),
            algorithm: "RS256",
            claims_at_userinfo: false,
            seconds_ago: 0,
        }
    }
}

impl OpenIdProvider {
    /// Starts it; it serves nothing before [`Self::serve`].
    pub(crate) fn start(app: &App) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idp");
        assert!(folder.join("node_modules/oidc-provider").exists(), "run `cargo xtask setup` first");
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let mut process = Command::new("node")
            .arg("provider.mjs")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Node.js is installed by `cargo xtask setup`");
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let options = EgressOptions { allow_loopback: true, ..EgressOptions::default() };
        let mut provider = Self {
            process,
            input,
            output: BufReader::new(output),
            issuer: String::new(),
            ca_pem: certificate.pem(),
            browser: Egress::new(app.db.pool().clone(), options),
        };
        let port =
            provider.tell(&json!({"certificate": certificate.pem(), "key": key.serialize_pem()}))["port"]
                .clone();
        provider.issuer = format!("https://localhost:{port}");
        provider
    }

    /// Tells it whom to serve: one client with this redirect address, and one account.
    pub(crate) fn serve(&mut self, redirect: &str, setup: &Setup) {
        let ready = self.tell(&json!({
            "client": {
                "id": "ct-ops", "secret": SECRET, "redirects": [redirect], "logouts": [format!("{SITE}/login")],
                "alg": setup.algorithm, "claims_at_userinfo": setup.claims_at_userinfo,
            },
            "account": account(setup),
        }));
        assert_eq!(ready["ready"], true);
    }

    /// Replaces the account.
    pub(crate) fn know(&mut self, setup: &Setup) {
        assert_eq!(self.tell(&json!({ "account": account(setup) }))["ready"], true);
    }

    fn tell(&mut self, what: &Value) -> Value {
        writeln!(self.input, "{what}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("the provider answers")
    }

    /// Settings that point at it.
    pub(crate) fn settings(&self) -> Value {
        json!({
            "preset": "custom", "issuer": self.issuer, "client_id": "ct-ops",
            "scopes": ["profile", "email", "groups"], "ca_pem": self.ca_pem,
        })
    }

    /// Lets a browser go where it was sent and through everything at the provider; where it is sent back to.
    pub(crate) async fn sign_in(&self, address: &str) -> String {
        let mut jar: Vec<(String, String)> = Vec::new();
        let mut next = address.to_owned();
        for _ in 0..10 {
            if !next.starts_with(&self.issuer) {
                return next;
            }
            let mut request = OutboundRequest::get(next.as_str());
            let cookies: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.headers.insert("cookie", cookies.join("; ").parse().unwrap());
            let trust = TlsTrust::Only(&self.ca_pem);
            let answer = self.browser.https_trusting(None, Purpose::Oidc, request, trust).await.unwrap();
            for cookie in answer.headers.get_all("set-cookie") {
                let pair = cookie.to_str().unwrap().split(';').next().unwrap();
                let (name, value) = pair.split_once('=').unwrap();
                jar.retain(|(known, _)| known != name);
                jar.push((name.to_owned(), value.to_owned()));
            }
            let location = answer.headers.get("location");
            let location = location.unwrap_or_else(|| panic!("{next}: {:?}", answer)).to_str().unwrap();
            next = url::Url::parse(&next).unwrap().join(location).unwrap().into();
        }
        panic!("the provider never sends the browser back");
    }

    /// Exchanges a code as somebody who has the secret, with a verifier of their own.
    pub(crate) async fn exchange(&self, code: &str, redirect: &str, verifier: &str) -> u16 {
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let mut request = OutboundRequest::get(format!("{}/token", self.issuer));
        request.method = "POST".parse().unwrap();
        let basic = STANDARD.encode(format!("ct-ops:{}", encoded(SECRET)));
        request.headers.insert("authorization", format!("Basic {basic}").parse().unwrap());
        request.headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        request.body = Bytes::from(body);
        let trust = TlsTrust::Only(&self.ca_pem);
        self.browser.https_trusting(None, Purpose::Oidc, request, trust).await.unwrap().status.as_u16()
    }
}

fn account(setup: &Setup) -> Value {
    let Setup { subject, amr, claims, seconds_ago, .. } = setup;
    json!({"sub": subject, "amr": amr, "claims": claims, "seconds_ago": seconds_ago})
}

impl Drop for OpenIdProvider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
