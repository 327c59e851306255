//! Trying a directory out, step by step (ldap-directory-lookup 18).

use ctops_egress::Egress;
use tokio::time::Instant;

use super::model::{Directory, ServerTest, ShownCertificate, TestResult, TestStep};
use super::settings::Server;
use crate::connection::{Connection, Failure, Query, Scope, Step, dial};
use crate::directories::{bind_service, endpoint};
use crate::filter::{Hole, escape, fill};

/// Entries that are counted for the sample name.
const COUNTED: usize = 20;

/// Tries every server; a sample name is looked up as at sign-in.
pub(super) async fn probe(egress: &Egress, directory: &Directory, sample: Option<&str>) -> TestResult {
    let mut servers = Vec::new();
    for server in &directory.settings.servers {
        servers.push(probe_server(egress, directory, server, sample).await);
    }
    TestResult { ok: servers.iter().all(|server| server.ok), servers }
}

async fn probe_server(
    egress: &Egress,
    directory: &Directory,
    server: &Server,
    sample: Option<&str>,
) -> ServerTest {
    let mut test = ServerTest {
        server: format!("{}:{}", server.host, server.port),
        ok: false,
        steps: Vec::new(),
        certificate: None,
        entries: None,
        needs_target: None,
    };
    let mut began = Instant::now();
    if let Err(failure) = steps(egress, directory, server, sample, &mut began, &mut test).await {
        test.needs_target = (failure.code == "egress_needs_target").then(|| server.host.clone());
        test.steps.push(TestStep {
            step: failure.step.as_str().to_owned(),
            ok: false,
            ms: elapsed(began),
            detail: Some(failure.detail),
        });
        return test;
    }
    test.ok = true;
    test
}

fn elapsed(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

async fn steps(
    egress: &Egress,
    directory: &Directory,
    server: &Server,
    sample: Option<&str>,
    began: &mut Instant,
    test: &mut ServerTest,
) -> Result<(), Failure> {
    let mut connection = dial(egress, endpoint(directory, server), directory.security(), |step| {
        test.passed(step, elapsed(*began));
        *began = Instant::now();
    })
    .await?;
    test.certificate = connection.certificate.as_deref().and_then(ShownCertificate::read);
    bind_service(&mut connection, directory).await?;
    test.passed(Step::Bind, elapsed(*began));
    *began = Instant::now();
    test.entries = search(&mut connection, directory, sample).await?;
    test.passed(Step::Search, elapsed(*began));
    Ok(())
}

/// How many entries the sample name means; without one, whether the people's base is there.
async fn search(
    connection: &mut Connection,
    directory: &Directory,
    sample: Option<&str>,
) -> Result<Option<usize>, Failure> {
    let settings = &directory.settings;
    let filter = sample.map(|name| fill(&settings.user_filter, &[(Hole::Username, &escape(name))]));
    let query = Query {
        base: settings.people(),
        scope: if sample.is_some() { Scope::Subtree } else { Scope::Base },
        filter: filter.as_deref().unwrap_or("(objectClass=*)"),
        attributes: &["1.1"],
        limit: COUNTED,
        paged: false,
    };
    let found = connection.search(query).await?.entries.len();
    if sample.is_none() && found == 0 {
        let detail = format!("there is no {}, or the service account may not see it", settings.people());
        return Err(Failure::new(Step::Search, "no_base", detail));
    }
    Ok(sample.map(|_| found))
}
