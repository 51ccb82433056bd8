//! The session between driver and agent under attack: other hosts, other clients, limits, and tasks
//! that end from outside.

mod hostile_nsswitch;
mod job_ends_task;
mod login_among_strangers;
mod openssh_client;
mod sidecar_containers;
mod stock_client;
mod stranger_connections;
mod task_ends;
mod task_told_to_end;
mod wrong_host_key;

use std::net::TcpStream;
use std::process::Stdio;

use fargate_tests::{CheckedHost, TestJob, until};
use tokio::process::{Child, Command};

/// An address on which nobody listens: neither clouds nor their tasks use this part of the
/// loopback network, and the port is that of the site's own cloud.
fn quiet_address(site: &CheckedHost) -> (&'static str, String) {
    let endpoint = site.cloud().endpoint();
    let port = endpoint.rsplit(':').next().expect("a URL with a port");
    ("127.81.0.1", port.trim_end_matches('/').to_owned())
}

/// Starts a second agent by `command` and makes it the one that `job` reaches. It has the same keys as the
/// job's own task, so that the driver accepts it. Gives the process and where it listens.
async fn second_agent(site: &CheckedHost, job: &TestJob, mut command: Command) -> (Child, String) {
    let (host, port) = quiet_address(site);
    let task = site.task_of(job).environment;
    let child = command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("SSH_PUBLIC_KEY", &task["SSH_PUBLIC_KEY"])
        .env("FARGATE_RUNNER_HOST_KEY_SEED", &task["FARGATE_RUNNER_HOST_KEY_SEED"])
        .env("FARGATE_RUNNER_ADDRESS", host)
        .env("FARGATE_RUNNER_PORT", &port)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the program of the agent starts");
    let address = format!("{host}:{port}");
    until("the agent listens", || TcpStream::connect(&address).is_ok()).await;
    job.change_state(|state| state["address"] = address.as_str().into());
    (child, address)
}
