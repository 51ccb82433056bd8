//! A bad network between driver, task and cloud: cut, silent, slow or damaged, and good again. No
//! script runs twice, and if the network is good again in time, no byte of output is lost.

mod cancel_while_away;
mod cloud_answers;
mod connection_cuts;
mod expired_window;
mod first_connection;
mod impostor_hosts;
mod key_exchange;
mod odd_agents;
mod script_upload;
mod segments_and_damage;
mod silent_network;
mod stock_server;
mod test_seeds;

use std::net::SocketAddr;
use std::process::Command;
use std::rc::Rc;

use fargate_tests::{CheckedHost, FaultyRelay, TestJob, TestProcessResult, mark, pass, wait_at};
use serde_json::Value;

/// Each script writes down its start here, inside its task.
const STARTS: &str = "echo start >> /builds/starts";

/// A host whose stages end soon if the task does not come back.
async fn site() -> CheckedHost {
    let site = CheckedHost::open().await;
    // A task that still runs after a cut is not watched for long.
    site.set("defaults.timeouts.stop_reason", "2s");
    site
}

/// A prepared job whose `run`s go through a relay.
async fn relayed(site: &CheckedHost) -> (Rc<TestJob>, FaultyRelay) {
    let job = site.prepared().await;
    let relay = FaultyRelay::to(address_of(&job)).await;
    lead(&job, relay.address);
    (job, relay)
}

/// The address of the job's task.
fn address_of(job: &TestJob) -> SocketAddr {
    let state = job.state().expect("a state file");
    state["address"].as_str().expect("an address").parse().expect("ours")
}

fn lead(job: &TestJob, address: SocketAddr) {
    job.change_state(|state| state["address"] = address.to_string().into());
}

/// The address of the job's task itself, not of a relay.
fn past_relays(site: &CheckedHost, job: &TestJob) -> SocketAddr {
    let ip = site.task_of(job).address.expect("it runs");
    let endpoint = site.cloud().endpoint();
    let port = endpoint.trim_end_matches('/').rsplit(':').next().expect("a URL with a port");
    format!("{ip}:{port}").parse().expect("an address")
}

/// The lines of the operator's log about one event.
fn events(site: &CheckedHost, event: &str) -> Vec<Value> {
    let lines: Vec<Value> =
        site.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    lines.into_iter().filter(|line| line["event"] == event).collect()
}

/// How often scripts that began with [`STARTS`] were started in the job's task.
async fn starts(job: &TestJob) -> usize {
    let ended = job.run("cat /builds/starts || true").await.with_code(0);
    ended.out().lines().count()
}

/// What these words of a shell write, run here as in a task.
fn written_by(words: &str) -> Vec<u8> {
    let ran = Command::new("bash").args(["-c", words]).output().expect("bash");
    assert!(ran.status.success(), "{words}");
    ran.stdout
}

/// The one line that marks missing output, and the error behind it.
fn missing_line(ended: &TestProcessResult) -> String {
    let err = ended.err();
    let marks: Vec<_> = err.lines().filter(|line| line.contains("output may be missing")).collect();
    let [mark] = marks[..] else { panic!("{} marks in {err:?}", marks.len()) };
    mark.to_owned()
}
