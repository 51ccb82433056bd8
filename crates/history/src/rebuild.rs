//! What records and ECS still know of jobs whose journal is lost as well.
//!
//! Such a story says little: the task, its times, and that it stopped. A job that has a story keeps it, and
//! learns only what ECS says of its task.

use std::time::Duration;

use fargate_events::{JobFact, TaskFact};
use fargate_job_journal::{JobStory, JournalContent, JournalEntry};
use fargate_model::id::TaskArn;
use fargate_state::StateFolder;

use crate::ingest::JournalIngest;
use crate::journal_fold::JournalPlace;
use crate::moments::run_blocking;
use crate::unheard::close_story;
use crate::{HistoryError, KnownTask, StoryUpdate};

impl JournalIngest {
    /// Learns once what the journals do not tell. Call it after they were read.
    pub(crate) async fn rebuild_if_due(&mut self) -> Result<(), HistoryError> {
        if self.rebuild.records {
            self.rebuild_from_records().await?;
            self.rebuild.records = false;
        }
        let tasks = self.rebuild.tasks.as_ref().filter(|_| self.rebuild.from_ecs);
        let Some(known) = tasks.and_then(|tasks| tasks.borrow().clone()) else { return Ok(()) };
        self.rebuild_from_tasks(&known).await?;
        self.rebuild.from_ecs = false;
        Ok(())
    }

    /// Gives each job of the state folder a story that has neither a story nor a journal. Call it once the
    /// journals were read.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn rebuild_from_records(&self) -> Result<(), HistoryError> {
        let state_dir = self.settings.state_dir.clone();
        let known = run_blocking(move || known_tasks(&state_dir)).await;
        self.rebuild_from_tasks(&known).await
    }

    /// Gives each of these jobs a story that has none, and tells the others what ECS says of their task.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn rebuild_from_tasks(&self, known: &[KnownTask]) -> Result<(), HistoryError> {
        for some in known.chunks(100) {
            let mut updates = Vec::new();
            for known in some {
                updates.extend(self.update_from(known).await?);
            }
            self.store.put(updates).await?;
        }
        Ok(())
    }

    async fn update_from(&self, known: &KnownTask) -> Result<Option<StoryUpdate>, HistoryError> {
        let Ok(key) = fargate_model::job::JobKey::try_from(known.key.clone()) else {
            return Ok(None);
        };
        let places =
            self.store.journal_places(&self.settings.host, std::slice::from_ref(&key)).await?;
        let Some(place) = places.into_iter().next() else { return Ok(None) };
        let JournalPlace { offset, mut story, is_closed, .. } = place;
        let before = story.clone();
        if story.tries.is_empty() {
            if self.journals.journal(&key).exists() {
                // The journal says more, and is read anyway.
                return Ok(None);
            }
            begin_story(&mut story, known, &self.settings.host);
        }
        see_task(&mut story, &known.task);
        if before == story {
            return Ok(None);
        }
        if is_closed {
            // Only the job's own journal opens it again.
            close_story(&mut story, &self.settings.prices);
        }
        Ok(Some(StoryUpdate {
            journal_from: offset,
            journal_offset: offset,
            is_closed,
            ..StoryUpdate::without_journal(&self.settings.host, story)
        }))
    }
}

fn begin_story(story: &mut JobStory, known: &KnownTask, host: &str) {
    let accepted = JobFact::LaunchAnswered {
        launch: fargate_model::id::RandomToken::from_bits([0; 16]),
        task: Some(TaskArn(known.task.task.clone())),
        report: None,
    };
    story.apply(&entry_at(known.task.created_ms.unwrap_or_default(), accepted));
    story.description.host = host.to_owned();
    story.description.id = known.id.clone().unwrap_or_default();
}

/// An entry at the time of the last thing that ECS says.
fn see_task(story: &mut JobStory, task: &TaskFact) {
    let times = [task.created_ms, task.started_ms, task.stopping_ms, task.stopped_ms];
    let last = times.into_iter().flatten().max().unwrap_or(story.changed_ms);
    story.apply(&entry_at(last, JobFact::TaskSeen(Box::new(task.clone()))));
}

fn entry_at(time_ms: u64, fact: JobFact) -> JournalEntry {
    let stage = "history".to_owned();
    JournalEntry { time_ms, attempt: 0, stage, pid: 0, content: JournalContent::Fact(fact) }
}

/// The tasks of all records. A record that cannot be read is left out.
fn known_tasks(state_dir: &std::path::Path) -> Vec<KnownTask> {
    let Ok(folder) = StateFolder::existing(state_dir, Duration::ZERO) else { return Vec::new() };
    let records = folder.keys().unwrap_or_default().into_iter();
    let records = records.filter_map(|key| folder.record(&key).ok().flatten());
    records
        .filter_map(|record| {
            let task = record.location.task?;
            let task = TaskFact { task: task.0, ..TaskFact::default() };
            Some(KnownTask { key: record.job.as_str().to_owned(), id: Some(record.job_id), task })
        })
        .collect()
}
