//! The running cloud as a test or a program uses it: where it listens, what it saw, and what should go
//! wrong.

use std::fs::{DirBuilder, Permissions};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use fargate_model::region::AwsPartition;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::account::ACCOUNT;
use crate::backend::ContainerBackend;
use crate::cloud::CloudInstance;
use crate::configuration;
use crate::endpoint::connection::{ConnectionControl, EndpointListener};
use crate::endpoint::http::handle;
use crate::endpoint::task_credentials;
use crate::endpoint::tls::TlsIdentity;
use crate::fault::{CloudFault, FaultCount, FaultRecord, FaultRules, FaultRulesError};
use crate::network::CloudNetwork;
use crate::options::{BackendChoice, CloudOptions};
use crate::record::{RequestRecord, TaskRecord};
use crate::seed::{REGION, SUBNETS};
use crate::serve_error::ServeError;
use crate::services::ec2::network::RegionNetwork;
use crate::services::ecs::lifecycle::run::order_all_to_end;
use crate::services::ecs::state::task_ending::CloudTaskEnding;
use crate::services::iam::principal_store::PrincipalStore;
use crate::services::logs::log_groups::AddedLogGroups;
use crate::services::service_quotas::QuotaStore;
use crate::services::sts::roles::AssumableRoles;
use crate::services::{ecr, ecs, efs, new_states, secrets_manager, ssm};
use crate::task_roles::RunningTaskRoles;
use crate::wire::credentials::{AcceptedKeys, AccessKeyPair, CallerPrincipal, IssuedCredentials};
use crate::wire::exception::ServiceException;

/// The mode of folders that only their owner can enter.
const OWNER_ONLY: u32 = 0o700;
/// How long connections may take to end by themselves at a shutdown.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// A running cloud. Dropping it ends its tasks, too; [`LocalCloud::shutdown`] also waits until they have
/// ended.
pub struct LocalCloud {
    cloud: Arc<CloudInstance>,
    address: SocketAddr,
    access_keys: AccessKeyPair,
    keys_are_drawn: bool,
    authority_pem: Option<String>,
    closing: watch::Sender<bool>,
    server: JoinHandle<()>,
    /// Deletes the folder when it is dropped.
    _temporary: Option<TempDir>,
}

impl LocalCloud {
    /// Starts a cloud, which is ready for requests when this returns. Needs a runtime with time and I/O.
    ///
    /// # Errors
    ///
    /// [`ServeError`], if the address, the keys, the folder, the engine or TLS cannot be used. Nothing was started
    /// then.
    pub async fn serve(options: CloudOptions) -> Result<Self, ServeError> {
        let states = new_states(&options);
        let principals = states.of::<PrincipalStore>();
        principals
            .set_user_policy(options.user_policy.as_deref())
            .map_err(ServeError::UserPolicy)?;
        let given = match options.access_keys {
            Some(given) => Some(given),
            None => AccessKeyPair::from_environment(|name| std::env::var(name).ok())?,
        };
        let keys_are_drawn = given.is_none();
        let access_keys = given.unwrap_or_else(AccessKeyPair::draw);
        check_address(options.listen, options.allow_remote, &access_keys)?;
        let (folder, temporary) = folder(options.folder)?;
        let bind = |source| ServeError::Bind { listen: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let backend = match options.backend {
            BackendChoice::Processes => {
                ContainerBackend::processes(options.agent, folder, address.port())
                    .map_err(ServeError::Processes)?
            }
            BackendChoice::Docker { engine, .. } => {
                ContainerBackend::docker(engine.as_deref(), folder).await?
            }
        };
        let tls = options.tls.then(TlsIdentity::make).transpose();
        let tls = tls.map_err(|error| ServeError::Tls(error.into()))?;
        let (authority_pem, acceptor) = tls.map(|tls| (tls.authority_pem, tls.acceptor)).unzip();
        let keys = AcceptedKeys::new(&access_keys);
        let (task_roles, openings) = RunningTaskRoles::new();
        let cloud = CloudInstance::new(keys, options.limits, backend, states, task_roles);
        let cloud = Arc::new(cloud);
        let (closing, closed) = watch::channel(false);
        let endpoint = EndpointListener::new(listener, address.ip(), acceptor);
        let answering = answer(endpoint, Arc::clone(&cloud), closed.clone());
        let giving = task_credentials::answer(openings, Arc::clone(&cloud), closed);
        let server = tokio::spawn(async move {
            tokio::join!(answering, giving);
        });
        Ok(Self {
            cloud,
            address,
            access_keys,
            keys_are_drawn,
            authority_pem,
            closing,
            server,
            _temporary: temporary,
        })
    }

    /// `http://ADDRESS:PORT`, or `https://` with TLS. Every service of the cloud answers
    /// there, so it works as `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let scheme = if self.authority_pem.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The pair of keys that the cloud accepts. Who has it can run commands on this machine.
    #[must_use]
    pub fn access_keys(&self) -> &AccessKeyPair {
        &self.access_keys
    }

    /// The pair, if the cloud chose it at random, so that nobody else knows it.
    #[must_use]
    pub fn drawn_keys(&self) -> Option<&AccessKeyPair> {
        self.keys_are_drawn.then_some(&self.access_keys)
    }

    /// The certificate of the cloud's authority in PEM, for a file that `AWS_CA_BUNDLE` names;
    /// `None` without TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.authority_pem.as_deref()
    }

