//! The newest events of all jobs, and streams of them for browsers and programs.
//!
//! All streams read one ring; each stream is a place in it and nothing more. So a reader that is slow, or
//! asleep, costs no memory: when the ring has moved past its place it gets one `resync` event, which
//! tells it to read the page anew. The number of streams is limited.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::ApiProblem;

/// A stream on which nothing was sent for so long says that it lives. A page that hears nothing for three times as long says so.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// Events that are kept for streams that come back.
const RING_EVENTS: usize = 4096;
/// Most bytes that a stream takes at once.
const PIECE_BYTES: usize = 8 * 1024;

/// What a stream tells of one event. Ids only: names of private projects are not in it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct JobChange {
    /// Its place in the history.
    pub sequence: u64,
    /// The job's key.
    pub key: String,
    /// The job's id: `gl-4411`.
    pub id: String,
    /// The host that runs it.
    pub host: String,
    /// When it happened, in milliseconds since 1970.
    pub at_ms: u64,
    /// The event's name: `task.accepted`.
    pub name: String,
    /// Where the job stands after it.
    pub state: String,
}

#[derive(Debug)]
struct RingEvent {
    sequence: u64,
    key: String,
    id: String,
    bytes: Bytes,
}

#[derive(Debug, Default)]
struct EventRing {
    events: VecDeque<RingEvent>,
    /// The last event that is no longer in the ring.
    gone: u64,
    /// The last event.
    last: u64,
    /// Counts how often the history was replaced by another one.
    epoch: u64,
    /// The events of all jobs after a place, as one piece: most streams stand at the same place, so the first one
    /// makes it for all.
    shared: Option<SharedPiece>,
}

#[derive(Clone, Debug)]
struct SharedPiece {
    after: u64,
    up_to: u64,
    bytes: Bytes,
}

/// The newest events.
#[derive(Debug)]
pub struct EventFeed {
    ring: Mutex<EventRing>,
    moved: watch::Sender<u64>,
    places: Arc<Semaphore>,
    most: usize,
}

/// What a stream reads next.
#[derive(Debug, PartialEq, Eq)]
enum FeedPiece {
    Nothing,
    Events { bytes: Bytes, up_to: u64 },
    Resync { up_to: u64 },
}

impl EventFeed {
    /// A feed without events, for at most `streams` streams. The history stands at `sequence`.
    #[must_use]
    pub fn new(streams: usize, sequence: u64) -> Self {
        let ring = EventRing { gone: sequence, last: sequence, ..EventRing::default() };
        Self {
            ring: Mutex::new(ring),
            moved: watch::Sender::new(sequence),
            places: Arc::new(Semaphore::new(streams)),
            most: streams,
        }
    }

