//! A database per test.

use std::thread;

use ctops_pg::Pool;
use sqlx::Connection;
use sqlx::postgres::PgPoolOptions;

use crate::cluster::{Cluster, ROLE, execute};

/// A database for one test, dropped with this value. The role it is used with owns it and is no superuser.
pub struct TestDb {
    name: String,
    pool: Pool,
    cluster: &'static Cluster,
}

impl TestDb {
    /// A database with the current schema and no rows.
    pub async fn new() -> Self {
        let cluster = Cluster::get().await;
        Self::copy_of(cluster, &cluster.template).await
    }

    /// A database without anything in it, for tests of migrations.
    pub async fn empty() -> Self {
        Self::copy_of(Cluster::get().await, "template0").await
    }

    async fn copy_of(cluster: &'static Cluster, template: &str) -> Self {
        let name = format!("t_{}", ctops_base::id::new_id().simple());
        let mut admin = cluster.connect_admin().await.unwrap();
        execute(&mut admin, format!("CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template}")).await;
        admin.close().await.unwrap();
        let pool =
            PgPoolOptions::new().max_connections(10).connect_with(cluster.options(&name)).await.unwrap();
        Self { name, pool, cluster }
    }

    /// A pool of at most ten connections.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The address of the database, for pools and programs of the test's own.
    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (cluster, name) = (self.cluster, std::mem::take(&mut self.name));
        // A runtime of its own: that of the test may be shutting down, and must not be blocked from within.
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let mut admin = cluster.connect_admin().await.ok()?;
                let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut admin).await.ok()?;
                admin.close().await.ok()
            })
        });
        // Best effort: what stays behind goes with the server a minute later.
        let _ = dropping.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tables(db: &TestDb) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_one(db.pool())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn new_database_has_the_schema_and_shares_no_rows() {
        let (one, other) = (TestDb::new().await, TestDb::new().await);
        assert!(ctops_pg::migrate::status(one.pool()).await.unwrap().is_current());
        crate::a_organisation(one.pool()).await;
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM organisations").fetch_one(other.pool()).await.unwrap();
        assert_eq!(count, 0);
    }

    #[tokio::test]
    async fn empty_database_has_no_tables() {
        assert_eq!(tables(&TestDb::empty().await).await, 0);
    }

    #[tokio::test]
    async fn database_is_gone_after_drop_even_while_connections_are_open() {
        let db = TestDb::new().await;
        let (name, cluster) = (db.name.clone(), db.cluster);
        let open = ctops_pg::connect(&db.url(), 1).await.unwrap();
        drop(db);
        let mut admin = cluster.connect_admin().await.unwrap();
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1")
            .bind(&name)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        assert_eq!(left, 0);
        assert!(ctops_pg::ping(&open).await.is_err());
    }
}
