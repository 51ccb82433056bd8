//! Follows the history: passes new events on to streams and counts jobs.

use std::sync::Arc;
use std::time::Duration;

use fargate_events::JobFact;
use fargate_history::{HistoryError, HistoryStore, StoredEvent};
use fargate_job_journal::{JobState, JobStory, JournalContent};
use tokio::time::{sleep, timeout};

use crate::job_count::JobCount;
use crate::{JobChange, StatusService};

/// How often other hosts' events are looked for. Ours: a page may be a second late.
const LOOK_EACH: Duration = Duration::from_secs(1);
/// Events of one look.
const AT_ONCE: usize = 500;
/// Events of the past that a stream may still ask for after a restart.
const PAST_EVENTS: u64 = 1000;

/// Follows `store` until the service ends. A history that cannot be read is asked again.
pub async fn follow(service: Arc<StatusService>, store: HistoryStore) {
    let mut until = service.until.clone();
    let mut place = HistoryPlace::default();
    let mut moved = store.sequence();
    let following = async {
        loop {
            moved.borrow_and_update();
            if place.catch_up(&service, &store).await.is_err() {
                sleep(LOOK_EACH).await;
            }
            if timeout(LOOK_EACH, moved.changed()).await.is_err() {
                // Said by the next question as well.
                let _ = store.look_for_news().await;
            }
        }
    };
    tokio::select! {
        () = following => {}
        _ = until.wait_for(|is_over| *is_over) => {}
    }
}

/// How far the history was read.
#[derive(Default)]
struct HistoryPlace {
    last: u64,
    /// What happened up to here is counted already, or was by an earlier process.
    counted: u64,
    jobs: JobCount,
    is_begun: bool,
}

impl HistoryPlace {
    async fn catch_up(
        &mut self,
        service: &StatusService,
        store: &HistoryStore,
    ) -> Result<(), HistoryError> {
        let now = *store.sequence().borrow();
        if !self.is_begun || now < self.last {
            let past = now.saturating_sub(PAST_EVENTS);
            service.feed.restart(past);
            (self.last, self.counted, self.is_begun) = (past, now, true);
        }
        self.count_overdue(service, store).await?;
        loop {
            let events = store.events_after(self.last, AT_ONCE).await?;
            let Some(newest) = events.last().map(|event| event.sequence) else { return Ok(()) };
            for event in &events {
                // One by one: if a later one cannot be counted now, this one is not counted again.
                if event.sequence > self.counted {
                    self.count(service, store, event).await?;
                    self.counted = event.sequence;
                }
            }
            let changes: Vec<JobChange> = events.into_iter().map(change_of).collect();
            service.feed.push(&changes);
            self.last = newest;
        }
    }

    /// Counts what an event of a job of this host says.
    async fn count(
        &mut self,
        service: &StatusService,
        store: &HistoryStore,
        event: &StoredEvent,
    ) -> Result<(), HistoryError> {
        if event.host != service.settings.host {
            return Ok(());
        }
        if let JournalContent::Fact(JobFact::LaunchAnswered {
            task: None,
            report: Some(report),
            ..
        }) = &event.entry.content
        {
            service.metrics.launch_refused(report.entry().slug);
        }
        let ends = matches!(&event.entry.content, JournalContent::Fact(JobFact::Finished {}))
            || matches!(event.name.as_str(), "cleanup.done" | "orphan.stopped");
        if ends && event.state == JobState::Finished {
            let story = own_story(service, store, &event.key).await?;
            if let Some(story) = story.filter(|story| self.jobs.ended(story)) {
                service.metrics.job_ended(&story);
            }
        }
        Ok(())
    }

    /// Counts jobs whose start failed, and that nobody tried again.
    async fn count_overdue(
        &mut self,
        service: &StatusService,
        store: &HistoryStore,
    ) -> Result<(), HistoryError> {
        let mut over = self.jobs.overdue().into_iter();
        while let Some(key) = over.next() {
            match own_story(service, store, &key).await {
                Ok(Some(story)) if self.jobs.settled(&story) => service.metrics.job_ended(&story),
                Ok(_) => {}
                Err(error) => {
                    std::iter::once(key).chain(over).for_each(|key| self.jobs.wait_again(key));
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

/// The job of this host that has this key.
async fn own_story(
    service: &StatusService,
    store: &HistoryStore,
    key: &str,
) -> Result<Option<JobStory>, HistoryError> {
    let stories = store.find(key).await?;
    let is_own = |story: &JobStory| story.description.host == service.settings.host;
    let own = stories.iter().position(is_own).unwrap_or(0);
    Ok(stories.into_iter().nth(own))
}

fn change_of(event: StoredEvent) -> JobChange {
    JobChange {
        sequence: event.sequence,
        key: event.key,
        id: event.id,
        host: event.host,
        at_ms: event.at_ms,
        name: event.name,
        state: event.state.word().to_owned(),
    }
}
