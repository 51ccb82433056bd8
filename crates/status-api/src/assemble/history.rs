//! Jobs of the past: what a query asks of the history, and the answer.

use fargate_history::{
    FilterChoices, JobBucket, JobFilter, JobPage, JobSort, PageRequest, ValueRange,
};
use fargate_job_journal::JobVerdict;
use fargate_model::cause::FailureCause;
use fargate_model::text;
use fargate_status_answers::{CauseGroup, HistoryAnswer, HistoryBucket};

use super::words::{self, jobs};
use crate::ApiProblem;
use crate::clock::{DAY_MS, HOUR_MS};
use crate::job_query::{JobQuery, NumberRange, ends};

/// What the answer is made of.
#[derive(Debug)]
pub struct HistoryParts {
    /// What was asked.
    pub query: JobQuery,
    /// The rows.
    pub page: JobPage,
    /// Jobs over the window.
    pub buckets: Vec<JobBucket>,
    /// Causes with their counts.
    pub causes: Vec<(String, u64)>,
    /// How the window's jobs ended.
    pub verdicts: Vec<(JobVerdict, u64)>,
    /// What can be chosen.
    pub choices: FilterChoices,
}

/// The filter that a query asks for.
#[must_use]
pub fn filter_of(query: &JobQuery) -> JobFilter {
    let verdict = |word: &String| match word.as_str() {
        "passed" => JobVerdict::Passed,
        "failed" => JobVerdict::Failed,
        "timed_out" => JobVerdict::TimedOut,
        "cancelled" => JobVerdict::Cancelled,
        _ => JobVerdict::SystemFailure,
    };
    JobFilter {
        from_ms: Some(query.from_ms),
        to_ms: Some(query.to_ms),
        by_end: query.by_end,
        text: query.text.clone(),
        verdicts: query.verdicts.iter().map(verdict).collect(),
        causes: query.causes.clone(),
        objects: query.objects.clone(),
        classes: query.classes.clone(),
        projects: query.projects.clone(),
        images: query.images.clone(),
        sizes: query.sizes.clone(),
        hosts: query.hosts.clone(),
        spot: query.spot,
        refs: query.refs.clone(),
        start: value_range(query.start_ms.as_ref()),
        lived: value_range(query.lived_ms.as_ref()),
        cost: value_range(query.cost.as_ref()),
    }
}

fn value_range(range: Option<&NumberRange>) -> ValueRange {
    let (from, to) = range.map_or((None, None), ends);
    ValueRange { from, below: to.map(|to| to.saturating_add(1)) }
}

/// The page that a query asks for.
///
/// # Errors
///
/// Returns [`ApiProblem::BadParameter`] for a cursor that is none of ours: a wrong one would show wrong rows.
pub fn page_request(query: &JobQuery) -> Result<PageRequest, ApiProblem> {
    let cursor = |name: &'static str, given: &Option<String>| {
        let parsed = given.as_deref().map(str::parse).transpose();
        let allowed = "what `next` and `previous` of a page give";
        parsed.map_err(|_| {
            ApiProblem::bad_parameter(name, given.as_deref().unwrap_or_default(), allowed)
        })
    };
    Ok(PageRequest {
        sort: match query.sort {
            "start" => JobSort::Start,
            "lived" => JobSort::Lived,
            "cost" => JobSort::Cost,
            _ => JobSort::Started,
        },
        is_ascending: !query.is_descending,
        after: cursor("after", &query.after)?,
        before: cursor("before", &query.before)?,
        limit: usize::try_from(query.per).unwrap_or(50),
    })
}

/// The length of a bucket for a window: 1 min in an hour, 30 min in a day, 6 h in a week.
#[must_use]
pub fn bucket_ms(window_ms: u64) -> u64 {
    if window_ms <= HOUR_MS {
        60_000
    } else if window_ms <= 6 * HOUR_MS {
        600_000
    } else if window_ms <= 36 * HOUR_MS {
        1_800_000
    } else if window_ms <= 10 * DAY_MS {
        6 * HOUR_MS
    } else {
        DAY_MS
    }
}

/// Assembles the answer.
#[must_use]
pub fn history_answer(parts: HistoryParts) -> HistoryAnswer {
    let HistoryParts { query, page, buckets, causes, verdicts, choices } = parts;
    let answer = sentence(&query, &page, &causes, &verdicts);
    HistoryAnswer {
        answer: words::answer(&answer),
        total: page.total,
        is_more: page.is_more,
        all: page.all,
        next: page.next.as_ref().filter(|_| !query.by_cause).map(ToString::to_string),
        previous: page.previous.as_ref().filter(|_| !query.by_cause).map(ToString::to_string),
        groups: query.by_cause.then(|| causes.iter().map(group).collect()),
        rows: match query.by_cause {
            true => Vec::new(),
            false => page.rows.into_iter().map(words::history_row).collect(),
        },
        buckets: buckets
            .into_iter()
            .map(|it| HistoryBucket { at_ms: it.at_ms, jobs: it.jobs, failed: it.failed })
            .collect(),
        bucket_ms: bucket_ms(query.to_ms - query.from_ms),
        from_ms: query.from_ms,
        to_ms: query.to_ms,
        causes,
        projects: choices.projects,
        images: choices.images,
        sizes: choices.sizes,
        hosts: choices.hosts,
        notices: query.notices,
        removable: None,
    }
}

