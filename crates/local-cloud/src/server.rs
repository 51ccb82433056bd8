//! The running server, as its owner sees it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::{Fault, Options, Request, ServeError, TaskRecord};

/// Short-lived credentials that the cloud issued.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: String,
    /// When they end.
    pub expires_at: SystemTime,
}

/// A running cloud.
pub struct LocalCloud;

impl LocalCloud {
    /// Serves a cloud; it is bound and ready when this returns.
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub async fn serve(options: Options) -> Result<Self, ServeError> {
        let _ = options;
        Ok(Self)
    }
    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        String::new()
    }
    /// Text of a configuration file of `fargate-runner`.
    #[must_use]
    pub fn configuration(&self, state_dir: &Path) -> String {
        state_dir.display().to_string()
    }
    /// One sentence for the person who started the cloud, if there is something to say.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        None
    }
    /// Where file systems and logs are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        Path::new("/")
    }
    /// The next call of `operation` meets `fault`.
    pub fn fail(&self, operation: &str, fault: Fault) {
        let _ = (operation, fault);
    }
    /// Every call of `operation` meets `fault` until the faults are cleared.
    pub fn fail_until_cleared(&self, operation: &str, fault: Fault) {
        let _ = (operation, fault);
    }
    /// Forgets all faults.
    pub fn clear_faults(&self) {}
    /// DescribeTasks and ListTasks do not see a task that is younger than this.
    pub fn set_read_lag(&self, lag: Duration) {
        let _ = lag;
    }
    /// Plays AWS stopping a task. False if there is no such task, or it is stopping already.
    pub fn stop_task_from_outside(&self, arn: &str, stop_code: &str, reason: &str) -> bool {
        let _ = (arn, stop_code, reason);
        false
    }
    /// Forgets a task. False if there is none.
    pub fn forget(&self, arn: &str) -> bool {
        let _ = arn;
        false
    }
    /// Issues short-lived credentials.
    #[must_use]
    pub fn issue_credentials(&self, lifetime: Duration) -> Credentials {
        Credentials {
            access_key_id: String::new(),
            secret_access_key: String::new(),
            session_token: String::new(),
            expires_at: SystemTime::now() + lifetime,
        }
    }
    /// Every request.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        Vec::new()
    }
    /// Every task ever started.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskRecord> {
        Vec::new()
    }
    /// Tasks that are not STOPPED.
    #[must_use]
    pub fn live_tasks(&self) -> usize {
        0
    }
    /// Ends the server and every task.
    pub async fn shutdown(self) {}
}
