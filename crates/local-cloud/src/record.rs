//! What a test can read of a cloud afterwards: every request and every task. They are copies; to change
//! one changes nothing in the cloud.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::SystemTime;

use serde_json::Value;

/// One request that reached the endpoint.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// Its number, in the order in which requests came; the first is 1.
    pub number: u64,
    /// The operation, as the `X-Amz-Target` header or the form's `Action` named it; empty without
    /// one.
    pub operation: String,
    /// The service, by its name in the scope of a signature, for example `ecs`.
    pub service: &'static str,
    /// The key that it was signed with; empty when the signature was refused.
    pub access_key_id: String,
    /// The Region that the request was signed for; empty when the signature was refused.
    pub region: String,
    /// The body, the members of a form as strings; `Null` when it was neither.
    pub body: Value,
    /// When it arrived.
    pub time: SystemTime,
    /// HTTP status of the answer; `None` when the connection was closed without an answer, or
    /// there is no answer yet.
    pub status: Option<u16>,
}

/// One task, as it stands now.
#[derive(Clone, Debug)]
pub struct TaskRecord {
    /// Its number, in the order in which tasks were started; the first is 1.
    pub number: u64,
    /// Its ARN.
    pub arn: String,
    /// The cluster's name.
    pub cluster: String,
    /// The Region it is in.
    pub region: String,
    /// Its `lastStatus`.
    pub last_status: String,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: String,
    /// Who started it.
    pub started_by: Option<String>,
    /// The client token of its RunTask.
    pub client_token: Option<String>,
    /// The overrides, as DescribeTasks shows them.
    pub overrides: Value,
    /// The environment variables of the overrides, of all containers together.
    pub environment: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its private address, once it has one.
    pub address: Option<IpAddr>,
    /// Its public address, once it has one. Connections to it reach the private one, at the port
    /// of the cloud's own endpoint.
    pub public_address: Option<Ipv4Addr>,
    /// Connections that came by its public address.
    pub public_connections: usize,
    /// ECS Exec is enabled in it.
    pub execute_command: bool,
    /// Its containers, in the order of the task definition.
    pub containers: Vec<ContainerRecord>,
    /// Why it stopped: ECS's `stopCode`.
    pub stop_code: Option<String>,
    /// Why it stopped: ECS's `stoppedReason`.
    pub stopped_reason: Option<String>,
    /// When RunTask was answered.
    pub created_at: SystemTime,
    /// When it was RUNNING.
    pub started_at: Option<SystemTime>,
    /// When it was STOPPED.
    pub stopped_at: Option<SystemTime>,
}

/// One container of a task.
#[derive(Clone, Debug)]
pub struct ContainerRecord {
    /// Its name in the task definition.
    pub name: String,
    /// Its `lastStatus`.
    pub last_status: String,
    /// Its exit code, once it ended.
    pub exit_code: Option<i32>,
    /// Why it ended, where ECS says so.
    pub reason: Option<String>,
    /// Process id of its first process on this machine, while it runs.
    pub pid: Option<i32>,
    /// The file with its output, once it was started: the first MiB of both streams together.
    pub log: Option<PathBuf>,
}

/// Requests that are kept; older ones are dropped.
const KEPT_REQUESTS: usize = 20_000;
/// Bytes of their bodies that are kept.
const KEPT_BYTES: usize = 64 * 1024 * 1024;

/// The requests of a cloud, the last [`KEPT_REQUESTS`] or [`KEPT_BYTES`] of them.
#[derive(Default)]
pub(crate) struct RequestLog {
    kept: Mutex<RecordedRequests>,
}

#[derive(Default)]
struct RecordedRequests {
    /// Each with the size of its body.
    requests: VecDeque<(usize, RequestRecord)>,
    bytes: usize,
    forgotten: u64,
}

impl RequestLog {
    /// Notes a request, and gives it the number by which [`RequestLog::answered`] finds it.
    pub fn came(&self, mut request: RequestRecord, size_bytes: usize) -> u64 {
        let mut kept = self.kept.lock().expect("no one panics while noting a request");
        let former = kept.forgotten + u64::try_from(kept.requests.len()).expect("a count fits");
        let number = former + 1;
        request.number = number;
        kept.requests.push_back((size_bytes, request));
        kept.bytes += size_bytes;
        while kept.requests.len() > KEPT_REQUESTS || kept.bytes > KEPT_BYTES {
            let Some((size_bytes, _)) = kept.requests.pop_front() else { break };
            kept.bytes -= size_bytes;
            kept.forgotten += 1;
        }
        number
    }

    /// Notes the answer to request `number`.
    pub fn answered(&self, number: u64, status: u16) {
        let mut kept = self.kept.lock().expect("no one panics while noting a request");
        let index = number.checked_sub(kept.forgotten + 1).and_then(|i| usize::try_from(i).ok());
        if let Some((_, request)) = index.and_then(|i| kept.requests.get_mut(i)) {
            request.status = Some(status);
        }
    }

    /// A copy of what is kept, oldest first.
    pub fn all(&self) -> Vec<RequestRecord> {
        let kept = self.kept.lock().expect("no one panics while noting a request");
        kept.requests.iter().map(|(_, request)| request.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RequestRecord {
        RequestRecord {
            number: 0,
            operation: "ListTasks".to_owned(),
            service: "ecs",
            access_key_id: String::new(),
            region: String::new(),
            body: Value::Null,
            time: SystemTime::UNIX_EPOCH,
            status: None,
        }
    }

    #[test]
    fn an_answer_finds_its_request_even_when_older_ones_were_forgotten() {
        let requests = RequestLog::default();
        for _ in 0..KEPT_REQUESTS {
            requests.came(request(), 1);
        }
        let number = requests.came(request(), 1);
        requests.answered(number, 200);
        requests.answered(0, 500);
        requests.answered(1, 500);
        let all = requests.all();
        assert_eq!(all.len(), KEPT_REQUESTS);
        assert_eq!(all.last().map(|request| request.number), Some(number));
        assert_eq!(all.last().and_then(|r| r.status), Some(200));
        assert_eq!(all.iter().filter(|r| r.status.is_some()).count(), 1);
    }

    #[test]
    fn large_bodies_are_forgotten_sooner() {
        let requests = RequestLog::default();
        for _ in 0..100 {
            requests.came(request(), 1024 * 1024);
        }
        assert_eq!(requests.all().len(), 64);
    }
}
