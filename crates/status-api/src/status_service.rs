//! One service: settings, history, events and what the controller finds out, put together into answers.
//!
//! The thread that answers requests never reads the history itself: answers are made by the workers, one
//! at a time for each question, and kept for a moment. So health and events do not wait for a question
//! that takes long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use fargate_controller::{HostControl, StopQueue};
use fargate_history::{
    HistoryError, HistoryStore, IngestCondition, LengthPercentiles, UsualPhases,
};
use fargate_model::text::error_chain;
use fargate_status_answers::RunnerNumbers;
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::access::AccessPolicy;
use crate::answer_cache::{AnswerCache, CachedAnswer};
use crate::csp_report::CspReports;
use crate::live_facts::LiveFacts;
use crate::metrics::StatusMetrics;
use crate::name_visibility::NameVisibility;
use crate::{ApiProblem, EventFeed, StatusSettings};

/// How long a question to the history may take.
pub const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Most questions that are being answered at one time, those among them that wait for the same answer. Ours: a
/// history answers four at a time, and what waits for longer than [`ANSWER_TIME`] is not answered anyway.
const MOST_QUESTIONS: usize = 512;
/// How long usual times are kept: they are medians of a week.
const USUAL_KEPT: Duration = Duration::from_mins(1);
/// Most usual times that are kept.
const MOST_USUAL: usize = 256;

/// Image and size, of which usual times are known.
pub(crate) type UsualKey = (Option<String>, Option<String>);

/// The service.
#[derive(Debug)]
pub struct StatusService {
    pub(crate) settings: StatusSettings,
    pub(crate) policy: AccessPolicy,
    pub(crate) names: NameVisibility,
    pub(crate) feed: Arc<EventFeed>,
    pub(crate) metrics: StatusMetrics,
    pub(crate) csp_reports: CspReports,
    pub(crate) host: Option<HostControl>,
    pub(crate) until: watch::Receiver<bool>,
    /// What gitlab-runner says of itself; `None`: nobody asks it.
    pub(crate) runner_numbers: watch::Sender<Option<RunnerNumbers>>,
    stops: OnceLock<StopQueue>,
    cache: AnswerCache,
    history: Mutex<Result<HistoryStore, String>>,
    /// The history came or went: whoever watches conditions looks at once.
    pub(crate) history_set: Notify,
    workers: Handle,
    questions: Arc<Semaphore>,
    ingest: OnceLock<watch::Receiver<IngestCondition>>,
    facts: watch::Sender<LiveFacts>,
    usual: Mutex<HashMap<UsualKey, (Instant, UsualPhases)>>,
    starts: Mutex<Option<(Instant, LengthPercentiles)>>,
}

