//! Jobs that try everything: any variable, any bytes, images, services, branches, and projects that they are
//! not of.
//!
//! What they may have is not known here.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use proptest::collection::vec;
use proptest::prelude::*;

/// What is true of the job, and what it says.
#[derive(Clone, Debug)]
pub(super) struct HostileJob {
    pub project: String,
    pub is_protected: bool,
    /// Without a response file, nothing is known for sure.
    pub has_response: bool,
    pub image: String,
    pub services: Vec<String>,
    pub branch: String,
    pub variables: Vec<(String, OsString)>,
}

impl HostileJob {
    /// Its value of a variable, by the name that gitlab-runner gives it.
    pub fn variable(&self, name: &str) -> Option<OsString> {
        let name = name.strip_prefix("CUSTOM_ENV_")?;
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }
}

fn text() -> impl Strategy<Value = String> {
    let known = [
        "node:20",
        "open:1",
        "fixed",
        "shop:1",
        "ci/plain:1",
        "shop/app",
        "deploy",
        "fixed-large",
        "fixed:3",
        "1.4.0",
        "1.3.0",
        "256",
        "512",
        "1024",
        "2048",
        "4096",
        "16384",
        "32768",
        "8192",
        "249856",
        "4 vCPU",
        "16 vCPU",
        "16 GB",
        "120 GB",
        "21",
        "50",
        "51",
        "200",
        "true",
        "false",
        "1",
        "0",
        "subnet-evil",
        "sg-evil",
        "arn:aws:iam::123456789012:role/deploy",
        "fsap-1",
        "/",
        "FARGATE_SPOT",
        "30m",
        "99999999999999999999",
        "-1",
        "main",
        "true\n",
        "shop/app/",
    ];
    prop_oneof![
        4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => ".{0,40}",
    ]
}

fn variable() -> impl Strategy<Value = (String, OsString)> {
    let known = [
        "FARGATE_CPU",
        "FARGATE_MEMORY",
        "FARGATE_EPHEMERAL_STORAGE",
        "FARGATE_SPOT",
        "FARGATE_TASK_DEFINITION",
        "FARGATE_PLATFORM_VERSION",
        "FARGATE_HOLD",
        "FARGATE_PROFILE",
        "FARGATE_TASK_ROLE",
        "FARGATE_VOLUMES",
        "FARGATE_ACCESS_POINT",
        "FARGATE_SECRETS",
        "FARGATE_SUBNETS",
        "FARGATE_SECURITY_GROUPS",
        "FARGATE_PUBLIC_IP",
        "FARGATE_CLUSTER",
        "FARGATE_CONTAINER",
        "FARGATE_COMMAND",
        "FARGATE_TAGS",
        "FARGATE_IMAGE",
        "FARGATE_RUNNER_CONFIG",
        "FARGATE_RUNNER_JOB",
        "CI_PROJECT_PATH",
        "CI_PROJECT_URL",
        "CI_PROJECT_ID",
        "CI_JOB_ID",
        "CI_JOB_IMAGE",
        "CI_COMMIT_REF_PROTECTED",
        "CI_COMMIT_REF_NAME",
        "AWS_REGION",
        "JOB_RESPONSE_FILE",
    ];
    let name = prop_oneof![
        9 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => "FARGATE_[A-Z_]{1,20}",
    ];
    let value = prop_oneof![
        6 => text().prop_map(OsString::from),
        1 => vec(1..=u8::MAX, 0..60).prop_map(OsString::from_vec),
    ];
    (name, value)
}

pub(super) fn hostile_job() -> impl Strategy<Value = HostileJob> {
    let projects =
        ["shop/app", "shop/other", "shop/deep/app", "forks/app", "other/app", "shopping/app"];
    let project = prop::sample::select(projects.to_vec()).prop_map(str::to_owned);
    let images = ["", "node:20", "open:1", "fixed", "shop:1", "ci/plain:1"];
    let image = prop_oneof![
        3 => prop::sample::select(images.to_vec()).prop_map(str::to_owned),
        1 => text(),
    ];
    let said = (image, vec(text(), 0..3), text(), vec(variable(), 0..12));
    (project, any::<bool>(), prop::bool::weighted(0.9), said).prop_map(
        |(project, is_protected, has_response, (image, services, branch, variables))| HostileJob {
            project,
            is_protected,
            has_response,
            image,
            services,
            branch,
            variables,
        },
    )
}
