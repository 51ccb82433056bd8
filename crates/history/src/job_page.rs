//! One page of a list of jobs. A page begins after a job and not at a number, so pages do not shift while
//! jobs come in, and the last page is as quick as the first.

use std::fmt;
use std::str::FromStr;

use fargate_job_journal::{JobState, JobVerdict};

use crate::database::{DataRow, HistoryDatabase, SqlStatement};
use crate::job_columns::{state_of, verdict_of};
use crate::{HistoryError, HistoryStore, JobFilter};

/// Matches that are counted at most; beyond that there are "more". Source: the issue of the pages.
const MOST_COUNTED: u64 = 10_000;
/// Rows of one page at most. Ours.
const LONGEST_PAGE: usize = 1000;

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum JobSort {
    /// When the job was received.
    #[default]
    Started,
    /// How long its start took.
    Start,
    /// How long it lived.
    Lived,
    /// What it cost.
    Cost,
}

impl JobSort {
    fn column(self) -> &'static str {
        match self {
            Self::Started => "received_ms",
            Self::Start => "start_ms",
            Self::Lived => "lived_ms",
            Self::Cost => "cost",
        }
    }
}

/// A place in a sorted list. As text it is a parameter of an URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageCursor {
    value: i64,
    number: u64,
}

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.value, self.number)
    }
}

impl FromStr for PageCursor {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (value, number) = text.split_once('.').unwrap_or((text, ""));
        Ok(Self { value: value.parse()?, number: number.parse()? })
    }
}

/// Which page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// What it is sorted by.
    pub sort: JobSort,
    /// Smallest first; what is not known comes before that.
    pub is_ascending: bool,
    /// The page begins after this place.
    pub after: Option<PageCursor>,
    /// The page ends before this place; `after` counts more.
    pub before: Option<PageCursor>,
    /// Rows of the page: 1 to 1,000.
    pub limit: usize,
}

/// One page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobPage {
    /// Its rows.
    pub rows: Vec<JobRow>,
    /// How many jobs match; at most 10,000 are counted.
    pub total: u64,
    /// Whether more match.
    pub is_more: bool,
    /// How many jobs the window has without the filter.
    pub all: u64,
    /// The `after` of the next page.
    pub next: Option<PageCursor>,
    /// The `before` of the page before.
    pub previous: Option<PageCursor>,
}

/// What a list shows of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobRow {
    /// Its key.
    pub key: String,
    /// Its id.
    pub id: String,
    /// Its host.
    pub host: String,
    /// Where it stands.
    pub state: JobState,
    /// How it ended.
    pub verdict: Option<JobVerdict>,
    /// Its name.
    pub name: Option<String>,
    /// Its project's path.
    pub project: Option<String>,
    /// Branch or tag.
    pub git_ref: Option<String>,
    /// Its image as configured.
    pub image: Option<String>,
    /// Its size: `1 vCPU 2 GB`.
    pub size: Option<String>,
    /// Whether it ran on Spot.
    pub is_spot: bool,
    /// Its cause.
    pub slug: Option<String>,
    /// The cause's headline.
    pub headline: Option<String>,
    /// When it was received.
    pub received_ms: u64,
    /// How long its start took.
    pub started_in_ms: Option<u64>,
    /// How long it lived.
    pub lived_ms: Option<u64>,
    /// Estimated cost.
    pub cost_micro_usd: Option<u64>,
    /// How many tries it had.
    pub attempts: u64,
}

const ROW_COLUMNS: &str = "key, id, host, state, verdict, name, project, git_ref, image, size, is_spot, slug, \
     headline, received_ms, start_ms, lived_ms, cost, attempts, number";

impl JobRow {
    fn of(row: &DataRow) -> Result<Self, HistoryError> {
        Ok(Self {
            key: row.text(0)?,
            id: row.text(1)?,
            host: row.text(2)?,
            state: state_of(&row.text(3)?),
            verdict: row.known_text(4)?.as_deref().and_then(verdict_of),
            name: row.known_text(5)?,
            project: row.known_text(6)?,
            git_ref: row.known_text(7)?,
            image: row.known_text(8)?,
            size: row.known_text(9)?,
            is_spot: row.number(10)? == 1,
            slug: row.known_text(11)?,
            headline: row.known_text(12)?,
            received_ms: row.number(13)?,
            started_in_ms: row.known_number(14)?,
            lived_ms: row.known_number(15)?,
            cost_micro_usd: row.known_number(16)?,
            attempts: row.number(17)?,
        })
    }
}

impl HistoryStore {
    /// One page of the jobs that match.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub async fn jobs(
        &self,
        filter: &JobFilter,
        page: &PageRequest,
    ) -> Result<JobPage, HistoryError> {
        let database = self.database().await;
        let mut answer = read_page(&database, filter, page).await?;
        let counted = count(&database, filter, Some(MOST_COUNTED + 1)).await?;
        answer.total = counted.min(MOST_COUNTED);
        answer.is_more = counted > MOST_COUNTED;
        answer.all = count(&database, &filter.window(), None).await?;
        Ok(answer)
    }
}

async fn read_page(
    database: &HistoryDatabase,
    filter: &JobFilter,
    page: &PageRequest,
) -> Result<JobPage, HistoryError> {
    let limit = page.limit.clamp(1, LONGEST_PAGE);
    // A page before a place is read backwards from there.
    let is_backwards = page.after.is_none() && page.before.is_some();
    let is_ascending = page.is_ascending != is_backwards;
    let column = page.sort.column();
    let mut read = SqlStatement::new("SELECT ");
    read.push(ROW_COLUMNS).push(", ").push(column).push(" FROM jobs");
    filter.add_to(&mut read);
    if let Some(place) = page.after.or(page.before) {
        read.push(" AND (").push(column).push(", number) ").push(if is_ascending {
            "> ("
        } else {
            "< ("
        });
        read.bind(place.value).push(", ").bind(place.number).push(")");
    }
    let direction = if is_ascending { " ASC" } else { " DESC" };
    for part in [" ORDER BY ", column, direction, ", number", direction, " LIMIT "] {
        read.push(part);
    }
    read.bind(limit as u64 + 1);
    let mut rows = database.rows("listing jobs", &read).await?;
    let is_more = rows.len() > limit;
    rows.truncate(limit);
    if is_backwards {
        rows.reverse();
    }
    let place = |row: &DataRow| Ok(PageCursor { value: row.integer(19)?, number: row.number(18)? });
    let (has_next, has_previous) =
        if is_backwards { (true, is_more) } else { (is_more, page.after.is_some()) };
    Ok(JobPage {
        next: rows.last().filter(|_| has_next).map(place).transpose()?,
        previous: rows.first().filter(|_| has_previous).map(place).transpose()?,
        rows: rows.iter().map(JobRow::of).collect::<Result<_, _>>()?,
        ..JobPage::default()
    })
}

/// How many jobs match; at most `limit` are counted.
async fn count(
    database: &HistoryDatabase,
    filter: &JobFilter,
    limit: Option<u64>,
) -> Result<u64, HistoryError> {
    let mut read = SqlStatement::new("SELECT COUNT(*) FROM (SELECT 1 FROM jobs");
    filter.add_to(&mut read);
    if let Some(limit) = limit {
        read.push(" LIMIT ").bind(limit);
    }
    read.push(") AS matching");
    let rows = database.rows("counting jobs", &read).await?;
    rows.first().map_or(Ok(0), |row| row.number(0))
}
