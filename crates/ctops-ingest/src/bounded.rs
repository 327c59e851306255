//! Protobuf that is counted before it is decoded. A repeated message costs two bytes on the wire and hundreds in memory,
//! so a limit on the size of a message alone would let a small one take a hundred times its size.

use std::marker::PhantomData;

use bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

const BUFFER_BYTES: usize = 512;
const YIELD_BYTES: usize = 8 * 1024;

/// Says why an encoded message is not acceptable.
pub(crate) type Check = fn(&[u8]) -> Result<(), Refusal>;

/// Why an encoded message is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It has more of something than is accepted.
    TooMany(&'static str),
    /// It is not protobuf.
    Malformed,
}

impl From<DecodeError> for Refusal {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

/// Encodes `T`; decodes `U` after a check.
pub(crate) struct Bounded<T, U> {
    check: Check,
    messages: PhantomData<(T, U)>,
}

impl<T, U> Bounded<T, U> {
    pub(crate) fn new(check: Check) -> Self {
        Self { check, messages: PhantomData }
    }
}

impl<T, U> Codec for Bounded<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = CheckingDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }

    fn decoder(&mut self) -> Self::Decoder {
        CheckingDecoder { check: self.check, message: PhantomData }
    }
}

/// Decodes what passes the check.
pub(crate) struct CheckingDecoder<U> {
    check: Check,
    message: PhantomData<U>,
}

impl<U: Message + Default> Decoder for CheckingDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let encoded: Bytes = source.copy_to_bytes(source.remaining());
        let malformed = || Status::internal("message is not the protobuf of this method");
        match (self.check)(&encoded) {
            Ok(()) => U::decode(encoded).map(Some).map_err(|_| malformed()),
            Err(Refusal::TooMany(what)) => Err(Status::invalid_argument(what)),
            Err(Refusal::Malformed) => Err(malformed()),
        }
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
    }
}

/// Visits the length-delimited fields of an encoded message with their numbers.
pub(crate) fn visit(
    mut encoded: &[u8],
    mut field: impl FnMut(u32, &[u8]) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    while encoded.has_remaining() {
        let (number, kind) = decode_key(&mut encoded)?;
        if kind == WireType::LengthDelimited {
            let length = usize::try_from(decode_varint(&mut encoded)?).map_err(|_| Refusal::Malformed)?;
            let (value, rest) = encoded.split_at_checked(length).ok_or(Refusal::Malformed)?;
            field(number, value)?;
            encoded = rest;
        } else {
            skip_field(kind, number, &mut encoded, DecodeContext::default())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctops_proto::agent::{DockerContainerMetricSample, DockerTelemetryBatch};

    fn count(encoded: &[u8], wanted: u32) -> Result<usize, Refusal> {
        let mut found = 0;
        visit(encoded, |number, _| {
            found += usize::from(number == wanted);
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn visit_finds_every_repeated_message_among_other_fields() {
        let batch = DockerTelemetryBatch {
            batch_id: "b".into(),
            flushed_at_unix: -1,
            samples: vec![DockerContainerMetricSample { cpu_percent: 1.0, ..Default::default() }; 7],
            ..DockerTelemetryBatch::default()
        };
        assert!(matches!(count(&batch.encode_to_vec(), 5), Ok(7)));
        assert!(matches!(count(&[0x2a, 0, 0x2a, 0, 0x2a, 0], 5), Ok(3)), "two bytes each");
    }

    #[test]
    fn visit_of_what_is_cut_short_is_malformed() {
        for broken in [
            &[0x2a][..],
            &[0x2a, 5, 1],
            &[0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            &[0x07],
        ] {
            assert!(matches!(count(broken, 5), Err(Refusal::Malformed)), "{broken:?}");
        }
    }
}