impl StatusService {
    /// A service without a history, until [`StatusService::set_history`] gives it one. `workers` make the
    /// answers; the service ends when `until` is true.
    ///
    /// # Errors
    ///
    /// The operating system's, if it gives no random bits.
    pub fn new(
        settings: StatusSettings,
        host: Option<HostControl>,
        workers: Handle,
        until: watch::Receiver<bool>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            policy: AccessPolicy::new(settings.access.clone())?,
            names: NameVisibility::new(settings.public_projects.clone()),
            feed: Arc::new(EventFeed::new(settings.max_streams, 0)),
            metrics: StatusMetrics::new(&settings.version),
            csp_reports: CspReports::default(),
            host,
            until,
            runner_numbers: watch::Sender::default(),
            stops: OnceLock::new(),
            cache: AnswerCache::default(),
            history: Mutex::new(Err("it is being opened".to_owned())),
            history_set: Notify::new(),
            workers,
            questions: Arc::new(Semaphore::new(MOST_QUESTIONS)),
            ingest: OnceLock::new(),
            facts: watch::Sender::new(LiveFacts::default()),
            usual: Mutex::default(),
            starts: Mutex::default(),
            settings,
        })
    }

    /// The history from now on, or why there is none.
    pub fn set_history(&self, history: Result<HistoryStore, String>) {
        *self.history.lock().expect("no one panics while holding the history") = history;
        self.history_set.notify_one();
    }

    /// How the ingest of this host's journals does, from now on. The first one counts.
    pub fn set_ingest(&self, ingest: watch::Receiver<IngestCondition>) {
        let _ = self.ingest.set(ingest);
    }

    /// How the ingest does; `None` where there is none.
    pub(crate) fn ingest(&self) -> Option<IngestCondition> {
        self.ingest.get().map(|ingest| ingest.borrow().clone())
    }

    /// Lets operators stop tasks of this host. The first queue counts.
    pub fn set_stops(&self, stops: StopQueue) {
        let _ = self.stops.set(stops);
    }

    /// Where tasks of this host are stopped; `None`: there is no daemon now.
    pub(crate) fn stops(&self) -> Option<StopQueue> {
        self.stops.get().filter(|stops| stops.is_open()).cloned()
    }

    /// What the controller finds out; it replaces the value.
    #[must_use]
    pub fn facts(&self) -> &watch::Sender<LiveFacts> {
        &self.facts
    }

    /// What is counted; the controller counts in it, too.
    #[must_use]
    pub fn metrics(&self) -> &StatusMetrics {
        &self.metrics
    }

    /// Events of jobs as they happen.
    #[must_use]
    pub fn feed(&self) -> &Arc<EventFeed> {
        &self.feed
    }

    /// The history.
    ///
    /// # Errors
    ///
    /// Returns [`ApiProblem::NoHistory`] with the reason if there is none.
    pub fn history(&self) -> Result<HistoryStore, ApiProblem> {
        let history = self.history.lock().expect("no one panics while holding the history");
        history.clone().map_err(ApiProblem::NoHistory)
    }

    /// The answer of `key`, made by a worker unless a fresh one is there.
    ///
    /// # Errors
    ///
    /// Those of `make`, [`ApiProblem::Late`] after [`ANSWER_TIME`], and [`ApiProblem::ManyQuestions`].
    pub(crate) async fn answer<M, F>(
        self: &Arc<Self>,
        key: String,
        make: M,
    ) -> Result<CachedAnswer, ApiProblem>
    where
        M: FnOnce(Arc<Self>) -> F + Send + 'static,
        F: Future<Output = Result<CachedAnswer, ApiProblem>> + Send,
    {
        let sequence = self.feed.sequence();
        if let Some(answer) = self.cache.fresh(&key, sequence) {
            return Ok(answer);
        }
        let service = Arc::clone(self);
        let place = self.question()?;
        let made = self.workers.spawn(async move {
            let _place = place;
            let making = make(Arc::clone(&service));
            let made = service.cache.get(&key, sequence, making);
            let late = Err(ApiProblem::Late(ANSWER_TIME.as_secs()));
            tokio::time::timeout(ANSWER_TIME, made).await.unwrap_or(late)
        });
        made.await.unwrap_or_else(|error| Err(ApiProblem::NotDone(format!("answering: {error}"))))
    }

    /// A place for one more question.
    fn question(&self) -> Result<OwnedSemaphorePermit, ApiProblem> {
        let place = Arc::clone(&self.questions).try_acquire_owned();
        place.map_err(|_| ApiProblem::ManyQuestions(MOST_QUESTIONS))
    }

    /// Something was changed that is not in the history: the next answers are made anew.
    pub(crate) fn forget_answers(&self) {
        self.cache.clear();
    }

    /// Does `work` on a worker: for what is no answer to keep.
    ///
    /// # Errors
    ///
    /// Those of the work, [`ApiProblem::Late`] after [`ANSWER_TIME`], and [`ApiProblem::ManyQuestions`].
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ApiProblem>> + Send + 'static,
    ) -> Result<T, ApiProblem> {
        let place = self.question()?;
        let work = async move {
            let _place = place;
            work.await
        };
        let done = self.workers.spawn(tokio::time::timeout(ANSWER_TIME, work));
        match done.await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(ApiProblem::Late(ANSWER_TIME.as_secs())),
            Err(error) => Err(ApiProblem::NotDone(format!("working: {error}"))),
        }
    }

    /// What a start with this image and size usually takes.
    pub(crate) async fn usual(
        &self,
        store: &HistoryStore,
        key: &UsualKey,
        now_ms: u64,
    ) -> Result<UsualPhases, ApiProblem> {
        let kept = {
            let usual = self.usual.lock().expect("no one panics while holding usual times");
            usual.get(key).filter(|(at, _)| at.elapsed() < USUAL_KEPT).map(|(_, it)| it.clone())
        };
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let read = store.usual(key.0.as_deref(), key.1.as_deref(), now_ms).await;
        let read = read.map_err(unread)?;
        let mut usual = self.usual.lock().expect("no one panics while holding usual times");
        if usual.len() >= MOST_USUAL {
            usual.clear();
        }
        usual.insert(key.clone(), (Instant::now(), read.clone()));
        Ok(read)
    }

    /// Starts of the last seven days.
    pub(crate) async fn starts_of_week(
        &self,
        store: &HistoryStore,
        now_ms: u64,
    ) -> Result<LengthPercentiles, ApiProblem> {
        let kept = {
            let starts = self.starts.lock().expect("no one panics while holding the starts");
            starts.filter(|(at, _)| at.elapsed() < USUAL_KEPT)
        };
        if let Some((_, kept)) = kept {
            return Ok(kept);
        }
        let week = crate::clock::DAY_MS * 7;
        let filter = fargate_history::JobFilter {
            from_ms: Some(now_ms.saturating_sub(week)),
            to_ms: Some(now_ms),
            ..Default::default()
        };
        let total = store.starts(&filter).await.map_err(unread)?.total;
        let mut starts = self.starts.lock().expect("no one panics while holding the starts");
        *starts = Some((Instant::now(), total));
        Ok(total)
    }
}

/// A question that the history did not answer.
pub(crate) fn unread(error: HistoryError) -> ApiProblem {
    ApiProblem::NoHistory(error_chain(&error))
}
