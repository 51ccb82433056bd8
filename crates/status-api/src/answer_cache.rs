//! Answers as bytes with their `ETag`, kept for a moment, so that many readers of one page cost one query.
//!
//! An answer is fresh while the history has not changed, at most [`LONGEST`]; and for [`SHORTEST`] in any
//! case, so that a busy history is not asked again for each reader. Only one reader makes an answer, the
//! others wait for it. An answer that is too large to be kept goes to all who asked before its making began.
//! What differs between callers belongs to the key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::ApiProblem;

/// As long as an answer is given again whatever has changed. Ours: nobody sees a tenth of a second.
pub const SHORTEST: Duration = Duration::from_millis(100);
/// As long as an answer is given again if nothing has changed: ages in it move on.
pub const LONGEST: Duration = Duration::from_secs(1);
/// As long as an answer that takes long to make is given again whatever has changed.
const HELD: Duration = Duration::from_secs(5);
/// Most answers, and most bytes of them all.
const MOST_ANSWERS: usize = 512;
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// Most bytes of one of them. Ours: 10,000 live tasks make some 4 MiB of JSON.
const LARGEST_ANSWER: usize = MOST_BYTES / 4;

/// One answer.
#[derive(Clone, Debug)]
pub struct CachedAnswer {
    bytes: Bytes,
    etag: HeaderValue,
    media_type: HeaderValue,
}

impl CachedAnswer {
    /// An answer of this media type.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>, media_type: &'static str) -> Self {
        let bytes = bytes.into();
        let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&bytes)[..12]));
        let etag = HeaderValue::from_str(&etag).expect("digits and quotes are a header's value");
        Self { bytes, etag, media_type: HeaderValue::from_static(media_type) }
    }

    /// The answer as JSON.
    ///
    /// # Errors
    ///
    /// If the value has a number that JSON has not.
    pub fn json(value: &impl serde::Serialize) -> Result<Self, ApiProblem> {
        let bytes = serde_json::to_vec(value);
        let bytes = bytes.map_err(|error| ApiProblem::NotDone(format!("writing JSON: {error}")))?;
        Ok(Self::new(bytes, "application/json"))
    }

    /// The response to a request with these headers: 304 if the client has this very answer.
    #[must_use]
    pub fn respond(&self, request: &HeaderMap) -> Response {
        let is_known = request.get_all(header::IF_NONE_MATCH).iter().any(|given| {
            let tags = given.to_str().unwrap_or_default().split(',');
            let own = self.etag.to_str().unwrap_or_default();
            tags.map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == own)
        });
        let mut response = match is_known {
            true => Response::new(Body::empty()),
            false => Response::new(Body::from(self.bytes.clone())),
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("Accept, Authorization, Cookie"));
        match is_known {
            true => *response.status_mut() = StatusCode::NOT_MODIFIED,
            false => drop(headers.insert(header::CONTENT_TYPE, self.media_type.clone())),
        }
        response
    }
}

#[derive(Debug)]
struct CacheEntry {
    made: Instant,
    /// How long it is given again whatever has changed.
    held: Duration,
    sequence: u64,
    answer: CachedAnswer,
}

/// The answer that somebody made last while others waited, and when they began to make it.
type SharedAnswer = Arc<tokio::sync::Mutex<Option<(Instant, CachedAnswer)>>>;

/// All kept answers.
#[derive(Debug, Default)]
pub struct AnswerCache {
    entries: Mutex<HashMap<String, CacheEntry>>,
    /// One for each answer that is being made.
    makers: Mutex<HashMap<String, SharedAnswer>>,
}

impl AnswerCache {
    /// The answer of `key`: a fresh one, else what `make` makes. The history stands at `sequence`.
    ///
    /// # Errors
    ///
    /// Those of `make`; they are not kept.
    pub async fn get(
        &self,
        key: &str,
        sequence: u64,
        make: impl Future<Output = Result<CachedAnswer, ApiProblem>>,
    ) -> Result<CachedAnswer, ApiProblem> {
        if let Some(answer) = self.fresh(key, sequence) {
            return Ok(answer);
        }
        let asked = Instant::now();
        let maker = {
            let mut makers = self.makers.lock().expect("no one panics while holding the makers");
            // Those of answers that came too late are left behind.
            if makers.len() > MOST_ANSWERS {
                makers.retain(|_, maker| Arc::strong_count(maker) > 1);
            }
            Arc::clone(makers.entry(key.to_owned()).or_default())
        };
        let made = {
            let mut shared = maker.lock().await;
            // One that was begun earlier may lack what this reader has just changed.
            let waited_for = shared.as_ref().filter(|(began, _)| *began >= asked);
            let waited_for = waited_for.map(|(_, answer)| answer.clone());
            match waited_for.or_else(|| self.fresh(key, sequence)) {
                Some(answer) => Ok(answer),
                None => {
                    let began = Instant::now();
                    make.await.inspect(|answer| {
                        self.keep(key, sequence, answer, began.elapsed());
                        *shared = Some((began, answer.clone()));
                    })
                }
            }
        };
        let mut makers = self.makers.lock().expect("no one panics while holding the makers");
        // This one and the table's: nobody else waits.
        if Arc::strong_count(&maker) <= 2 {
            makers.remove(key);
        }
        made
    }

    /// Forgets all answers: something was changed that is not in the history.
    pub fn clear(&self) {
        self.entries.lock().expect("no one panics while holding the answers").clear();
    }

