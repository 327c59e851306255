//! Asking a directory on behalf of somebody.

use std::time::Duration;

use ctops_base::text::is_hostile;
use ctops_base::{Problem, ProblemKind};
use ctops_slice::audit::{self, AuditEvent};
use ctops_slice::settings as pages;
use ctops_slice::throttle::{self, Rate};
use ctops_slice::{Actor, AppState};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use super::DIRECTORY_LOOKUP;
use super::model::{LookupSettings, Match, QUERY_CHARS, best};
use super::record::{Attributes, attributes, photo, without_hidden};
use super::standing::{Rules, Standing, judge};
use crate::connection::{Connection, Failure, Query, Scope, Step};
use crate::directories::{Directories, Unreached};
use crate::dn::Dn;
use crate::entry::Entry;
use crate::filter::{Hole, escape, fill};
use crate::groups::{Groups, groups_of};
use crate::ldap_configurations::{self as configurations, Directory, LDAP_READ, Preset, Settings};

/// Searches and reads of one person.
const SEARCHES: Rate = Rate { scope: "directory_search", limit: 30, window: Duration::from_secs(60) };
const READS: Rate = Rate { scope: "directory_read", limit: 30, window: Duration::from_secs(60) };
/// Longest look-up, everything together.
const PATIENCE: Duration = Duration::from_secs(40);
/// Matches asked for.
const ASKED: usize = 50;
/// Attributes that Active Directory computes only when they are named.
const COMPUTED: [&str; 2] = ["msDS-UserPasswordExpiryTimeComputed", "msDS-User-Account-Control-Computed"];

/// The enabled directories, by name.
pub(super) async fn list(state: &AppState, actor: &Actor) -> Result<Vec<(Uuid, String)>, Problem> {
    let grant = actor.grant(&DIRECTORY_LOOKUP)?;
    let enabled = configurations::enabled(state, &grant).await?;
    Ok(enabled.into_iter().map(|configuration| (configuration.id, configuration.name)).collect())
}

/// A look-up in the making: by whom, where.
pub(super) struct LookUp<'a> {
    pub(super) state: &'a AppState,
    pub(super) directories: &'a Directories,
    pub(super) actor: &'a Actor,
    pub(super) directory_id: Uuid,
}

/// A record as it is answered, never kept.
pub(super) struct Record {
    pub(super) entry: Entry,
    pub(super) settings: Settings,
    pub(super) standing: Standing,
    pub(super) groups: Groups,
    /// None when the person may not see them.
    pub(super) attributes: Option<Attributes>,
    pub(super) photo: Option<String>,
}