    /// The last event's place in the history.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        *self.moved.borrow()
    }

    /// Open streams.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.most - self.places.available_permits()
    }

    /// Adds events in their order. Those that are known already are left out.
    pub fn push(&self, changes: &[JobChange]) {
        let mut ring = self.lock();
        for change in changes.iter().filter(|change| change.sequence > 0) {
            if change.sequence <= ring.last {
                continue;
            }
            let Ok(data) = serde_json::to_string(change) else { continue };
            let bytes =
                Bytes::from(format!("id: {}\nevent: job\ndata: {data}\n\n", change.sequence));
            ring.last = change.sequence;
            ring.shared = None;
            let (key, id) = (change.key.clone(), change.id.clone());
            ring.events.push_back(RingEvent { sequence: change.sequence, key, id, bytes });
            if ring.events.len() > RING_EVENTS
                && let Some(first) = ring.events.pop_front()
            {
                ring.gone = first.sequence;
            }
        }
        let last = ring.last;
        drop(ring);
        self.moved.send_if_modified(|moved| std::mem::replace(moved, last) != last);
    }

    /// The history is another one from here on: every stream reads its page anew.
    pub fn restart(&self, sequence: u64) {
        let mut ring = self.lock();
        let epoch = ring.epoch + 1;
        *ring = EventRing { gone: sequence, last: sequence, epoch, ..EventRing::default() };
        drop(ring);
        self.moved.send_replace(sequence);
    }

    /// A stream of the events after `after`, or of those to come; of one job, or of all.
    ///
    /// # Errors
    ///
    /// Returns [`ApiProblem::ManyStreams`] if there are too many.
    pub fn stream(
        self: &Arc<Self>,
        after: Option<u64>,
        job: Option<String>,
        until: watch::Receiver<bool>,
    ) -> Result<Response, ApiProblem> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| ApiProblem::ManyStreams(self.most))?;
        let reader = StreamReader {
            moved: self.moved.subscribe(),
            feed: Arc::clone(self),
            after: after.unwrap_or_else(|| self.sequence()),
            epoch: self.lock().epoch,
            job,
            over: Box::pin(ended(until)),
            beat: Box::pin(sleep_until(Instant::now())),
            sent: None,
            _place: place,
        };
        let pieces = futures_util::stream::unfold(reader, |mut reader| async move {
            reader.next().await.map(|bytes| (Ok::<_, std::convert::Infallible>(bytes), reader))
        });
        let mut response = Response::new(Body::from_stream(pieces));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // nginx would collect the events.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        Ok(response)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, EventRing> {
        self.ring.lock().expect("no one panics while holding the events")
    }
}

impl EventRing {
    /// What a stream of all jobs, or of one, reads next after its place.
    fn read(&mut self, after: u64, job: Option<&str>) -> FeedPiece {
        if after < self.gone && self.gone != 0 || after > self.last {
            return FeedPiece::Resync { up_to: self.last };
        }
        if after == self.last {
            return FeedPiece::Nothing;
        }
        let is_shared = |piece: &&SharedPiece| piece.after == after && job.is_none();
        if let Some(SharedPiece { up_to, bytes, .. }) = self.shared.as_ref().filter(is_shared) {
            return FeedPiece::Events { bytes: bytes.clone(), up_to: *up_to };
        }
        let (bytes, up_to) = self.piece(after, job);
        if job.is_none() {
            self.shared = Some(SharedPiece { after, up_to, bytes: bytes.clone() });
        }
        FeedPiece::Events { bytes, up_to }
    }

    /// The events after a place, as many as one piece holds, and the place of the last of them.
    fn piece(&self, after: u64, job: Option<&str>) -> (Bytes, u64) {
        let from = self.events.partition_point(|event| event.sequence <= after);
        let mut up_to = after;
        let mut pieces: Vec<&Bytes> = Vec::new();
        let mut size = 0;
        for event in self.events.range(from..) {
            let is_wanted = job.is_none_or(|job| event.key == job || event.id == job);
            if is_wanted && size + event.bytes.len() > PIECE_BYTES && !pieces.is_empty() {
                break;
            }
            up_to = event.sequence;
            if is_wanted {
                size += event.bytes.len();
                pieces.push(&event.bytes);
            }
        }
        match pieces.as_slice() {
            [one] => ((*one).clone(), up_to),
            many => {
                let mut bytes = BytesMut::with_capacity(size);
                many.iter().for_each(|piece| bytes.extend_from_slice(piece));
                (bytes.freeze(), up_to)
            }
        }
    }
}

/// One stream. What it waits for is made once: thousands of streams wake up for each event.
struct StreamReader {
    feed: Arc<EventFeed>,
    moved: watch::Receiver<u64>,
    after: u64,
    epoch: u64,
    job: Option<String>,
    /// The server ends.
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// When to see whether a heartbeat is due.
    beat: Pin<Box<Sleep>>,
    /// When something was sent last.
    sent: Option<Instant>,
    _place: OwnedSemaphorePermit,
}

/// Ends when the server does.
async fn ended(mut until: watch::Receiver<bool>) {
    // If nobody can tell any more, it has ended.
    let _ = until.wait_for(|is_over| *is_over).await;
}

