//! The running server, as its owner sees it: where it listens, what it saw, what is to go wrong.

use std::fs::{DirBuilder, Permissions};
use std::future::Future;
use std::net::SocketAddr;
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

use crate::actions::{EcsAction, RequestContext};
use crate::backend::ContainerBackend;
use crate::cloud::CloudInstance;
use crate::configuration;
use crate::fault::{CloudFault, FaultCount, FaultRecord, FaultRules, FaultRulesError, ReaderLag};
use crate::options::{CloudOptions, ServeError};
use crate::record::{RequestRecord, TaskRecord};
use crate::seed::REGION;
use crate::state::arns::ACCOUNT;
use crate::state::task::CloudTaskEnding;
use crate::task_timing::DelayGenerator;
use crate::wire::connection::{ConnectionControl, EndpointListener};
use crate::wire::credentials::{AcceptedKeys, AccessKeyPair, CallerPrincipal, IssuedCredentials};
use crate::wire::exception::ServiceException;
use crate::wire::http::handle;
use crate::wire::tls::TlsIdentity;

/// Where the delays of every cloud begin; the same cloud played twice takes the same times.
const SEED: u64 = 0x0FA2_6A7E;
/// The mode of folders that only their owner enters.
const OWNER_ONLY: u32 = 0o700;
/// How long connections get to end by themselves at a shutdown.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// A running cloud. Dropping it ends its tasks as well, but [`LocalCloud::shutdown`] waits until
/// they are gone.
pub struct LocalCloud {
    cloud: Arc<CloudInstance>,
    address: SocketAddr,
    access_keys: AccessKeyPair,
    keys_are_drawn: bool,
    authority_pem: Option<String>,
    closing: watch::Sender<bool>,
    server: JoinHandle<()>,
    /// Kept for its end, which deletes the folder.
    _temporary: Option<TempDir>,
}

impl LocalCloud {
    /// Serves a cloud; it is bound and ready when this returns. Needs a runtime with time and I/O.
    ///
    /// # Errors
    ///
    /// [`ServeError`], before anything was started.
    pub async fn serve(options: CloudOptions) -> Result<Self, ServeError> {
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
        let backend = ContainerBackend::new(options.agent, folder, address.port());
        let backend = backend.map_err(ServeError::Processes)?;
        let tls = options.tls.then(TlsIdentity::make).transpose();
        let tls = tls.map_err(|error| ServeError::Tls(error.into()))?;
        let (authority_pem, acceptor) = tls.map(|tls| (tls.authority_pem, tls.acceptor)).unzip();
        let timetable = DelayGenerator::new(options.pace, SEED);
        let keys = AcceptedKeys::new(&access_keys);
        let cloud =
            Arc::new(CloudInstance::new(keys, timetable, options.limits, backend, options.empty));
        let (closing, closed) = watch::channel(false);
        let door = EndpointListener::new(listener, address.ip(), acceptor);
        let server = tokio::spawn(answer(door, Arc::clone(&cloud), closed));
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

    /// `http://ADDRESS:PORT`, or `https://` with TLS. All services that the cloud plays are there:
    /// it works as `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let scheme = if self.authority_pem.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The pair of keys that the cloud takes; whoever has it runs commands on this machine.
    #[must_use]
    pub fn access_keys(&self) -> &AccessKeyPair {
        &self.access_keys
    }

    /// The pair, if the cloud drew it, so that nobody knows it who is not told.
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

    /// Gives back what [`LocalCloud::deny`] took.
    pub fn allow(&self, right: &str) {
        self.cloud.rights.allow(right);
    }

    /// Makes a role that may be assumed, with this external id where one is given; its ARN in the
    /// partition of `region`. There is none at the start.
    #[must_use]
    pub fn add_role(&self, region: &str, name: &str, external_id: Option<&str>) -> String {
        self.cloud.rights.add_role(name, external_id);
        format!("arn:{}:iam::{ACCOUNT}:role/{name}", AwsPartition::of(region).name())
    }

    /// Registers a task definition in the Region of the configuration that this cloud writes, as
    /// `RegisterTaskDefinition` with this body does; its ARN.
    ///
    /// # Errors
    ///
    /// What ECS would answer, in one line.
    pub fn register(&self, body: Value) -> Result<String, String> {
        let told = |refusal: ServiceException| format!("{}: {}", refusal.code, refusal.message);
        let action = EcsAction::decode("RegisterTaskDefinition", body).map_err(told)?;
        let scene = RequestContext {
            cloud: &self.cloud,
            region: REGION,
            now: self.cloud.clock.now(),
            fault: None,
            view: ReaderLag::default(),
            principal: &CallerPrincipal::User,
        };
        let answer = action.perform(&scene).map_err(told)?;
        let arn = answer["taskDefinition"]["taskDefinitionArn"].as_str();
        Ok(arn.expect("every definition has an ARN").to_owned())
    }

    /// Text of a configuration file of `fargate-runner` that works with this cloud, unless it was
    /// started empty. Its first line says which environment belongs to it, with the keys if the cloud
    /// drew them: then the file is for its owner alone.
    #[must_use]
    pub fn configuration(&self, state_dir: &Path) -> String {
        let port = self.address.port();
        configuration::text(&self.endpoint(), self.drawn_keys(), port, state_dir)
    }

    /// One sentence for the person who started the cloud: that tasks run unprotected and one at a
    /// time, and why. `None` where every task has its own sandbox.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.cloud.backend.notice()
    }