impl LookUp<'_> {
    /// Searches people by what was typed so far.
    pub(super) async fn search(&self, typed: &str) -> Result<(Vec<Match>, bool), Problem> {
        let typed = typed.trim();
        if !QUERY_CHARS.contains(&typed.chars().count()) || typed.chars().any(is_hostile) {
            return Err(Problem::invalid_field("q", "invalid", "must have 2 to 128 characters"));
        }
        let directory = self.enter(&SEARCHES).await?;
        self.record(&directory, json!({ "query": typed })).await?;
        let page = pages::read::<LookupSettings>(&self.state.pool, directory.org_id).await?;
        let settings = &directory.settings;
        let work = async {
            let mut session = self.directories.enter(&self.state.egress, &directory).await?;
            let names =
                [&settings.username_attribute, &settings.email_attribute, &settings.display_attribute];
            let query = Query {
                base: settings.people(),
                scope: Scope::Subtree,
                filter: &search_filter(settings, typed, page.match_names),
                attributes: &names.map(String::as_str),
                limit: ASKED,
                paged: false,
            };
            Ok(session.connection.search(query).await?)
        };
        let found = self.within(work).await?;
        let matches = found.entries.iter().map(|entry| to_match(settings, entry)).collect();
        Ok(best(matches, typed, found.more))
    }

    /// Reads one record.
    pub(super) async fn read(&self, dn: &str, typed: Option<&str>) -> Result<Record, Problem> {
        let directory = self.enter(&READS).await?;
        check_below(dn, &directory.settings)?;
        let typed = typed.map(|text| text.chars().take(*QUERY_CHARS.end()).collect::<String>());
        self.record(&directory, json!({ "query": typed, "dn": dn })).await?;
        let work = async {
            let mut session = self.directories.enter(&self.state.egress, &directory).await?;
            let connection = &mut session.connection;
            let Some(entry) = read_entry(connection, dn).await? else {
                return Ok(None);
            };
            let rules = rules_for(connection, &directory.settings, &entry).await?;
            let groups = groups_of(connection, &directory.settings, &entry, false).await?;
            Ok(Some((entry, rules, groups)))
        };
        let found = self.within(work).await?;
        let (entry, rules, groups) = found.ok_or_else(|| Problem::not_found("entry"))?;
        // A server may read the name differently than we do.
        check_below(&entry.dn, &directory.settings)?;
        let entry = without_hidden(entry, &directory.settings);
        let page = pages::read::<LookupSettings>(&self.state.pool, directory.org_id).await?;
        let may_see_all = page.raw_for_engineers || self.is_admin();
        Ok(Record {
            standing: judge(directory.settings.preset, &entry, &rules, self.state.clock.now()),
            attributes: may_see_all.then(|| attributes(&entry)),
            photo: photo(&entry),
            groups,
            settings: directory.settings,
            entry,
        })
    }

    /// The groups of one record, those of groups as well when asked for.
    pub(super) async fn groups(&self, dn: &str, nested: bool) -> Result<Groups, Problem> {
        let directory = self.enter(&READS).await?;
        check_below(dn, &directory.settings)?;
        self.record(&directory, json!({ "dn": dn, "nested_groups": nested })).await?;
        let work = async {
            let mut session = self.directories.enter(&self.state.egress, &directory).await?;
            let connection = &mut session.connection;
            match read_entry(connection, dn).await? {
                Some(entry) => Ok(Some(groups_of(connection, &directory.settings, &entry, nested).await?)),
                None => Ok(None),
            }
        };
        self.within(work).await?.ok_or_else(|| Problem::not_found("entry"))
    }

    fn is_admin(&self) -> bool {
        self.actor.grant(&LDAP_READ).is_ok()
    }

    /// Checks the permission, counts, and opens the directory's secrets.
    async fn enter(&self, rate: &Rate) -> Result<Directory, Problem> {
        let grant = self.actor.grant(&DIRECTORY_LOOKUP)?;
        let found = configurations::find_enabled(self.state, &grant, self.directory_id).await?;
        let key = self.actor.user_id.to_string();
        throttle::hit(&self.state.pool, rate, &key, self.state.clock.now()).await?;
        configurations::open(&self.state.seal, &found)
    }

    /// Writes down who looks up what. Nothing of the answer.
    async fn record(&self, directory: &Directory, asked: Value) -> Result<(), Problem> {
        let event = AuditEvent::by_actor(self.actor, "directory.looked_up", "ldap_configuration")
            .on(directory.id)
            .labelled(&directory.name)
            .summary("looked somebody up in a directory")
            .change(None, Some(asked));
        let mut tx = self.state.pool.begin().await.map_err(Problem::internal)?;
        audit::append(&mut tx, &event, self.state.clock.now()).await.map_err(Problem::internal)?;
        tx.commit().await.map_err(Problem::internal)
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, Unreached>>) -> Result<T, Problem> {
        let late = || {
            let detail = format!("no answer within {} s", PATIENCE.as_secs());
            Unreached::Failed(Failure::new(Step::Search, "timeout", detail))
        };
        let outcome = timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(late()));
        outcome.map_err(|unreached| unreached.problem(self.is_admin()))
    }
}

/// Whether `dn` may be opened.
fn check_below(dn: &str, settings: &Settings) -> Result<(), Problem> {
    let bad = |_| Problem::new(ProblemKind::Invalid, "bad_dn", "the name is not a distinguished name");
    let parsed = Dn::parse(dn).map_err(bad)?;
    let base = Dn::parse(settings.people()).map_err(|_| Problem::internal("a saved base is not a name"))?;
    if parsed.is_root() {
        return Err(bad(crate::dn::BadDn));
    }
    if parsed.is_strictly_below(&base) {
        return Ok(());
    }
    let detail = "only entries below the base for people can be opened";
    Err(Problem::new(ProblemKind::Forbidden, "dn_out_of_scope", detail))
}

