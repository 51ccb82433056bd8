//! `pause`, `drain` and `resume`: whether this host takes new jobs. They print words and no data, so
//! everything goes to stderr.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use fargate_config::{LoadedConfig, UnknownKeyPolicy};
use fargate_controller::idle::{self, DrainOutcome, UnreadableRecord};
use fargate_events::{JobEvent, emit};
use fargate_history::PersonAction;
use fargate_model::text::{duration, shell_word, ticking};
use fargate_state::{JobAdmission, JobHold, JobHoldKind, KeptTask, StateError, StateFolder};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{DrainArgs, GlobalFlags, PauseArgs};
use crate::exit::CommandExit;
use crate::kept_words::kept_until;
use crate::status::StatusLine;
use crate::streams::tell;
use crate::{config_command, folder_owner, log, person_action};

/// Most jobs that a line names.
const NAMED: usize = 4;

/// `pause`.
pub fn pause(global: &GlobalFlags, args: &PauseArgs) -> CommandExit {
    told(folder(global).and_then(|(folder, root)| {
        let before = hold(&folder, &root, JobHoldKind::Pause, &args.note)?;
        tell!("{}", changed(&before, &folder.intake(), JobHoldKind::Pause));
        Ok(CommandExit::Done)
    }))
}

/// `resume`.
pub fn resume(global: &GlobalFlags) -> CommandExit {
    told(folder(global).and_then(|(folder, root)| {
        person_action::keep(&root, &PersonAction::now(&who(), "host.resume"));
        let before =
            runtime()?.block_on(folder.release_hold()).map_err(|error| words(&error, &root))?;
        emit(JobEvent::JobsResumed { who: who() });
        match before {
            JobAdmission::Open => tell!("this host takes new jobs already"),
            JobAdmission::Held(held) => {
                let did = match held.hold {
                    JobHoldKind::Pause => "paused",
                    JobHoldKind::Drain => "drained",
                };
                let age = ticking(held.age());
                tell!("this host takes new jobs again; {} {did} it for {age}", held.who);
            }
            JobAdmission::Unreadable { .. } => {
                tell!(
                    "this host takes new jobs again; the file that stopped them could not be read"
                );
            }
        }
        Ok(CommandExit::Done)
    }))
}

/// `drain`.
pub fn drain(global: &GlobalFlags, args: &DrainArgs) -> CommandExit {
    told(folder(global).and_then(|(folder, root)| {
        let before = hold(&folder, &root, JobHoldKind::Drain, &args.hold.note)?;
        tell!("{}", changed(&before, &folder.intake(), JobHoldKind::Drain));
        runtime()?.block_on(until_idle(&folder, args)).map_err(|error| words(&error, &root))
    }))
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("starting an event loop: {error}"))
}

fn told(result: Result<CommandExit, String>) -> CommandExit {
    result.unwrap_or_else(|error| {
        tell!("error: {error}");
        CommandExit::NothingDone
    })
}

fn folder(global: &GlobalFlags) -> Result<(StateFolder, PathBuf), String> {
    let (_, LoadedConfig { config, warnings, notices }) =
        config_command::load(global, UnknownKeyPolicy::Warn)?;
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
    log::start(&config, debug, &[]);
    let lock = fargate_config::JobTimeouts::default().state_lock;
    let root = config.state_dir;
    // Before anything is made in it.
    folder_owner::by_this_user(&root)?;
    let folder = StateFolder::open(&root, lock).map_err(|error| words(&error, &root))?;
    Ok((folder, root))
}

fn words(error: &StateError, root: &Path) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    let hint = folder_owner::hint(error, root).map(|hint| format!("\nhint: {hint}"));
    format!("{error}{}{}", source.unwrap_or_default(), hint.unwrap_or_default())
}

/// Writes the file that holds new jobs. The answer is what held them before.
fn hold(
    folder: &StateFolder,
    root: &Path,
    hold: JobHoldKind,
    note: &str,
) -> Result<JobAdmission, String> {
    let action = match hold {
        JobHoldKind::Pause => "host.pause",
        JobHoldKind::Drain => "host.drain",
    };
    let action = PersonAction { note: note.to_owned(), ..PersonAction::now(&who(), action) };
    person_action::keep(root, &action);
    let wanted = JobHold::now(hold, &who(), note);
    let before = runtime()?.block_on(folder.hold(wanted)).map_err(|error| words(&error, root))?;
    emit(JobEvent::JobsHeld {
        who: Some(who()),
        note: Some(note.to_owned()),
        cause: None,
        message: None,
    });
    Ok(before)
}