impl StreamReader {
    fn next_piece(&mut self) -> FeedPiece {
        let mut ring = self.feed.lock();
        if std::mem::replace(&mut self.epoch, ring.epoch) != ring.epoch {
            return FeedPiece::Resync { up_to: ring.last };
        }
        ring.read(self.after, self.job.as_deref())
    }

    /// The next bytes; `None` when the server ends.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.moved.borrow_and_update();
            match self.next_piece() {
                FeedPiece::Events { bytes, up_to } => {
                    self.after = up_to;
                    if !bytes.is_empty() {
                        self.sent = Some(Instant::now());
                        return Some(bytes);
                    }
                }
                FeedPiece::Resync { up_to } => {
                    self.after = up_to;
                    self.sent = Some(Instant::now());
                    return Some(format!("id: {up_to}\nevent: resync\ndata: {{}}\n\n").into());
                }
                FeedPiece::Nothing => {}
            }
            tokio::select! {
                biased;
                () = self.over.as_mut() => return None,
                moved = self.moved.changed() => moved.ok()?,
                () = self.beat.as_mut() => {
                    // What was sent a moment ago is a sign of life as well.
                    let now = Instant::now();
                    let due = self.sent.map_or(now, |sent| sent + HEARTBEAT);
                    if due > now {
                        self.beat.as_mut().reset(due);
                        continue;
                    }
                    self.beat.as_mut().reset(now + HEARTBEAT);
                    self.sent = Some(now);
                    return Some(heartbeat(self.after));
                }
            }
        }
    }
}

/// An event, because a browser hides comments from its page.
fn heartbeat(after: u64) -> Bytes {
    let at_ms = crate::clock::now_ms();
    format!("event: heartbeat\ndata: {{\"at_ms\":{at_ms},\"sequence\":{after}}}\n\n").into()
}

#[cfg(test)]
mod tests {
    use axum::body::HttpBody;

    use super::*;

    fn change(sequence: u64, id: &str) -> JobChange {
        JobChange {
            sequence,
            key: format!("key of {id}"),
            id: id.to_owned(),
            host: "ci-1".to_owned(),
            at_ms: 1,
            name: "task.accepted".to_owned(),
            state: "starting".to_owned(),
        }
    }

    fn ids(piece: &FeedPiece) -> Vec<u64> {
        let FeedPiece::Events { bytes, .. } = piece else { return Vec::new() };
        let text = String::from_utf8_lossy(bytes);
        text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect()
    }

    #[test]
    fn a_stream_goes_on_after_its_last_event_and_a_late_one_reads_anew() {
        let feed = EventFeed::new(9, 0);
        feed.push(&(1..=5).map(|n| change(n, "gl-1")).collect::<Vec<_>>());
        assert_eq!(ids(&feed.lock().read(3, None)), [4, 5]);
        assert_eq!(feed.lock().read(5, None), FeedPiece::Nothing);
        assert_eq!(feed.lock().read(6, None), FeedPiece::Resync { up_to: 5 }, "another history");
        let many = RING_EVENTS as u64 + 10;
        feed.push(&(6..=many).map(|n| change(n, "gl-1")).collect::<Vec<_>>());
        assert_eq!(feed.lock().read(3, None), FeedPiece::Resync { up_to: many });
        assert_eq!(ids(&feed.lock().read(10, None)).first(), Some(&11), "the oldest that is kept");
        assert_eq!(feed.lock().events.len(), RING_EVENTS);
    }

    #[test]
    fn a_stream_of_one_job_passes_over_the_others() {
        let feed = EventFeed::new(9, 0);
        feed.push(&[change(1, "gl-1"), change(2, "gl-2"), change(3, "gl-1")]);
        assert_eq!(ids(&feed.lock().read(0, Some("gl-1"))), [1, 3]);
        assert_eq!(ids(&feed.lock().read(0, Some("key of gl-2"))), [2]);
        let none = FeedPiece::Events { bytes: Bytes::new(), up_to: 3 };
        assert_eq!(feed.lock().read(0, Some("gl-3")), none, "its place moves on all the same");
    }

