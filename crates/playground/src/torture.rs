//! `fargate-local torture`: plays jobs on the local cloud and harms them. It kills, cancels, refuses and
//! cuts off their calls. It tells their tasks to end, ends their sidecars, lets their keys expire, and
//! lets another machine answer in a task's place. One seed decides all of that. Afterwards it checks each
//! invariant.
//!
//! What happens to a job and what the network does to it are drawn apart, so that they come in pairs. The
//! same seed and number draw the same, so that one command shows a counter-example again. It does not drop,
//! delay or reorder packets: TCP hides that from the product.

mod driver_setup;
mod harm;
mod job_script;
mod link;
mod network;
mod oracle;
mod plan;
mod script_observer;
mod sidecar;
mod timeout_presets;
mod torture_run;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fargate_local_cloud::{FaultRulesError, TaskRecord};
use fargate_model::id::IdError;
use fargate_model::text::duration;
use fargate_terminal::{ProgressLine, ProgressMode, TerminalCapabilities, TerminalColourMode};

use crate::invariants::{BrokenInvariant, ProductInvariant};
use crate::programs::{self, MissingProgram};
use crate::signals::TerminationSignals;
use crate::test_host::TestHostError;
use torture_run::{TortureJobResult, TortureRun};

/// Kill, cancel, refuse and cut off the product's jobs on a local cloud, tell their tasks to end, end
/// their sidecars, let their keys expire, and judge what must always hold.
#[derive(Clone, Debug, clap::Args)]
pub struct TortureArgs {
    /// How many jobs are played.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    jobs: u64,
    /// What everything is drawn from; another one each time unless given.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// The number of the first job of the seed, to play a part of it again.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=u64::MAX / 2))]
    first: u64,
    /// How many jobs are played at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=200))]
    at_once: u16,
    /// Keeps the folder with the operator's log where nothing broke, too.
    #[arg(long)]
    keep: bool,
    /// The fargate-runner to torture; the one beside this program unless given.
    #[arg(long, value_name = "FILE")]
    runner: Option<PathBuf>,
}

