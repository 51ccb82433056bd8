//! Groups of failures and waits with one cause and one object: what somebody must look at.

use std::collections::{BTreeSet, HashMap};

use fargate_history::{CauseSighting, FailureRow};
use fargate_job_journal::{JobState, JobStory};
use fargate_model::cause::CauseReport;
use fargate_status_answers::{AttentionRow, WhyAnswer};

use super::live_rows::{id_of, report_of_wait};
use super::words::why_of_failure;
use crate::clock::{DAY_MS, HOUR_MS};

/// Groups that are shown.
const SHOWN: usize = 7;
/// Columns of a group's sparkline, and the length of one.
const COLUMNS: u64 = 12;
const COLUMN_MS: u64 = HOUR_MS / COLUMNS;

/// What is counted of one group.
struct AttentionGroup {
    why: WhyAnswer,
    is_system: bool,
    times: Vec<u64>,
    projects: BTreeSet<String>,
    jobs: BTreeSet<String>,
    open_jobs: Vec<String>,
}

/// How the groups are made and ordered.
#[derive(Clone, Copy, Debug)]
pub(super) struct AttentionOrder {
    /// Now.
    pub(super) now_ms: u64,
    /// Whether the newest group stands first, and not the gravest.
    pub(super) newest_first: bool,
    /// Whether one cause with two objects is two groups. A guest does not learn of objects.
    pub(super) by_object: bool,
}

/// The gravest groups of the last hour and of live jobs, or the newest ones, and how many are left out.
pub(super) fn attention(
    failures: &[FailureRow],
    live: &[JobStory],
    before: &[CauseSighting],
    AttentionOrder { now_ms, newest_first, by_object }: AttentionOrder,
) -> (Vec<AttentionRow>, u64) {
    let mut groups: HashMap<(String, Option<String>), AttentionGroup> = HashMap::new();
    for row in failures {
        let why = why_of_failure(row);
        let key = (why.slug.clone(), row.object.clone().filter(|_| by_object));
        let group = groups.entry(key).or_insert_with(|| AttentionGroup::new(why, row.is_system));
        group.add(&row.key, row.project.as_deref(), row.at_ms);
    }
    for story in live {
        let Some((report, at_ms)) = report_of_live(story) else { continue };
        let why = WhyAnswer::of(report);
        let object = report.object().filter(|_| by_object).map(str::to_owned);
        let key = (why.slug.clone(), object);
        let group = groups.entry(key).or_insert_with(|| AttentionGroup::new(why, true));
        group.add(&story.key, story.description.project.as_deref(), at_ms);
        group.open_jobs.push(id_of(story));
    }
    let mut rows: Vec<AttentionRow> = groups
        .into_iter()
        .map(|((slug, object), group)| {
            // Without objects all of them are one group, which any of them made old.
            let seen =
                |seen: &&CauseSighting| seen.slug == slug && (!by_object || seen.object == object);
            let mark = mark(before.iter().filter(seen), now_ms);
            AttentionRow { object, ..group.row(mark, now_ms) }
        })
        .collect();
    rows.sort_by(|a, b| {
        let rank = |row: &AttentionRow| match newest_first {
            true => [row.last_ms, row.jobs, u64::from(row.is_system)],
            false => [u64::from(row.is_system), row.jobs, row.last_ms],
        };
        rank(b).cmp(&rank(a)).then_with(|| a.why.headline.cmp(&b.why.headline))
    });
    let more = rows.len().saturating_sub(SHOWN);
    rows.truncate(SHOWN);
    (rows, more as u64)
}

/// Why a live job failed for good, before its `cleanup` ran, or why it waits; with its time.
pub(crate) fn report_of_live(story: &JobStory) -> Option<(&CauseReport, u64)> {
    let last = story.tries.last()?;
    if let (true, Some(failed_ms), Some(cause)) =
        (last.is_final, last.failed_ms, last.causes.first())
    {
        return Some((cause, failed_ms));
    }
    let is_waiting = story.state == JobState::Waiting;
    report_of_wait(story).filter(|_| is_waiting).map(|report| (report, story.changed_ms))
}

/// `new` if the 7 days before had none, `back` after a day of quiet.
fn mark<'a>(before: impl Iterator<Item = &'a CauseSighting>, now_ms: u64) -> Option<String> {
    match before.map(|seen| seen.last_ms).max() {
        None => Some("new".to_owned()),
        Some(last_ms) if last_ms + DAY_MS + HOUR_MS <= now_ms => Some("back".to_owned()),
        Some(_) => None,
    }
}

impl AttentionGroup {
    fn new(why: WhyAnswer, is_system: bool) -> Self {
        let (projects, jobs) = (BTreeSet::new(), BTreeSet::new());
        Self { why, is_system, times: Vec::new(), projects, jobs, open_jobs: Vec::new() }
    }

    fn add(&mut self, key: &str, project: Option<&str>, at_ms: u64) {
        self.jobs.insert(key.to_owned());
        self.projects.extend(project.map(str::to_owned));
        self.times.push(at_ms);
    }

