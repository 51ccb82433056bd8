//! The rows of a database, for comparisons.

use fargate_history::{HistoryStore, JobFilter, JobRow, JobSort, PageRequest, StoredEvent};
use fargate_job_journal::JobStory;

/// Everything that a history holds of its jobs, without what depends on the order in which jobs came in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HistoryContent {
    pub(crate) rows: Vec<JobRow>,
    pub(crate) stories: Vec<JobStory>,
    pub(crate) events:
        Vec<Vec<(String, fargate_job_journal::JobState, fargate_job_journal::JournalEntry)>>,
    pub(crate) audit: Vec<Vec<(String, serde_json::Value)>>,
}

impl HistoryContent {
    pub(crate) async fn of(store: &HistoryStore) -> Self {
        let page = PageRequest {
            sort: JobSort::Started,
            limit: 1000,
            is_ascending: true,
            ..Default::default()
        };
        let mut rows = store.jobs(&JobFilter::default(), &page).await.unwrap().rows;
        rows.sort_by(|one, other| one.key.cmp(&other.key));
        let mut stories = Vec::new();
        for row in &rows {
            stories.extend(store.find(&row.key).await.unwrap());
        }
        let all = store.events_after(0, 1_000_000).await.unwrap();
        let of_job = |row: &JobRow| {
            let of_job = all.iter().filter(|event| event.key == row.key && event.host == row.host);
            of_job
                .map(|event: &StoredEvent| (event.name.clone(), event.state, event.entry.clone()))
                .collect()
        };
        let records = store.audit_after(0, 1_000_000).await.unwrap();
        let audit_of_job = |row: &JobRow| {
            let of_job = records.iter().filter(|record| record.entry.object == row.key);
            of_job
                .map(|record| (record.entry.action.clone(), record.entry.details.clone()))
                .collect()
        };
        let events = rows.iter().map(of_job).collect();
        let audit = rows.iter().map(audit_of_job).collect();
        Self { stories, events, audit, rows }
    }
}
