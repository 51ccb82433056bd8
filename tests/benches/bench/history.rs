//! The history with 100,000 jobs, in SQLite: how fast jobs go in, and how fast questions about all of them
//! are answered.

use std::error::Error;
use std::time::{Duration, Instant};

use fargate_events::JobDescription;
use fargate_history::{
    CostKey, HistoryLocation, HistoryStore, JobFilter, JobSort, PageRequest, StoryUpdate,
};
use fargate_job_journal::{JobState, JobStory, JobVerdict, StageStory, TaskTimes, TryStory};
use fargate_model::price::TaskPrices;
use fargate_model::size::FargateSize;
use fargate_playground::test_host::TestHost;

use crate::figure::{BenchFigure, BenchReport, FigureGoal};

const JOBS: u32 = 100_000;
/// Jobs of one transaction, as the ingest puts them in.
const AT_ONCE: u32 = 100;
/// 2026-12-01T00:00:00Z.
const DAWN: u64 = 1_796_083_200_000;

/// Measures it, and adds the figures to `report`.
pub fn measure(_: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure_store(report))
}

async fn measure_store(report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let location = HistoryLocation::Sqlite(folder.path().join("history.db"));
    let store = HistoryStore::open(&location).await?.store;
    let begun = Instant::now();
    put_jobs(&store, JOBS).await?;
    let rate = f64::from(JOBS) / begun.elapsed().as_secs_f64();
    report.add(BenchFigure {
        name: "history-jobs-in-per-second",
        value: rate,
        unit: "jobs/s",
        goal: FigureGoal::AtLeast(500.0),
        note: format!("{JOBS} jobs, {AT_ONCE} in a transaction, without their events"),
    });
    let all = JobFilter::default();
    let page = PageRequest { sort: JobSort::Cost, limit: 100, ..PageRequest::default() };
    let took = timed(|| store.jobs(&all, &page)).await?;
    answer(report, "history-page-of-100", took, 0.1, "sorted by cost, with its counts");
    let took = timed(|| store.starts(&all)).await?;
    answer(
        report,
        "history-start-statistics",
        took,
        1.0,
        "exact percentiles of each phase and image",
    );
    let took = timed(|| store.costs(&all, CostKey::Project)).await?;
    answer(report, "history-costs", took, 0.5, "by day and by project");
    let took = timed(|| store.usual(Some("image-3"), None, DAWN + 1_000_000_000)).await?;
    answer(report, "history-usual-start", took, 0.2, "medians of one image");
    let text = JobFilter { text: Some("job-99".to_owned()), ..JobFilter::default() };
    let took = timed(|| store.jobs(&text, &page)).await?;
    answer(report, "history-text-search", took, 0.5, "free text over all jobs");
    Ok(())
}

/// Puts so many finished jobs in, as the ingest does.
pub(crate) async fn put_jobs(store: &HistoryStore, jobs: u32) -> Result<(), Box<dyn Error>> {
    for first in (0..jobs).step_by(AT_ONCE as usize) {
        store.put((first..first + AT_ONCE).map(update).collect()).await?;
    }
    Ok(())
}

/// The best of five: what else runs on the machine is no part of it.
async fn timed<T, F>(mut ask: impl FnMut() -> F) -> Result<Duration, Box<dyn Error>>
where
    F: Future<Output = Result<T, fargate_history::HistoryError>>,
{
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        ask().await?;
        best = best.min(begun.elapsed());
    }
    Ok(best)
}

fn answer(report: &mut BenchReport, name: &'static str, took: Duration, goal: f64, note: &str) {
    report.add(BenchFigure {
        name,
        value: took.as_secs_f64(),
        unit: "s",
        goal: FigureGoal::AtMost(goal),
        note: format!("{note}, over {JOBS} jobs"),
    });
}

fn update(number: u32) -> StoryUpdate {
    let n = u64::from(number);
    let at = DAWN + n * 8_000;
    let pulled = at + 14_000 + n * 7_919 % 60_000;
    let (ready, ended) = (pulled + 3_000, pulled + 60_000 + n * 104_729 % 600_000);
    let stage = StageStory {
        name: "build_script".to_owned(),
        started_ms: ready,
        ended_ms: Some(ended),
        exit: Some(0),
        ..StageStory::default()
    };
    let times = TaskTimes {
        created_ms: Some(at + 400),
        connected_ms: Some(at + 11_000),
        pull_started_ms: Some(at + 11_400),
        pull_stopped_ms: Some(pulled),
        started_ms: Some(pulled + 2_000),
        stopped_ms: Some(ended + 9_000),
        ..TaskTimes::default()
    };
    let one = TryStory {
        number: 1,
        received_ms: at,
        first_launch_ms: Some(at + 100),
        accepted_ms: Some(at + 400),
        task: Some(format!("arn:aws:ecs:eu-west-1:111122223333:task/ci/{number:032x}")),
        times,
        login_ms: Some(pulled + 2_500),
        ready_ms: Some(ready),
        stages: vec![stage],
        ..TryStory::default()
    };
    let mut story = JobStory {
        key: format!(
            "{:064x}",
            u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        ),
        description: JobDescription {
            id: format!("gl-{number}"),
            project: Some(format!("group/project-{}", number % 200)),
            name: Some(format!("job-{}", number % 1000)),
            image: Some(format!("image-{}", number % 20)),
            size: Some(FargateSize { cpu_units: 1024, memory_mib: 2048 }),
            queued_s: Some(0.5),
            ..JobDescription::default()
        },
        state: JobState::Finished,
        verdict: Some(JobVerdict::Passed),
        received_ms: at,
        changed_ms: ended,
        ended_ms: Some(ended),
        tries: vec![one],
        ..JobStory::default()
    };
    fargate_job_journal::estimate_costs(&mut story, &TaskPrices::default(), 0);
    StoryUpdate::without_journal("ci-1", story)
}
