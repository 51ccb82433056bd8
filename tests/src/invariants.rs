//! What must hold after every test, whatever it was about: no orphan, no double, no secret out.
//!
//! The other invariants (verdicts, bytes, bounds, hosts, walls) need to know what was meant to
//! happen, so each test asserts them itself.

use std::fs;
use std::rc::Rc;
use std::time::SystemTime;

use fargate_local_cloud::{Request, TaskRecord};
use fargate_playground::leftovers;

use crate::files::{contains, files_below};
use crate::job::Job;
use crate::site::Site;
use crate::wait::until;

/// The key of the job that a task belongs to.
pub fn job_of(task: &TaskRecord) -> Option<&str> {
    task.environment.get("FARGATE_RUNNER_JOB").map(String::as_str)
}

/// I1: every task stops, no state file and no process stays, neither here nor of a task.
pub async fn no_orphan(site: &Site) {
    let cloud = site.cloud();
    until("every task stopped", || cloud.live_tasks() == 0).await;
    let left = || leftovers::of_all(site.folder(), &site.state_dir(), &cloud.tasks());
    until(&format!("nothing left of {:?}", left()), || left().is_none()).await;
}

/// I2: at most one task of a job is meant to live at a time.
pub fn no_double(site: &Site) {
    let tasks = site.cloud().tasks();
    let requests = site.cloud().requests();
    for (index, former) in tasks.iter().enumerate() {
        let Some(job) = job_of(former) else { continue };
        let later = tasks[index + 1..].iter().filter(|task| job_of(task) == Some(job));
        for later in later {
            let ended = ordered_to_end(former, &requests);
            let over = ended.is_some_and(|ended| ended <= later.created_at);
            assert!(over, "two live tasks of one job: {} and {}", former.arn, later.arn);
        }
    }
}

/// When a task was told to stop, or stopped by itself.
fn ordered_to_end(task: &TaskRecord, requests: &[Request]) -> Option<SystemTime> {
    let stop = requests.iter().find(|request| {
        request.operation == "StopTask" && request.body["task"] == task.arn.as_str()
    });
    let told = stop.map(|request| request.time);
    told.into_iter().chain(task.stopped_at).min()
}

/// A text that must not be where it does not belong.
pub struct Secret {
    what: &'static str,
    text: String,
    /// The one operation of ECS that may carry it.
    allowed_in: Option<&'static str>,
}

/// The secrets of these jobs: tokens, private keys, seeds.
pub fn secrets(jobs: &[Rc<Job>], tasks: &[TaskRecord]) -> Vec<Secret> {
    let mut found = Vec::new();
    for job in jobs {
        let text = job.token.clone();
        found.push(Secret { what: "the job's token", text, allowed_in: None });
        job.note_key();
        let keys = job.keys().into_iter();
        found.extend(keys.map(|text| Secret { what: "a client key", text, allowed_in: None }));
    }
    for task in tasks {
        if let Some(seed) = task.environment.get("FARGATE_RUNNER_HOST_KEY_SEED") {
            let (what, text) = ("a seed of a host key", seed.clone());
            found.push(Secret { what, text, allowed_in: Some("RunTask") });
        }
    }
    found
}

/// I6: no secret in files that stay, in what the stages said, or in what AWS was told.
pub fn no_secret_out(site: &Site, jobs: &[Rc<Job>], secrets: &[Secret]) {
    let inputs = site.folder().join("runner");
    let files = files_below(site.folder()).into_iter().filter(|path| !path.starts_with(&inputs));
    for path in files {
        let bytes = fs::read(&path).unwrap_or_default();
        for Secret { what, text, .. } in secrets {
            assert!(!contains(&bytes, text.as_bytes()), "{what} is in {}", path.display());
        }
    }
    for ended in jobs.iter().flat_map(|job| job.said()) {
        for Secret { what, text, .. } in secrets {
            let all = ended.all();
            assert!(!all.contains(text.as_str()), "{what} was printed: {all}");
        }
    }
    for request in site.cloud().requests() {
        let (body, operation) = (request.body.to_string(), request.operation.as_str());
        for Secret { what, text, allowed_in } in secrets {
            let allowed = *allowed_in == Some(operation);
            assert!(allowed || !body.contains(text.as_str()), "{what} was sent with {operation}");
        }
    }
}
