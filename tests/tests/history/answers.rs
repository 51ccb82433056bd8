//! Questions about many jobs, each compared with what a look at all stories says.

use std::collections::{BTreeMap, BTreeSet};

use fargate_history::{
    CostKey, HistoryStore, JobFilter, JobRow, JobSort, PageRequest, StoryUpdate, ValueRange,
};
use fargate_job_journal::{JobState, JobVerdict};
use fargate_status_answers::TimelinePhase;

use crate::place::{DAWN, JobShape, TestHistory, fill, key};

const JOBS: u32 = 240;

async fn all_rows(store: &HistoryStore, filter: &JobFilter, sort: JobSort) -> Vec<JobRow> {
    let mut request = PageRequest { sort, limit: 37, ..PageRequest::default() };
    let mut rows = Vec::new();
    loop {
        let page = store.jobs(filter, &request).await.unwrap();
        assert_eq!(page.previous.is_some(), !rows.is_empty());
        rows.extend(page.rows);
        match page.next {
            Some(next) => request.after = Some(next.to_string().parse().unwrap()),
            None => return rows,
        }
    }
}

#[tokio::test]
async fn pages_of_each_sort_show_each_job_once_in_both_directions() {
    for history in TestHistory::each().await {
        fill(&history.store, JOBS).await;
        let all = JobFilter::default();
        for sort in [JobSort::Started, JobSort::Start, JobSort::Lived, JobSort::Cost] {
            let rows = all_rows(&history.store, &all, sort).await;
            let keys: BTreeSet<_> = rows.iter().map(|row| &row.key).collect();
            assert_eq!((rows.len(), keys.len()), (JOBS as usize, JOBS as usize), "{sort:?}");
            let value = |row: &JobRow| match sort {
                JobSort::Started => Some(row.received_ms),
                JobSort::Start => row.started_in_ms,
                JobSort::Lived => row.lived_ms,
                JobSort::Cost => row.cost_micro_usd,
            };
            assert!(rows.is_sorted_by(|one, other| value(one) >= value(other)), "{sort:?}");
            assert_page_before(&history.store, sort, &rows).await;
        }
    }
}

/// The page before the second page is the first one.
async fn assert_page_before(store: &HistoryStore, sort: JobSort, rows: &[JobRow]) {
    let (all, first) =
        (JobFilter::default(), PageRequest { sort, limit: 20, ..Default::default() });
    let after = store.jobs(&all, &first).await.unwrap().next;
    let second = store.jobs(&all, &PageRequest { after, ..first.clone() }).await.unwrap();
    assert_eq!(second.rows, rows[20..40]);
    let before = PageRequest { before: second.previous, ..first };
    let page = store.jobs(&all, &before).await.unwrap();
    assert_eq!(page.rows, rows[..20]);
    assert_eq!((page.previous, page.total, page.all), (None, u64::from(JOBS), u64::from(JOBS)));
}

#[tokio::test]
async fn each_filter_leaves_out_what_does_not_match() {
    for history in TestHistory::each().await {
        fill(&history.store, JOBS).await;
        let every = all_rows(&history.store, &JobFilter::default(), JobSort::Started).await;
        for (filter, matches) in filters() {
            let found = all_rows(&history.store, &filter, JobSort::Started).await;
            let expected: Vec<_> = every.iter().filter(|row| matches(row)).cloned().collect();
            assert!(!expected.is_empty() && expected.len() < every.len(), "{filter:?}");
            assert_eq!(found, expected, "{filter:?}");
        }
    }
}

type RowTest = fn(&JobRow) -> bool;