    /// Where the folders of file systems (`efs`) and container logs (`logs`) are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.cloud.backend.folder()
    }

    /// The next call of `operation` (for example `RunTask`) meets `fault`; a queue, so that several
    /// faults meet several calls.
    pub fn fail(&self, operation: &str, fault: CloudFault) {
        self.cloud.faults.push(operation, fault, self.cloud.clock.now());
    }

    /// Every call of `operation` that no queued fault meets, meets `fault` until
    /// [`LocalCloud::clear_faults`].
    pub fn fail_until_cleared(&self, operation: &str, fault: CloudFault) {
        self.cloud.faults.stand(operation, fault, self.cloud.clock.now());
    }

    /// These rules in place of every fault there was; their time begins now. Hanging calls go on.
    pub fn set_faults(&self, rules: FaultRules) {
        self.cloud.faults.replace(rules, self.cloud.clock.now());
    }

    /// These rules after the ones that are there; their time begins now.
    ///
    /// # Errors
    ///
    /// [`FaultRulesError::TooMany`], and none is added.
    pub fn add_faults(&self, rules: FaultRules) -> Result<(), FaultRulesError> {
        self.cloud.faults.add(rules, self.cloud.clock.now())
    }

    /// Every rule, in the order in which they are asked, and how often each struck. Those of
    /// [`LocalCloud::fail`] are gone once they did.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultCount> {
        self.cloud.faults.counts()
    }

    /// What was injected: the last 20,000 strikes of all rules, oldest first.
    #[must_use]
    pub fn struck(&self) -> Vec<FaultRecord> {
        self.cloud.faults.struck()
    }

    /// The time in this cloud.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.cloud.clock.now()
    }

    /// Moves the cloud's clock forward, at most a hundred years in all. Delays that are over then
    /// end at once, credentials expire, buckets fill, stopped tasks are forgotten. Processes of
    /// tasks and signatures of requests go by the clock of the machine, as before.
    pub fn advance(&self, by: Duration) {
        self.cloud.clock.advance(by);
    }

    /// Forgets all faults, the read lag among them, and lets hanging calls go on. Tasks that a
    /// fault holds stay held.
    pub fn clear_faults(&self) {
        self.cloud.faults.clear();
    }

    /// `DescribeTasks` and `ListTasks` do not see a task that is younger than `lag`: eventual
    /// consistency. Zero at the start. It adds to what else a call meets.
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
    /// False if there is no such task, or it is ending already.
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
        self.cloud.state().task_by_arn(arn).is_some_and(|task| task.order(ending, now))
    }

    /// From now on the API does not know the task: `MISSING`, not found, not listed. Its processes
    /// are ended. False if there is no such task.
    pub fn forget(&self, arn: &str) -> bool {
        let now = self.cloud.clock.now();
        let mut state = self.cloud.state();
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
        self.cloud.state().tasks().into_iter().map(|task| task.record()).collect()
    }

    /// Tasks that are not STOPPED.
    #[must_use]
    pub fn live_tasks(&self) -> usize {
        self.cloud.state().live_tasks()
    }

    /// Ends the server and every task; returns when all their processes are gone.
    pub async fn shutdown(mut self) {
        self.closing.send_replace(true);
        self.cloud.faults.clear();
        if timeout(CLOSE_DEADLINE, &mut self.server).await.is_err() {
            self.server.abort();
            // The only way to fail is the abort itself.
            let _ = (&mut self.server).await;
        }
        self.cloud.end_all_tasks().await;
        self.cloud.backend.close().await;
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.server.abort();
        self.cloud.order_all_to_end();
        self.cloud.backend.kill_all();
    }
}

/// Refuses an address that would let strangers run commands on this machine.
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

/// The folder to use, and the temporary one if it is that. What is made here is for its owner alone:
/// it holds what tasks keep and print.
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
    door: EndpointListener,
    cloud: Arc<CloudInstance>,
    mut closed: watch::Receiver<bool>,
) -> impl Future<Output = ()> {
    let service = Router::new()
        .fallback(handle)
        .with_state(cloud)
        .into_make_service_with_connect_info::<ConnectionControl>();
    async move {
        let closing = async move {
            // An error means that the owner is gone, which closes as well.
            let _ = closed.wait_for(|closed| *closed).await;
        };
        let served = axum::serve(door, service).with_graceful_shutdown(closing);
        // It never fails: accepting goes on after errors.
        let _ = served.await;
    }
}