    /// From now on nobody has this right, for example `ecs:TagResource` (which RunTask needs when
    /// it carries tags) or `ec2:DescribeNetworkInterfaces`.
    pub fn deny(&self, right: &str) {
        self.cloud.rights.deny(right);
    }

    /// Gives back a right that [`LocalCloud::deny`] took away.
    pub fn allow(&self, right: &str) {
        self.cloud.rights.allow(right);
    }

    /// From now on sessions of this role do not have this right, for example `secretsmanager:GetSecretValue`
    /// for an execution role. The role need not exist.
    pub fn deny_role(&self, role: &str, right: &str) {
        self.cloud.rights.deny_role(role, right);
    }

    /// Gives back a right that [`LocalCloud::deny_role`] took away.
    pub fn allow_role(&self, role: &str, right: &str) {
        self.cloud.rights.allow_role(role, right);
    }

    /// Adds a role that callers may assume, with this external id where one is given. Returns its ARN in
    /// the partition of `region`. A cloud starts without roles.
    #[must_use]
    pub fn add_role(&self, region: &str, name: &str, external_id: Option<&str>) -> String {
        self.cloud.states.of::<AssumableRoles>().add(name, external_id);
        format!("arn:{}:iam::{ACCOUNT}:role/{name}", AwsPartition::of(region).name())
    }

    /// From now on the account's user may do what this IAM policy in JSON allows, and nothing else; `None` lets
    /// the user do everything again.
    ///
    /// # Errors
    ///
    /// If IAM would refuse the policy, or if this cloud cannot judge by it: why.
    pub fn set_user_policy(&self, policy: Option<&str>) -> Result<(), String> {
        self.cloud.states.of::<PrincipalStore>().set_user_policy(policy)
    }

    /// What policies refused so far, oldest first, the first 1,000: one sentence each, with the ARNs of the caller and of
    /// the resource. What [`LocalCloud::deny`] refused is not among them.
    #[must_use]
    pub fn policy_refusals(&self) -> Vec<String> {
        self.cloud.states.of::<PrincipalStore>().refusals()
    }

    /// All revisions of a family in the Region of the configuration that this cloud writes, as
    /// `DescribeTaskDefinition` shows them, newest first.
    #[must_use]
    pub fn task_definitions(&self, family: &str) -> Vec<Value> {
        let mut resources = self.cloud.ecs();
        let region = resources.region(REGION, self.cloud.clock.now());
        let revisions = region.families.get(family).into_iter().flatten().rev();
        revisions.map(|definition| definition.view()).collect()
    }

    /// Adds a role with this trust policy to IAM, or changes that of a role that exists. IAM shows the policy;
    /// `AssumeRole` goes by [`LocalCloud::add_role`] alone.
    pub fn put_role(&self, name: &str, trust: &str) {
        self.cloud.states.of::<PrincipalStore>().put_role(name, trust);
    }

    /// Gives a role an inline policy. From now on its sessions may do what all its policies allow, and nothing
    /// else. A role that is not there yet is made, with a trust policy for tasks.
    ///
    /// # Errors
    ///
    /// If IAM would refuse the policy, or if this cloud cannot judge by it: why.
    pub fn put_role_policy(&self, role: &str, name: &str, policy: &str) -> Result<(), String> {
        self.cloud.states.of::<PrincipalStore>().put_role_policy(role, name, policy)
    }

