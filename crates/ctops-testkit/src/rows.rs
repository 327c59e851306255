//! Rows that many tests need, written directly so that a test of one slice does not depend on another.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{Role, id};
use ctops_pg::Pool;
use uuid::Uuid;

use crate::start_time;

/// An organisation with a name of its own.
pub async fn a_organisation(pool: &Pool) -> Uuid {
    let org_id = id::new_id();
    sqlx::query("INSERT INTO organisations (id, name, created_at) VALUES ($1, $2, $3)")
        .bind(org_id)
        .bind(format!("Org {}", org_id.simple()))
        .bind(start_time())
        .execute(pool)
        .await
        .unwrap();
    org_id
}

/// An active user with a verified address and without a password, member of `org_id` with `roles`.
pub async fn a_user(pool: &Pool, org_id: Uuid, roles: &[Role]) -> Uuid {
    let user_id = id::new_id();
    sqlx::query(
        "WITH person AS (
             INSERT INTO users (id, email, name, email_verified_at, created_at)
             VALUES ($1, $2, 'Test User', $3, $3)
             RETURNING id
         )
         INSERT INTO memberships (org_id, user_id, roles, created_at)
         SELECT $4, id, $5, $3 FROM person",
    )
    .bind(user_id)
    .bind(format!("{}@example.test", user_id.simple()))
    .bind(start_time())
    .bind(org_id)
    .bind(roles.iter().map(|role| role.as_str()).collect::<Vec<_>>())
    .execute(pool)
    .await
    .unwrap();
    user_id
}

/// A host of `org_id`: Debian on x86_64, online, seen 10 s before [`start_time`], with vitals and an active agent.
pub fn a_host(org_id: Uuid) -> HostBuilder {
    HostBuilder {
        org_id,
        hostname: format!("host-{}", &id::new_agent_id()[..12]),
        display_name: String::new(),
        os: Some("debian"),
        arch: Some("x86_64"),
        ip_addresses: vec!["10.0.0.1".to_owned()],
        status: "online",
        vitals: Some([1_000, 2_000, 3_000]),
        last_seen_at: Some(start_time() - TimeDelta::seconds(10)),
        agent_status: Some("active"),
        agent_version: "1.0.0",
    }
}

/// What a host row will hold; see [`a_host`].
#[derive(Clone, Debug)]
pub struct HostBuilder {
    org_id: Uuid,
    hostname: String,
    display_name: String,
    os: Option<&'static str>,
    arch: Option<&'static str>,
    ip_addresses: Vec<String>,
    status: &'static str,
    vitals: Option<[i16; 3]>,
    last_seen_at: Option<DateTime<Utc>>,
    agent_status: Option<&'static str>,
    agent_version: &'static str,
}

/// A host that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestHost {
    /// Its id.
    pub id: Uuid,
    /// Its host name.
    pub hostname: String,
    /// The id of its agent, when it has one.
    pub agent_id: Option<String>,
}

impl HostBuilder {
    /// The host name, instead of a random one.
    #[must_use]
    pub fn named(mut self, hostname: &str) -> Self {
        hostname.clone_into(&mut self.hostname);
        self
    }

    /// The name that people gave it.
    #[must_use]
    pub fn displayed_as(mut self, display_name: &str) -> Self {
        display_name.clone_into(&mut self.display_name);
        self
    }

    /// Operating system and architecture.
    #[must_use]
    pub fn on(mut self, os: Option<&'static str>, arch: Option<&'static str>) -> Self {
        (self.os, self.arch) = (os, arch);
        self
    }

    /// The addresses, instead of 10.0.0.1.
    #[must_use]
    pub fn with_addresses(mut self, addresses: &[&str]) -> Self {
        self.ip_addresses = addresses.iter().map(|&address| address.to_owned()).collect();
        self
    }

    /// `online`, `offline`, `pending` or `unknown`.
    #[must_use]
    pub fn with_status(mut self, status: &'static str) -> Self {
        self.status = status;
        self
    }

    /// Use of processor, memory and fullest disk in hundredths of a percent.
    #[must_use]
    pub fn with_vitals(mut self, cpu_centi: i16, memory_centi: i16, disk_centi: i16) -> Self {
        self.vitals = Some([cpu_centi, memory_centi, disk_centi]);
        self
    }

    /// When it was last heard of.
    #[must_use]
    pub fn seen_at(mut self, at: DateTime<Utc>) -> Self {
        self.last_seen_at = Some(at);
        self
    }

    /// Never heard of: no vitals, no time.
    #[must_use]
    pub fn never_seen(mut self) -> Self {
        (self.vitals, self.last_seen_at) = (None, None);
        self
    }

    /// The status of its agent: `pending`, `active`, `offline` or `revoked`.
    #[must_use]
    pub fn with_agent(mut self, status: &'static str) -> Self {
        self.agent_status = Some(status);
        self
    }

