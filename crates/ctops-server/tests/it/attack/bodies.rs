//! Bodies made from the API document.

use ctops_slice::slice::OperationInfo;
use serde_json::{Map, Value, json};

/// The API document, as a source of bodies.
pub(super) struct Bodies(Value);

/// An object in a body that names its fields.
pub(super) struct Place {
    /// Names of the fields from the outside to the object; empty for the body itself. `[]` is the first of a list.
    pub(super) way: Vec<String>,
    /// Fields it knows.
    pub(super) known: Vec<String>,
    /// Whether it says that there are no others.
    pub(super) closed: bool,
}

impl Bodies {
    pub(super) fn new(document: &str) -> Self {
        Self(serde_json::from_str(document).unwrap())
    }

    /// The schema of the JSON body an operation takes.
    pub(super) fn schema(&self, operation: &OperationInfo) -> Option<&Value> {
        let method = operation.method.to_lowercase();
        let content = &self.0["paths"][&operation.path][method]["requestBody"]["content"];
        content.get("application/json").map(|json| self.resolved(&json["schema"]))
    }

    /// Follows references, and takes what is not null where there is a choice.
    fn resolved<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        loop {
            if let Some(name) = schema["$ref"].as_str() {
                schema = &self.0["components"]["schemas"][name.rsplit('/').next().unwrap()];
            } else if let Some(choices) = schema["oneOf"].as_array() {
                schema = choices.iter().find(|choice| choice["type"] != "null").unwrap();
            } else {
                return schema;
            }
        }
    }

    /// A body with every required field, and with every field when `full`; `given` decides about fields it knows.
    pub(super) fn body(&self, schema: &Value, full: bool, given: &dyn Fn(&str) -> Option<Value>) -> Value {
        self.value("", schema, full, given, 0)
    }

    fn value(
        &self,
        name: &str,
        schema: &Value,
        full: bool,
        given: &dyn Fn(&str) -> Option<Value>,
        depth: usize,
    ) -> Value {
        if let Some(value) = given(name) {
            return value;
        }
        let schema = self.resolved(schema);
        if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
            return first.clone();
        }
        match kind_of(schema) {
            "object" => {
                let required: Vec<&str> =
                    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let properties = schema["properties"].as_object().cloned().unwrap_or_default();
                let wanted = |name: &str| required.contains(&name) || (full && depth < 4);
                properties
                    .iter()
                    .filter(|(name, _)| wanted(name))
                    .map(|(name, part)| (name.clone(), self.value(name, part, full, given, depth + 1)))
                    .collect::<Map<_, _>>()
                    .into()
            }
            "array" => json!([self.value(name, &schema["items"], full, given, depth + 1)]),
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(30)),
            "boolean" => json!(true),
            _ => text(name, schema),
        }
    }

    /// Every object of a body that names its fields, from the outside in.
    pub(super) fn places(&self, schema: &Value) -> Vec<Place> {
        let mut places = Vec::new();
        self.walk(schema, &[], &mut places);
        places
    }

    fn walk(&self, schema: &Value, way: &[String], places: &mut Vec<Place>) {
        let schema = self.resolved(schema);
        let deeper = |name: &str| way.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
        if way.len() > 6 {
            return;
        }
        match kind_of(schema) {
            "array" => self.walk(&schema["items"], &deeper("[]"), places),
            "object" => {
                let properties = schema["properties"].as_object().cloned().unwrap_or_default();
                places.push(Place {
                    way: way.to_vec(),
                    known: properties.keys().cloned().collect(),
                    closed: schema["additionalProperties"] == json!(false),
                });
                for (name, part) in &properties {
                    self.walk(part, &deeper(name), places);
                }
            }
            _ => {}
        }
    }
}

/// The type of a schema: the one that is not null.
fn kind_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|k| *k != "null").unwrap_or(""),
        kind => kind.as_str().unwrap_or(""),
    }
}

/// A text that the field of this name and format takes, or nearly so.
fn text(name: &str, schema: &Value) -> Value {
    let text = match (schema["format"].as_str(), name) {
        (Some("uuid"), _) => "019a0000-0000-7000-8000-000000000000",
        (Some("date-time"), _) => "2026-01-01T00:00:00.000Z",
        (_, "email" | "recipient") => "somebody@example.test",
        (_, "roles" | "role") => "engineer",
        (_, "permissions" | "scopes") => "hosts.read",
        (_, "format") => "csv",
        (_, "reenrolment_policy") => "refuse",
        (_, "mode") => "closed",
        (_, "channel") => "stable",
        (_, "time_zone") => "Europe/Oslo",
        (_, "slug") => "somewhere-else",
        (_, "version" | "pinned_version") => "9.9.9",
        (_, "type") => "process",
        (_, "state") => "deactivated",
        (_, "allowed_networks") => "192.0.2.0/24",
        _ => "plausible text of some length",
    };
    json!(text)
}

/// `inner` wrapped so that it stands at `way`.
pub(super) fn at(way: &[String], inner: Value) -> Value {
    way.iter().rev().fold(inner, |inner, step| match step.as_str() {
        "[]" => json!([inner]),
        name => json!({ name: inner }),
    })
}