fn filters() -> Vec<(JobFilter, RowTest)> {
    let all = JobFilter::default;
    let one = |text: &str| vec![text.to_owned()];
    let range = |from, below| ValueRange { from, below };
    vec![
        (JobFilter { from_ms: Some(DAWN + 6_100_000), ..all() }, |row| {
            row.received_ms >= DAWN + 6_100_000
        }),
        (JobFilter { to_ms: Some(DAWN + 6_100_000), ..all() }, |row| {
            row.received_ms < DAWN + 6_100_000
        }),
        (JobFilter { verdicts: vec![JobVerdict::Failed], ..all() }, |row| {
            row.verdict == Some(JobVerdict::Failed)
        }),
        (JobFilter { causes: one("image-denied"), ..all() }, |row| {
            row.slug.as_deref() == Some("image-denied")
        }),
        (JobFilter { classes: one("script"), ..all() }, |row| {
            row.slug.as_deref() == Some("script-failed")
        }),
        (JobFilter { projects: vec!["acme/web".into(), "acme/api".into()], ..all() }, |row| {
            row.project.as_deref().is_some_and(|project| project.starts_with("acme/"))
        }),
        (JobFilter { images: one("ci@stable"), ..all() }, |row| {
            row.image.as_deref() == Some("ci@stable")
        }),
        (JobFilter { sizes: one("2 vCPU 4 GB"), ..all() }, |row| {
            row.size.as_deref() == Some("2 vCPU 4 GB")
        }),
        (JobFilter { refs: one("feature/x"), ..all() }, |row| {
            row.git_ref.as_deref() == Some("feature/x")
        }),
        (JobFilter { spot: Some(true), ..all() }, |row| row.is_spot),
        (JobFilter { start: range(Some(40_000), Some(60_000)), ..all() }, |row| {
            row.started_in_ms.is_some_and(|start| (40_000..60_000).contains(&start))
        }),
        (JobFilter { lived: range(None, Some(100_000)), ..all() }, |row| {
            row.lived_ms.is_some_and(|lived| lived < 100_000)
        }),
        (JobFilter { cost: range(Some(3_000), None), ..all() }, |row| {
            row.cost_micro_usd.is_some_and(|cost| cost >= 3_000)
        }),
        // Signs of patterns mean themselves, case does not matter, each word must be there.
        (JobFilter { text: Some("100%".into()), ..all() }, |row| {
            row.name.as_deref() == Some("build 100%")
        }),
        (JobFilter { text: Some("lint_a TOOL".into()), ..all() }, |row| {
            row.name.as_deref() == Some("Lint_All") && row.project.as_deref() == Some("other/tool")
        }),
        (JobFilter { text: Some("gl-4017".into()), ..all() }, |row| row.id == "gl-4017"),
    ]
}

