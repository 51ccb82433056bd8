//! The labels by which a cloud knows its containers, networks and volumes again, and by which another
//! cloud knows those of a cloud that was killed.

use std::collections::HashMap;
use std::fs;

/// The id of the cloud.
pub const CLOUD: &str = "fargate-local.cloud";
/// The process of the cloud, as [`CloudProcess::text`] writes it.
pub const PROCESS: &str = "fargate-local.process";
/// The folder of the cloud.
pub const FOLDER: &str = "fargate-local.folder";
/// The id of the task.
pub const TASK: &str = "fargate-local.task";
/// As the agent of ECS labels the containers that it starts.
pub const TASK_ARN: &str = "com.amazonaws.ecs.task-arn";
pub const CONTAINER_NAME: &str = "com.amazonaws.ecs.container-name";

/// Labels as the engine takes them.
pub type Labels = HashMap<String, String>;

/// What all things of one cloud carry.
#[derive(Clone, Debug)]
pub struct CloudLabels {
    pub cloud: String,
    pub folder: String,
    pub process: CloudProcess,
}

impl CloudLabels {
    /// Labels of something of the cloud itself.
    pub fn of_cloud(&self) -> Labels {
        let pairs = [(CLOUD, &self.cloud), (PROCESS, &self.process.text()), (FOLDER, &self.folder)];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// Labels of something of one task.
    pub fn of_task(&self, task: &str, task_arn: &str) -> Labels {
        let mut labels = self.of_cloud();
        labels.insert(TASK.to_owned(), task.to_owned());
        labels.insert(TASK_ARN.to_owned(), task_arn.to_owned());
        labels
    }

    /// Whether something with these labels belongs to a cloud that has ended: its process is gone, or it
    /// used the folder that is this cloud's now before the machine was started anew.
    pub fn is_left_over(&self, labels: &Labels) -> bool {
        let Some(process) = labels.get(PROCESS).and_then(|text| CloudProcess::parse(text)) else {
            return false;
        };
        if labels.get(CLOUD) == Some(&self.cloud) {
            return false;
        }
        let rebooted = process.boot != self.process.boot;
        process.has_ended() || rebooted && labels.get(FOLDER) == Some(&self.folder)
    }
}

/// A process, named so that no other one ever has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudProcess {
    boot: String,
    /// Processes of another namespace cannot be seen.
    namespace: String,
    pid: u32,
    /// In ticks since the machine was started.
    started: u64,
}

impl CloudProcess {
    /// This process.
    pub fn own() -> Self {
        let pid = std::process::id();
        let (boot, namespace) = machine();
        Self { boot, namespace, pid, started: started(pid).unwrap_or_default() }
    }

    /// One word for a label.
    pub fn text(&self) -> String {
        format!("{} {} {} {}", self.boot, self.namespace, self.pid, self.started)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        Some(Self {
            boot: words.next()?.to_owned(),
            namespace: words.next()?.to_owned(),
            pid: words.next()?.parse().ok()?,
            started: words.next()?.parse().ok()?,
        })
    }

    /// Whether it can be told from here that the process has ended. One of another machine or of
    /// another namespace counts as alive.
    fn has_ended(&self) -> bool {
        let (boot, namespace) = machine();
        (&self.boot, &self.namespace) == (&boot, &namespace)
            && started(self.pid) != Some(self.started)
    }
}

/// This start of the machine, and this process's PID namespace.
fn machine() -> (String, String) {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    (boot.trim().to_owned(), namespace.display().to_string())
}

/// When a process was started; `None` if there is none, or only its remains.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything. Behind it stand the state, and the start as the
    // 22nd field of all.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    if matches!(fields.next(), Some("Z" | "X")) {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(cloud: &str, folder: &str, process: CloudProcess) -> CloudLabels {
        CloudLabels { cloud: cloud.to_owned(), folder: folder.to_owned(), process }
    }

    #[test]
    fn what_a_live_cloud_has_is_not_left_over_and_what_a_dead_one_had_is() {
        let own = labels("a", "/f", CloudProcess::own());
        let other = labels("b", "/f", CloudProcess::own());
        assert!(!own.is_left_over(&own.of_cloud()));
        assert!(!own.is_left_over(&other.of_task("t", "arn")), "its process lives");
        let mut child = std::process::Command::new("true").spawn().expect("a program");
        let (pid, (boot, namespace)) = (child.id(), machine());
        let started = started(pid).unwrap_or(1);
        let child_process = CloudProcess { boot, namespace, pid, started };
        child.wait().expect("it ends");
        let dead = labels("c", "/elsewhere", child_process);
        assert!(own.is_left_over(&dead.of_cloud()));
        assert!(!own.is_left_over(&Labels::new()), "somebody else's");
    }

    #[test]
    fn what_another_machine_has_is_left_alone_and_what_was_here_before_a_reboot_is_not() {
        let own = labels("a", "/f", CloudProcess::own());
        let of_boot = |boot: &str, folder| {
            let process = CloudProcess { boot: boot.to_owned(), ..CloudProcess::own() };
            labels("b", folder, process).of_cloud()
        };
        assert!(own.is_left_over(&of_boot("before", "/f")));
        assert!(!own.is_left_over(&of_boot("elsewhere", "/g")));
    }

    #[test]
    fn a_process_is_read_as_it_was_written() {
        let own = CloudProcess::own();
        assert!(own.started > 0 && !own.boot.is_empty() && own.namespace.starts_with("pid:"));
        assert_eq!(CloudProcess::parse(&own.text()), Some(own));
        assert_eq!(CloudProcess::parse("x y z"), None);
    }
}
