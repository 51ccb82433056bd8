//! What must hold after every test, whatever it was about: no orphan, no double, no secret out.
//!
//! The other invariants (verdicts, bytes, bounds, hosts, walls) need to know what was meant to happen, so
//! each test asserts them itself.

use std::rc::Rc;

use fargate_local_cloud::TaskRecord;
pub use fargate_playground::invariants::job_of;
use fargate_playground::invariants::{self, Broken, Secret, files_below};
use fargate_playground::leftovers;

use crate::job::Job;
use crate::site::Site;
use crate::wait::until;

#[track_caller]
fn hold(broken: &[Broken]) {
    let told: Vec<_> = broken.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// I1: every task stops, no state file and no process stays, neither here nor of a task.
pub async fn no_orphan(site: &Site) {
    let cloud = site.cloud();
    until("every task stopped", || cloud.live_tasks() == 0).await;
    let left = || leftovers::of_all(site.folder(), &site.state_dir(), &cloud.tasks());
    until(&format!("nothing left of {:?}", left()), || left().is_none()).await;
    hold(&invariants::no_orphan(&left()));
}

/// I2: at most one task of a job is meant to live at a time.
#[track_caller]
pub fn no_double(site: &Site) {
    hold(&invariants::no_double(&site.cloud().tasks(), &site.cloud().requests()));
}

/// The secrets of these jobs: tokens, private keys, seeds.
pub fn secrets(jobs: &[Rc<Job>], tasks: &[TaskRecord]) -> Vec<Secret> {
    let mut found = invariants::seeds(tasks);
    for job in jobs {
        let text = job.token.clone();
        found.push(Secret { what: "the job's token", text, allowed_in: None });
        job.note_key();
        let keys = job.keys().into_iter();
        found.extend(keys.map(|text| Secret { what: "a client key", text, allowed_in: None }));
    }
    found
}

/// I6: no secret in files that stay, in what the stages said, or in what AWS was told.
#[track_caller]
pub fn no_secret_out(site: &Site, jobs: &[Rc<Job>], secrets: &[Secret]) {
    let inputs = site.folder().join("runner");
    let mut files = files_below(site.folder());
    files.retain(|path| !path.starts_with(&inputs));
    let said = jobs.iter().flat_map(|job| job.said());
    let said: Vec<_> = said.flat_map(|ended| [ended.stdout, ended.stderr]).collect();
    hold(&invariants::no_secret_out(&files, &said, &site.cloud().requests(), secrets));
}
