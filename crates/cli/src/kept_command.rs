//! `jobs hold` and `jobs release`: whether the task of a job is kept after a failure, and the end of a
//! task that is kept. They print words and no data, so everything goes to stderr.

use std::time::SystemTime;

use fargate_config::RunnerConfig;
use fargate_controller::host_jobs::{HostJobs, JobPhase, KnownJob};
use fargate_driver::job;
use fargate_model::text::{duration, error_chain, escape};
use fargate_state::JobRecord;
use tokio::runtime::Runtime;

use crate::args::GlobalFlags;
use crate::exit::CommandExit;
use crate::jobs_args::{JobHoldArgs, JobName};
use crate::jobs_context::{configuration, context_of, found, jobs};
use crate::kept_words::kept_until;
use crate::streams::tell;

/// `jobs hold`.
///
/// # Errors
///
/// In words, if the job does not run on this host, or its profile does not allow so much.
pub fn hold(global: &GlobalFlags, args: &JobHoldArgs) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let jobs = jobs(&config.state_dir)?;
    let job = found(&jobs, &args.name.job)?;
    let name = job.name();
    let runtime = runtime()?;
    let record = reachable(&runtime, &config, &jobs, job)?;
    if let JobPhase::Kept(kept) = job.phase {
        let until = kept_until(kept, SystemTime::now());
        return Err(format!("job {name} is over, and its task is {until}; no time can be added"));
    }
    let context = context_of(&config, global, record)?;
    let profile = context.profile();
    let time = args.time.or(profile.job_max_hold).unwrap_or_default();
    let allowed = profile.allowed_hold(config.grammar(), time);
    let time = allowed.map_err(|why| format!("the task of {name} is not kept: {why}"))?;
    if !record.can_keep {
        return Err(format!(
            "the task of {name} cannot be kept: its server cannot wipe secrets; only a fargate-agent \
             of this version that is process 1 of its container can"
        ));
    }
    let set = runtime.block_on(jobs.folder().set_hold(record, time));
    set.map_err(|error| format!("job {name} is not kept: {}", error_chain(&error)))?;
    tell!("if job {name} fails, its task is kept for {} after the failure", duration(time));
    Ok(CommandExit::Done)
}

/// `jobs release`.
///
/// # Errors
///
/// In words, if no task of the job is kept on this host.
pub fn release(global: &GlobalFlags, args: &JobName) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let jobs = jobs(&config.state_dir)?;
    let job = found(&jobs, &args.job)?;
    let name = job.name();
    match job.phase {
        JobPhase::Kept(_) => {}
        JobPhase::Running | JobPhase::Starting => {
            return Err(format!("job {name} still runs: only a task that is kept can be released"));
        }
        JobPhase::Stopping | JobPhase::Finished | JobPhase::Unreadable { .. } => {
            return Err(format!("no task of job {name} is kept"));
        }
    }
    let runtime = runtime()?;
    let record = reachable(&runtime, &config, &jobs, job)?;
    let context = context_of(&config, global, record)?;
    let released = runtime.block_on(job::release_kept(&context, jobs.folder(), record));
    let undone = released.map_err(|error| format!("releasing {name}: {}", error_chain(&error)))?;
    for what in &undone {
        tell!("warning: {}; the task stops by itself when its time is over", escape(what));
    }
    if undone.is_empty() {
        tell!("the task of job {name} is being stopped");
    }
    Ok(if undone.is_empty() { CommandExit::Done } else { CommandExit::Partly })
}

fn runtime() -> Result<Runtime, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("starting an event loop: {error}"))
}

/// The record of a job whose task is this host's.
fn reachable<'a>(
    runtime: &Runtime,
    config: &RunnerConfig,
    jobs: &'a HostJobs,
    job: &'a KnownJob,
) -> Result<&'a JobRecord, String> {
    let here = runtime.block_on(jobs.folder().owner(config.owner.as_deref()));
    let here = here.map_err(|error| error.to_string())?.owner;
    Ok(jobs.reachable(job, &here).map_err(|error| error.to_string())?.record)
}
