//! Any splitting of journals, any order of jobs and any restart give the same rows as one pass.

use fargate_job_journal::JournalEntry;
use proptest::prelude::*;

use crate::jobs::HistoryContent;
use crate::place::{JobShape, TestHistory, TestJournals, journal_text, read_all};

const JOBS: u32 = 6;

/// What happens next.
#[derive(Clone, Debug)]
enum SplitStep {
    /// A job writes so many bytes of its journal.
    Write { job: u32, bytes: usize },
    /// The daemon reads once.
    Read,
    /// The daemon is ended between two transactions, and another one begins.
    Restart,
    /// The same with new connections.
    Reopen,
}

fn any_step() -> impl Strategy<Value = SplitStep> {
    prop_oneof![
        6 => (0..JOBS, 1..3000_usize).prop_map(|(job, bytes)| SplitStep::Write { job, bytes }),
        3 => Just(SplitStep::Read),
        1 => Just(SplitStep::Restart),
        1 => Just(SplitStep::Reopen),
    ]
}

async fn play(steps: &[SplitStep], history: TestHistory) -> HistoryContent {
    let journals = TestJournals::in_folder(history.folder.path());
    let texts: Vec<String> =
        (0..JOBS).map(|job| journal_text(&JobShape::numbered(job).entries())).collect();
    let mut written = vec![0; texts.len()];
    let mut store = history.store.clone();
    let mut ingest = journals.ingest(&store, "ci-1");
    for step in steps {
        match *step {
            SplitStep::Write { job, bytes } => {
                let (from, text) = (&mut written[job as usize], &texts[job as usize]);
                let to = (*from + bytes).min(text.len());
                journals.append(job, &text[*from..to]);
                *from = to;
            }
            SplitStep::Read => {
                ingest.step().await.unwrap();
            }
            SplitStep::Restart => {
                drop(ingest);
                ingest = journals.ingest(&store, "ci-1");
            }
            SplitStep::Reopen => {
                drop(ingest);
                store = history.reopened().await;
                ingest = journals.ingest(&store, "ci-1");
            }
        }
    }
    for (job, text) in (0..).zip(&texts) {
        journals.append(job, &text[written[job as usize]..]);
    }
    read_all(&mut ingest).await;
    HistoryContent::of(&store).await
}

async fn one_pass(history: TestHistory) -> HistoryContent {
    let content = play(&[], history).await;
    let entries: Vec<Vec<JournalEntry>> =
        (0..JOBS).map(|job| JobShape::numbered(job).entries()).collect();
    let total: usize = entries.iter().map(Vec::len).sum();
    assert_eq!(content.events.iter().map(Vec::len).sum::<usize>(), total);
    content
}

#[test]
fn any_splitting_and_any_restart_give_the_same_rows_as_one_pass() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let expected = runtime.block_on(async { one_pass(TestHistory::in_file().await).await });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let steps = proptest::collection::vec(any_step(), 0..60);
    let played = runner.run(&steps, |steps| {
        let content = runtime.block_on(async { play(&steps, TestHistory::in_file().await).await });
        prop_assert_eq!(&content, &expected);
        Ok(())
    });
    played.unwrap();
}

/// The other database gives the same rows, and so does a splitting there.
#[tokio::test]
async fn both_databases_hold_the_same_rows() {
    let mut contents = Vec::new();
    for history in TestHistory::each().await {
        contents.push(one_pass(history).await);
    }
    let mut steps = Vec::new();
    for turn in 0..40 {
        steps.push(SplitStep::Write { job: turn % JOBS, bytes: 700 + turn as usize * 13 });
        steps.push(if turn % 9 == 8 { SplitStep::Reopen } else { SplitStep::Read });
    }
    for history in TestHistory::each().await {
        contents.push(play(&steps, history).await);
    }
    let (first, rest) = contents.split_first().unwrap();
    assert!(rest.iter().all(|content| content == first));
}