/// Who begins like this (ldap-directory-lookup 4).
fn search_filter(settings: &Settings, typed: &str, match_names: bool) -> String {
    let beginning = format!("{}*", escape(typed));
    let by_name = fill(&settings.user_filter, &[(Hole::Username, &beginning)]);
    if !match_names {
        return by_name;
    }
    let Settings { display_attribute, email_attribute, .. } = settings;
    format!("(|{by_name}({display_attribute}={beginning})({email_attribute}={beginning}))")
}

fn to_match(settings: &Settings, entry: &Entry) -> Match {
    let text = |name: &str| entry.text(name).map(str::to_owned);
    let username = text(&settings.username_attribute);
    let display_name = text(&settings.display_attribute).or_else(|| username.clone());
    Match {
        dn: entry.dn.clone(),
        display_name: display_name.unwrap_or_else(|| entry.dn.clone()),
        username,
        email: text(&settings.email_attribute),
    }
}

fn base_query<'a>(dn: &'a str, attributes: &'a [&'a str]) -> Query<'a> {
    Query { base: dn, scope: Scope::Base, filter: "(objectClass=*)", attributes, limit: 1, paged: false }
}

async fn read_entry(connection: &mut Connection, dn: &str) -> Result<Option<Entry>, Failure> {
    let names = ["*", "+", COMPUTED[0], COMPUTED[1]];
    Ok(connection.search(base_query(dn, &names)).await?.entries.pop())
}

/// The rules for locks and ages that the entry itself does not hold, asked for only when they matter.
async fn rules_for(
    connection: &mut Connection,
    settings: &Settings,
    entry: &Entry,
) -> Result<Rules, Failure> {
    let has = |name| entry.first(name).is_some();
    if settings.preset == Preset::ActiveDirectory {
        if entry.number("lockoutTime").is_none_or(|at| at <= 0) {
            return Ok(Rules::default());
        }
        let domain =
            connection.search(base_query(&settings.base_dn, &["lockoutDuration"])).await?.entries.pop();
        return Ok(Rules::of_domain(domain.and_then(|domain| domain.number("lockoutDuration"))));
    }
    if !has("pwdChangedTime") && !has("pwdAccountLockedTime") {
        return Ok(Rules::default());
    }
    let attributes = &["pwdMaxAge", "pwdLockoutDuration"];
    let policies = match entry.text("pwdPolicySubentry") {
        Some(dn) => connection.search(base_query(dn, attributes)).await?,
        // The default policy is not named on entries; when there is only one, it is that.
        None => {
            let query = Query {
                base: &settings.base_dn,
                scope: Scope::Subtree,
                filter: "(objectClass=pwdPolicy)",
                attributes,
                limit: 2,
                paged: false,
            };
            connection.search(query).await?
        }
    };
    match policies.entries.as_slice() {
        [policy] => Ok(Rules::of_policy(policy)),
        _ => Ok(Rules::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            base_dn: "dc=example".into(),
            user_base: "ou=people,dc=example".into(),
            ..Settings::of_preset(Preset::Openldap)
        }
    }

    /// Spec: ldap-directory-lookup 4, 5
    #[test]
    fn a_search_is_for_beginnings_and_takes_no_filters() {
        let plain = search_filter(&settings(), "ad", false);
        assert_eq!(plain, "(uid=ad*)");
        assert_eq!(search_filter(&settings(), "ad", true), "(|(uid=ad*)(cn=ad*)(mail=ad*))");
        let twice = Settings { user_filter: "(|(uid={{username}})(cn={{username}}))".into(), ..settings() };
        assert_eq!(search_filter(&twice, "ad", false), "(|(uid=ad*)(cn=ad*))", "every placeholder");
        let hostile = search_filter(&settings(), "*)(uid=*", false);
        assert_eq!(hostile, r"(uid=\2a\29\28uid=\2a*)");
    }

    /// Spec: ldap-directory-lookup 6
    #[test]
    fn only_entries_below_the_base_are_opened() {
        let code = |dn: &str| check_below(dn, &settings()).err().map(|problem| problem.code());
        assert_eq!(code("uid=ada,OU=People,DC=example"), None);
        assert_eq!(code("ou=people,dc=example"), Some("dn_out_of_scope"));
        assert_eq!(code("cn=secret,dc=example"), Some("dn_out_of_scope"));
        assert_eq!((code("nonsense"), code("")), (Some("bad_dn"), Some("bad_dn")));
    }
}
