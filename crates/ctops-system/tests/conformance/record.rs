//! Recorded conversations: files that people can read, replayed line by line.
//!
//! ```text
//! # a comment
//! > Register                     the agent says
//! enrolment_token = $token       a field of the contract; $name is a value of this replay
//! < Register                     the ingest answers; every field that is not listed is absent
//! jwt_token = $jwt               a name that has no value yet takes the one that came; * is any
//! < Heartbeat NotFound           or a status
//! > Heartbeat next               the very next report; without "next" others are passed over
//! ! approve                      something happens that is not on the wire
//! ```

use std::collections::{BTreeMap, HashMap};

use tonic::Code;

use crate::contract::{Fields, directory};

/// Who acts in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    Agent,
    Ingest,
    World,
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) actor: Actor,
    /// The method, or what happens.
    pub(crate) what: String,
    /// What follows it on the line.
    pub(crate) rest: String,
    pub(crate) fields: Fields,
    /// File and line.
    pub(crate) at: String,
}

impl Step {
    /// The status named instead of a message.
    pub(crate) fn status(&self) -> Option<Code> {
        Some(match self.rest.as_str() {
            "" => return None,
            "AlreadyExists" => Code::AlreadyExists,
            "InvalidArgument" => Code::InvalidArgument,
            "NotFound" => Code::NotFound,
            "PermissionDenied" => Code::PermissionDenied,
            "Unauthenticated" => Code::Unauthenticated,
            "Unimplemented" => Code::Unimplemented,
            other => panic!("{}: {other} is no status of these conversations", self.at),
        })
    }
}

/// The steps of `conformance/<side>/<name>.txt`.
pub(crate) fn read(side: &str, name: &str) -> Vec<Step> {
    let path = directory().join(side).join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut steps: Vec<Step> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let at = format!("{side}/{name}.txt:{}", number + 1);
        let actor = match line.chars().next() {
            None | Some('#') => continue,
            Some('>') => Actor::Agent,
            Some('<') => Actor::Ingest,
            Some('!') => Actor::World,
            Some(_) => {
                let (place, value) = line.split_once(" = ").unwrap_or_else(|| panic!("{at}: no field"));
                let step = steps.last_mut().unwrap_or_else(|| panic!("{at}: a field of nothing"));
                step.fields.push((place.to_owned(), value.to_owned()));
                continue;
            }
        };
        let mut words = line[1..].trim().splitn(2, ' ').map(str::to_owned);
        let (what, rest) = (words.next().unwrap(), words.next().unwrap_or_default());
        steps.push(Step { actor, what, rest, fields: Fields::new(), at });
    }
    assert!(!steps.is_empty(), "{side}/{name}.txt has no steps");
    steps
}

/// The conversations of a side, by name.
pub(crate) fn names(side: &str) -> Vec<String> {
    let files = std::fs::read_dir(directory().join(side)).unwrap();
    let mut names: Vec<_> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// The values of one replay.
#[derive(Default)]
pub(crate) struct Values(HashMap<String, String>);

impl Values {
    pub(crate) fn set(&mut self, name: &str, value: &impl ToString) {
        self.0.insert(name.to_owned(), value.to_string());
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("${name} has no value yet"))
    }

    /// A recorded value with its names replaced.
    pub(crate) fn fill(&self, recorded: &str) -> String {
        let mut words = recorded.split('$');
        let mut text = words.next().unwrap().to_owned();
        for word in words {
            let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len());
            text += self.get(&word[..end]);
            text += &word[end..];
        }
        text
    }

    pub(crate) fn fill_all(&self, fields: &[(String, String)]) -> Fields {
        fields.iter().map(|(place, value)| (place.clone(), self.fill(value))).collect()
    }

    /// What keeps `came` from being as recorded. With `whole`, it may have no other fields.
    pub(crate) fn compare(
        &mut self,
        recorded: &[(String, String)],
        came: &BTreeMap<String, String>,
        whole: bool,
    ) -> Result<(), String> {
        let mut new = Vec::new();
        for (place, expected) in recorded {
            let value = came.get(place).map(String::as_str);
            let name = expected.strip_prefix('$').filter(|name| !self.0.contains_key(*name));
            match (expected.as_str(), name, value) {
                ("-", _, None) => {}
                ("*", _, Some(_)) => {}
                ("-" | "*", _, _) => return Err(format!("{place} is {value:?} instead of {expected}")),
                (_, Some(name), Some(value)) => new.push((name.to_owned(), value.to_owned())),
                (_, Some(_), None) => return Err(format!("{place} is missing")),
                (_, None, _) => {
                    let expected = self.fill(expected);
                    if value != Some(&expected) {
                        return Err(format!("{place} is {value:?} instead of {expected:?}"));
                    }
                }
            }
        }
        if whole {
            let unexpected =
                came.iter().find(|(place, _)| !recorded.iter().any(|(listed, _)| listed == *place));
            if let Some((place, value)) = unexpected {
                return Err(format!("{place} = {value} was not expected"));
            }
        }
        self.0.extend(new);
        Ok(())
    }
}

/// The replay itself must be able to fail.
#[test]
fn comparison_when_a_value_differs_is_missing_or_is_too_much_then_says_so() {
    let recorded = |value: &str| vec![("a".to_owned(), value.to_owned())];
    let came = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
    let mut values = Values::default();
    assert!(values.compare(&recorded("2"), &came, true).is_err());
    assert!(values.compare(&recorded("-"), &came, true).is_err());
    assert!(values.compare(&recorded("*"), &BTreeMap::new(), true).is_err());
    assert!(values.compare(&[], &came, true).is_err());
    assert_eq!(values.compare(&[], &came, false), Ok(()));
    assert_eq!(values.compare(&recorded("$x"), &came, true), Ok(()));
    assert_eq!(values.fill("<$x>"), "<1>");
    let other = BTreeMap::from([("a".to_owned(), "3".to_owned())]);
    assert!(values.compare(&recorded("$x"), &other, true).is_err(), "a known name is compared");
}