    /// The kept answer of `key`, if it is fresh.
    pub fn fresh(&self, key: &str, sequence: u64) -> Option<CachedAnswer> {
        let entries = self.entries.lock().expect("no one panics while holding the answers");
        let entry = entries.get(key)?;
        let age = entry.made.elapsed();
        let is_fresh = age < entry.held || (entry.sequence == sequence && age < LONGEST);
        is_fresh.then(|| entry.answer.clone())
    }

    fn keep(&self, key: &str, sequence: u64, answer: &CachedAnswer, took: Duration) {
        if answer.bytes.len() > LARGEST_ANSWER {
            return;
        }
        let mut entries = self.entries.lock().expect("no one panics while holding the answers");
        entries.remove(key);
        let mut bytes: usize = entries.values().map(|entry| entry.answer.bytes.len()).sum();
        let is_full = |kept: usize, bytes: usize| {
            kept >= MOST_ANSWERS || bytes + answer.bytes.len() > MOST_BYTES
        };
        if is_full(entries.len(), bytes) {
            entries.retain(|_, entry| entry.made.elapsed() < entry.held);
            bytes = entries.values().map(|entry| entry.answer.bytes.len()).sum();
        }
        if is_full(entries.len(), bytes) {
            // All of them are fresh. Whoever asks for this one again makes it again.
            return;
        }
        // What takes long is made for a small part of the time only.
        let held = (took * 10).clamp(SHORTEST, HELD);
        let entry = CacheEntry { made: Instant::now(), held, sequence, answer: answer.clone() };
        entries.insert(key.to_owned(), entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn many_readers_of_one_answer_make_it_once_and_a_change_makes_it_anew() {
        let (cache, made) = (AnswerCache::default(), AtomicUsize::new(0));
        let make = || async {
            made.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            CachedAnswer::json(&"x")
        };
        let (a, b, c) = tokio::join!(
            cache.get("k", 1, make()),
            cache.get("k", 1, make()),
            cache.get("other", 1, make())
        );
        assert_eq!(a.unwrap().etag, b.unwrap().etag);
        assert!(c.is_ok() && made.load(Ordering::Relaxed) == 2);
        cache.entries.lock().unwrap().get_mut("k").unwrap().made -= SHORTEST;
        cache.get("k", 1, make()).await.unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 2, "nothing changed");
        cache.get("k", 2, make()).await.unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 3);
        assert_eq!(cache.makers.lock().unwrap().len(), 0, "nothing is kept of what was made");
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_to_be_kept_is_made_for_all_who_wait_and_not_for_each() {
        let (cache, made) = (Arc::new(AnswerCache::default()), Arc::new(AtomicUsize::new(0)));
        let get = || {
            let (cache, made) = (Arc::clone(&cache), Arc::clone(&made));
            async move {
                let make = async {
                    made.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    Ok(CachedAnswer::new(vec![b'x'; LARGEST_ANSWER + 1], "text/plain"))
                };
                cache.get("k", 1, make).await
            }
        };
        let mut readers = tokio::task::JoinSet::new();
        (0..10).for_each(|_| drop(readers.spawn(get())));
        assert!(readers.join_all().await.iter().all(Result::is_ok));
        assert_eq!(made.load(Ordering::Relaxed), 2, "the first one's, and one for all others");
        assert_eq!(cache.makers.lock().unwrap().len(), 0, "nothing is kept of it");
        get().await.unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 3, "who asks later gets a new one");
    }

    #[test]
    fn kept_answers_take_no_more_room_than_they_may() {
        let cache = AnswerCache::default();
        let held = || {
            let entries = cache.entries.lock().unwrap();
            let bytes: usize = entries.values().map(|entry| entry.answer.bytes.len()).sum();
            (entries.len(), bytes)
        };
        // Each is held for 5 s, so none makes room for another.
        let slow = HELD;
        let large = CachedAnswer::new(vec![b'x'; LARGEST_ANSWER], "text/plain");
        for number in 0..20 {
            cache.keep(&format!("large {number}"), 1, &large, slow);
        }
        assert_eq!(held(), (4, MOST_BYTES));
        cache.keep("large 0", 2, &large, slow);
        assert_eq!(held(), (4, MOST_BYTES), "an answer takes its own place again");
        let small = CachedAnswer::new("x", "text/plain");
        for number in 0..2 * MOST_ANSWERS {
            cache.keep(&format!("small {number}"), 1, &small, slow);
        }
        let (kept, bytes) = held();
        assert!(kept <= MOST_ANSWERS && bytes <= MOST_BYTES, "{kept} answers of {bytes} bytes");
    }

    #[tokio::test]
    async fn an_error_is_not_kept() {
        let cache = AnswerCache::default();
        let fails = async { Err(ApiProblem::UnknownPath) };
        assert!(cache.get("k", 1, fails).await.is_err());
        assert!(cache.get("k", 1, async { CachedAnswer::json(&1) }).await.is_ok());
    }

    #[test]
    fn who_has_the_answer_gets_only_its_tag() {
        let answer = CachedAnswer::json(&"x").unwrap();
        let given = |tag: &str| {
            let headers = [(header::IF_NONE_MATCH, tag.parse().unwrap())].into_iter().collect();
            answer.respond(&headers).status()
        };
        let own = answer.etag.to_str().unwrap();
        assert_eq!(given(own), StatusCode::NOT_MODIFIED);
        assert_eq!(given(&format!("\"a\", W/{own}")), StatusCode::NOT_MODIFIED);
        assert_eq!(given("\"a\""), StatusCode::OK);
    }
}