    /// As [`LocalCloud::put_role_policy`], for a managed policy with this ARN.
    ///
    /// # Errors
    ///
    /// As for [`LocalCloud::put_role_policy`].
    pub fn attach_role_policy(&self, role: &str, arn: &str, policy: &str) -> Result<(), String> {
        self.cloud.states.of::<PrincipalStore>().attach_role_policy(role, arn, policy)
    }

    /// Issues short-lived credentials of a session of this role. The role need not exist.
    #[must_use]
    pub fn issue_role_credentials(&self, role: &str, lifetime: Duration) -> IssuedCredentials {
        let (role, session) = (role.to_owned(), "host".to_owned());
        let principal = CallerPrincipal::Session { role, session };
        self.cloud.keys.issue(principal, self.cloud.clock.now(), lifetime)
    }

    /// Reads or changes the networks that EC2 describes.
    pub fn with_network<T>(&self, change: impl FnOnce(&mut CloudNetwork) -> T) -> T {
        change(&mut self.cloud.states.of::<RegionNetwork>().described())
    }

    /// Gives a quota of Service Quotas another value, by its code, for example `L-3032A538`.
    pub fn set_quota(&self, code: &str, value: f64) {
        self.cloud.states.of::<QuotaStore>().set(code, value);
    }

    /// Adds a log group in the Region of the configuration that this cloud writes. Groups that tasks write to
    /// exist without this.
    pub fn add_log_group(&self, name: &str) {
        self.cloud.states.of::<AddedLogGroups>().add(REGION, name);
    }

    /// Registers a task definition in the Region of the configuration that this cloud writes, as
    /// `RegisterTaskDefinition` with this body does. Returns its ARN.
    ///
    /// # Errors
    ///
    /// If ECS would refuse the body: what it would answer, in one line.
    pub fn register(&self, body: Value) -> Result<String, String> {
        let told = |refusal: ServiceException| format!("{}: {}", refusal.code, refusal.message);
        ecs::register(&self.cloud, REGION, body).map_err(told)
    }

    /// Creates a secret with this text in the Region of the configuration that this cloud writes, or gives
    /// it a new current version. Returns its ARN.
    ///
    /// # Errors
    ///
    /// If Secrets Manager would refuse it: what it would answer, in one line.
    pub fn put_secret(&self, name: &str, text: &str) -> Result<String, String> {
        let told = |refusal: ServiceException| format!("{}: {}", refusal.code, refusal.message);
        secrets_manager::put(&self.cloud, REGION, name, text).map_err(told)
    }

    /// Adds an EFS file system with this id (`fs-` and 8 or 17 hexadecimal digits) in the Region of the configuration that
    /// this cloud writes, with a mount target in each zone, as if `CreateFileSystem` and `CreateMountTarget` had made
    /// it some time ago. Returns the folder of this machine with its files. One that exists stays as it is.
    pub fn add_file_system(&self, id: &str) -> PathBuf {
        efs::add_file_system(&self.cloud, REGION, id);
        self.folder().join("efs").join(id).join("root")
    }

    /// Writes a `SecureString` of the Parameter Store with this text in the Region of the configuration that
    /// this cloud writes, or gives it a new version. Returns its ARN.
    ///
    /// # Errors
    ///
    /// If the Parameter Store would refuse it: what it would answer, in one line.
    pub fn put_parameter(&self, name: &str, text: &str) -> Result<String, String> {
        let told = |refusal: ServiceException| format!("{}: {}", refusal.code, refusal.message);
        ssm::put(&self.cloud, REGION, name, text).map_err(told)
    }

    /// Takes the manifest of an image into a repository of ECR in the Region of the configuration that this
    /// cloud writes, under a tag. The repository is made if it is not there.
    ///
    /// # Errors
    ///
    /// If ECR would refuse it: what it would answer, in one line.
    pub fn put_image(&self, repository: &str, tag: &str, manifest: &str) -> Result<(), String> {
        let told = |refusal: ServiceException| format!("{}: {}", refusal.code, refusal.message);
        ecr::put(&self.cloud, REGION, (repository, tag), manifest).map_err(told)
    }

    /// Text of a configuration file of `fargate-runner` that works with this cloud, unless it was
    /// started empty. Its first line says which environment belongs to it. If the cloud chose the
    /// keys, they are in this line, and only the owner should be able to read the file.
    #[must_use]
    pub fn configuration(&self, state_dir: &Path) -> String {
        let port = self.cloud.backend.agent_port();
        configuration::text(&self.endpoint(), self.drawn_keys(), port, state_dir)
    }

