//! Protobuf with small buffers. The library's default reserves 8 KiB for each direction of each stream, which is a third
//! of the memory of an idle agent; heartbeats have one to two KiB and answers a few bytes.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

const BUFFER_BYTES: usize = 512;
/// Answers are gathered up to this size before they are handed to HTTP/2.
const YIELD_BYTES: usize = 8 * 1024;

/// Encodes `T`, decodes `U`.
pub(crate) struct SmallBuffers<T, U>(PhantomData<(T, U)>);

impl<T, U> SmallBuffers<T, U> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for SmallBuffers<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }
}
