//! The history, as the commands of `jobs` ask it: where there is one, and within a limit of time. If it cannot answer,
//! that costs one line on stderr and no command. It knows the jobs of all hosts that share it.

use std::time::Duration;

use fargate_config::RunnerConfig;
use fargate_history::{
    HistoryError, HistoryLocation, HistoryStore, JobFilter, JobPage, PageRequest, UsualPhases,
};
use fargate_job_journal::{JobStory, JournalEntry};
use fargate_model::text::{error_chain, escape};
use fargate_status_api::history_location;

use crate::jobs_context::now_ms;
use crate::streams::tell;

/// Longest time that a command waits for the history. Ours: a person waits, and the host knows most of it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Most jobs that a list takes from it: one page.
const MOST_LISTED: usize = 1000;
/// Most jobs that an error names.
const MOST_NAMED: usize = 3;

/// What the history tells of one job.
pub struct HistoryJob {
    pub story: JobStory,
    pub entries: Vec<JournalEntry>,
    pub usual: UsualPhases,
}

/// The one job that `given` names. `None`: the history does not know it, or there is none that answers.
///
/// # Errors
///
/// In words, if it names several jobs.
pub fn job(config: &RunnerConfig, given: &str) -> Result<Option<HistoryJob>, String> {
    let asked = ask(config, async |store: &HistoryStore| found(store, given).await);
    asked.flatten().transpose()
}

/// What a start like that of this job usually takes; nothing, where no history knows it.
pub fn usual(config: &RunnerConfig, story: &JobStory) -> UsualPhases {
    let asked = ask(config, async |store: &HistoryStore| usual_of(store, story).await);
    asked.unwrap_or_default()
}

/// The newest jobs that were received since then. `None`: there is no history that answers.
pub fn jobs_since(config: &RunnerConfig, since_ms: u64) -> Option<JobPage> {
    let filter = JobFilter { from_ms: Some(since_ms), ..JobFilter::default() };
    let page = PageRequest { limit: MOST_LISTED, ..PageRequest::default() };
    ask(config, async |store: &HistoryStore| store.jobs(&filter, &page).await)
}

/// The job, or that `given` names several, in words.
async fn found(
    store: &HistoryStore,
    given: &str,
) -> Result<Option<Result<HistoryJob, String>>, HistoryError> {
    let stories = store.find(given).await?;
    if let Some(words) = ambiguous(given, &stories) {
        return Ok(Some(Err(words)));
    }
    let Some(story) = stories.into_iter().next() else { return Ok(None) };
    let entries = store.events_of(&story.key).await?;
    let usual = usual_of(store, &story).await?;
    Ok(Some(Ok(HistoryJob { story, entries, usual })))
}

async fn usual_of(store: &HistoryStore, story: &JobStory) -> Result<UsualPhases, HistoryError> {
    let about = &story.description;
    let size = about.size.map(|size| size.to_string());
    store.usual(about.image.as_deref(), size.as_deref(), now_ms()).await
}

/// That `given` names several jobs, in words.
fn ambiguous(given: &str, stories: &[JobStory]) -> Option<String> {
    let first = &stories.first()?.key;
    // One job that two hosts know is one job.
    if stories.iter().all(|story| story.key == *first) {
        return None;
    }
    let name = |story: &JobStory| {
        let (about, key) = (&story.description, story.key.chars().take(8).collect::<String>());
        escape(&format!("{} ({key}, on {})", about.id, about.host))
    };
    let names: Vec<String> = stories.iter().take(MOST_NAMED).map(name).collect();
    let (given, count, names) = (escape(given), stories.len(), names.join(", "));
    Some(format!("{given} names {count} jobs of the history: {names}; give more of the key"))
}

/// Asks the history. `None`: there is none, or it does not answer, which is told.
fn ask<T>(
    config: &RunnerConfig,
    ask: impl AsyncFnOnce(&HistoryStore) -> Result<T, HistoryError>,
) -> Option<T> {
    let location = history_location(config);
    if let HistoryLocation::Sqlite(path) = &location
        && !path.exists()
    {
        return None;
    }
    let asked = async {
        let store = HistoryStore::open_to_read(&location).await?;
        let answer = ask(&store).await;
        store.close().await;
        answer
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let answer = runtime.block_on(async { tokio::time::timeout(ANSWERS_WITHIN, asked).await });
    // What still waits for a name server must not hold up the command.
    runtime.shutdown_background();
    let words = match answer {
        Ok(Ok(answer)) => return Some(answer),
        Ok(Err(error)) => error_chain(&error),
        Err(_) => format!("no answer in {} s", ANSWERS_WITHIN.as_secs()),
    };
    let words = escape(&words);
    tell!(
        "warning: the history at {location} says nothing, so this is what this host knows: {words}"
    );
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(id: &str, key: &str, host: &str) -> JobStory {
        let mut story = JobStory::new(key);
        (story.description.id, story.description.host) = (id.to_owned(), host.to_owned());
        story
    }

    #[test]
    fn a_name_of_several_jobs_is_refused_with_their_keys_and_hosts() {
        let (one, other) =
            (story("gl-7", "aaaaaaaaaa", "ci-1"), story("gl-7", "bbbbbbbbbb", "ci-2"));
        assert_eq!(ambiguous("gl-7", &[one.clone(), one.clone()]), None);
        assert_eq!(
            ambiguous("gl-7", &[one, other]).as_deref(),
            Some(
                "gl-7 names 2 jobs of the history: gl-7 (aaaaaaaa, on ci-1), gl-7 (bbbbbbbb, on ci-2); give more \
                 of the key"
            )
        );
    }
}
