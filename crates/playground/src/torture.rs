//! `fargate-local torture`: the product plays jobs on the local cloud while they are killed,
//! cancelled and refused, all drawn from one seed; afterwards each invariant is judged.
//!
//! A job is the same whenever its seed and number are, so that a counter-example is one command.
//! What it does not play: another machine in the task's place, and cuts of the connection.

mod house;
mod oracle;
mod plan;
mod witness;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fargate_local_cloud::ServeError;
use fargate_model::id::IdError;
use fargate_model::text::duration;

use crate::invariants::{Broken, Invariant};
use crate::programs::{self, Missing};
use crate::signals::Signals;
use house::{House, Played};

/// Kill, cancel and refuse the product's jobs on a local cloud, and judge what must always hold.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// How many jobs are played.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    jobs: u64,
    /// What everything is drawn from; another one each time unless given.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Plays this job of the seed alone, counted from 0.
    #[arg(long, value_name = "NUMBER")]
    only: Option<u64>,
    /// How many jobs are played at once.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=200))]
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
pub enum Error {
    /// Something is not installed or not built.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The cloud did not start.
    #[error("starting the local cloud")]
    Cloud(#[from] ServeError),
    /// A folder, a process or standard output cannot be used.
    #[error("playing the jobs")]
    Io(#[from] io::Error),
    /// The repository's address names no host. A bug of this program.
    #[error("naming the jobs")]
    Identity(#[from] IdError),
    /// Ctrl-C or SIGTERM.
    #[error("interrupted; nothing was judged")]
    Interrupted,
}

/// A counter-example.
struct Example {
    broken: Broken,
    /// The job's number; none where it is about all of them.
    number: Option<u64>,
}

/// Plays and judges; true if no invariant broke.
///
/// # Errors
///
/// [`Error`]
pub async fn run(args: Args) -> Result<bool, Error> {
    programs::installed("bwrap", "bubblewrap")?;
    let driver = programs::runner(args.runner.as_deref())?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..=u64::from(u32::MAX)));
    let mut signals = Signals::catch()?;
    println!("seed {seed}");
    let house = Arc::new(House::build(&driver, programs::agent()?, seed).await?);
    let began = Instant::now();
    let judged = tokio::select! {
        judged = play(&house, &args) => judged,
        () = signals.next() => Err(Error::Interrupted),
    };
    let took = began.elapsed();
    let house = Arc::into_inner(house).expect("every job is over, or was dropped");
    let keep = args.keep || matches!(&judged, Ok((_, examples)) if !examples.is_empty());
    let kept = house.close(keep).await;
    let (played, examples) = judged?;
    let mut out = io::stdout().lock();
    out.write_all(report(&args, seed, &played, &examples, took).as_bytes())?;
    if let Some(folder) = kept {
        writeln!(out, "the operator's log and the state are in {}", folder.display())?;
    }
    Ok(examples.is_empty())
}

async fn play(house: &Arc<House>, args: &Args) -> Result<(Vec<Played>, Vec<Example>), Error> {
    let numbers = match args.only {
        Some(number) => number..number + 1,
        None => 0..args.jobs,
    };
    let played = house.play(numbers, usize::from(args.at_once)).await?;
    // First all that must end by itself, then the clean-up that comes at last.
    house.settle().await;
    let mut examples = Vec::new();
    for played in &played {
        let number = Some(played.guest.number);
        let mut tell = |broken| examples.push(Example { broken, number });
        oracle::judge(house, played).into_iter().for_each(&mut tell);
        for task in house.tasks_of(&played.key) {
            if task.last_status != "STOPPED" {
                let evidence = format!("task {} still lives", task.arn);
                tell(Broken { invariant: Invariant::NoOrphan, evidence });
            }
        }
        if !house.clean_up(&played.guest).await? {
            let evidence = "the last clean-up failed".to_owned();
            tell(Broken { invariant: Invariant::NoOrphan, evidence });
        }
    }
    let of_all = oracle::judge_all(house, &played).into_iter();
    examples.extend(of_all.map(|broken| Example { broken, number: None }));
    Ok((played, examples))
}

fn report(
    args: &Args,
    seed: u64,
    played: &[Played],
    examples: &[Example],
    took: Duration,
) -> String {
    let mut harms: BTreeMap<String, usize> = BTreeMap::new();
    let mut verdicts: BTreeMap<String, usize> = BTreeMap::new();
    for played in played {
        *harms.entry(played.guest.harm.to_string()).or_default() += 1;
        *verdicts.entry(played.verdict()).or_default() += 1;
    }
    let jobs = if played.len() == 1 { "job" } else { "jobs" };
    let mut text = format!("{} {jobs} in {}\n\n", played.len(), duration(took));
    let rows = |title: &str, counts: &BTreeMap<String, usize>| {
        let rows = counts.iter().map(|(what, count)| format!("  {count:>6}  {what}\n"));
        format!("{title}\n{}\n", rows.collect::<String>())
    };
    text += &rows("what was done to them", &harms);
    text += &rows("what came of them", &verdicts);
    let slowest =
        played.iter().filter_map(|p| Some((p.outcome.as_ref()?.took, p))).max_by_key(|s| s.0);
    if let Some((took, Played { guest, .. })) = slowest {
        let took = duration(took);
        text += &format!("slowest\n  {took}, job {} with {}\n\n", guest.number, guest.harm);
    }
    text += "broken\n";
    for invariant in Invariant::ALL {
        let count = examples.iter().filter(|e| e.broken.invariant == invariant).count();
        let note = match invariant {
            Invariant::RightHost => "  not played here",
            _ => "",
        };
        text += &format!("  {count:>6}  {invariant}{note}\n");
    }
    for Example { broken, number } in examples {
        text += &format!("\nerror: {broken}\n");
        text += &match number {
            Some(number) => {
                format!("  again: fargate-local torture --seed {seed} --only {number}\n")
            }
            None => format!("  again: fargate-local torture --seed {seed} --jobs {}\n", args.jobs),
        };
    }
    text
}
