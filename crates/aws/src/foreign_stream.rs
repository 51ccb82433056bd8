//! Long bodies to and from a server that is not AWS: they are sent and read in parts, and a transfer has no
//! limit of time as a whole, but each part has one.
//!
//! It retries nothing, follows no redirect, and knows nobody's login.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::http::ResponseReadError;

/// A body that is sent in parts, whose length is known before.
pub struct StreamedBody {
    parts: mpsc::Receiver<std::io::Result<Bytes>>,
    left: u64,
    moved: Arc<Notify>,
}

/// An answer whose body is read in parts.
pub struct StreamedAnswer {
    /// The HTTP status.
    pub status: u16,
    headers: Vec<(String, String)>,
    body: ByteStream,
    stall: Duration,
    who: String,
}

impl fmt::Debug for StreamedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamedAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl StreamedBody {
    /// A body of `length` bytes, which come through `parts`.
    #[must_use]
    pub fn new(parts: mpsc::Receiver<std::io::Result<Bytes>>, length: u64) -> Self {
        Self { parts, left: length, moved: Arc::default() }
    }
}

impl Body for StreamedBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let part = std::task::ready!(self.parts.poll_recv(context));
        self.moved.notify_one();
        Poll::Ready(part.map(|part| {
            let part = part?;
            self.left = self.left.saturating_sub(part.len() as u64);
            Ok(Frame::data(part))
        }))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl AwsAccount {
    /// Sends a request whose body may be long. If for `stall` no part of the body is taken and no answer
    /// begins, the request has failed. `who` names the server in errors.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if no answer began.
    pub async fn stream(
        &self,
        who: &str,
        mut request: HttpRequest,
        body: Option<StreamedBody>,
        stall: Duration,
    ) -> Result<StreamedAnswer, CallError> {
        let moved = body.as_ref().map(|body| Arc::clone(&body.moved)).unwrap_or_default();
        if let Some(body) = body {
            *request.body_mut() = SdkBody::from_body_1_x(body);
        }
        let settings = HttpConnectorSettings::builder().connect_timeout(self.connect).build();
        let mut sent = std::pin::pin!(self.http.send_unread(request, &settings));
        let answer = loop {
            tokio::select! {
                answer = &mut sent => break answer,
                () = moved.notified() => {}
                () = sleep(stall) => return Err(stalled(who, stall)),
            }
        };
        let mut answer = answer.map_err(|error| CallError::of_connector(&error, &self.masker))?;
        let headers = answer.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Ok(StreamedAnswer {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            body: ByteStream::new(answer.take_body()),
            stall,
            who: who.to_owned(),
        })
    }
}

impl StreamedAnswer {
    /// The first value of a header. `name` is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a header. `name` is in lower case.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The next part of the body; `None` at its end.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the connection ended early, or no part came in time.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        let part = timeout(self.stall, self.body.next()).await;
        let part = part.map_err(|_| stalled(&self.who, self.stall))?;
        part.transpose().map_err(|error| CallError::Unreadable {
            text: fargate_model::text::error_chain(&ResponseReadError::Cut(error)),
        })
    }

    /// The whole body, which has at most `longest` bytes.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] as [`Self::next`] does, or if the body is longer.
    pub async fn whole(&mut self, longest: usize) -> Result<Vec<u8>, CallError> {
        let mut whole = Vec::new();
        while let Some(part) = self.next().await? {
            if whole.len() + part.len() > longest {
                let text = format!("the answer of {} is longer than {longest} bytes", self.who);
                return Err(CallError::Unreadable { text });
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole)
    }
}

fn stalled(who: &str, stall: Duration) -> CallError {
    let seconds = stall.as_secs();
    CallError::NoAnswer { text: format!("{who} took and sent nothing for {seconds} s") }
}