/// Why nothing could be judged.
#[derive(Debug, thiserror::Error)]
pub enum TortureError {
    /// Something is not installed or not built.
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    /// The host or its cloud did not start.
    #[error(transparent)]
    Host(#[from] TestHostError),
    /// A folder, a process or standard output cannot be used.
    #[error("playing the jobs")]
    Io(#[from] io::Error),
    /// The address of the repository names no host: a bug of this program.
    #[error("naming the jobs")]
    Identity(#[from] IdError),
    /// The local cloud refuses a rule: a bug of this program, or more rules than the cloud takes.
    #[error("harming a job")]
    Rules(#[from] FaultRulesError),
    /// The local cloud refuses a task definition: a bug of this program.
    #[error("registering a task definition with a sidecar: {0}")]
    Definition(String),
    /// A job reached its task directly and not through the relay: a bug of this program, because then its
    /// network breaks nothing.
    #[error("job {number} of seed {seed} reached its task past the network that was to break")]
    PassedBy {
        /// Which job.
        number: u64,
        /// Of which seed.
        seed: u64,
    },
    /// Ctrl-C or SIGTERM.
    #[error("interrupted; the jobs under way were not judged")]
    Interrupted,
}

/// How many jobs share one cloud. Its record of requests is limited, and it takes 1,000 rules.
const TOGETHER: u64 = 300;

/// A counter-example: what broke, and the jobs that are played to see it again.
struct CounterExample {
    broken: BrokenInvariant,
    jobs: Range<u64>,
}

/// What came of all jobs.
#[derive(Default)]
struct TortureSummary {
    jobs: u64,
    harms: BTreeMap<String, usize>,
    networks: BTreeMap<String, usize>,
    verdicts: BTreeMap<String, usize>,
    strikes: usize,
    saved: usize,
    breaks: usize,
    misled: usize,
    slowest: Option<(Duration, u64)>,
    examples: Vec<CounterExample>,
    kept: Vec<PathBuf>,
}

/// Plays and judges the jobs. True if no invariant broke.
///
/// # Errors
///
/// [`TortureError`], if the jobs cannot be played or judged.
pub async fn run(args: TortureArgs) -> Result<bool, TortureError> {
    programs::installed("bwrap", "bubblewrap")?;
    let driver = programs::runner(args.runner.as_deref())?;
    let agent = programs::agent()?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..=u64::from(u32::MAX)));
    let mut signals = TerminationSignals::catch()?;
    writeln!(io::stdout(), "seed {seed}")?;
    let (began, mut tally) = (Instant::now(), TortureSummary::default());
    let played = play_all(&args, (&driver, &agent), seed, &mut signals, &mut tally).await;
    // What was judged is reported, even if an error or a signal ended the rest.
    if played.is_ok() || tally.jobs > 0 {
        let mut out = io::stdout().lock();
        out.write_all(report(&args, seed, &tally, began.elapsed()).as_bytes())?;
    }
    played.map(|()| tally.examples.is_empty())
}

async fn play_all(
    args: &TortureArgs,
    (driver, agent): (&Path, &Path),
    seed: u64,
    signals: &mut TerminationSignals,
    tally: &mut TortureSummary,
) -> Result<(), TortureError> {
    let began = Instant::now();
    let abilities =
        TerminalCapabilities::of_stderr(TerminalColourMode::default(), ProgressMode::default());
    let mut progress = ProgressLine::on_stderr(abilities);
    let end = args.first.saturating_add(args.jobs);
    let mut first = args.first;
    while first < end {
        let jobs = first..end.min(first.saturating_add(TOGETHER));
        first = jobs.end;
        let run = Arc::new(TortureRun::start(driver, agent, seed).await?);
        let at_once = usize::from(args.at_once);
        let judged = play(&run, jobs, at_once, signals, tally).await;
        let run = Arc::into_inner(run).expect("every job was joined");
        let broke = matches!(judged, Ok(broke) if broke);
        tally.kept.extend(run.close(args.keep || broke).await);
        judged?;
        if args.jobs > TOGETHER {
            let (took, broken) = (duration(began.elapsed()), tally.examples.len());
            let line = format!("{} of {} jobs in {took}, {broken} broken", tally.jobs, args.jobs);
            progress.show(&line, &line);
        }
    }
    Ok(())
}

/// True if something broke.
async fn play(
    run: &Arc<TortureRun>,
    jobs: Range<u64>,
    at_once: usize,
    signals: &mut TerminationSignals,
    tally: &mut TortureSummary,
) -> Result<bool, TortureError> {
    let all_played = run.play(jobs.clone(), at_once, signals).await?;
    // First what must end by itself, and then the last clean-up.
    tokio::select! {
        () = run.settle() => {}
        () = signals.next() => return Err(TortureError::Interrupted),
    }
    let before = tally.examples.len();
    for played in &all_played {
        tally.count(played);
        tally.saved += usize::from(run.observer().of(played.planned.job.id).saved);
        let number = played.planned.number;
        let mut tell =
            |broken| tally.examples.push(CounterExample { broken, jobs: number..number + 1 });
        oracle::judge(run, played).into_iter().for_each(&mut tell);
        let lives = |task: &TaskRecord| task.last_status != "STOPPED";
        for task in run.host().tasks_of(&played.key).into_iter().filter(lives) {
            let evidence = format!("task {} still lives", task.arn);
            tell(BrokenInvariant { invariant: ProductInvariant::NoOrphan, evidence });
        }
    }
    for number in run.clean_up(&all_played, at_once).await? {
        let evidence = "the last clean-up failed".to_owned();
        let broken = BrokenInvariant { invariant: ProductInvariant::NoOrphan, evidence };
        tally.examples.push(CounterExample { broken, jobs: number..number + 1 });
    }
    let of_all = oracle::judge_all(run, &all_played).into_iter();
    tally.examples.extend(of_all.map(|broken| CounterExample { broken, jobs: jobs.clone() }));
    let struck = run.cloud().struck().into_iter();
    tally.strikes += struck.filter(|struck| !link::only_leads(&struck.rule)).count();
    Ok(tally.examples.len() > before)
}

impl TortureSummary {
    fn count(&mut self, played: &TortureJobResult) {
        self.jobs += 1;
        *self.harms.entry(played.planned.harm.to_string()).or_default() += 1;
        *self.networks.entry(played.planned.network.to_string()).or_default() += 1;
        self.breaks += played.traffic.struck;
        self.misled += played.traffic.misled;
        *self.verdicts.entry(played.verdict()).or_default() += 1;
        let took = played.outcome.as_ref().map(|outcome| (outcome.took, played.planned.number));
        self.slowest = self.slowest.max(took);
    }
}

fn report(args: &TortureArgs, seed: u64, tally: &TortureSummary, took: Duration) -> String {
    let jobs = match (tally.jobs, args.jobs) {
        (1, 1) => "1 job".to_owned(),
        (played, all) if played == all => format!("{all} jobs"),
        (played, all) => format!("{played} of {all} jobs"),
    };
    let mut text = format!("{jobs} in {}\n\n", duration(took));
    let rows = |title: &str, counts: &BTreeMap<String, usize>| {
        let rows = counts.iter().map(|(what, count)| format!("  {count:>6}  {what}\n"));
        format!("{title}\n{}\n", rows.collect::<String>())
    };
    text += &rows("what was done to them", &tally.harms);
    text += &format!("  {:>6}  strikes of rules, altogether\n", tally.strikes);
    text += &format!("  {:>6}  scripts that were told to end and ended with 0\n\n", tally.saved);
    text += &rows("what the network did to them", &tally.networks);
    text += &format!("  {:>6}  cuts, pauses and changes at a byte, altogether\n", tally.breaks);
    text += &format!("  {:>6}  connections to another machine, altogether\n\n", tally.misled);
    text += &rows("what came of them", &tally.verdicts);
    if let Some((took, number)) = tally.slowest {
        text += &format!("the slowest took {}: job {number}\n\n", duration(took));
    }
    text += "broken\n";
    for invariant in ProductInvariant::ALL {
        let count = tally.examples.iter().filter(|e| e.broken.invariant == invariant).count();
        text += &format!("  {count:>6}  {invariant}\n");
    }
    for CounterExample { broken, jobs } in &tally.examples {
        let (first, count) = (jobs.start, jobs.end - jobs.start);
        text += &format!(
            "\nerror: {broken}\n  again: fargate-local torture --seed {seed} --first {first} --jobs {count}\n"
        );
    }
    for folder in &tally.kept {
        text += &format!("the operator's log and the state are in {}\n", folder.display());
    }
    text
}
