//! The roles of running tasks: for each task with a role, the path at which its containers ask for
//! temporary credentials, and the credentials that are given there.
//!
//! It speaks no HTTP; `endpoint/task_credentials` does. It evaluates no policies, and every role of this
//! account can be a task's role.
//!
//! Source: Amazon ECS Developer Guide, "Task IAM role".

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};

use crate::account::ACCOUNT;
use crate::random_id;
use crate::wire::credentials::{AcceptedKeys, CallerPrincipal, IssuedCredentials};

/// How long credentials of a task last. Source: seen with ECS; AWS names no time.
const LIFETIME: Duration = Duration::from_secs(6 * 3600);
/// With less time left than this, other credentials are given.
const RENEWED_BEFORE: Duration = Duration::from_secs(3600);
/// The beginning of every path. Source: as above.
const PATH: &str = "/v2/credentials/";

/// Openings that may wait at one time. More tasks wait with theirs.
const MAX_OPENINGS: usize = 64;

/// The roles of all tasks that run.
pub(crate) struct RunningTaskRoles {
    openings: mpsc::Sender<EndpointOpening>,
    roles: Mutex<BTreeMap<String, RunningTaskRole>>,
}

/// Asks the credentials endpoint to listen at an address, if it does not do so already.
pub(crate) struct EndpointOpening {
    /// The address by which a task's containers reach this machine.
    pub host: IpAddr,
    /// Takes the address and the port at which it listens.
    pub opened: oneshot::Sender<io::Result<SocketAddr>>,
}

/// The role of one task.
struct RunningTaskRole {
    task: String,
    arn: String,
    principal: CallerPrincipal,
    issued: Option<IssuedCredentials>,
}

/// What a container is given at its path.
pub(crate) struct RoleCredentials {
    pub role_arn: String,
    pub issued: IssuedCredentials,
}

impl RunningTaskRoles {
    /// No roles, and where the endpoint finds what it is asked to open.
    pub fn new() -> (Self, mpsc::Receiver<EndpointOpening>) {
        let (openings, asked) = mpsc::channel(MAX_OPENINGS);
        (Self { openings, roles: Mutex::default() }, asked)
    }

    /// The URL at which the containers of `task` get credentials of the role with this ARN or name, at the
    /// address `host` of this machine. The same task gets the same path. `None` for a role of another
    /// account, which ECS cannot assume. An error means that the endpoint cannot listen there.
    pub async fn url(
        &self,
        host: IpAddr,
        task: &str,
        role: &str,
        partition: &str,
    ) -> io::Result<Option<String>> {
        let Some(path) = self.path(task, role, partition) else { return Ok(None) };
        let closed = || io::Error::other("the cloud ends");
        let (opened, answer) = oneshot::channel();
        let asked = self.openings.send(EndpointOpening { host, opened }).await;
        asked.map_err(|_| closed())?;
        let address = answer.await.map_err(|_| closed())??;
        Ok(Some(format!("http://{address}{path}")))
    }

    fn path(&self, task: &str, role: &str, partition: &str) -> Option<String> {
        let name = match role.strip_prefix("arn:") {
            Some(_) => role.strip_prefix(&format!("arn:{partition}:iam::{ACCOUNT}:role/"))?,
            None => role,
        };
        let name = name.rsplit('/').next().filter(|name| !name.is_empty())?;
        let mut roles = self.roles.lock().expect("no one panics while holding the roles");
        let known = roles.iter().find(|(_, running)| running.task == task);
        let id = known.map(|(id, _)| id.clone()).unwrap_or_else(|| {
            let id = random_id::uuid();
            // Source: amazon-ecs-agent issue 3498: the name of the session is the id of the task.
            let (role, session) = (name.to_owned(), task.to_owned());
            let running = RunningTaskRole {
                task: task.to_owned(),
                arn: format!("arn:{partition}:iam::{ACCOUNT}:role/{name}"),
                principal: CallerPrincipal::Session { role, session },
                issued: None,
            };
            roles.insert(id.clone(), running);
            id
        });
        Some(format!("{PATH}{id}"))
    }

    /// The credentials at this path, or `None` if no running task has it.
    pub fn credentials(
        &self,
        path: &str,
        keys: &AcceptedKeys,
        now: SystemTime,
    ) -> Option<RoleCredentials> {
        let mut roles = self.roles.lock().expect("no one panics while holding the roles");
        let running = roles.get_mut(path.strip_prefix(PATH)?)?;
        let lasts = |issued: &IssuedCredentials| issued.expires_at > now + RENEWED_BEFORE;
        let issued = match running.issued.take().filter(lasts) {
            Some(issued) => issued,
            None => keys.issue(running.principal.clone(), now, LIFETIME),
        };
        running.issued = Some(issued.clone());
        Some(RoleCredentials { role_arn: running.arn.clone(), issued })
    }

    /// From now on the path of this task gives nothing. What was given lasts until its end.
    pub fn close(&self, task: &str) {
        let mut roles = self.roles.lock().expect("no one panics while holding the roles");
        roles.retain(|_, running| running.task != task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::credentials::AccessKeyPair;

    fn at_start() -> (RunningTaskRoles, AcceptedKeys) {
        let (roles, _) = RunningTaskRoles::new();
        (roles, AcceptedKeys::new(&AccessKeyPair::new("test", "test")))
    }

    #[test]
    fn a_tasks_credentials_are_of_its_role_in_a_session_with_its_id() {
        let (roles, keys) = at_start();
        let role = "arn:aws:iam::123456789012:role/teams/ci-task";
        let path = roles.path("0f0f", role, "aws").unwrap();
        assert_eq!(roles.path("0f0f", role, "aws").as_ref(), Some(&path), "one per task");
        assert_ne!(roles.path("1e1e", "ci-task", "aws").as_ref(), Some(&path));
        let path = path.as_str();
        let now = SystemTime::now();
        let given = roles.credentials(path, &keys, now).unwrap();
        let known = keys.find(&given.issued.access_key_id).unwrap();
        let arn = known.principal.arn("aws");
        assert_eq!(arn, "arn:aws:sts::123456789012:assumed-role/ci-task/0f0f");
        let again = roles.credentials(path, &keys, now + Duration::from_secs(60)).unwrap();
        assert_eq!(again.issued.access_key_id, given.issued.access_key_id);
        let later = roles.credentials(path, &keys, now + LIFETIME - RENEWED_BEFORE).unwrap();
        assert_ne!(later.issued.access_key_id, given.issued.access_key_id);
        roles.close("0f0f");
        assert!(roles.credentials(path, &keys, now).is_none());
        assert!(roles.credentials("/v2/credentials/", &keys, now).is_none());
    }

    #[test]
    fn a_role_of_another_account_gives_nothing() {
        let (roles, _) = at_start();
        for other in ["arn:aws:iam::999999999999:role/x", "arn:aws-cn:iam::123456789012:role/x", ""]
        {
            assert_eq!(roles.path("0f0f", other, "aws"), None, "{other}");
        }
    }
}