/// The person who runs the command. The file must belong to another user: that of gitlab-runner.
pub fn who() -> String {
    let named = ["SUDO_USER", "DOAS_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    named.unwrap_or_else(|| format!("user {}", nix::unistd::getuid()))
}

/// Tells what holds new jobs now, and what of it is new.
fn changed(before: &JobAdmission, now: &JobAdmission, asked: JobHoldKind) -> String {
    let JobAdmission::Held(held) = now else {
        return "this host takes new jobs again already: somebody ran `fargate-runner resume`"
            .to_owned();
    };
    let is = |hold| if hold == JobHoldKind::Drain { "being drained" } else { "paused" };
    let note = match held.note.as_str() {
        "" => String::new(),
        note => format!(": \"{note}\""),
    };
    let age = ticking(held.age());
    match before {
        JobAdmission::Held(_) if before == now && held.hold == asked => {
            format!("already {} by {} for {age}{note}", is(held.hold), held.who)
        }
        JobAdmission::Held(_) if held.hold != asked => {
            let who = &held.who;
            format!(
                "this host is already being drained by {who} for {age}; the drain continues{note}"
            )
        }
        JobAdmission::Open | JobAdmission::Held(_) | JobAdmission::Unreadable { .. } => {
            let what = is(held.hold);
            format!("{what} by {}{note}; new jobs wait, running jobs continue", held.who)
        }
    }
}

/// Waits until no job is left. However the wait ends, the host takes no new jobs until somebody
/// resumes.
async fn until_idle(folder: &StateFolder, args: &DrainArgs) -> Result<CommandExit, StateError> {
    let begun = Instant::now();
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(StateError::host("listening for signals"))?;
    let mut terminate =
        signal(SignalKind::terminate()).map_err(StateError::host("listening for signals"))?;
    emit(JobEvent::DrainWaiting { within_s: args.timeout.as_secs() });
    let mut status = StatusLine::new(false);
    let mut told = |jobs: &[idle::HostJob]| {
        let what = format!("waiting for {}", named(jobs));
        status.show(&what, &format!("{what}, {}", ticking(begun.elapsed())));
    };
    let waited = tokio::select! {
        waited = idle::wait(folder, args.timeout, &mut told) => Some(waited?),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    drop(status);
    let took = begun.elapsed();
    Ok(match waited {
        None => {
            tell!("{}", left_alone(&folder.intake(), took));
            CommandExit::Interrupted
        }
        Some(DrainOutcome::Idle) => {
            tell!("drained in {}: no job is left on this host", duration(took));
            for line in idle::kept(folder)?.iter().take(NAMED).map(still_kept) {
                tell!("{line}");
            }
            CommandExit::Done
        }
        Some(DrainOutcome::Resumed) => {
            tell!("error: `fargate-runner resume` ended the drain after {}", duration(took));
            CommandExit::NothingDone
        }
        Some(DrainOutcome::Late(left)) => {
            tell!("error: {}", late(&left, took));
            for hint in hints(&left) {
                tell!("hint: {hint}");
            }
            CommandExit::TooLate
        }
    })
}

/// What ends the jobs that are left. No command can judge a job whose record cannot be read, so a
/// person must.
fn hints(left: &[idle::HostJob]) -> Vec<String> {
    let mut hints: Vec<String> = left
        .iter()
        .filter_map(|job| Some((&job.name, job.unread.as_ref()?)))
        .take(NAMED)
        .map(|(name, unread)| match unread {
            UnreadableRecord::Damaged(path) => {
                let path = shell_word(&path.display().to_string());
                format!("the record of {name} cannot be read: once its task has ended, `rm {path}`")
            }
            UnreadableRecord::Newer => format!(
                "the record of {name} was written by a newer version: its job's `cleanup`, or \
                 `fargate-runner tasks reap` of that version, ends it"
            ),
        })
        .collect();
    if left.iter().any(|job| job.unread.is_none()) {
        hints.push(
            "`fargate-runner tasks reap` ends the jobs that nobody needs any more".to_owned(),
        );
    }
    hints
}

/// Tells a person who stops waiting whether the host still takes no new jobs.
fn left_alone(now: &JobAdmission, took: Duration) -> String {
    let took = duration(took);
    match now {
        JobAdmission::Open => {
            format!("stopped waiting after {took}; `fargate-runner resume` has ended the drain")
        }
        JobAdmission::Held(_) | JobAdmission::Unreadable { .. } => {
            format!(
                "stopped waiting after {took}; new jobs keep waiting until `fargate-runner resume`"
            )
        }
    }
}

/// Tells of a task that is left on a drained host. Nobody waits for it, because it needs no host.
fn still_kept(task: &idle::KeptHostTask) -> String {
    let (job, kept) = (&task.name, KeptTask { keep_until_unix_s: task.keep_until_unix_s });
    let until = kept_until(kept, SystemTime::now());
    format!(
        "the task of the failed job {job} is {until}; it ends itself, and `fargate-runner jobs \
         release {job}` ends it now"
    )
}

fn named(jobs: &[idle::HostJob]) -> String {
    let names: Vec<&str> = jobs.iter().take(NAMED).map(|job| job.name.as_str()).collect();
    let names = names.join(", ");
    match jobs.len() {
        1 => format!("1 job ({names})"),
        n if n <= NAMED => format!("{n} jobs ({names})"),
        n => format!("{n} jobs ({names} and {} more)", n - NAMED),
    }
}

/// Tells that `drain` gave up. The hold stays.
fn late(left: &[idle::HostJob], took: Duration) -> String {
    let (jobs, took) = (named(left), duration(took));
    let are = if left.len() == 1 { "is" } else { "are" };
    format!(
        "{jobs} {are} still on this host after {took}. New jobs keep waiting until \
         `fargate-runner resume`."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_says_who_why_and_what_is_new() {
        let held = |hold, who: &str, note: &str| {
            JobAdmission::Held(JobHold { since_unix_s: u64::MAX, ..JobHold::now(hold, who, note) })
        };
        let line = |before: &JobAdmission, now: &JobAdmission, asked| changed(before, now, asked);
        let paused = held(JobHoldKind::Pause, "anna", "new disk");
        let draining = held(JobHoldKind::Drain, "anna", "");
        insta::assert_snapshot!(line(&JobAdmission::Open, &paused, JobHoldKind::Pause), @r#"paused by anna: "new disk"; new jobs wait, running jobs continue"#);
        insta::assert_snapshot!(line(&paused, &paused, JobHoldKind::Pause), @r#"already paused by anna for 0 s: "new disk""#);
        insta::assert_snapshot!(line(&paused, &draining, JobHoldKind::Drain), @"being drained by anna; new jobs wait, running jobs continue");
        insta::assert_snapshot!(line(&draining, &draining, JobHoldKind::Pause), @"this host is already being drained by anna for 0 s; the drain continues");
    }

    #[test]
    fn an_interrupted_drain_goes_on_only_if_nobody_resumed() {
        let line = |now| left_alone(&now, Duration::from_secs(3));
        insta::assert_snapshot!(line(JobAdmission::Open), @"stopped waiting after 3.0 s; `fargate-runner resume` has ended the drain");
        let held = JobAdmission::Held(JobHold::now(JobHoldKind::Drain, "anna", ""));
        insta::assert_snapshot!(line(held), @"stopped waiting after 3.0 s; new jobs keep waiting until `fargate-runner resume`");
    }

    #[test]
    fn a_job_whose_record_cannot_be_read_is_nothing_that_reap_could_end() {
        let job = |unread| idle::HostJob { name: "0a1b2c3d".to_owned(), unread };
        let damaged = job(Some(UnreadableRecord::Damaged("/s/my jobs/0a1b2c3d.json".into())));
        let reap = "`fargate-runner tasks reap` ends the jobs that nobody needs any more";
        insta::assert_snapshot!(hints(std::slice::from_ref(&damaged)).join("\n"), @"the record of 0a1b2c3d cannot be read: once its task has ended, `rm '/s/my jobs/0a1b2c3d.json'`");
        insta::assert_snapshot!(hints(&[job(Some(UnreadableRecord::Newer))]).join("\n"), @"the record of 0a1b2c3d was written by a newer version: its job's `cleanup`, or `fargate-runner tasks reap` of that version, ends it");
        assert_eq!(hints(&[damaged, job(None)]).last().unwrap(), reap);
        assert_eq!(hints(&[job(None)]), [reap]);
    }

    #[test]
    fn many_jobs_are_counted_and_the_first_are_named() {
        let jobs = |n: usize| -> Vec<idle::HostJob> {
            (0..n).map(|n| idle::HostJob { name: format!("gl-{n}"), unread: None }).collect()
        };
        assert_eq!(named(&jobs(1)), "1 job (gl-0)");
        insta::assert_snapshot!(late(&jobs(1), Duration::from_secs(3600)), @"1 job (gl-0) is still on this host after 1h 00m. New jobs keep waiting until `fargate-runner resume`.");
        insta::assert_snapshot!(late(&jobs(2), Duration::from_secs(3)), @"2 jobs (gl-0, gl-1) are still on this host after 3.0 s. New jobs keep waiting until `fargate-runner resume`.");
        assert_eq!(named(&jobs(6)), "6 jobs (gl-0, gl-1, gl-2, gl-3 and 2 more)");
    }
}