#[tokio::test]
async fn text_that_is_sql_or_holds_nul_is_only_text() {
    for history in TestHistory::each().await {
        let mut shape = JobShape::numbered(1);
        "x'; DROP TABLE jobs; --\0\u{1b}[31m\\".clone_into(&mut shape.name);
        shape.project = "p".repeat(5000);
        history.store.put(vec![shape.update("ci-1")]).await.unwrap();
        let filter = JobFilter { text: Some("x'; drop".into()), ..JobFilter::default() };
        let page = history.store.jobs(&filter, &PageRequest::default()).await.unwrap();
        assert_eq!(page.rows[0].name.as_deref(), Some("x'; DROP TABLE jobs; --[31m\\"));
        assert_eq!(page.rows[0].project.as_deref(), Some("p".repeat(1024).as_str()));
        assert_eq!(history.store.find("gl-4001").await.unwrap().len(), 1);
        assert_eq!(history.store.find("' OR 1=1 --").await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_job_is_found_by_id_number_key_and_the_beginning_of_its_key() {
    for history in TestHistory::each().await {
        let updates = fill(&history.store, 20).await;
        let story = &updates[7].story;
        for meant in
            ["gl-4007", "4007", key(7).as_str(), &key(7).as_str()[..8], &key(7).as_str()[..20]]
        {
            let found = history.store.find(meant).await.unwrap();
            assert_eq!(found, std::slice::from_ref(story), "{meant}");
        }
        for meant in ["", "%", "gl-400_", "gl-9999", "400", &key(7).as_str()[..7]] {
            assert_eq!(history.store.find(meant).await.unwrap(), [], "{meant}");
        }
        let events = history.store.events_of(key(7).as_str()).await.unwrap();
        assert_eq!(events, JobShape::numbered(7).entries());
    }
}

#[tokio::test]
async fn jobs_that_are_not_over_are_read_whole_oldest_first() {
    for history in TestHistory::each().await {
        fill(&history.store, 10).await;
        for number in [31, 30] {
            let shape = JobShape::numbered(number);
            let mut update = shape.update("ci-1");
            let mut story = fargate_job_journal::JobStory::new(key(number).as_str());
            shape.entries().iter().take(8).for_each(|entry| story.apply(entry));
            update.story = story;
            history.store.put(vec![update]).await.unwrap();
        }
        let live = history.store.live().await.unwrap();
        let ids: Vec<_> =
            live.iter().map(|story| (story.description.id.as_str(), story.state)).collect();
        assert_eq!(ids, [("gl-4030", JobState::Starting), ("gl-4031", JobState::Starting)]);
    }
}

#[tokio::test]
async fn counts_by_time_cause_and_choice_are_those_of_the_rows() {
    for history in TestHistory::each().await {
        fill(&history.store, JOBS).await;
        let (store, all) = (&history.store, JobFilter::default());
        let rows = all_rows(store, &all, JobSort::Started).await;
        let mut buckets = BTreeMap::<u64, (u64, u64)>::new();
        let mut causes = BTreeMap::<String, u64>::new();
        for row in &rows {
            let bucket = buckets.entry(row.received_ms / 1_800_000 * 1_800_000).or_default();
            bucket.0 += 1;
            bucket.1 += u64::from(row.verdict != Some(JobVerdict::Passed));
            if let Some(slug) = &row.slug {
                *causes.entry(slug.clone()).or_default() += 1;
            }
        }
        let found = store.buckets(&all, 1_800_000).await.unwrap();
        let found: BTreeMap<_, _> =
            found.into_iter().map(|bucket| (bucket.at_ms, (bucket.jobs, bucket.failed))).collect();
        assert_eq!(found, buckets);
        let found = store.causes(&all).await.unwrap();
        assert!(found.is_sorted_by(|one, other| one.1 >= other.1));
        assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), causes);
        let choices = store.choices(&all).await.unwrap();
        assert_eq!(choices.projects, ["acme/api", "acme/web", "other/tool"]);
        assert_eq!(choices.images, ["ci@stable", "node@stable"]);
        assert_eq!(
            (choices.sizes, choices.hosts),
            (vec!["1 vCPU 2 GB".to_owned(), "2 vCPU 4 GB".to_owned()], vec!["ci-1".to_owned()])
        );
        let verdicts: u64 = store.verdicts(&all).await.unwrap().iter().map(|(_, jobs)| jobs).sum();
        assert_eq!(verdicts, u64::from(JOBS));
    }
}

#[tokio::test]
async fn failures_say_their_cause_and_what_it_is_about() {
    for history in TestHistory::each().await {
        fill(&history.store, 60).await;
        let failures = history.store.failures(&ended_since(DAWN)).await.unwrap();
        assert!(failures.is_sorted_by(|one, other| one.at_ms >= other.at_ms));
        let system: Vec<_> = failures.iter().filter(|row| row.is_system).collect();
        assert_eq!(system.len(), 5);
        for row in &system {
            let report = row.report.as_ref().unwrap();
            assert_eq!(
                (row.slug.as_deref(), report.entry().slug),
                (Some("image-denied"), "image-denied")
            );
            assert_eq!(row.object.as_deref(), report.facts.get("image").map(String::as_str));
        }
        let middle = failures[3].at_ms;
        let later = history.store.failures(&ended_since(middle)).await.unwrap();
        assert_eq!(later, failures[..4]);
        let sightings = history.store.cause_sightings(&ended_since(DAWN)).await.unwrap();
        let jobs: u64 = sightings.iter().map(|sighting| sighting.jobs).sum();
        assert_eq!(jobs, failures.len() as u64);
        assert!(sightings.iter().all(|sighting| sighting.first_ms <= sighting.last_ms));
    }
}

/// Jobs that ended at this moment or later.
fn ended_since(from_ms: u64) -> JobFilter {
    JobFilter { from_ms: Some(from_ms), by_end: true, ..JobFilter::default() }
}

#[tokio::test]
async fn a_window_by_the_end_lists_the_failures_that_are_counted_and_no_live_job() {
    for history in TestHistory::each().await {
        let store = &history.store;
        fill(store, 60).await;
        let mut live = JobShape::numbered(61).update("ci-1");
        live.story.state = JobState::Running;
        (live.story.ended_ms, live.story.verdict) = (None, None);
        store.put(vec![live]).await.unwrap();
        let failures = store.failures(&ended_since(DAWN)).await.unwrap();
        // Some of these were received before the window of the ends begins.
        let middle = ended_since(failures[failures.len() / 2].at_ms);
        let failed = vec![JobVerdict::Failed, JobVerdict::SystemFailure, JobVerdict::TimedOut];
        let counted = store.failures(&middle).await.unwrap();
        let filter = JobFilter { verdicts: failed.clone(), ..middle.clone() };
        let listed = all_rows(store, &filter, JobSort::Started).await;
        assert_eq!(
            keys_of(listed.iter().map(|row| &row.key)),
            keys_of(counted.iter().map(|row| &row.key))
        );
        assert!(listed.iter().any(|row| row.received_ms < middle.from_ms.unwrap()));
        let buckets = store.buckets(&filter, 60_000).await.unwrap();
        assert!(buckets.iter().all(|bucket| bucket.at_ms + 60_000 > middle.from_ms.unwrap()));
        assert_eq!(buckets.iter().map(|bucket| bucket.jobs).sum::<u64>(), listed.len() as u64);
        let every = all_rows(store, &ended_since(0), JobSort::Started).await;
        assert!(every.len() == 60 && every.iter().all(|row| row.verdict.is_some()));
        // One cause and one object: what a line of the page of now counts.
        for row in &counted {
            let of_row = JobFilter {
                causes: vec![row.slug.clone().unwrap_or_else(|| "script-failed".to_owned())],
                objects: vec![row.object.clone()],
                verdicts: failed.clone(),
                ..middle.clone()
            };
            let same =
                counted.iter().filter(|it| (&it.slug, &it.object) == (&row.slug, &row.object));
            let listed = all_rows(store, &of_row, JobSort::Started).await;
            assert_eq!(
                keys_of(listed.iter().map(|row| &row.key)),
                keys_of(same.map(|row| &row.key))
            );
        }
    }
}

fn keys_of<'a>(keys: impl Iterator<Item = &'a String>) -> BTreeSet<&'a String> {
    keys.collect()
}

