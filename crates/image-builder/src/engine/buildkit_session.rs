//! The session of a build by BuildKit: the engine opens HTTP/2 on a connection that we made, and asks us
//! for secrets while steps run.
//!
//! It answers two methods of gRPC, whether we live and a secret; every other one is unknown. It gives no
//! files and no logins.
//!
//! Source: moby/buildkit, session/grpc.go and session/secrets/secrets.proto.

use std::io;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};

use tokio::task::JoinSet;

use super::build_secrets::BuildSecrets;
use super::protobuf::{MessageFields, put_bytes};
use super::raw_connection::upgrade;

const GET_SECRET: &str = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
const CHECK: &str = "/grpc.health.v1.Health/Check";
/// Largest question, in bytes.
const MAX_QUESTION: usize = 64 * 1024;
/// Status codes of gRPC.
const OK: u8 = 0;
const NOT_FOUND: u8 = 5;
const UNIMPLEMENTED: u8 = 12;

/// Opens the session, and serves it until the engine ends it.
///
/// # Errors
///
/// If the engine opens none, or breaks the protocol.
pub(super) async fn serve(address: &str, id: &str, secrets: Arc<BuildSecrets>) -> io::Result<()> {
    let request = format!(
        "POST /session HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\
         X-Docker-Expose-Session-Uuid: {id}\r\nX-Docker-Expose-Session-Name: fargate-runner\r\n\
         X-Docker-Expose-Session-Grpc-Method: {GET_SECRET}\r\nContent-Length: 0\r\n\r\n"
    );
    let stream = upgrade(address, &request).await?;
    let mut connection = h2::server::handshake(stream).await.map_err(io::Error::other)?;
    let mut answers = JoinSet::new();
    while let Some(asked) = connection.accept().await {
        let (request, respond) = asked.map_err(io::Error::other)?;
        let secrets = Arc::clone(&secrets);
        // An answer must not stand in the way of the connection, which brings the question's body.
        answers.spawn(async move {
            // Who asked may be gone; then nobody needs the answer.
            let _ = answer(request, respond, &secrets).await;
        });
    }
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    secrets: &BuildSecrets,
) -> Result<(), h2::Error> {
    let path = request.uri().path().to_owned();
    let question = question(request.into_body()).await?;
    let (message, status) = match path.as_str() {
        // `status: SERVING`.
        CHECK => (Some(vec![8, 1]), OK),
        GET_SECRET => {
            let id = MessageFields(&question).find(|(field, _)| *field == 1);
            let id = id.map(|(_, value)| value.text()).unwrap_or_default();
            match secrets.get(&id) {
                Some(content) => {
                    let mut message = Vec::new();
                    put_bytes(&mut message, 1, content);
                    (Some(message), OK)
                }
                None => (None, NOT_FOUND),
            }
        }
        _ => (None, UNIMPLEMENTED),
    };
    let mut head = Response::new(());
    head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut body = respond.send_response(head, false)?;
    if let Some(message) = message {
        body.send_data(framed(&message), false)?;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(u16::from(status)));
    body.send_trailers(trailers)
}

/// The message of a question, without the five bytes before it.
async fn question(mut body: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut question = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        if question.len() + piece.len() <= MAX_QUESTION {
            question.extend_from_slice(&piece);
        }
    }
    Ok(question.split_off(question.len().min(5)))
}

/// A message as gRPC sends it: not compressed, its length, itself.
fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("secrets are short"));
    framed.extend_from_slice(message);
    framed.freeze()
}
