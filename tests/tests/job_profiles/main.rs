//! Which profile a job gets, and what it may choose: projects, protected refs, `[images]`, sizes and
//! volumes, from the response of GitLab to the RunTask.

mod bad_configuration;
mod bound_profiles;
mod job_sizes;
mod odd_responses;
mod project_folders;
mod unmet_requests;

use std::fs;
use std::rc::Rc;

use fargate_tests::{CheckedHost, TestJob};
use serde_json::Value;

/// A job of this project on a ref that is or is not protected, changed further before its first call.
pub fn job_of(
    site: &CheckedHost,
    project: &str,
    is_protected: bool,
    change: impl FnOnce(&mut TestJob),
) -> Rc<TestJob> {
    site.job_with(|job| {
        respond(job, |response| {
            response["job_info"]["project_full_path"] = project.into();
            response["git_info"]["protected"] = is_protected.into();
        });
        change(job);
    })
}

/// Changes the response of GitLab.
pub fn respond(job: &TestJob, change: impl FnOnce(&mut Value)) {
    let text = fs::read(job.response()).expect("a response");
    let mut response: Value = serde_json::from_slice(&text).expect("JSON");
    change(&mut response);
    fs::write(job.response(), response.to_string()).expect("a writable file");
}

/// The parameters of the last RunTask.
pub fn launched(site: &CheckedHost) -> Value {
    let requests = site.cloud().requests();
    let launch = requests.iter().rev().find(|request| request.operation == "RunTask");
    launch.expect("a RunTask").body.clone()
}

/// The profile that the tag of the last task names; empty for `[defaults]`.
pub fn profile_of_task(site: &CheckedHost) -> String {
    let launch = launched(site);
    let tags = launch["tags"].as_array().cloned().unwrap_or_default();
    let own = tags.iter().find(|tag| tag["key"] == "fargate-runner:profile");
    own.and_then(|tag| tag["value"].as_str()).unwrap_or_default().to_owned()
}