#[tokio::test]
async fn only_jobs_whose_launch_was_refused_are_read_for_that() {
    for history in TestHistory::each().await {
        fill(&history.store, 10).await;
        let mut refused = JobShape::numbered(30).update("ci-2");
        let report =
            fargate_model::cause::CauseReport::new(fargate_model::cause::FailureCause::NoCapacity);
        refused.story.tries[0].refusals.push((DAWN, report));
        let story = refused.story.clone();
        history.store.put(vec![refused]).await.unwrap();
        assert_eq!(history.store.refused(&ended_since(DAWN)).await.unwrap(), [story]);
        let other = JobFilter { hosts: vec!["ci-1".to_owned()], ..ended_since(DAWN) };
        assert_eq!(history.store.refused(&other).await.unwrap(), []);
    }
}

#[tokio::test]
async fn ids_like_a_wrong_one_are_offered() {
    for history in TestHistory::each().await {
        fill(&history.store, 20).await;
        let near = async |id: &str| history.store.near_ids(id).await.unwrap();
        assert_eq!(near("gl-402").await, [""; 0]);
        assert_eq!(near("gl-4020").await, [""; 0]);
        assert_eq!(near("gl-401x").await, ["gl-4019", "gl-4018", "gl-4017"]);
        assert_eq!(near("gl-40051").await, ["gl-4005"]);
        assert_eq!(near("gl-%").await, [""; 0]);
    }
}

fn nearest_rank(mut lengths: Vec<u64>, hundredths: usize) -> Option<u64> {
    lengths.sort_unstable();
    lengths.get((lengths.len() * hundredths).div_ceil(100).saturating_sub(1)).copied()
}

