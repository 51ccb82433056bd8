//! Bytes that our own programs never send. The decoder must not panic, must not accept them as
//! messages, and must keep its memory small.

use fargate_protocol::{AgentMessage, ClientMessage, FrameDecoder, MAX_FRAME, encode};
use proptest::collection::vec;
use proptest::prelude::*;

/// Reads as a session does until an error, and returns the number of messages.
fn read<T: serde::de::DeserializeOwned>(bytes: &[u8], piece: usize) -> usize {
    let mut decoder = FrameDecoder::default();
    let mut messages = 0;
    for bytes in bytes.chunks(piece) {
        decoder.push(bytes);
        loop {
            match decoder.take::<T>() {
                Ok(Some(_)) => messages += 1,
                Ok(None) => break,
                Err(error) => {
                    let said = error.to_string();
                    assert!(said.len() < 300 && !said.contains('\n'), "{said}");
                    return messages;
                }
            }
        }
    }
    messages
}

/// Makes a frame of any payload.
fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    [&length.to_be_bytes()[..], payload].concat()
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_read_or_refused(
        bytes in vec(any::<u8>(), 0..2000),
        piece in 1..300_usize,
    ) {
        read::<AgentMessage>(&bytes, piece);
        read::<ClientMessage>(&bytes, piece);
    }

    #[test]
    fn any_payload_in_a_good_frame_is_read_or_refused(
        payloads in vec(vec(any::<u8>(), 0..200), 1..10),
        piece in 1..300_usize,
    ) {
        let bytes: Vec<u8> = payloads.iter().flat_map(|payload| framed(payload)).collect();
        read::<AgentMessage>(&bytes, piece);
        read::<ClientMessage>(&bytes, piece);
    }

    #[test]
    fn a_good_message_with_one_byte_changed_is_read_or_refused(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        words in vec(any::<u8>(), 0..500),
    ) {
        let message = ClientMessage::Script { bytes: words };
        let mut bytes = encode(&message).expect("it fits");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        prop_assert!(read::<ClientMessage>(&bytes, 64) <= 1);
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_bytes_come(length in MAX_FRAME + 1..=u32::MAX as usize) {
        let mut decoder = FrameDecoder::default();
        decoder.push(&u32::try_from(length).expect("within its range").to_be_bytes());
        prop_assert!(decoder.take::<AgentMessage>().is_err());
    }
}
