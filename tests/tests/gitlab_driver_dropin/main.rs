//! The command line and the configuration file of GitLab's Fargate driver, through the real binary:
//! only the path of the binary was changed.

mod bad_input;
mod command_line;
mod config_import;
mod job_variables;
mod operator_log;
mod whole_jobs;

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use aws_sdk_ecs::types::{CapacityProviderStrategyItem, ContainerDefinition};
use fargate_tests::{
    CheckedHost, SYSTEM_FAILURE, TestJob, TestProcessResult, set_key, write_whole,
};
use toml::{Table, Value};

/// The container that GitLab's driver demands.
pub const CONTAINER: &str = "ci-coordinator";
/// The task definition of the installation.
pub const FAMILY: &str = "test-task";

/// A manager host with that driver's file, beside a cloud whose cluster has a default strategy and
/// a task definition with that driver's container.
pub struct OldStyleHost {
    /// The host and its cloud.
    pub site: CheckedHost,
    settings: Table,
}

impl OldStyleHost {
    /// With everything that GitLab's guide asks for.
    pub async fn open() -> Self {
        let site = CheckedHost::open().await;
        let text = fs::read_to_string(site.config()).expect("the cloud's own file");
        let own: Table = text.parse().expect("the cloud's own file");
        let defaults = own["defaults"].as_table().expect("a table");
        let first = |key: &str| defaults[key][0].clone();
        let mut old = Self { settings: Table::new(), site };
        old.set("LogLevel", "debug");
        old.set("LogFormat", "json");
        old.set("LogFile", old.log_file().display().to_string());
        old.set("Fargate.Cluster", defaults["cluster"].clone());
        old.set("Fargate.Region", defaults["region"].clone());
        old.set("Fargate.Subnet", first("subnets"));
        old.set("Fargate.SecurityGroup", first("security_groups"));
        old.set("Fargate.TaskDefinition", FAMILY);
        old.set("Fargate.EnablePublicIP", false);
        old.set("TaskMetadata.Directory", old.site.state_dir().display().to_string());
        old.set("SSH.Username", "root");
        old.set("SSH.Port", defaults["ssh"]["port"].clone());
        // The only thing that the image has to say: it starts our agent and no stock sshd.
        old.set("Fargate.HostKey", "seed");
        for key in ["EcsPollMin", "EcsPollMax"] {
            old.set(&format!("Fargate.Timeouts.{key}"), "50ms");
        }
        let cluster = defaults["cluster"].as_str().expect("a name");
        old.provision(cluster).await;
        old
    }

    async fn provision(&self, cluster: &str) {
        let item = CapacityProviderStrategyItem::builder().capacity_provider("FARGATE").weight(1);
        let put = self.site.ecs().put_cluster_capacity_providers().cluster(cluster);
        let put = put.capacity_providers("FARGATE").capacity_providers("FARGATE_SPOT");
        let put = put.default_capacity_provider_strategy(item.build().expect("an item"));
        put.send().await.expect("a cluster that takes a strategy");
        let container = ContainerDefinition::builder().name(CONTAINER);
        self.site.register(FAMILY, container).await;
    }

    /// Sets a key of the file, for the calls to come.
    pub fn set(&mut self, dotted: &str, value: impl Into<Value>) {
        set_key(&mut self.settings, dotted, value);
        write_whole(&self.file(), self.settings.to_string()).expect("a writable folder");
    }

    /// Takes a key out of the file.
    pub fn unset(&mut self, table: &str, key: &str) {
        let table = match table {
            "" => Some(&mut self.settings),
            name => self.settings.get_mut(name).and_then(Value::as_table_mut),
        };
        table.and_then(|table| table.remove(key)).expect("a key that is there");
        write_whole(&self.file(), self.settings.to_string()).expect("a writable folder");
    }

    /// The configuration file.
    pub fn file(&self) -> PathBuf {
        self.site.folder().join("fargate.toml")
    }

    /// `LogFile`.
    pub fn log_file(&self) -> PathBuf {
        self.site.log_file()
    }

    /// A job whose stages are called as GitLab's guide says: flags first, then `custom`.
    pub fn job(&self) -> Rc<TestJob> {
        self.job_with(|_| {})
    }

    /// The same, changed before its first call.
    pub fn job_with(&self, change: impl FnOnce(&mut TestJob)) -> Rc<TestJob> {
        let file = self.file();
        self.site.job_with(|job| {
            job.arguments = vec!["--config".into(), file.into(), "custom".into()];
            change(job);
        })
    }

    /// A link to the product by that driver's name, in a folder of its own.
    pub fn link(&self) -> PathBuf {
        let link = self.site.folder().join("fargate");
        if !link.exists() {
            std::os::unix::fs::symlink(fargate_tests::runner(), &link).expect("a new link");
        }
        link
    }
}

/// Runs the link in `folder` with these words and the environment of `job`.
pub async fn call(job: &TestJob, program: &Path, words: &[&str]) -> TestProcessResult {
    job.heard(job.start_other(&program.display().to_string(), words)).await
}

/// The stage ended as a system failure with one line that holds `words`.
#[track_caller]
pub fn refused(ended: &TestProcessResult, words: &str) {
    assert_eq!(ended.code, SYSTEM_FAILURE, "{}", ended.all());
    let line = ended.error_line();
    assert!(line.contains(words), "{words:?} in {line:?}");
}
