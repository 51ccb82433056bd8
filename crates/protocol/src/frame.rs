//! Messages as bytes, and bytes as messages.
//!
//! It does not read or write a connection. It allocates nothing for a length that a peer announces:
//! a length above the limit is refused at once.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest payload of one frame, in bytes.
pub const MAX_FRAME: usize = 64 * 1024;

const HEADER: usize = 4;

/// Why bytes are not a frame, or why a message does not fit into one.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A message, or an announced length, is longer than [`MAX_FRAME`].
    #[error("a frame has {length} bytes, but at most {MAX_FRAME} are allowed")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// The payload is not a message of this protocol.
    #[error("a frame is not a message of this protocol")]
    Payload(#[source] rmp_serde::decode::Error),
    /// The message cannot be written as MessagePack.
    #[error("a message cannot be encoded")]
    Encode(#[source] rmp_serde::encode::Error),
}

/// Writes one message as a frame.
///
/// # Errors
///
/// Returns [`FrameError::TooLong`] if the message does not fit, and [`FrameError::Encode`] if it
/// cannot be written as MessagePack.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; HEADER];
    message
        .serialize(&mut rmp_serde::Serializer::new(&mut frame).with_struct_map())
        .map_err(FrameError::Encode)?;
    let length = frame.len() - HEADER;
    match u32::try_from(length) {
        Ok(field) if length <= MAX_FRAME => frame[..HEADER].copy_from_slice(&field.to_be_bytes()),
        _ => return Err(FrameError::TooLong { length }),
    }
    Ok(frame)
}

/// Reads messages from a stream of bytes, which may arrive in pieces of any size.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    start: usize,
}

impl FrameDecoder {
    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the next complete message. Returns `None` if more bytes are needed.
    ///
    /// # Errors
    ///
    /// Returns [`FrameError`] if the bytes are not a message. Then nobody knows where the next
    /// frame begins, so do not read from this stream again.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let unread = &self.buffer[self.start..];
        let Some((header, rest)) = unread.split_first_chunk::<HEADER>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
        if length > MAX_FRAME {
            return Err(FrameError::TooLong { length });
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let message = rmp_serde::from_slice(payload).map_err(FrameError::Payload)?;
        self.start += HEADER + length;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_model::id::RandomToken;

    use crate::{AgentMessage, ClientMessage, RunCommand, ScriptExit, ScriptStream};

    fn messages() -> Vec<AgentMessage> {
        vec![
            AgentMessage::Output {
                offset: 7,
                stream: ScriptStream::Stderr,
                bytes: vec![0, 255, 10],
            },
            AgentMessage::Exit {
                ending: ScriptExit::Signal { number: 9 },
                offset: 10,
                by_itself: true,
            },
        ]
    }

    #[test]
    fn messages_survive_any_cutting_of_the_stream() {
        let stream: Vec<u8> = messages().iter().flat_map(|m| encode(m).unwrap()).collect();
        for piece in 1..stream.len() {
            let mut decoder = FrameDecoder::default();
            let mut seen = Vec::new();
            for bytes in stream.chunks(piece) {
                decoder.push(bytes);
                while let Some(message) = decoder.take::<AgentMessage>().unwrap() {
                    seen.push(message);
                }
            }
            assert_eq!(seen, messages(), "pieces of {piece}");
        }
    }

    #[test]
    fn a_length_field_of_4_gib_is_refused_before_anything_is_read() {
        let mut decoder = FrameDecoder::default();
        decoder.push(&[0xff; 4]);
        let error = decoder.take::<AgentMessage>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "a frame has 4294967295 bytes, but at most 65536 are allowed"
        );
    }

