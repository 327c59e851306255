//! Feature flags: switches of the program, declared here and turned per organisation (settings 13 to 16). A flag is
//! never a boundary of licence or security.

use ctops_base::Problem;
use ctops_pg::Pool;
use uuid::Uuid;

/// One flag.
#[derive(Debug, PartialEq, Eq)]
pub struct Flag {
    /// Name, for code and API.
    pub key: &'static str,
    /// Whether it is on where nobody turned it.
    pub default: bool,
    /// Whether the UI may know it.
    pub public: bool,
    /// Whether administrators may turn it.
    pub configurable: bool,
    /// What it switches.
    pub about: &'static str,
    /// The slice that reads it.
    pub owner: &'static str,
    /// When it is to go, if it is not meant to stay.
    pub removal: Option<&'static str>,
}

/// Runs of the automation module.
pub static AUTOMATION_ANSIBLE: Flag = Flag {
    key: "automation.ansible",
    default: false,
    public: true,
    configurable: true,
    about: "Automation with Ansible.",
    owner: "automation",
    removal: None,
};

/// The calendar.
pub static CALENDAR: Flag = Flag {
    key: "calendar",
    default: true,
    public: true,
    configurable: true,
    about: "The calendar of maintenance and expiry.",
    owner: "calendar",
    removal: None,
};

/// Documentation of builds.
pub static BUILD_DOCS: Flag = Flag {
    key: "buildDocs",
    default: false,
    public: true,
    configurable: true,
    about: "Build documents.",
    owner: "build_docs",
    removal: None,
};

/// Certificates by ACME.
pub static ACME: Flag = Flag {
    key: "acme",
    default: false,
    public: true,
    configurable: true,
    about: "Certificates through ACME.",
    owner: "certificates",
    removal: None,
};

/// Containers of hosts.
pub static DOCKER_TELEMETRY: Flag = Flag {
    key: "docker.telemetry",
    default: true,
    public: true,
    configurable: true,
    about: "Containers of hosts and their figures.",
    owner: "containers",
    removal: None,
};

/// Live views.
pub static EVENTS_STREAM: Flag = Flag {
    key: "events.stream",
    default: true,
    public: true,
    configurable: true,
    about: "Live views; without it, pages show what was true when they were opened.",
    owner: "events",
    removal: None,
};

/// Every flag.
pub static FLAGS: [&Flag; 6] =
    [&AUTOMATION_ANSIBLE, &CALENDAR, &BUILD_DOCS, &ACME, &DOCKER_TELEMETRY, &EVENTS_STREAM];

/// The flag of this name.
pub fn by_key(key: &str) -> Option<&'static Flag> {
    FLAGS.into_iter().find(|flag| flag.key == key)
}

/// Whether a flag is on for an organisation. The database is asked each time, so that turning it acts at once on every
/// node.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub async fn is_on(pool: &Pool, org_id: Uuid, flag: &Flag) -> Result<bool, Problem> {
    if !flag.configurable {
        return Ok(flag.default);
    }
    let turned: Option<bool> =
        sqlx::query_scalar("SELECT value FROM feature_flags WHERE org_id = $1 AND key = $2")
            .bind(org_id)
            .bind(flag.key)
            .fetch_optional(pool)
            .await
            .map_err(Problem::internal)?;
    Ok(turned.unwrap_or(flag.default))
}

/// Refuses what is switched off, before any effect (settings 14).
///
/// # Errors
/// `not_found`: what is switched off is not there; `internal` when the database cannot be asked.
pub async fn demand(pool: &Pool, org_id: Uuid, flag: &Flag) -> Result<(), Problem> {
    match is_on(pool, org_id, flag).await? {
        true => Ok(()),
        false => Err(Problem::not_found("feature")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: settings 13, 15
    #[test]
    fn flags_are_declared_once_with_their_defaults() {
        let defaults: Vec<_> = FLAGS.into_iter().map(|flag| (flag.key, flag.default)).collect();
        let expected = [
            ("automation.ansible", false),
            ("calendar", true),
            ("buildDocs", false),
            ("acme", false),
            ("docker.telemetry", true),
            ("events.stream", true),
        ];
        assert_eq!(defaults, expected);
        assert!(FLAGS.into_iter().all(|flag| flag.public && flag.configurable && !flag.about.is_empty()));
        assert!(by_key("targeting").is_none());
    }
}