#[tokio::test]
async fn start_statistics_are_exact_for_each_phase_and_image() {
    for history in TestHistory::each().await {
        let updates = fill(&history.store, JOBS).await;
        let store = &history.store;
        let statistics = store.starts(&JobFilter::default()).await.unwrap();
        let started: Vec<&StoryUpdate> =
            updates.iter().filter(|update| update.story.tries[0].ready_ms.is_some()).collect();
        let pulls = |updates: &[&StoryUpdate]| -> Vec<u64> {
            let times = updates.iter().map(|update| &update.story.tries[0].times);
            times
                .map(|times| times.pull_stopped_ms.unwrap() - times.pull_started_ms.unwrap())
                .collect()
        };
        assert_eq!(statistics.total.starts, started.len() as u64);
        assert!(started.len() >= 200 && started.len() < JOBS as usize);
        let pull =
            statistics.phases.iter().find(|phase| phase.phase == TimelinePhase::Pull).unwrap();
        for (found, hundredths) in
            [(pull.lengths.p50_ms, 50), (pull.lengths.p90_ms, 90), (pull.lengths.p99_ms, 99)]
        {
            assert_eq!(found, nearest_rank(pulls(&started), hundredths), "{hundredths}");
        }
        let queued =
            statistics.phases.iter().find(|phase| phase.phase == TimelinePhase::Queued).unwrap();
        assert_eq!(queued.lengths.p50_ms, Some(400));
        let of_images: u64 = statistics.by_image.iter().map(|image| image.lengths.starts).sum();
        let of_cells: u64 = statistics.heat_map.iter().map(|cell| cell.starts).sum();
        assert_eq!((of_images, of_cells), (statistics.total.starts, statistics.total.starts));
        let usual =
            store.usual(Some("ci@stable"), Some("1 vCPU 2 GB"), DAWN + 100_000_000).await.unwrap();
        let ci: Vec<_> = started
            .iter()
            .filter(|update| {
                let about = &update.story.description;
                about.image.as_deref() == Some("ci@stable") && about.size.unwrap().cpu_units == 1024
            })
            .copied()
            .collect();
        let usual_pull =
            usual.phases.iter().find(|(phase, _)| *phase == TimelinePhase::Pull).unwrap().1;
        assert_eq!(
            (usual.starts, Some(usual_pull)),
            (ci.len() as u64, nearest_rank(pulls(&ci), 50))
        );
        let week_later = store.usual(None, None, DAWN + 8 * 24 * 3_600_000).await.unwrap();
        assert_eq!(week_later.total_ms, None);
    }
}

#[tokio::test]
async fn costs_add_up_by_day_project_size_and_image() {
    for history in TestHistory::each().await {
        let updates = fill(&history.store, JOBS).await;
        let (store, all) = (&history.store, JobFilter::default());
        let of_story = |update: &StoryUpdate| {
            update.story.tries.iter().filter_map(|one| one.cost_micro_usd).sum::<u64>()
        };
        let total: u64 = updates.iter().map(of_story).sum();
        for by in [CostKey::Project, CostKey::Size, CostKey::Image] {
            let costs = store.costs(&all, by).await.unwrap();
            let sum = costs.total;
            assert_eq!(
                (sum.cost_micro_usd, sum.jobs, sum.unpriced_jobs),
                (total, u64::from(JOBS), 0)
            );
            let days: u64 = costs.days.iter().map(|day| day.sum.cost_micro_usd).sum();
            let groups: u64 = costs.groups.iter().map(|group| group.sum.cost_micro_usd).sum();
            assert_eq!((days, groups), (total, total), "{by:?}");
            assert!(costs.groups.is_sorted_by(|a, b| a.sum.cost_micro_usd >= b.sum.cost_micro_usd));
            // Every job waits 9 s for its clean-up, and some starts fail.
            let parts = [sum.start_micro_usd, sum.idle_micro_usd, sum.failed_micro_usd];
            assert!(parts.iter().all(|part| *part > 0), "{sum:?}");
            assert!(parts.iter().sum::<u64>() < total);
            assert!(sum.spot_share() > 0.1 && sum.spot_share() < 0.5, "{}", sum.spot_share());
        }
        let web = JobFilter { projects: vec!["acme/web".into()], ..all };
        let costs = store.costs(&web, CostKey::Project).await.unwrap();
        assert_eq!(costs.groups.len(), 1);
        assert_eq!(costs.groups[0].name.as_deref(), Some("acme/web"));
        assert_eq!(costs.groups[0].sum, costs.total);
    }
}

