//! `host_key = "sts"`: the task proves its host key by its own role. Whoever else answers in its place,
//! and with whatever proof, gets no byte of a script.

mod other_machines;
mod proof_impostor;
mod recorded_proofs;
mod seen_by_readers;
mod stolen_login;
mod sts_answers;
mod whole_jobs;

use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

use aws_sdk_ecs::types::{Compatibility, ContainerDefinition, NetworkMode};
use fargate_tests::{
    CheckedHost, FaultyRelay, RelayTarget, SYSTEM_FAILURE, TestJob, TestProcessResult, redacted,
    until,
};
use regex::Regex;
use serde_json::Value;

/// The role of the tasks here.
const ROLE: &str = "arn:aws:iam::123456789012:role/teams/ci-task";
/// What every failure of a proof must say, so that a person finds a way out.
const OTHER_MODES: &str = "`host_key = \"seed\"`";

/// A host whose tasks prove their host key by a role.
async fn site() -> CheckedHost {
    let site = CheckedHost::open().await;
    register(&site, "proven", ROLE).await;
    site.set("defaults.task_definition", "proven");
    site.set("defaults.task_role", ROLE);
    site.set("defaults.host_key", "sts");
    site
}

/// Registers a definition like the cloud's own, whose tasks have this role.
async fn register(site: &CheckedHost, family: &str, role: &str) {
    let container = ContainerDefinition::builder().name("job").image("registry.example/job:2");
    let call = site.ecs().register_task_definition().family(family);
    let call = call.network_mode(NetworkMode::Awsvpc).cpu("1024").memory("2048");
    let call = call.requires_compatibilities(Compatibility::Fargate).task_role_arn(role);
    call.container_definitions(container.build()).send().await.expect("the cloud takes it");
}

/// A job whose driver reaches the STS of the site's cloud.
fn job(site: &CheckedHost) -> Rc<TestJob> {
    site.job_with(|job| job.set("AWS_ENDPOINT_URL", site.cloud().endpoint()))
}

/// The port at which every task of the site listens.
fn port(site: &CheckedHost) -> u16 {
    let endpoint = site.cloud().endpoint();
    endpoint.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a URL with a port")
}

/// Takes over the address of every task to come: what dials it is led to `target`.
async fn take_over(site: &CheckedHost, target: RelayTarget) -> FaultyRelay {
    let relay = FaultyRelay::listen(target, port(site)).await.expect("an address of this machine");
    let ip = relay.address.ip();
    // The fifth detail of an interface is its private address.
    let rule =
        format!("RunTask, DescribeTasks: set /tasks/*/attachments/*/details/4/value = \"{ip}\"");
    site.cloud().set_faults(rule.parse().expect("a rule"));
    relay
}

/// Where the job's real task listens, once it does.
async fn real_task(site: &CheckedHost, job: &TestJob) -> SocketAddr {
    let port = port(site);
    let address = || Some(SocketAddr::new(site.tasks_of(job).first()?.address?, port));
    let listens = || address().is_some_and(|place| std::net::TcpStream::connect(place).is_ok());
    until("the real task listens", listens).await;
    address().expect("just seen")
}

/// What the job's author reads of a `prepare` that did not prove its host.
fn unproven(site: &CheckedHost, ended: TestProcessResult) -> String {
    let ended = ended.with_code(SYSTEM_FAILURE);
    let text = redacted(&ended.out().replace(&site.cloud().endpoint(), "http://STS"));
    let place = Regex::new(r"127\.\d+\.\d+\.\d+(:\d+)?").expect("a pattern of ours");
    let text = place.replace_all(&text, "PLACE").into_owned();
    let from = text.find("error: ").unwrap_or_else(|| panic!("no error in {text}"));
    let block = text[from..].to_owned();
    assert!(block.contains("0 bytes of the script"), "{block}");
    assert!(block.contains(OTHER_MODES) && block.contains("first_use"), "{block}");
    block
}

/// After a `prepare` that failed: the task is told to stop, and a `run` sends nothing anywhere.
async fn gets_no_script(site: &CheckedHost, job: &TestJob, owned: &Path) {
    assert_eq!(site.task_of(job).desired_status, "STOPPED");
    job.run(format!("touch {}", owned.display())).await.with_code(SYSTEM_FAILURE);
    assert!(!owned.exists(), "the script ran");
}

/// The lines of the operator's log about one event.
fn events(site: &CheckedHost, event: &str) -> Vec<Value> {
    let lines = site.log();
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event"] == event).collect()
}