    #[test]
    fn a_message_that_does_not_fit_is_refused_where_it_is_made() {
        let bytes = vec![0; MAX_FRAME];
        let message = AgentMessage::Output { offset: 0, stream: ScriptStream::Stdout, bytes };
        assert!(matches!(encode(&message), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn a_field_of_a_newer_version_is_skipped() {
        #[derive(serde::Serialize)]
        enum NewerAgentMessage {
            Exit { ending: ScriptExit, offset: u64, cpu_ms: u64 },
        }
        let newer =
            NewerAgentMessage::Exit { ending: ScriptExit::Code { code: 3 }, offset: 1, cpu_ms: 5 };
        let mut decoder = FrameDecoder::default();
        decoder.push(&encode(&newer).unwrap());
        let seen: AgentMessage = decoder.take().unwrap().unwrap();
        let ending = ScriptExit::Code { code: 3 };
        assert_eq!(seen, AgentMessage::Exit { ending, offset: 1, by_itself: false });
    }

    #[test]
    fn the_hello_of_an_agent_from_before_features_names_none() {
        #[derive(serde::Serialize)]
        enum OlderAgentMessage {
            HelloOk { version: u16, agent: String, proof: Option<serde_bytes::ByteBuf> },
        }
        let older =
            OlderAgentMessage::HelloOk { version: 1, agent: "agent 0.1".to_owned(), proof: None };
        let mut decoder = FrameDecoder::default();
        decoder.push(&encode(&older).unwrap());
        let Some(AgentMessage::HelloOk { features, .. }) = decoder.take().unwrap() else {
            panic!("no hello");
        };
        assert!(features.is_empty());
    }

    #[test]
    fn neighbours_from_before_host_proofs_ask_for_none_and_skip_the_question() {
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        enum OlderDriverMessage {
            Hello { versions: Vec<u16>, challenge: serde_bytes::ByteBuf, client: String },
        }
        let challenge = serde_bytes::ByteBuf::from([7; 32]);
        let client = "driver 0.1".to_owned();
        let older = OlderDriverMessage::Hello { versions: vec![1], challenge, client };
        let mut decoder = FrameDecoder::default();
        decoder.push(&encode(&older).unwrap());
        let Some(ClientMessage::Hello { versions, challenge, client, prove: None }) =
            decoder.take().unwrap()
        else {
            panic!("no hello, or a question");
        };
        let (region, host) = ("eu-west-1".to_owned(), "sts.example".to_owned());
        let prove = Some(crate::HostProofRequest { region, host });
        let newer = ClientMessage::Hello { versions, challenge, client, prove };
        decoder.push(&encode(&newer).unwrap());
        assert_eq!(decoder.take::<OlderDriverMessage>().unwrap(), Some(older));
    }

    #[test]
    fn a_run_of_a_driver_from_before_joined_streams_keeps_them_apart() {
        #[derive(serde::Serialize)]
        struct OlderRun {
            run_id: RandomToken,
            target: Option<String>,
            what: RunCommand,
            env: Vec<(String, String)>,
            cwd: Option<String>,
            resume_from: Option<u64>,
        }
        #[derive(serde::Serialize)]
        enum OlderRunMessage {
            Run(OlderRun),
        }
        let (run_id, what) =
            (RandomToken::from_bits([7; 16]), RunCommand::Argv { argv: vec!["x".to_owned()] });
        let older =
            OlderRun { run_id, target: None, what, env: vec![], cwd: None, resume_from: None };
        let mut decoder = FrameDecoder::default();
        decoder.push(&encode(&OlderRunMessage::Run(older)).unwrap());
        let Some(ClientMessage::Run(run)) = decoder.take().unwrap() else { panic!("no run") };
        assert!(!run.join_streams);
    }

    #[test]
    fn bytes_that_are_no_message_are_an_error_and_not_a_panic() {
        for payload in [&b"\xc1"[..], b"\x81\xa3Foo\x80", b""] {
            let mut decoder = FrameDecoder::default();
            decoder.push(&u32::try_from(payload.len()).unwrap().to_be_bytes());
            decoder.push(payload);
            assert!(matches!(decoder.take::<AgentMessage>(), Err(FrameError::Payload(_))));
        }
    }
}
