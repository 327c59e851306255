//! `ct-ops release`: releases of the agent. Keys are made and bundles signed on any machine, without settings and without a
//! database; the private key never needs to be on the server.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use ctops_base::{Clock, Problem};
use ctops_crypto::signing::SigningKey;
use ctops_fleet::releases::{
    NewRelease, Program, Publisher, import, list_for_operator, sign, withdraw_for_operator, write_bundle,
};
use ctops_proto::release::{DEFAULT_CHANNEL, Version, to_hex};
use tokio::io::AsyncRead;

use crate::assembly::releases;
use crate::settings::Settings;
use crate::storage::Storage;

/// Private key, in the directory given to `keygen`.
const KEY_FILE: &str = "release.key";
/// Public key beside it.
const PUBLIC_FILE: &str = "release.pub";

/// What can be done.
#[derive(Subcommand)]
pub enum ReleaseCommand {
    /// Make a key that releases are signed with. Keep the private half away from the server.
    Keygen {
        /// Directory for release.key (private, readable by you only) and release.pub.
        #[arg(long)]
        out: PathBuf,
    },
    /// Sign a release and write it into one file.
    Sign {
        /// What to sign.
        #[command(flatten)]
        release: SignArguments,
        /// The bundle to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Take a signed release into this server's store; agents below its minimum version begin to update.
    Publish {
        /// A bundle made by `release sign`.
        #[arg(conflicts_with_all = ["key", "version", "artifact"], required_unless_present = "key")]
        bundle: Option<PathBuf>,
        /// What to sign and publish at once.
        #[command(flatten)]
        release: Option<SignArguments>,
    },
    /// Print the releases in the store, newest first.
    List,
    /// Offer a release to nobody any more. Agents that run it keep it.
    Withdraw {
        /// v<major>.<minor>.<patch>.
        version: Version,
        /// Its channel.
        #[arg(long, default_value = DEFAULT_CHANNEL)]
        channel: String,
    },
}

/// A release to sign.
#[derive(Args, Clone, Debug)]
pub struct SignArguments {
    /// The private key.
    #[arg(long)]
    key: PathBuf,
    /// v<major>.<minor>.<patch>, as the programs were built with.
    #[arg(long)]
    version: Version,
    /// Who the release is for.
    #[arg(long, default_value = DEFAULT_CHANNEL)]
    channel: String,
    /// Agents below this version update without being told to.
    #[arg(long, default_value = "v0.0.0")]
    minimum: Version,
    /// A program, as linux/amd64=path; once for each platform.
    #[arg(long, required = true, value_parser = parse_program)]
    artifact: Vec<Program>,
    /// A further public key, 64 hex digits, that agents trust once they have this release. For a change of keys.
    #[arg(long)]
    also_trust: Vec<String>,
}

fn parse_program(text: &str) -> Result<Program, String> {
    let wrong = || format!("{text:?} is not os/arch=path, for example linux/amd64=ct-ops-agent");
    let (platform, path) = text.split_once('=').ok_or_else(wrong)?;
    let (os, arch) = platform.split_once('/').ok_or_else(wrong)?;
    Ok(Program { os: os.to_owned(), arch: arch.to_owned(), path: PathBuf::from(path) })
}

impl ReleaseCommand {
    /// Whether the command needs neither settings nor a database.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Keygen { .. } | Self::Sign { .. })
    }
}

/// Makes a key or signs a release.
///
/// # Errors
/// When a file cannot be read or written, or the release breaks a limit.
pub fn run_offline(command: &ReleaseCommand) -> Result<()> {
    match command {
        ReleaseCommand::Keygen { out } => keygen(out),
        ReleaseCommand::Sign { release, out } => {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(out)
                .with_context(|| format!("writing {}", out.display()))?;
            bundle(release, &mut file)?;
            file.sync_all()?;
            say(&format!("signed {} for {}: {}", release.version, release.channel, out.display()))
        }
        _ => Ok(()),
    }
}

/// Works on the store of this installation.
///
/// # Errors
/// When the database cannot be reached, or the release is refused, with the reason.
pub fn run(settings: &Settings, command: ReleaseCommand) -> Result<()> {
    if command.is_offline() {
        return run_offline(&command);
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (pool, clock) = (Storage::attach(settings).await?, Clock::system());
        match command {
            ReleaseCommand::Publish { bundle: Some(path), .. } => {
                let mut file = tokio::fs::File::open(&path)
                    .await
                    .with_context(|| format!("reading {}", path.display()))?;
                publish(settings, &pool, &clock, &mut file).await
            }
            ReleaseCommand::Publish { release: Some(release), .. } => {
                let mut content = Vec::new();
                bundle(&release, &mut content)?;
                publish(settings, &pool, &clock, &mut content.as_slice()).await
            }
            ReleaseCommand::List => list(&pool).await,
            ReleaseCommand::Withdraw { version, channel } => {
                withdraw_for_operator(&pool, &clock, version, &channel).await.map_err(told)?;
                say(&format!("withdrew {version} from {channel}"))
            }
            _ => bail!("name a bundle, or --key, --version and --artifact"),
        }
    })
}

