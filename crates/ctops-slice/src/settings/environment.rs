//! What the environment of the process fixes (settings 3).

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

/// A key that a variable fixes.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// The variable.
    pub env: String,
    /// Its value, in the form of the page's document.
    pub value: Value,
}

/// Every key that a variable fixes, by page and key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides(BTreeMap<(String, String), Override>);

/// The environment belongs to the process, and so does what it fixes.
static IN_FORCE: OnceLock<Overrides> = OnceLock::new();

impl Overrides {
    /// The same with one key more.
    #[must_use]
    pub fn with(mut self, page: &str, key: &str, env: &str, value: impl Into<Value>) -> Self {
        let fixed = Override { env: env.to_owned(), value: value.into() };
        self.0.insert((page.to_owned(), key.to_owned()), fixed);
        self
    }

    /// What fixes this key, if anything does.
    pub fn of(&self, page: &str, key: &str) -> Option<&Override> {
        self.0.get(&(page.to_owned(), key.to_owned()))
    }

    /// Lets [`super::read`] obey. Called once, when the process starts; later calls change nothing.
    pub fn put_in_force(self) {
        let _ = IN_FORCE.set(self);
    }
}

/// What is fixed in this process.
pub fn in_force() -> &'static Overrides {
    static NONE: Overrides = Overrides(BTreeMap::new());
    IN_FORCE.get().unwrap_or(&NONE)
}
