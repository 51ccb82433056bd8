//! What of a story is filtered, sorted, counted and summed: the columns of the table `jobs`.
//!
//! Columns follow from the story alone, so a story that is read again gives the same row.

use fargate_job_journal::{JobState, JobStory, JobVerdict, TaskUse, TryStory};
use fargate_model::cause::CauseReport;
use fargate_status_answers::causes_of;

use crate::database::SqlValue;
use crate::start_line::StartLine;

/// The columns that follow from the story, in the order of [`JobColumns::values`].
pub(crate) const STORY_COLUMNS: [&str; 31] = [
    "id",
    "state",
    "verdict",
    "received_ms",
    "changed_ms",
    "ended_ms",
    "project",
    "name",
    "git_ref",
    "image",
    "size",
    "task",
    "is_spot",
    "slug",
    "class",
    "headline",
    "object",
    "start_ms",
    "lived_ms",
    "cost",
    "start_cost",
    "idle_cost",
    "failed_cost",
    "billed_ms",
    "spot_ms",
    "start_line",
    "search",
    "attempts",
    "is_priced",
    "nat_cost",
    "missing_price",
];

/// A task that is alive for so long after its last stage was idle. Ours.
const IDLE_AFTER_MS: u64 = 5_000;
/// The longest text of a column, in bytes. Ours; GitLab allows 255 characters for a name.
const LONGEST_TEXT: usize = 1024;

/// The state of a word.
pub(crate) fn state_of(word: &str) -> JobState {
    let all = [JobState::Waiting, JobState::Starting, JobState::Running, JobState::Stopping];
    all.into_iter().find(|state| state.word() == word).unwrap_or(JobState::Finished)
}

/// The verdict of a word.
pub(crate) fn verdict_of(word: &str) -> Option<JobVerdict> {
    use JobVerdict::{Cancelled, Failed, Passed, SystemFailure, TimedOut};
    let all = [Passed, Failed, SystemFailure, TimedOut, Cancelled];
    all.into_iter().find(|verdict| verdict.word() == word)
}

/// The cause that a list shows: why the job failed, or why it waits.
fn cause_of(story: &JobStory) -> Option<CauseReport> {
    causes_of(story, story.tries.last()?).into_iter().next()
}

/// The columns of one job.
pub(crate) struct JobColumns<'a> {
    story: &'a JobStory,
    cause: Option<CauseReport>,
    cost: JobCostParts,
}

impl<'a> JobColumns<'a> {
    pub(crate) fn of(story: &'a JobStory) -> Self {
        Self { story, cause: cause_of(story), cost: JobCostParts::of(story) }
    }

    /// The values, in the order of [`STORY_COLUMNS`].
    pub(crate) fn values(&self) -> [SqlValue; STORY_COLUMNS.len()] {
        let Self { story, cause, cost } = self;
        let about = &story.description;
        let entry = cause.as_ref().map(CauseReport::entry);
        let headline = cause.as_ref().map(|cause| clean(&cause.headline()));
        let start = StartLine::of(story);
        let lived = story.ended_ms.map(|ended| ended.saturating_sub(story.received_ms));
        let size = about.size.map(|size| size.filter_name());
        let known = |value: &Option<String>| SqlValue::Text(value.as_deref().map(clean));
        [
            SqlValue::Text(Some(job_id(story))),
            story.state.word().into(),
            story.verdict.map(JobVerdict::word).into(),
            story.received_ms.into(),
            story.changed_ms.into(),
            story.ended_ms.into(),
            known(&about.project),
            known(&about.name),
            known(&about.git_ref),
            known(&about.image),
            size.as_deref().into(),
            known(&task_of(story).map(str::to_owned)),
            cost.is_spot.into(),
            entry.map(|entry| entry.slug).into(),
            entry.map(|entry| entry.class).into(),
            headline.as_deref().into(),
            cause.as_ref().and_then(CauseReport::object).map(clean).as_deref().into(),
            start.map(|start| start.total_ms).into(),
            lived.into(),
            cost.total.into(),
            cost.start.into(),
            cost.idle.into(),
            cost.failed.into(),
            cost.billed_ms.into(),
            cost.spot_ms.into(),
            start.map(|start| start.text()).as_deref().into(),
            search_text(story).as_str().into(),
            (story.tries.len() as u64).into(),
            cost.is_priced.into(),
            cost.nat.into(),
            cost.missing_price.as_deref().into(),
        ]
    }