async fn publish(
    settings: &Settings,
    pool: &ctops_pg::Pool,
    clock: &Clock,
    reader: &mut (impl AsyncRead + Unpin),
) -> Result<()> {
    let deps = releases(settings)?;
    let (version, channel) = import((pool, clock, &deps), Publisher::Operator, reader).await.map_err(told)?;
    say(&format!("published {version} in {channel}"))
}

async fn list(pool: &ctops_pg::Pool) -> Result<()> {
    for release in list_for_operator(pool).await.map_err(told)? {
        let platforms: Vec<String> =
            release.artifacts.iter().map(|a| format!("{}/{}", a.os, a.arch)).collect();
        let state = if release.withdrawn_at.is_some() { "  withdrawn" } else { "" };
        say(&format!(
            "{}  {}  minimum {}  {}{state}",
            release.version,
            release.channel,
            release.minimum_version,
            platforms.join(",")
        ))?;
    }
    Ok(())
}

/// The sentence of a refusal; its cause goes with it.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn told(problem: Problem) -> anyhow::Error {
    match problem.cause_chain() {
        Some(cause) => anyhow::anyhow!("{}: {cause}", problem.detail()),
        None => anyhow::anyhow!("{}", problem.detail()),
    }
}

fn keygen(out: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(out)
        .with_context(|| format!("making {}", out.display()))?;
    let key = SigningKey::generate();
    let public = to_hex(&key.public_key());
    write_new(&out.join(KEY_FILE), key.to_pem().as_bytes(), 0o600)?;
    write_new(&out.join(PUBLIC_FILE), format!("{public}\n").as_bytes(), 0o644)?;
    say(&public)
}

/// A key is never written over.
fn write_new(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("writing {}", path.display()))?;
    file.write_all(content)?;
    Ok(file.sync_all()?)
}

fn bundle(arguments: &SignArguments, out: &mut impl Write) -> Result<()> {
    let path = &arguments.key;
    let mode = File::open(path)
        .and_then(|file| file.metadata())
        .with_context(|| format!("reading {}", path.display()))?;
    ensure!(
        mode.permissions().mode() & 0o077 == 0,
        "{} can be read by others; run chmod 0600",
        path.display()
    );
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let key = SigningKey::from_pem(&text).with_context(|| format!("reading {}", path.display()))?;
    let release = NewRelease {
        channel: arguments.channel.clone(),
        version: arguments.version,
        minimum_version: arguments.minimum,
        released_at: Clock::system().now(),
        programs: arguments.artifact.clone(),
        also_trust: arguments.also_trust.clone(),
    };
    let signed = sign(&key, &release)?;
    write_bundle(out, &signed, &release.programs).context("writing the bundle")
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("writing to standard output")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn arguments(dir: &Path) -> SignArguments {
        let program = dir.join("agent");
        fs::write(&program, "program").unwrap();
        SignArguments {
            key: dir.join(KEY_FILE),
            version: "v1.2.3".parse().unwrap(),
            channel: "stable".to_owned(),
            minimum: "v1.0.0".parse().unwrap(),
            also_trust: Vec::new(),
            artifact: vec![parse_program(&format!("linux/amd64={}", program.display())).unwrap()],
        }
    }

    /// Spec: agents-enrolment 28
    #[test]
    fn key_when_made_then_is_private_is_never_written_over_and_signs() {
        let dir = tempfile::tempdir().unwrap();
        keygen(dir.path()).unwrap();
        let mode = fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(keygen(dir.path()).is_err());
        let mut content = Vec::new();
        bundle(&arguments(dir.path()), &mut content).unwrap();
        assert!(content.ends_with(b"program"));
        assert_eq!(fs::read_to_string(dir.path().join(PUBLIC_FILE)).unwrap().trim().len(), 64);
    }

    #[test]
    fn key_when_others_can_read_it_or_it_is_none_then_nothing_is_signed() {
        let dir = tempfile::tempdir().unwrap();
        keygen(dir.path()).unwrap();
        let key = dir.path().join(KEY_FILE);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let refusal = bundle(&arguments(dir.path()), &mut Vec::new()).unwrap_err().to_string();
        assert!(refusal.contains("chmod 0600"), "{refusal}");
        fs::remove_file(&key).unwrap();
        write_new(&key, b"no key", 0o600).unwrap();
        assert!(bundle(&arguments(dir.path()), &mut Vec::new()).is_err());
    }

    #[test]
    fn program_when_written_wrongly_then_the_form_is_shown() {
        for bad in ["linux/amd64", "linux=x", "=x"] {
            assert!(parse_program(bad).unwrap_err().contains("linux/amd64=ct-ops-agent"), "{bad}");
        }
    }
}
