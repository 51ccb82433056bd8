//! Profiles with an image: their task definition is rendered, registered once for a whole host, found
//! again, replaced when somebody deregistered it, and pruned when nobody needs it.

mod bad_definitions;
mod definition_commands;
mod registered_once;
mod valid_definitions;

use std::rc::Rc;

use fargate_tests::{CheckedHost, TestJob, TestProcessResult};

/// The family of the profile `own`.
pub const FAMILY: &str = "made-here";

/// A host whose profile `own` has an image, beside its usual defaults with a fixed task definition.
pub async fn host_with_image() -> CheckedHost {
    let site = CheckedHost::open().await;
    site.set("profile.own.image", "team/ci:1");
    // No registry is asked here; `registry_secret` tests that.
    site.set("profile.own.pin_image", false);
    site.set("profile.own.task_definition_family", FAMILY);
    site
}

/// A job under the profile `own`.
pub fn own_job(site: &CheckedHost) -> Rc<TestJob> {
    site.job_with(|job| job.arguments.extend(["--profile".into(), "own".into()]))
}

/// One `task-definition` command under the profile `own`.
pub async fn command(site: &CheckedHost, arguments: &[&str]) -> TestProcessResult {
    let own = ["--profile", "own", "task-definition"];
    site.start(&[&own[..], arguments].concat()).ended().await
}

/// The task definition that the latest RunTask named.
pub fn launched(site: &CheckedHost) -> String {
    launches(site).pop().expect("a RunTask")
}

/// The task definition that each RunTask named.
pub fn launches(site: &CheckedHost) -> Vec<String> {
    let requests = site.cloud().requests();
    let launches = requests.iter().filter(|request| request.operation == "RunTask");
    let named = launches.map(|request| request.body["taskDefinition"].as_str());
    named.map(|name| name.expect("it names a task definition").to_owned()).collect()
}