    #[test]
    fn a_piece_is_small_however_far_behind_a_reader_is() {
        let feed = EventFeed::new(9, 0);
        feed.push(&(1..=1000).map(|n| change(n, "gl-1")).collect::<Vec<_>>());
        let FeedPiece::Events { bytes, up_to } = feed.lock().read(0, None) else {
            panic!("no events")
        };
        assert!(bytes.len() <= PIECE_BYTES && up_to < 1000);
        assert_eq!(
            ids(&feed.lock().read(up_to, None)).first(),
            Some(&(up_to + 1)),
            "nothing is left out"
        );
    }

    #[test]
    fn streams_at_one_place_share_the_bytes_until_something_new_happens() {
        let feed = EventFeed::new(9, 0);
        feed.push(&[change(1, "gl-1"), change(2, "gl-2")]);
        let bytes = |after, job| match feed.lock().read(after, job) {
            FeedPiece::Events { bytes, .. } => bytes,
            other => panic!("{other:?}"),
        };
        let (one, other) = (bytes(0, None), bytes(0, None));
        assert_eq!(one.as_ptr(), other.as_ptr());
        assert_eq!(
            ids(&feed.lock().read(0, Some("gl-2"))),
            [2],
            "a stream of one job is another one"
        );
        feed.push(&[change(3, "gl-1")]);
        assert_eq!(ids(&feed.lock().read(0, None)), [1, 2, 3]);
        assert_eq!(ids(&feed.lock().read(2, None)), [3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_says_that_it_lives_only_when_nothing_else_does() {
        let feed = Arc::new(EventFeed::new(9, 0));
        let until = watch::Sender::new(false);
        let mut body = feed.stream(None, None, until.subscribe()).unwrap().into_body();
        let mut next = async || {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            String::from_utf8_lossy(&frame.unwrap().unwrap().into_data().unwrap()).into_owned()
        };
        assert!(next().await.starts_with("event: heartbeat"), "at once, so that a page knows");
        for sequence in 1..=4 {
            tokio::time::advance(HEARTBEAT / 2).await;
            feed.push(&[change(sequence, "gl-1")]);
            assert!(next().await.starts_with("id: "), "{sequence}");
        }
        let sent = Instant::now();
        assert!(next().await.starts_with("event: heartbeat"));
        assert_eq!(sent.elapsed(), HEARTBEAT);
    }

    #[tokio::test]
    async fn a_new_history_is_read_anew_once() {
        let feed = Arc::new(EventFeed::new(9, 0));
        feed.push(&[change(1, "gl-1"), change(2, "gl-1")]);
        let mut reader = StreamReader {
            moved: feed.moved.subscribe(),
            feed: Arc::clone(&feed),
            after: 2,
            epoch: 0,
            job: None,
            over: Box::pin(std::future::pending()),
            beat: Box::pin(sleep_until(Instant::now())),
            sent: None,
            _place: Arc::clone(&feed.places).try_acquire_owned().unwrap(),
        };
        feed.restart(1);
        assert_eq!(reader.next_piece(), FeedPiece::Resync { up_to: 1 });
        reader.after = 1;
        assert_eq!(reader.next_piece(), FeedPiece::Nothing);
        feed.push(&[change(2, "gl-1")]);
        assert_eq!(ids(&reader.next_piece()), [2]);
    }

    #[tokio::test]
    async fn more_streams_than_places_are_refused_until_one_ends() {
        let feed = Arc::new(EventFeed::new(1, 0));
        let until = watch::Sender::new(false);
        let one = feed.stream(None, None, until.subscribe()).unwrap();
        let refused = feed.stream(None, None, until.subscribe()).unwrap_err();
        assert_eq!(refused, ApiProblem::ManyStreams(1));
        drop(one);
        assert!(feed.stream(None, None, until.subscribe()).is_ok());
    }
}
