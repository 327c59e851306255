//! What the operator does about accounts on the server's own machine, when nobody can sign in any more.

use anyhow::{Context, Result};
use clap::Subcommand;
use ctops_base::Clock;
use ctops_identity::passwords::{Passwords, Secret};
use ctops_identity::users;
use ctops_pg::Pool;

/// Longest password line that is read, bytes.
const MAX_LINE_BYTES: u64 = 4096;

/// What can be done about accounts.
#[derive(Subcommand)]
pub enum PeopleCommand {
    /// Create a super_admin and print its password, or take one from standard input.
    CreateSuperAdmin {
        /// E-mail address to sign in with; counts as verified.
        #[arg(long)]
        email: String,
        /// Full name.
        #[arg(long)]
        name: String,
        /// Address name of the organisation. Default: the oldest one.
        #[arg(long)]
        organisation: Option<String>,
        /// Read the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Make an existing account an active super_admin, whatever it was before.
    Promote {
        /// E-mail address of the account.
        #[arg(long)]
        email: String,
        /// Address name of the organisation. Default: the oldest one.
        #[arg(long)]
        organisation: Option<String>,
    },
    /// Lift the lock that failed sign-ins put on an account.
    Unlock {
        /// E-mail address of the account.
        #[arg(long)]
        email: String,
    },
    /// Take every second factor of an account away.
    ClearSecondFactor {
        /// E-mail address of the account.
        #[arg(long)]
        email: String,
    },
}

/// Runs a command and returns what to print.
///
/// # Errors
/// When the database refuses, or nobody has the address.
pub async fn run(pool: &Pool, clock: &Clock, command: PeopleCommand) -> Result<String> {
    match command {
        PeopleCommand::CreateSuperAdmin { email, name, organisation, password_stdin } => {
            let password = if password_stdin { Some(read_password()?) } else { None };
            let (account, slug) = ((email.as_str(), name.as_str()), organisation.as_deref());
            let made =
                users::create_super_admin(pool, clock, &Passwords::new(), account, slug, password).await?;
            Ok(made.password.unwrap_or_else(|| "created".to_owned()))
        }
        PeopleCommand::Promote { email, organisation } => {
            users::promote_super_admin(pool, clock, &email, organisation.as_deref()).await?;
            Ok("promoted".to_owned())
        }
        PeopleCommand::Unlock { email } => {
            users::unlock_account(pool, clock, &email).await?;
            Ok("unlocked".to_owned())
        }
        PeopleCommand::ClearSecondFactor { email } => {
            users::clear_second_factor(pool, clock, &email).await?;
            Ok("cleared".to_owned())
        }
    }
}

fn read_password() -> Result<Secret> {
    use std::io::{BufRead, Read};
    let mut line = String::new();
    let mut input = std::io::stdin().lock().take(MAX_LINE_BYTES);
    input.read_line(&mut line).context("reading the password from standard input")?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n'])))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ctops_base::Role;
    use ctops_testkit::{TestDb, a_clock, a_organisation, a_user};

    use super::*;

    /// Spec: users-teams-rbac 8
    #[tokio::test]
    async fn operator_promotes_an_account_and_gets_a_password_for_a_new_one() {
        let (db, clock) = (TestDb::new().await, a_clock());
        let org = a_organisation(db.pool()).await;
        let ada = a_user(db.pool(), org, &[Role::ReadOnly]).await;
        let email = format!("{}@example.test", ada.simple());
        let promote = PeopleCommand::Promote { email, organisation: None };
        assert_eq!(run(db.pool(), &clock, promote).await.unwrap(), "promoted");
        let create = PeopleCommand::CreateSuperAdmin {
            email: "eve@example.test".to_owned(),
            name: "Eve".to_owned(),
            organisation: None,
            password_stdin: false,
        };
        assert_eq!(run(db.pool(), &clock, create).await.unwrap().len(), 43, "a password of 256 bits");
        let admins: i64 =
            sqlx::query_scalar("SELECT count(*) FROM memberships WHERE 'super_admin' = ANY(roles)")
                .fetch_one(db.pool())
                .await
                .unwrap();
        assert_eq!(admins, 2);
        let nobody = PeopleCommand::Unlock { email: "nobody@example.test".to_owned() };
        assert!(run(db.pool(), &clock, nobody).await.is_err());
    }
}