fn group((slug, jobs): &(String, u64)) -> CauseGroup {
    CauseGroup { slug: slug.clone(), headline: headline_of(slug), jobs: *jobs }
}

fn sentence(
    query: &JobQuery,
    page: &JobPage,
    causes: &[(String, u64)],
    verdicts: &[(JobVerdict, u64)],
) -> String {
    let more = if page.is_more { "more than " } else { "" };
    let window = query.window_words();
    let (ended, of_window) = match query.by_end {
        true => (" ended", format!("ended in the {window}")),
        false => ("", window.clone()),
    };
    if query.has_filter() {
        let most = causes
            .first()
            .map(|(slug, n)| format!(" Most often: {} ({}).", headline_of(slug), text::count(*n)));
        return format!(
            "{more}{} of {} match, {of_window}.{}",
            text::count(page.total),
            jobs(page.all),
            most.unwrap_or_default()
        );
    }
    if page.all == 0 && page.total == 0 {
        return format!("No job{ended} in the {window}.");
    }
    let count = |wanted| verdicts.iter().filter(|(v, _)| *v == wanted).map(|(_, n)| n).sum::<u64>();
    let (failed, late) = (count(JobVerdict::Failed), count(JobVerdict::TimedOut));
    let mut parts = vec![format!("{} passed", text::count(count(JobVerdict::Passed)))];
    for (n, one, many) in [
        (failed, "failed", "failed"),
        (late, "timed out", "timed out"),
        (count(JobVerdict::SystemFailure), "system failure", "system failures"),
        (count(JobVerdict::Cancelled), "cancelled", "cancelled"),
    ] {
        if n > 0 {
            parts.push(format!("{} {}", text::count(n), if n == 1 { one } else { many }));
        }
    }
    format!("{more}{}{ended} in the {window}: {}.", jobs(page.total), parts.join(", "))
}

/// The cause's headline without the facts of a case.
pub(crate) fn headline_of(slug: &str) -> String {
    let known = FailureCause::ALL.iter().find(|cause| cause.entry().slug == slug);
    let headline = known.and_then(|cause| cause.entry().headline.last().copied());
    headline.unwrap_or(slug).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(query: &str, page: JobPage, causes: &[(String, u64)]) -> String {
        let query = JobQuery::parse(query, 1_795_989_600_000, DAY_MS, true);
        let verdicts = [
            (JobVerdict::Passed, 1171),
            (JobVerdict::Failed, 21),
            (JobVerdict::SystemFailure, 9),
            (JobVerdict::Cancelled, 3),
        ];
        sentence(&query, &page, causes, &verdicts)
    }

    #[test]
    fn the_mix_is_one_sentence() {
        let page = JobPage { total: 1204, all: 1204, ..JobPage::default() };
        insta::assert_snapshot!(said("", page, &[]), @"1,204 jobs in the last 24 hours: 1,171 passed, 21 failed, 9 system failures, 3 cancelled.");
        let page = JobPage { total: 24, all: 1204, ..JobPage::default() };
        let causes = [("image-denied".to_owned(), 15)];
        insta::assert_snapshot!(said("verdict=failed", page, &causes), @"24 of 1,204 jobs match, last 24 hours. Most often: the registry refused the image (15).");
    }

    #[test]
    fn a_window_by_the_end_says_so() {
        let page = JobPage { total: 5, all: 30, ..JobPage::default() };
        insta::assert_snapshot!(said("window=ended&last=1h&verdict=failed", page, &[]), @"5 of 30 jobs match, ended in the last hour.");
        insta::assert_snapshot!(said("window=ended&last=1h", JobPage::default(), &[]), @"No job ended in the last hour.");
        let query =
            JobQuery::parse("window=ended&object=-&object=a,+b", 1_795_989_600_000, 1, true);
        let filter = filter_of(&query);
        assert_eq!((filter.by_end, filter.objects), (true, vec![None, Some("a, b".to_owned())]));
    }

    #[test]
    fn a_cursor_that_is_none_of_ours_is_refused() {
        let query = JobQuery::parse("after=guess", 1_795_989_600_000, DAY_MS, true);
        let refused = page_request(&query).unwrap_err();
        assert!(matches!(refused, ApiProblem::BadParameter { name: "after", .. }), "{refused}");
    }

    #[test]
    fn a_range_of_a_url_is_the_same_range_of_the_history() {
        let query = JobQuery::parse("start=40s..80s", 1_795_989_600_000, DAY_MS, true);
        let range = filter_of(&query).start;
        assert_eq!((range.from, range.below), (Some(40_000), Some(80_000)));
    }
}
