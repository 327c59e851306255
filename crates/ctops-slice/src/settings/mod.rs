//! Settings pages: a page is a type whose fields are its keys. Slices declare pages
//! ([`crate::Slice::settings_page`]) and read them ([`read`]); the slice `settings` serves and writes them.
//!
//! Reading asks the database each time, so a change acts at once on every node (settings, Purpose).

pub mod authentication;
pub mod document;
pub mod environment;
mod key;
mod organisation;
mod store;

use ctops_base::{FieldProblem, Problem, Role};
use ctops_crypto::seal::InstallKey;
use ctops_pg::Pool;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::actor::Permission;
pub use authentication::{AuthenticationSettings, RegistrationMode};
pub use document::{Document, Effective, Source, StoredFault};
pub use environment::{Override, Overrides};
pub use key::{KeyKind, KeyScope, Misfit, SettingKey};
pub use organisation::OrganisationSettings;

/// See settings.
pub static SETTINGS_READ: Permission = Permission {
    name: "settings.read",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "See the settings of the organisation.",
};

/// Change settings.
pub static SETTINGS_WRITE: Permission = Permission {
    name: "settings.write",
    roles: &[Role::OrgAdmin, Role::SuperAdmin],
    about: "Change the settings of the organisation.",
};

/// Where the UI's navigation shows a page (settings 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// Name, time zone, language.
    Organisation,
    /// Licence.
    Licence,
    /// Members.
    People,
    /// Teams.
    Teams,
    /// Roles.
    Roles,
    /// Sign-in.
    Authentication,
    /// Enrolment, defaults, updates.
    Agents,
    /// Alert defaults.
    Monitoring,
    /// Who is told.
    Notifications,
    /// Certificate warnings.
    Certificates,
    /// Tracked accounts and keys.
    AccountsAndKeys,
    /// Terminal and tasks.
    TerminalAndTasks,
    /// Mail relay and other systems.
    Integrations,
    /// Reports.
    Reports,
    /// Software inventory.
    SoftwareInventory,
    /// Looks.
    Branding,
    /// Keys, certificates, egress.
    Security,
    /// Audit.
    Audit,
    /// How long data is kept.
    DataAndRetention,
    /// Switches of the program.
    FeatureFlags,
    /// Health.
    System,
}

/// One page of settings. Fields of the type are keys of the page; secrets are keys without a field.
pub trait SettingsPage: Serialize + DeserializeOwned + Default + Clone + Send + Sync + 'static {
    /// Name in the API, `[a-z][a-z0-9-]*`.
    const NAME: &'static str;
    /// Title for people.
    const TITLE: &'static str;
    /// Where the navigation shows it.
    const SECTION: Section = Section::Organisation;

    /// Every key, in the order of the form.
    fn keys() -> &'static [SettingKey];

    /// Checks what the keys' types cannot say: keys that depend on each other, formats.
    ///
    /// # Errors
    /// One problem per key that is wrong; `path` is the key.
    fn validate(&self) -> Result<(), Vec<FieldProblem>>;

    /// Who may see the page.
    fn read_permission() -> &'static Permission {
        &SETTINGS_READ
    }

    /// Who may change it.
    fn write_permission() -> &'static Permission {
        &SETTINGS_WRITE
    }
}

/// A page without its type, as the slice that serves pages needs it.
#[derive(Clone, Copy, Debug)]
pub struct PageInfo {
    /// [`SettingsPage::NAME`].
    pub name: &'static str,
    /// [`SettingsPage::TITLE`].
    pub title: &'static str,
    /// [`SettingsPage::SECTION`].
    pub section: Section,
    /// [`SettingsPage::keys`].
    pub keys: &'static [SettingKey],
    /// [`SettingsPage::read_permission`].
    pub read: &'static Permission,
    /// [`SettingsPage::write_permission`].
    pub write: &'static Permission,
    /// The document of an organisation that chose nothing.
    pub defaults: fn() -> Document,
    /// Whether a complete document is acceptable as a whole.
    pub check: fn(&Document) -> Result<(), Vec<FieldProblem>>,
}

impl PageInfo {
    /// Forgets the type.
    pub fn of<P: SettingsPage>() -> Self {
        Self {
            name: P::NAME,
            title: P::TITLE,
            section: P::SECTION,
            keys: P::keys(),
            read: P::read_permission(),
            write: P::write_permission(),
            defaults: defaults::<P>,
            check: check::<P>,
        }
    }

    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static SettingKey> {
        self.keys.iter().find(|key| key.name == name)
    }
}

fn defaults<P: SettingsPage>() -> Document {
    match serde_json::to_value(P::default()) {
        Ok(Value::Object(document)) => document,
        _ => Document::new(),
    }
}

fn check<P: SettingsPage>(document: &Document) -> Result<(), Vec<FieldProblem>> {
    let page: P = serde_json::from_value(Value::Object(document.clone())).map_err(|_| {
        let message = "the values do not fit the page".to_owned();
        vec![FieldProblem { path: "body".to_owned(), code: "invalid", message }]
    })?;
    page.validate()
}

/// What counts on page `P` for an organisation.
///
/// # Errors
/// `internal` when the database cannot be asked.
pub async fn read<P: SettingsPage>(pool: &Pool, org_id: Uuid) -> Result<P, Problem> {
    let stored = store::document(pool, org_id, P::NAME).await.map_err(Problem::internal)?;
    let stored = match stored {
        Some(Value::Object(document)) => document,
        _ => Document::new(),
    };
    let found = document::effective(&PageInfo::of::<P>(), &stored, environment::in_force());
    Ok(serde_json::from_value(Value::Object(found.values)).unwrap_or_default())
}

/// The name a secret of a page is sealed under.
pub fn seal_name(org_id: Uuid, page: &str, key: &str) -> String {
    format!("setting:{org_id}:{page}:{key}")
}

/// A secret of page `P`; none when it was never set.
///
/// # Errors
/// `internal` when the database cannot be asked, or the value was sealed with another install key.
pub async fn read_secret<P: SettingsPage>(
    pool: &Pool,
    seal: &InstallKey,
    org_id: Uuid,
    key: &str,
) -> Result<Option<Zeroizing<Vec<u8>>>, Problem> {
    let sealed = store::secret(pool, org_id, P::NAME, key).await.map_err(Problem::internal)?;
    let open = |sealed: Vec<u8>| seal.open(&seal_name(org_id, P::NAME, key), &sealed);
    sealed.map(open).transpose().map_err(Problem::internal)
}

#[cfg(test)]
mod tests;