    /// The version of its agent.
    #[must_use]
    pub fn with_agent_version(mut self, version: &'static str) -> Self {
        self.agent_version = version;
        self
    }

    /// No agent at all.
    #[must_use]
    pub fn without_agent(mut self) -> Self {
        self.agent_status = None;
        self
    }

    /// Writes the rows.
    pub async fn insert(self, pool: &Pool) -> TestHost {
        let host_id = id::new_id();
        let mut tx = pool.begin().await.unwrap();
        self.insert_host(&mut tx, host_id).await;
        let agent_id = match self.agent_status {
            Some(status) => Some(self.insert_agent(&mut tx, host_id, status).await),
            None => None,
        };
        tx.commit().await.unwrap();
        TestHost { id: host_id, hostname: self.hostname, agent_id }
    }

    async fn insert_host(&self, tx: &mut ctops_pg::Tx<'_>, host_id: Uuid) {
        sqlx::query(
            "INSERT INTO hosts (id, org_id, hostname, display_name, os, arch, ip_addresses, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        )
        .bind(host_id)
        .bind(self.org_id)
        .bind(&self.hostname)
        .bind(&self.display_name)
        .bind(self.os)
        .bind(self.arch)
        .bind(&self.ip_addresses)
        .bind(start_time())
        .execute(&mut **tx)
        .await
        .unwrap();
        let search = format!("{}\n{}\n{}", self.hostname, self.display_name, self.ip_addresses.join("\n"));
        let [cpu, memory, disk] = self.vitals.map_or([None; 3], |vitals| vitals.map(Some));
        sqlx::query(
            "INSERT INTO host_vitals (host_id, org_id, status, name_key, search_text, os, arch, agent_version,
                                      cpu_centi, memory_centi, disk_centi, uptime_seconds,
                                      recorded_at, last_seen_at, status_changed_at)
             VALUES ($1, $2, $3, lower($4), lower($5), $6, $7, $8, $9, $10, $11, $12, $13, $13, $14)",
        )
        .bind(host_id)
        .bind(self.org_id)
        .bind(self.status)
        .bind(&self.hostname)
        .bind(search)
        .bind(self.os)
        .bind(self.arch)
        .bind(self.agent_status.map(|_| self.agent_version))
        .bind(cpu)
        .bind(memory)
        .bind(disk)
        .bind(self.vitals.map(|_| 3_600_i64))
        .bind(self.last_seen_at)
        .bind(start_time())
        .execute(&mut **tx)
        .await
        .unwrap();
    }

    async fn insert_agent(&self, tx: &mut ctops_pg::Tx<'_>, host_id: Uuid, status: &str) -> String {
        let agent_id = id::new_agent_id();
        sqlx::query(
            "INSERT INTO agents (id, org_id, host_id, hostname, public_key, public_key_sha256, status, version, os,
                                 arch, registered_at, approved_at)
             VALUES ($1, $2, $3, $4, $1, sha256(convert_to($1, 'UTF8')), $5, $6, $7, $8, $9,
                     CASE WHEN $5 = 'pending' THEN NULL ELSE $9 END)",
        )
        .bind(&agent_id)
        .bind(self.org_id)
        .bind(host_id)
        .bind(&self.hostname)
        .bind(status)
        .bind(self.agent_version)
        .bind(self.os)
        .bind(self.arch)
        .bind(start_time())
        .execute(&mut **tx)
        .await
        .unwrap();
        agent_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TestDb;

    #[tokio::test]
    async fn builders_write_rows_that_belong_together() {
        let db = TestDb::new().await;
        let org = a_organisation(db.pool()).await;
        let user = a_user(db.pool(), org, &[Role::Engineer, Role::OrgAdmin]).await;
        let host = a_host(org).named("web-1").with_vitals(9_500, 1, 2).insert(db.pool()).await;
        let quiet = a_host(org).never_seen().without_agent().with_status("pending").insert(db.pool()).await;

        let roles: Vec<String> = sqlx::query_scalar("SELECT roles FROM memberships WHERE user_id = $1")
            .bind(user)
            .fetch_one(db.pool())
            .await
            .unwrap();
        assert_eq!(roles, ["engineer", "org_admin"]);
        let rows: Vec<(Uuid, Option<i16>, Option<String>)> = sqlx::query_as(
            "SELECT h.id, v.cpu_centi, a.id
             FROM hosts AS h
             JOIN host_vitals AS v ON v.host_id = h.id
             LEFT JOIN agents AS a ON a.host_id = h.id
             ORDER BY h.id",
        )
        .fetch_all(db.pool())
        .await
        .unwrap();
        let mut expected = [(host.id, Some(9_500), host.agent_id), (quiet.id, None, None)];
        expected.sort();
        assert_eq!(rows, expected);
    }
}