    fn row(self, mark: Option<String>, now_ms: u64) -> AttentionRow {
        let mut per_5min = vec![0; 12];
        for at_ms in &self.times {
            let age = now_ms.saturating_sub(*at_ms) / COLUMN_MS;
            let column = COLUMNS.saturating_sub(1).saturating_sub(age.min(COLUMNS - 1));
            if let Some(count) = usize::try_from(column).ok().and_then(|at| per_5min.get_mut(at)) {
                *count += 1;
            }
        }
        AttentionRow {
            why: self.why,
            mark,
            object: None,
            jobs: self.jobs.len() as u64,
            open_jobs: self.open_jobs,
            projects: self.projects.len() as u64,
            first_ms: self.times.iter().copied().min().unwrap_or(now_ms),
            last_ms: self.times.iter().copied().max().unwrap_or(now_ms),
            per_5min,
            is_system: self.is_system,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_job_journal::TryStory;
    use fargate_model::cause::FailureCause;

    const NOW: u64 = 30 * DAY_MS;

    fn failure(key: &str, cause: FailureCause, age_ms: u64) -> FailureRow {
        FailureRow {
            slug: Some(cause.entry().slug.to_owned()),
            object: None,
            key: key.to_owned(),
            id: key.to_owned(),
            project: Some("acme/web".to_owned()),
            at_ms: NOW - age_ms,
            is_system: cause != FailureCause::TaskSize,
            report: Some(CauseReport::new(cause)),
        }
    }

    fn order(newest_first: bool) -> AttentionOrder {
        AttentionOrder { now_ms: NOW, newest_first, by_object: true }
    }

    #[test]
    fn one_cause_with_two_objects_is_two_groups_but_not_for_guests() {
        let about = |key: &str, object: &str| FailureRow {
            object: Some(object.to_owned()),
            ..failure(key, FailureCause::ImageDenied, 1000)
        };
        let failures = [about("a", "acme/ci"), about("b", "acme/node"), about("c", "acme/node")];
        let before = [CauseSighting {
            slug: "image-denied".to_owned(),
            object: Some("acme/node".to_owned()),
            jobs: 1,
            first_ms: NOW - 5 * HOUR_MS,
            last_ms: NOW - 5 * HOUR_MS,
        }];
        let (rows, _) = attention(&failures, &[], &before, order(false));
        let lines: Vec<_> =
            rows.iter().map(|row| (row.object.as_deref(), row.jobs, row.mark.as_deref())).collect();
        assert_eq!(lines, [(Some("acme/node"), 2, None), (Some("acme/ci"), 1, Some("new"))]);
        let guest = AttentionOrder { by_object: false, ..order(false) };
        let (rows, _) = attention(&failures, &[], &before, guest);
        assert_eq!(
            (rows.len(), rows[0].jobs, &rows[0].object, &rows[0].mark),
            (1, 3, &None, &None)
        );
    }

    #[test]
    fn ten_jobs_with_one_cause_are_one_line_and_system_failures_come_first() {
        let mut failures: Vec<_> =
            (0..3).map(|n| failure(&format!("s{n}"), FailureCause::TaskSize, 1000)).collect();
        let denied = |n: u64| failure(&format!("d{n}"), FailureCause::ImageDenied, n * 60_000);
        failures.extend((0..2).map(denied));
        let (rows, more) = attention(&failures, &[], &[], order(false));
        let lines: Vec<_> = rows.iter().map(|row| (row.why.slug.as_str(), row.jobs)).collect();
        assert_eq!(lines, [("image-denied", 2), ("task-size", 3)]);
        assert_eq!((more, rows[0].projects, rows[0].per_5min[11]), (0, 1, 2));
        let (rows, _) = attention(&failures, &[], &[], order(true));
        let newest: Vec<_> = rows.iter().map(|row| row.why.slug.as_str()).collect();
        assert_eq!(newest, ["image-denied", "task-size"], "the last refusal was a moment ago");
    }

    #[test]
    fn a_job_that_failed_for_good_counts_before_its_cleanup() {
        let story = |is_final| {
            let causes = vec![CauseReport::new(FailureCause::ImageDenied)];
            let failed_ms = Some(NOW - 1000);
            let last = TryStory { failed_ms, causes, is_final, ..TryStory::default() };
            let (key, state) = ("k".to_owned(), JobState::Starting);
            JobStory { key, state, tries: vec![last], ..JobStory::default() }
        };
        let shown = |story| attention(&[], &[story], &[], order(false)).0;
        let rows = shown(story(true));
        assert_eq!((rows[0].jobs, &rows[0].open_jobs), (1, &vec!["k".to_owned()]));
        assert_eq!((rows[0].why.slug.as_str(), rows[0].last_ms), ("image-denied", NOW - 1000));
        assert_eq!(shown(story(false)), [], "gitlab-runner tries it again");
    }

    #[test]
    fn a_cause_is_new_or_back_or_neither() {
        let seen = |last_ms| {
            let slug = "image-denied".to_owned();
            vec![CauseSighting { slug, object: None, jobs: 1, first_ms: last_ms, last_ms }]
        };
        let marked = |before: &[CauseSighting]| mark(before.iter(), NOW);
        assert_eq!(marked(&[]).as_deref(), Some("new"));
        assert_eq!(marked(&seen(NOW - 2 * DAY_MS)).as_deref(), Some("back"));
        assert_eq!(marked(&seen(NOW - 5 * HOUR_MS)), None);
    }
}
