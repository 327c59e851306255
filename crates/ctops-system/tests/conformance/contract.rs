//! The messages of the original contract as a table, and their bytes made and read from that table alone.
//!
//! What the product generates from `proto/` has no part in it, so a number or type that differs shows.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// First number of fields that the original does not know.
const EXTENSIONS: u64 = 1000;

/// Places such as `disks.0.mount_point`, and values as text; bytes in hex.
pub(crate) type Fields = Vec<(String, String)>;

struct Field {
    number: u64,
    name: String,
    kind: String,
    repeated: bool,
}

/// The table `conformance/contract.txt`.
pub(crate) struct Contract(HashMap<String, Vec<Field>>);

/// The directory with the recorded values.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

impl Contract {
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(directory().join("contract.txt")).unwrap();
        let mut messages: HashMap<String, Vec<Field>> = HashMap::new();
        let mut current = String::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.split(' ').collect::<Vec<_>>()[..] {
                [message] => message.clone_into(&mut current),
                [number, name, kind, ref rest @ ..] => {
                    messages.entry(current.clone()).or_default().push(Field {
                        number: number.parse().unwrap(),
                        name: name.to_owned(),
                        kind: kind.to_owned(),
                        repeated: rest == ["repeated"],
                    });
                }
                _ => panic!("no line of the contract: {line}"),
            }
        }
        Self(messages)
    }

    /// The bytes of a message with these fields.
    pub(crate) fn encode(&self, message: &str, fields: &[(String, String)]) -> Vec<u8> {
        let known = &self.0[message];
        for (place, _) in fields {
            let name = place.split('.').next().unwrap();
            assert!(known.iter().any(|field| field.name == name), "{message} has no field {name}");
        }
        let mut bytes = Vec::new();
        for field in known {
            for part in parts(field, fields) {
                self.encode_field(field, &part, &mut bytes);
            }
        }
        bytes
    }

    fn encode_field(&self, field: &Field, part: &[(String, String)], bytes: &mut Vec<u8>) {
        let text = part[0].1.as_str();
        let mut put = |wire: u64, payload: &[u8]| {
            varint(field.number << 3 | wire, bytes);
            if wire == 2 {
                varint(payload.len() as u64, bytes);
            }
            bytes.extend_from_slice(payload);
        };
        match field.kind.as_str() {
            "string" => put(2, text.as_bytes()),
            "bytes" => put(2, &from_hex(text)),
            "float" => put(5, &parsed::<f32>(field, text).to_le_bytes()),
            "double" => put(1, &parsed::<f64>(field, text).to_le_bytes()),
            "bool" | "enum" | "int32" | "int64" | "uint32" | "uint64" => {
                let number = match text {
                    "true" => 1,
                    "false" => 0,
                    _ => parsed::<i128>(field, text) as u64,
                };
                let mut payload = Vec::new();
                varint(number, &mut payload);
                put(0, &payload);
            }
            message => put(2, &self.encode(message, part)),
        }
    }

    /// The fields of a message. Defaults on the wire are left out; extensions are skipped, as the original does.
    pub(crate) fn decode(&self, message: &str, mut bytes: &[u8]) -> BTreeMap<String, String> {
        let mut counts: HashMap<u64, usize> = HashMap::new();
        let mut fields = BTreeMap::new();
        while !bytes.is_empty() {
            let key = take_varint(&mut bytes);
            let payload = match key & 7 {
                0 => Payload::Number(take_varint(&mut bytes)),
                1 => Payload::Bytes(take(&mut bytes, 8)),
                2 => {
                    let length = take_varint(&mut bytes) as usize;
                    Payload::Bytes(take(&mut bytes, length))
                }
                5 => Payload::Bytes(take(&mut bytes, 4)),
                wire => panic!("{message} has wire type {wire}"),
            };
            let number = key >> 3;
            if number >= EXTENSIONS {
                continue;
            }
            let field = self.0[message]
                .iter()
                .find(|field| field.number == number)
                .unwrap_or_else(|| panic!("{message} has no field {number} in the contract"));
            let count = counts.entry(number).or_default();
            let place = if field.repeated { format!("{}.{count}", field.name) } else { field.name.clone() };
            *count += 1;
            self.decode_field(&field.kind, &place, &payload, &mut fields);
        }
        fields
    }

    fn decode_field(
        &self,
        kind: &str,
        place: &str,
        payload: &Payload<'_>,
        into: &mut BTreeMap<String, String>,
    ) {
        let text = match (kind, payload) {
            ("string", Payload::Bytes(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
            ("bytes", Payload::Bytes(bytes)) => to_hex(bytes),
            ("float", Payload::Bytes(bytes)) => f32::from_le_bytes((*bytes).try_into().unwrap()).to_string(),
            ("double", Payload::Bytes(bytes)) => f64::from_le_bytes((*bytes).try_into().unwrap()).to_string(),
            ("bool", Payload::Number(number)) => (*number != 0).to_string(),
            ("int32" | "int64", Payload::Number(number)) => (*number as i64).to_string(),
            ("enum" | "uint32" | "uint64", Payload::Number(number)) => number.to_string(),
            (message, Payload::Bytes(bytes)) if self.0.contains_key(message) => {
                for (inner, value) in self.decode(message, bytes) {
                    into.insert(format!("{place}.{inner}"), value);
                }
                return;
            }
            _ => panic!("{place} is not encoded as {kind}"),
        };
        into.insert(place.to_owned(), text);
    }
}

enum Payload<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// What `fields` say about one field: one part for each of its values, with the places inside it.
fn parts(field: &Field, fields: &[(String, String)]) -> Vec<Fields> {
    let mut parts: BTreeMap<usize, Fields> = BTreeMap::new();
    for (place, value) in fields {
        let mut words = place.splitn(if field.repeated { 3 } else { 2 }, '.');
        if words.next() != Some(field.name.as_str()) {
            continue;
        }
        let index = if field.repeated { words.next().unwrap().parse().unwrap() } else { 0 };
        parts.entry(index).or_default().push((words.next().unwrap_or_default().to_owned(), value.clone()));
    }
    parts.into_values().collect()
}

fn parsed<T: FromStr>(field: &Field, text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{} = {text} is no {}", field.name, field.kind))
}

fn varint(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

fn take_varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let byte = take(bytes, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The generated messages and the contract's table agree about every field, in both directions.
#[test]
fn message_when_made_from_the_table_then_is_the_same_for_the_generated_code() {
    use ctops_proto::agent as own;
    use prost::Message;
    fn same<M: Message + Default>(contract: &Contract, name: &str) -> usize {
        let mut fields = Fields::new();
        fill(contract, name, "", &mut fields);
        let bytes = contract.encode(name, &fields);
        let read = M::decode(&bytes[..]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let back = contract.decode(name, &read.encode_to_vec());
        assert_eq!(back, fields.into_iter().collect(), "{name}");
        back.len()
    }
    let contract = Contract::read();
    let count: usize = [
        same::<own::RegisterRequest>(&contract, "RegisterRequest"),
        same::<own::RegisterResponse>(&contract, "RegisterResponse"),
        same::<own::RenewCertificateRequest>(&contract, "RenewCertificateRequest"),
        same::<own::RenewCertificateResponse>(&contract, "RenewCertificateResponse"),
        same::<own::HeartbeatRequest>(&contract, "HeartbeatRequest"),
        same::<own::HeartbeatResponse>(&contract, "HeartbeatResponse"),
        same::<own::SoftwareInventoryChunk>(&contract, "SoftwareInventoryChunk"),
        same::<own::SoftwareInventoryAck>(&contract, "SoftwareInventoryAck"),
        same::<own::DockerTelemetryBatch>(&contract, "DockerTelemetryBatch"),
        same::<own::DockerTelemetryAck>(&contract, "DockerTelemetryAck"),
    ]
    .iter()
    .sum();
    assert!(count > 150, "{count} fields were compared");
}

/// A value other than the default for every field, at any depth.
fn fill(contract: &Contract, message: &str, before: &str, fields: &mut Fields) {
    for field in &contract.0[message] {
        let index = if field.repeated { ".0" } else { "" };
        let place = format!("{before}{}{index}", field.name);
        let value = match field.kind.as_str() {
            "string" => field.name.clone(),
            "bytes" => "00ff".to_owned(),
            "float" | "double" => "12.5".to_owned(),
            "bool" => "true".to_owned(),
            "enum" => "3".to_owned(),
            "int32" | "int64" => "-1".to_owned(),
            "uint32" | "uint64" => "300".to_owned(),
            inner => {
                fill(contract, inner, &format!("{place}."), fields);
                continue;
            }
        };
        fields.push((place, value));
    }
}