    /// The whole cause as JSON.
    pub(crate) fn report(&self) -> Option<String> {
        serde_json::to_string(self.cause.as_ref()?).ok()
    }
}

/// The id for people; the beginning of the key until the job was described.
pub(crate) fn job_id(story: &JobStory) -> String {
    match story.description.id.as_str() {
        "" => story.key.chars().take(8).collect(),
        id => clean(id),
    }
}

fn task_of(story: &JobStory) -> Option<&str> {
    story.tries.iter().rev().find_map(|one| one.task.as_deref())
}

/// What free text is looked for in: id, name, project, branch and task id, in lower case.
fn search_text(story: &JobStory) -> String {
    let about = &story.description;
    let tasks = story.tries.iter().filter_map(|one| one.task.as_deref()?.rsplit('/').next());
    let parts = [Some(about.id.as_str()), about.name.as_deref(), about.project.as_deref()];
    let parts = parts.into_iter().flatten().chain(about.git_ref.as_deref()).chain(tasks.take(3));
    let text: Vec<_> = parts.map(clean).collect();
    text.join(" ").to_lowercase()
}

/// A text as it is kept in a column: without control characters, and not too long. Filters compare with the same.
pub(crate) fn clean(text: &str) -> String {
    let mut clean: String = text.chars().filter(|char| !char.is_control()).collect();
    let mut end = clean.len().min(LONGEST_TEXT);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean.truncate(end);
    clean
}

/// What a job's tasks cost, by what the money bought. Money is in millionths of a US dollar.
#[derive(Default)]
struct JobCostParts {
    /// `None` as long as no try has a cost.
    total: Option<u64>,
    /// Starts that led to a stage.
    start: u64,
    /// Tasks that were alive after their last stage.
    idle: u64,
    /// Tasks in which no stage began.
    failed: u64,
    billed_ms: u64,
    spot_ms: u64,
    is_spot: bool,
    /// Whether no task of it lacks a price.
    is_priced: bool,
    /// The way of images through a NAT gateway, beside what time costs.
    nat: u64,
    /// The first price that is missing.
    missing_price: Option<String>,
}

impl JobCostParts {
    fn of(story: &JobStory) -> Self {
        let mut parts = Self { is_priced: true, ..Self::default() };
        for one in story.tries.iter().filter(|one| one.task.is_some()) {
            let used = TaskUse::of(story, one, story.changed_ms);
            let asked = one.times.capacity.as_ref().or(one.asked_capacity.as_ref());
            parts.is_spot = asked.is_some_and(|name| name == "FARGATE_SPOT");
            let (from_ms, to_ms) = used.map_or((0, 0), |used| (used.from_ms, used.to_ms));
            let billed = to_ms.saturating_sub(from_ms);
            parts.billed_ms = parts.billed_ms.saturating_add(billed);
            if parts.is_spot {
                parts.spot_ms = parts.spot_ms.saturating_add(billed);
            }
            match one.cost_micro_usd {
                Some(cost) => parts.add(one, cost, from_ms, to_ms),
                None if story.state == JobState::Finished => {
                    parts.is_priced = false;
                    parts.missing_price = parts.missing_price.or(one.missing_price.clone());
                }
                None => {}
            }
        }
        if !parts.is_priced {
            (parts.total, parts.start, parts.idle, parts.failed, parts.nat) = (None, 0, 0, 0, 0);
        }
        parts
    }

    fn add(&mut self, one: &TryStory, cost: u64, from_ms: u64, to_ms: u64) {
        self.total = Some(self.total.unwrap_or(0).saturating_add(cost));
        self.nat = self.nat.saturating_add(one.nat_micro_usd);
        // What the image's way cost bought the same whatever the task did later.
        let cost = cost.saturating_sub(one.nat_micro_usd);
        let billed = to_ms.saturating_sub(from_ms);
        let share = |part_ms: u64| match billed {
            0 => 0,
            _ => {
                let part = u128::from(cost) * u128::from(part_ms.min(billed)) / u128::from(billed);
                u64::try_from(part).unwrap_or(cost)
            }
        };
        let Some(first) = one.stages.first() else {
            self.failed = self.failed.saturating_add(cost);
            return;
        };
        self.start = self.start.saturating_add(share(first.started_ms.saturating_sub(from_ms)));
        let last = one.stages.last().unwrap_or(first);
        let silent = to_ms.saturating_sub(last.ended_ms.unwrap_or(to_ms));
        if silent > IDLE_AFTER_MS {
            self.idle = self.idle.saturating_add(share(silent));
        }
    }
}
