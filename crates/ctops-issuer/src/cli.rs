//! The commands of `ct-ops-licence`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Parser, Subcommand};
use ctops_licence::licence::{normalise, of_claims};
use ctops_licence::{ActivationToken, Licence, MAX_KEY_BYTES, Moment, Tier, Verifier, jws, read_licence};
use serde_json::json;
use zeroize::Zeroizing;

use crate::keys::{Home, SigningKey};
use crate::mint::{Order, claims, organisation_of};
use crate::revocations;

/// Where each minted key is noted.
const LEDGER_FILE: &str = "ledger.jsonl";

/// Makes and manages licences of CT-Ops.
#[derive(Debug, Parser)]
#[command(name = "ct-ops-licence", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Place {
    /// Directory with the issuer's key, ring, ledger and list of revoked keys.
    #[arg(long, env = "CT_OPS_ISSUER_DIR")]
    dir: Option<PathBuf>,
    /// File with the passphrase of the key. Unset: CT_OPS_ISSUER_PASSPHRASE.
    #[arg(long)]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the issuer's key: encrypted PKCS#8, and the public half in PEM.
    Keygen {
        #[command(flatten)]
        place: Place,
        /// Size of the key.
        #[arg(long, default_value_t = 3072)]
        bits: u32,
    },
    /// Replaces the key; public keys that ever signed stay in the ring.
    Rotate {
        #[command(flatten)]
        place: Place,
        /// Size of the new key.
        #[arg(long, default_value_t = 3072)]
        bits: u32,
    },
    /// Looks at activation tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Makes a licence key.
    Mint(MintArgs),
    /// Shows what a key says, without verifying it.
    Inspect {
        /// The key.
        key: String,
    },
    /// Verifies a key.
    Verify {
        /// The key.
        key: String,
        /// Public key in PEM.
        #[arg(long)]
        public_key: PathBuf,
    },
    /// Revokes keys.
    #[command(subcommand)]
    Revoke(RevokeCommand),
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Prints what a token says; compare the name with the order.
    Decode {
        /// The token.
        token: String,
    },
}

#[derive(Debug, Args)]
struct MintArgs {
    #[command(flatten)]
    place: Place,
    /// Activation token of the installation.
    #[arg(long, conflicts_with = "org", required_unless_present = "org")]
    token: Option<String>,
    /// Id of the organisation, instead of a token.
    #[arg(long)]
    org: Option<String>,
    /// pro or enterprise.
    #[arg(long)]
    tier: String,
    /// Further features, separated by commas.
    #[arg(long, value_delimiter = ',')]
    features: Vec<String>,
    /// Most hosts.
    #[arg(long)]
    max_hosts: Option<u64>,
    /// Term.
    #[arg(long, default_value_t = 365)]
    days: i64,
    /// Buyer.
    #[arg(long)]
    customer_name: String,
    /// Technical contact.
    #[arg(long)]
    customer_email: String,
    /// Allow a term over 1096 days.
    #[arg(long)]
    force: bool,
    /// Allow features this version does not know.
    #[arg(long)]
    allow_unknown: bool,
    /// Sign with the development key, which production refuses.
    #[arg(long)]
    dev: bool,
}

#[derive(Debug, Subcommand)]
enum RevokeCommand {
    /// Adds a key to the list.
    Add {
        #[command(flatten)]
        place: Place,
        /// Id of the key (jti).
        jti: String,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Shows the list.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Prints the signed bundle that installations fetch.
    Publish {
        #[command(flatten)]
        place: Place,
        /// Days during which the bundle is taken over.
        #[arg(long, default_value_t = 30)]
        days: i64,
    },
}

impl Place {
    fn home(&self) -> Result<Home> {
        let dir = self.dir.as_deref().context("say where the issuer's key is: --dir or CT_OPS_ISSUER_DIR")?;
        Ok(Home::new(dir))
    }

