//! Single jobs, whole: by id, those that are not over, and those of which ECS refused a launch.

use fargate_job_journal::{JobStory, JournalEntry};

use crate::database::{DataRow, SqlStatement};
use crate::job_filter::escape_pattern;
use crate::{HistoryError, HistoryStore, JobFilter};

/// Jobs that one id can mean at most. Ours.
const MOST_MEANT: u64 = 20;
/// Jobs with a refused launch that one question reads at most. Ours: far more than ten minutes bring.
const MOST_REFUSED: u64 = 5_000;
/// Ids that are like a given one, at most. Ours.
const MOST_NEAR: u64 = 3;
/// The shortest id that others are compared with. Ours: the shorter it is, the more look like it.
const SHORTEST_ID: usize = 4;
/// Events of one job that are read at most. Ours; a job has some dozens.
const MOST_EVENTS: u64 = 10_000;
/// The shortest beginning of a key that is looked for. Ours; `jobs list` shows 8 digits.
const SHORTEST_KEY: usize = 8;

impl HistoryStore {
    /// The jobs that an id, a number of the forge, a key or the beginning of a key can mean, newest first.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn find(&self, id_or_key: &str) -> Result<Vec<JobStory>, HistoryError> {
        let mut read =
            SqlStatement::new("SELECT story FROM jobs JOIN stories USING (number) WHERE id = ");
        read.bind(id_or_key).push(" OR key = ").bind(id_or_key);
        if id_or_key.bytes().all(|byte| byte.is_ascii_digit()) {
            read.push(" OR id = ").bind(format!("gl-{id_or_key}").as_str());
        }
        let is_beginning = id_or_key.len() >= SHORTEST_KEY
            && id_or_key.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_beginning {
            let pattern = format!("{}%", escape_pattern(&id_or_key.to_ascii_lowercase()));
            read.push(" OR key LIKE ").bind(pattern.as_str()).push(" ESCAPE '!'");
        }
        read.push(" ORDER BY received_ms DESC, number DESC LIMIT ").bind(MOST_MEANT);
        self.stories("looking for a job", &read).await
    }

    /// The jobs that are not over, oldest first.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn live(&self) -> Result<Vec<JobStory>, HistoryError> {
        let read = "SELECT story FROM jobs JOIN stories USING (number) WHERE ended_ms < 0 \
             ORDER BY received_ms, number";
        self.stories("reading the jobs that are not over", &SqlStatement::new(read)).await
    }

    /// The jobs of the filter of which ECS refused a launch, those that ended last first, at most 5,000.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn refused(&self, filter: &JobFilter) -> Result<Vec<JobStory>, HistoryError> {
        let mut read = SqlStatement::new("SELECT story FROM jobs JOIN stories USING (number)");
        filter.add_to(&mut read);
        // So JSON writes a list that is not empty. Most jobs were never refused, and their stories are not read.
        read.push(" AND story LIKE '%\"refusals\":[[%' ORDER BY ended_ms DESC LIMIT ");
        read.bind(MOST_REFUSED);
        self.stories("reading the jobs of which a launch was refused", &read).await
    }

    /// Ids that differ from this one in the last character alone, newest first, at most 3.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn near_ids(&self, id: &str) -> Result<Vec<String>, HistoryError> {
        let Some((last, _)) =
            id.char_indices().next_back().filter(|(at, _)| *at + 1 >= SHORTEST_ID)
        else {
            return Ok(Vec::new());
        };
        // One character more, one less, or another one.
        let mut read = SqlStatement::new("SELECT id FROM jobs WHERE id LIKE ");
        for (at, like) in [(&id[..last], "_"), (&id[..last], ""), (id, "_")].iter().enumerate() {
            let (begin, rest) = like;
            let pattern = format!("{}{rest}", escape_pattern(begin));
            read.push(if at == 0 { "" } else { " OR id LIKE " });
            read.bind(pattern.as_str()).push(" ESCAPE '!'");
        }
        read.push(" ORDER BY number DESC LIMIT ").bind(MOST_NEAR);
        let database = self.database().await;
        let rows = database.rows("looking for ids like this one", &read).await?;
        rows.iter().map(|row| row.text(0)).collect()
    }

    /// What happened to the jobs with this key, oldest first.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn events_of(&self, key: &str) -> Result<Vec<JournalEntry>, HistoryError> {
        let read = SqlStatement::with(
            "SELECT entry FROM events JOIN jobs USING (number) WHERE key = $1 ORDER BY sequence LIMIT $2",
            [key.into(), MOST_EVENTS.into()],
        );
        let rows = self.database().await.rows("reading the events of a job", &read).await?;
        let unreadable = |source| HistoryError::Unreadable { what: "an event of a job", source };
        rows.iter().map(|row| serde_json::from_str(&row.text(0)?).map_err(unreadable)).collect()
    }

    /// A story that this version cannot read is left out.
    pub(crate) async fn stories(
        &self,
        doing: &'static str,
        read: &SqlStatement,
    ) -> Result<Vec<JobStory>, HistoryError> {
        let mut stories = Vec::new();
        let database = self.database().await;
        database
            .for_each_row(doing, read, |row| {
                stories.extend(story_of(&row)?);
                Ok(())
            })
            .await?;
        Ok(stories)
    }
}

/// The story in the first column.
pub(crate) fn story_of(row: &DataRow) -> Result<Option<JobStory>, HistoryError> {
    Ok(serde_json::from_str(&row.text(0)?).ok())
}
