//! The AWS account as an installation has it: credentials and their end, roles, certificate
//! authorities, proxies, addresses, partitions, odd answers, and missing rights. Each test calls
//! the real stages against the local cloud.

mod answer_server;
mod assumed_roles;
mod certificate_authorities;
mod credential_renewal;
mod credential_sources;
mod endpoints;
mod http_proxy;
mod iam_rights;
mod ip_addresses;
mod loopback_server;
mod no_credentials;
mod odd_aws_answers;
mod partitions;
mod proxy_settings;

use fargate_tests::{CheckedHost, TestJob, TestProcessResult, redacted};

/// The error block of a `prepare` that failed, without what differs from run to run.
pub fn block(ended: &TestProcessResult) -> String {
    let text = redacted(&ended.out());
    let from = text.find("error: ").unwrap_or_else(|| panic!("no error in {text}"));
    text[from..].to_owned()
}

/// A job that reaches every service of the site's cloud.
pub fn reaches_all(site: &CheckedHost) -> impl FnOnce(&mut TestJob) + '_ {
    |job| job.set("AWS_ENDPOINT_URL", site.cloud().endpoint())
}

/// One whole job: prepared, run, cleaned up.
pub async fn plays(job: &TestJob) {
    job.prepare().await.passed();
    let ended = job.run("echo from the task").await.with_code(0);
    assert_eq!(ended.out(), "from the task\n");
    job.cleanup().await.passed();
}

/// Waits for calls no longer than a test does.
pub fn hurry(site: &CheckedHost) {
    for (key, value) in [
        ("prepare", "2s"),
        ("task_start", "2s"),
        ("task_stop", "500ms"),
        ("cleanup", "500ms"),
        ("aws_connect", "200ms"),
        ("aws_attempt", "300ms"),
    ] {
        site.set(&format!("defaults.timeouts.{key}"), value);
    }
}