    fn passphrase(&self) -> Result<Zeroizing<String>> {
        let text = match &self.passphrase_file {
            Some(path) => fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?,
            None => std::env::var("CT_OPS_ISSUER_PASSPHRASE")
                .context("give the passphrase: --passphrase-file or CT_OPS_ISSUER_PASSPHRASE")?,
        };
        Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    fn key(&self) -> Result<SigningKey> {
        self.home()?.open_key(&self.passphrase()?)
    }
}

/// Runs one command and writes its answer to `out`.
///
/// # Errors
/// Whatever stopped it, for people.
pub fn run(cli: &Cli, now: DateTime<Utc>, out: &mut dyn Write) -> Result<()> {
    match &cli.command {
        Command::Keygen { place, bits } => {
            let key = place.home()?.create_key(*bits, &place.passphrase()?)?;
            writeln!(out, "fingerprint {}", key.verifier().fingerprint())?;
        }
        Command::Rotate { place, bits } => {
            let key = place.home()?.rotate(*bits, &place.passphrase()?)?;
            writeln!(out, "fingerprint {}", key.verifier().fingerprint())?;
        }
        Command::Token(TokenCommand::Decode { token }) => decode(token, now, out)?,
        Command::Mint(args) => mint(args, now, out)?,
        Command::Inspect { key } => inspect(key, now, out)?,
        Command::Verify { key, public_key } => verify(key, public_key, now, out)?,
        Command::Revoke(RevokeCommand::Add { place, jti, reason }) => {
            revocations::add(&place.home()?, jti, reason, now)?;
            writeln!(out, "{jti} is on the list; publish the bundle for it to count")?;
        }
        Command::Revoke(RevokeCommand::List { place }) => {
            for entry in revocations::list(&place.home()?)? {
                writeln!(out, "{entry}")?;
            }
        }
        Command::Revoke(RevokeCommand::Publish { place, days }) => {
            writeln!(out, "{}", revocations::publish(&place.home()?, &place.key()?, *days, now)?)?;
        }
    }
    Ok(())
}

fn decode(token: &str, now: DateTime<Utc>, out: &mut dyn Write) -> Result<()> {
    let token = ActivationToken::decode(token)?;
    writeln!(out, "organisation {}", token.organisation_name)?;
    writeln!(out, "id           {}", token.organisation_id)?;
    writeln!(out, "generated    {}", token.generated_at.to_rfc3339_opts(SecondsFormat::Secs, true))?;
    writeln!(out, "nonce        {}", token.nonce)?;
    token.check_age(now)?;
    Ok(())
}

fn mint(args: &MintArgs, now: DateTime<Utc>, out: &mut dyn Write) -> Result<()> {
    let Some(tier) = Tier::parse(&args.tier) else { bail!("tiers are pro and enterprise") };
    let organisation_id = match (&args.token, &args.org) {
        (Some(token), _) => organisation_of(token, now)?.organisation_id,
        (None, Some(org)) => org.clone(),
        (None, None) => bail!("give --token or --org"),
    };
    let order = Order {
        organisation_id,
        tier,
        features: args.features.clone(),
        max_hosts: args.max_hosts,
        days: args.days,
        customer_name: args.customer_name.clone(),
        customer_email: args.customer_email.clone(),
        force: args.force,
        allow_unknown: args.allow_unknown,
    };
    let claims = claims(&order, now)?;
    if args.dev {
        ensure!(args.place.dir.is_none(), "--dev signs with the development key; leave --dir out");
        writeln!(out, "{}", SigningKey::development()?.sign(&claims)?)?;
        return Ok(());
    }
    let key = args.place.key()?;
    let entry = json!({
        "at": now.to_rfc3339_opts(SecondsFormat::Secs, true),
        "jti": claims["jti"], "org": claims["sub"], "tier": claims["tier"], "days": args.days,
        "operator": std::env::var("USER").unwrap_or_default(),
    });
    let token = key.sign(&claims)?;
    args.place.home()?.append(LEDGER_FILE, &format!("{entry}\n"))?;
    writeln!(out, "{token}")?;
    Ok(())
}

fn inspect(key: &str, now: DateTime<Utc>, out: &mut dyn Write) -> Result<()> {
    let key = normalise(key)?;
    let parts = jws::split(&key, MAX_KEY_BYTES)?;
    writeln!(out, "NOT VERIFIED")?;
    show(&of_claims(&parts.claims, Moment::Any)?, now, out)
}

fn verify(key: &str, public_key: &Path, now: DateTime<Utc>, out: &mut dyn Write) -> Result<()> {
    let pem = fs::read_to_string(public_key).with_context(|| format!("reading {}", public_key.display()))?;
    let verifier = Verifier::from_pem(&pem)?;
    let licence = read_licence(&normalise(key)?, &verifier, Moment::At(now.timestamp()))?;
    writeln!(out, "signed by {}", verifier.fingerprint())?;
    show(&licence, now, out)
}

fn show(licence: &Licence, now: DateTime<Utc>, out: &mut dyn Write) -> Result<()> {
    let date = |second| {
        DateTime::from_timestamp(second, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
    };
    writeln!(out, "id           {}", licence.jti)?;
    writeln!(out, "organisation {}", licence.organisation_id)?;
    writeln!(out, "customer     {} <{}>", licence.customer.name, licence.customer.email)?;
    writeln!(out, "tier         {}", licence.tier.as_str())?;
    writeln!(out, "features     {}", licence.features.join(", "))?;
    let cap = licence.max_hosts.map_or_else(|| "none".to_owned(), |hosts| hosts.to_string());
    writeln!(out, "host cap     {cap}")?;
    let state = licence.check_time(now.timestamp()).map_or_else(|error| error.code(), |()| "valid");
    writeln!(out, "term         {} to {} ({state})", date(licence.not_before), date(licence.expires_at))?;
    Ok(())
}