#[tokio::test]
async fn a_job_whose_price_is_missing_is_counted_and_not_guessed() {
    for history in TestHistory::each().await {
        let mut update = JobShape::numbered(1).update("ci-1");
        update.story.tries[0].cost_micro_usd = None;
        history.store.put(vec![update]).await.unwrap();
        let costs = history.store.costs(&JobFilter::default(), CostKey::Project).await.unwrap();
        assert_eq!((costs.total.cost_micro_usd, costs.total.unpriced_jobs), (0, 1));
    }
}

#[tokio::test]
async fn events_are_read_in_order_from_any_place() {
    for history in TestHistory::each().await {
        let updates = fill(&history.store, 12).await;
        let entries: usize = updates.iter().map(|update| update.new_entries.len()).sum();
        assert_eq!(*history.store.sequence().borrow(), entries as u64);
        let mut read = Vec::new();
        loop {
            let last = read.last().map_or(0, |event: &fargate_history::StoredEvent| event.sequence);
            let more = history.store.events_after(last, 13).await.unwrap();
            if more.is_empty() {
                break;
            }
            read.extend(more);
        }
        assert_eq!(read.len(), entries);
        assert!(read.is_sorted_by(|one, other| one.sequence < other.sequence));
        let of_first: Vec<_> = read.iter().filter(|event| event.id == "gl-4001").collect();
        let expected = &updates[1].new_entries;
        assert!(
            of_first
                .iter()
                .map(|event| (&event.entry, event.state))
                .eq(expected.iter().map(|applied| (&applied.entry, applied.state)))
        );
        assert_eq!(
            (of_first[0].name.as_str(), of_first[1].name.as_str()),
            ("job.received", "fact.described")
        );
    }
}

#[tokio::test]
async fn an_update_that_is_put_twice_counts_once() {
    for history in TestHistory::each().await {
        let update = JobShape::numbered(3).update("ci-1");
        for _ in 0..3 {
            history.store.put(vec![update.clone(), update.clone()]).await.unwrap();
        }
        let events = history.store.events_of(key(3).as_str()).await.unwrap();
        assert_eq!(events.len(), update.new_entries.len());
        assert_eq!(history.store.audit_after(0, 100).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn old_jobs_leave_with_their_events_and_live_ones_stay() {
    for history in TestHistory::each().await {
        fill(&history.store, JOBS).await;
        let mut live = JobShape::numbered(0).update("ci-2");
        live.story.state = JobState::Running;
        (live.story.ended_ms, live.story.verdict) = (None, None);
        history.store.put(vec![live]).await.unwrap();
        let before = DAWN + 8_000_000;
        let rows = all_rows(&history.store, &JobFilter::default(), JobSort::Started).await;
        let is_old =
            |row: &&JobRow| row.lived_ms.is_some_and(|lived| row.received_ms + lived < before);
        let old = rows.iter().filter(is_old).count();
        assert_eq!(history.store.prune(before).await.unwrap(), old as u64);
        assert_eq!(history.store.prune(before).await.unwrap(), 0);
        let left = all_rows(&history.store, &JobFilter::default(), JobSort::Started).await;
        assert_eq!(left.len(), rows.len() - old);
        assert!(left.iter().any(|row| row.host == "ci-2"));
        let events = history.store.events_after(0, 100_000).await.unwrap();
        let keys: BTreeSet<_> = events.iter().map(|event| &event.key).collect();
        assert_eq!(keys, left.iter().map(|row| &row.key).collect());
    }
}

#[tokio::test]
async fn matches_beyond_ten_thousand_are_more() {
    let history = TestHistory::in_file().await;
    let mut update = JobShape::numbered(0).update("ci-1");
    update.new_entries.clear();
    for some in 0..11 {
        let updates = (0..1000).map(|n| {
            let mut update = update.clone();
            update.story.key = key(some * 1000 + n).as_str().to_owned();
            update
        });
        history.store.put(updates.collect()).await.unwrap();
    }
    let page = history.store.jobs(&JobFilter::default(), &PageRequest::default()).await.unwrap();
    assert_eq!((page.total, page.is_more, page.all, page.rows.len()), (10_000, true, 11_000, 1));
}