    /// One sentence for the person who started the cloud, if tasks run unprotected and one at a time:
    /// why. `None` where every task has its own sandbox.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.cloud.backend.notice()
    }

    /// The address of this machine by which tasks in the Region and the subnets of the configuration that
    /// this cloud writes reach servers here.
    ///
    /// # Errors
    ///
    /// If the Docker Engine does not make the tasks' network: what it says.
    pub async fn host_address(&self) -> Result<IpAddr, String> {
        self.cloud.backend.host_address(REGION, SUBNETS[0]).await
    }

    /// Sentences for the person who started the cloud, as things change: that the Docker Engine does not
    /// answer any more, and that it answers again. `None` where nothing can change.
    #[must_use]
    pub fn changing_notice(&self) -> Option<watch::Receiver<String>> {
        self.cloud.backend.changing_notice()
    }

    /// Where the folders of file systems (`efs`) and container logs (`logs`) are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.cloud.backend.folder()
    }

    /// The next call of `operation` (for example `RunTask`) meets `fault`. Several faults are a queue
    /// and meet one call each.
    pub fn fail(&self, operation: &str, fault: CloudFault) {
        self.cloud.faults.push(operation, fault, self.cloud.clock.now());
    }

    /// Every call of `operation` meets `fault` until [`LocalCloud::clear_faults`], except calls that a
    /// queued fault meets.
    pub fn fail_until_cleared(&self, operation: &str, fault: CloudFault) {
        self.cloud.faults.stand(operation, fault, self.cloud.clock.now());
    }

    /// Replaces all faults by these rules, whose time begins now. Hanging calls continue.
    pub fn set_faults(&self, rules: FaultRules) {
        self.cloud.faults.replace(rules, self.cloud.clock.now());
    }

    /// Adds these rules after the present ones. Their time begins now.
    ///
    /// # Errors
    ///
    /// [`FaultRulesError::TooMany`] if there would be too many rules; then none is added.
    pub fn add_faults(&self, rules: FaultRules) -> Result<(), FaultRulesError> {
        self.cloud.faults.add(rules, self.cloud.clock.now())
    }

    /// Every rule, in the order in which they are asked, and how often each was used. A fault of
    /// [`LocalCloud::fail`] is removed once it was used.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultCount> {
        self.cloud.faults.counts()
    }

    /// What was injected: the last 20,000 uses of all rules, oldest first.
    #[must_use]
    pub fn struck(&self) -> Vec<FaultRecord> {
        self.cloud.faults.struck()
    }

    /// The time in this cloud.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.cloud.clock.now()
    }

    /// Moves the cloud's clock forward, at most a hundred years in all. Delays that are then over end at
    /// once, credentials expire, rate limits recover, stopped tasks disappear. The processes of tasks
    /// and the signatures of requests still use the clock of the machine.
    pub fn advance(&self, by: Duration) {
        self.cloud.clock.advance(by);
    }

    /// Removes all faults, including the read lag, and lets hanging calls continue. A task that a fault
    /// holds stays held.
    pub fn clear_faults(&self) {
        self.cloud.faults.clear();
    }

    /// Plays eventual consistency: `DescribeTasks` and `ListTasks` do not see a task that is younger than
    /// `lag`. It is zero at the start. A call can meet another fault as well.
    pub fn set_read_lag(&self, lag: Duration) {
        self.cloud.faults.set_lag(lag, self.cloud.clock.now());
    }

    /// Plays AWS ending a task, for example with `SpotInterruption` and `Your Spot Task was
    /// interrupted.`: SIGTERM, and SIGKILL after `stopTimeout`.
    ///
    /// With `EssentialContainerExited`, `reason` is the containers' reason (for example
    /// `OutOfMemoryError: Container killed due to memory usage`) and they are killed at once with
    /// exit code 137.
    ///
    /// Returns false if there is no such task, or if it is ending already.
    pub fn stop_task_from_outside(&self, arn: &str, stop_code: &str, reason: &str) -> bool {
        let ending = match stop_code {
            "EssentialContainerExited" => CloudTaskEnding {
                container_reason: Some(reason.to_owned()),
                exit_code: Some(137),
                at_once: true,
                ..CloudTaskEnding::gentle(stop_code, "Essential container in task exited")
            },
            _ => CloudTaskEnding::gentle(stop_code, reason),
        };
        let now = self.cloud.clock.now();
        self.cloud.ecs().task_by_arn(arn).is_some_and(|task| task.order(ending, now))
    }

    /// From now on the API does not know the task (`MISSING`, not found, not listed), and its processes
    /// end. Returns false if there is no such task.
    pub fn forget(&self, arn: &str) -> bool {
        let now = self.cloud.clock.now();
        let mut state = self.cloud.ecs();
        let Some(task) = state.task_by_arn(arn) else { return false };
        task.forgotten = true;
        let ending = CloudTaskEnding::gentle("InfrastructureHealth", "The task was forgotten.");
        task.order(CloudTaskEnding { at_once: true, ..ending }, now);
        true
    }

    /// Issues short-lived credentials, as a role or a login gives them.
    #[must_use]
    pub fn issue_credentials(&self, lifetime: Duration) -> IssuedCredentials {
        self.cloud.keys.issue(CallerPrincipal::User, self.cloud.clock.now(), lifetime)
    }

    /// The last 20,000 requests (or 64 MiB of them), oldest first, refused ones included.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.cloud.requests.all()
    }

    /// Every task ever started, oldest first (the last 20,000 of each Region).
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskRecord> {
        self.cloud.ecs().tasks().into_iter().map(|task| task.record()).collect()
    }

    /// Tasks that are not STOPPED.
    #[must_use]
    pub fn live_tasks(&self) -> usize {
        self.cloud.ecs().live_tasks()
    }

    /// Ends the server and every task. Returns when all their processes have ended.
    pub async fn shutdown(mut self) {
        self.closing.send_replace(true);
        self.cloud.faults.clear();
        if timeout(CLOSE_DEADLINE, &mut self.server).await.is_err() {
            self.server.abort();
            // An error here can only be the abort itself.
            let _ = (&mut self.server).await;
        }
        order_all_to_end(&self.cloud);
        self.cloud.backend.kill_all();
        self.cloud.join_work().await;
        self.cloud.backend.close().await;
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.server.abort();
        order_all_to_end(&self.cloud);
        self.cloud.backend.kill_all();
    }
}

