//! What of the parameters nobody may read: keystore passwords and secret header values.

use std::collections::BTreeMap;
use std::fmt;

use ctops_base::Problem;
use ctops_crypto::seal::InstallKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// Secrets of one check. Debug does not show them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::checks) struct Secrets {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// Values of secret headers by name in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("is_empty", &self.is_empty()).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Takes the secrets out of `config` and leaves notes that they are there (`has_password`, `has_value`).
    pub(in crate::checks) fn take_from(config: &mut Value) -> Self {
        let mut secrets = Self::default();
        let Some(map) = config.as_object_mut() else { return secrets };
        if let Some(Value::String(password)) = map.remove("password") {
            map.insert("has_password".to_owned(), json!(!password.is_empty()));
            secrets.password = Some(password).filter(|password| !password.is_empty());
        }
        for header in secret_headers(map.get_mut("headers")) {
            if let (Some(name), Some(Value::String(value))) = (name_of(header), header.remove("value")) {
                header.insert("has_value".to_owned(), json!(!value.is_empty()));
                secrets.headers.insert(name, value);
            }
        }
        secrets
    }

    /// Puts the secrets back into `config` and removes the notes.
    pub(in crate::checks) fn put_into(&self, config: &mut Value) {
        let Some(map) = config.as_object_mut() else { return };
        map.remove("has_password");
        if let Some(password) = &self.password {
            map.insert("password".to_owned(), json!(password));
        }
        for header in secret_headers(map.get_mut("headers")) {
            header.remove("has_value");
            self.fill(header);
        }
    }

    /// Gives secret headers without a value the one they had: whoever changes other parameters cannot know it.
    pub(in crate::checks) fn keep_values(&self, config: &mut Value) {
        for header in secret_headers(config.get_mut("headers")) {
            header.remove("has_value");
            self.fill(header);
        }
    }

    fn fill(&self, header: &mut serde_json::Map<String, Value>) {
        if !header.contains_key("value")
            && let Some(value) = name_of(header).and_then(|name| self.headers.get(&name))
        {
            header.insert("value".to_owned(), json!(value));
        }
    }

    /// Whether there are none.
    pub(in crate::checks) fn is_empty(&self) -> bool {
        self.password.is_none() && self.headers.is_empty()
    }

    /// Sealed for the database; none when there are no secrets.
    pub(in crate::checks) fn seal(
        &self,
        key: &InstallKey,
        check_id: Uuid,
    ) -> Result<Option<Vec<u8>>, Problem> {
        if self.is_empty() {
            return Ok(None);
        }
        let plain = serde_json::to_vec(self).map_err(Problem::internal)?;
        Ok(Some(key.seal(&name(check_id), &plain)))
    }

    /// Opens what [`Self::seal`] made.
    pub(in crate::checks) fn open(
        key: &InstallKey,
        check_id: Uuid,
        sealed: Option<&[u8]>,
    ) -> Result<Self, Problem> {
        let Some(sealed) = sealed else { return Ok(Self::default()) };
        let plain = key.open(&name(check_id), sealed).map_err(Problem::internal)?;
        serde_json::from_slice(&plain).map_err(Problem::internal)
    }
}

/// The name that binds a sealed value to its check.
fn name(check_id: Uuid) -> String {
    format!("check {check_id}")
}

fn secret_headers(headers: Option<&mut Value>) -> impl Iterator<Item = &mut serde_json::Map<String, Value>> {
    let list = headers.and_then(Value::as_array_mut).map(|list| list.iter_mut());
    list.into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
        .filter(|header| header.get("secret") == Some(&Value::Bool(true)))
}

fn name_of(header: &serde_json::Map<String, Value>) -> Option<String> {
    header.get("name").and_then(Value::as_str).map(str::to_ascii_lowercase)
}