/// Refuses an address at which strangers could run commands on this machine.
fn check_address(
    listen: SocketAddr,
    allow_remote: bool,
    keys: &AccessKeyPair,
) -> Result<(), ServeError> {
    let address = listen.ip().to_canonical();
    if address.is_unspecified() {
        return Err(ServeError::AllAddresses { listen });
    }
    if address.is_loopback() {
        return Ok(());
    }
    if !allow_remote {
        return Err(ServeError::NotLoopback { listen });
    }
    if keys.is_guessable() {
        let access_key_id = keys.access_key_id.clone();
        return Err(ServeError::GuessableKeys { listen, access_key_id });
    }
    Ok(())
}

/// The folder to use, and the handle of a temporary one. Only its owner can enter a folder that is made
/// here, because it holds what tasks write and print.
fn folder(given: Option<PathBuf>) -> Result<(PathBuf, Option<TempDir>), ServeError> {
    let Some(folder) = given else {
        let made = tempfile::Builder::new()
            .prefix("fargate-local-")
            .permissions(Permissions::from_mode(OWNER_ONLY))
            .tempdir();
        let folder = std::env::temp_dir();
        let made = made.map_err(|source| ServeError::Folder { folder, source })?;
        return Ok((made.path().to_owned(), Some(made)));
    };
    DirBuilder::new()
        .recursive(true)
        .mode(OWNER_ONLY)
        .create(&folder)
        .and_then(|()| folder.canonicalize())
        .map(|folder| (folder, None))
        .map_err(|source| ServeError::Folder { folder: folder.clone(), source })
}

/// Answers requests until the cloud closes.
fn answer(
    listener: EndpointListener,
    cloud: Arc<CloudInstance>,
    mut closed: watch::Receiver<bool>,
) -> impl Future<Output = ()> {
    let service = Router::new()
        .fallback(handle)
        .with_state(cloud)
        .into_make_service_with_connect_info::<ConnectionControl>();
    async move {
        let closing = async move {
            // An error means that the owner was dropped, which closes as well.
            let _ = closed.wait_for(|closed| *closed).await;
        };
        let served = axum::serve(listener, service).with_graceful_shutdown(closing);
        // It never fails: the listener continues to accept after errors.
        let _ = served.await;
    }
}
