//! One prepared job of a host, many times over: its task, its record and its journal, each with ids of its own. So a
//! host can have thousands of live jobs without their processes.

use std::error::Error;
use std::path::PathBuf;

use aws_sdk_ecs::types::{
    AwsVpcConfiguration, ContainerOverride, KeyValuePair, LaunchType, NetworkConfiguration, Tag,
    TaskOverride,
};
use fargate_events::{EventSink, JobFact};
use fargate_job_journal::{JournalContent, JournalEntry, JournalFolder, JournalSink, read_journal};
use fargate_model::job::JobKey;
use fargate_playground::test_host::TestHost;
use serde_json::{Value, json};

/// The variable of a task with the key of its job.
const JOB_VARIABLE: &str = "FARGATE_RUNNER_JOB";

/// What one prepared job left.
pub struct JobSample {
    record: Value,
    entries: Vec<JournalEntry>,
    state: PathBuf,
}

/// A copy of the job that is alive.
pub struct LiveCopy {
    /// Its task.
    pub task: String,
}

impl JobSample {
    /// Reads the one job of this host that is prepared.
    pub fn read(host: &TestHost) -> Result<Self, Box<dyn Error>> {
        let state = host.state_dir();
        let mut jobs = std::fs::read_dir(state.join("jobs"))?;
        let path = jobs.next().ok_or("no job is prepared")??.path();
        let record: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        let key = JobKey::try_from(record["job"].as_str().unwrap_or_default().to_owned())?;
        let entries = read_journal(&JournalFolder::of(&state), &key, 0)?.entries;
        Ok(Self { record, entries, state })
    }

    /// The place of its task, as the daemon of the host knows it.
    pub fn place(&self, host: &TestHost) -> Value {
        let core = &self.record["core"];
        let endpoint = host.cloud().endpoint();
        json!({ "region": core["region"], "cluster": core["cluster"], "endpoint": endpoint, "role": null })
    }

    /// Starts the copy `number`. Unless it `runs`, its first script has not begun.
    pub async fn copy(
        &self,
        ecs: &aws_sdk_ecs::Client,
        number: usize,
        runs: bool,
    ) -> Result<LiveCopy, Box<dyn Error>> {
        let key = JobKey::try_from(format!("{:064x}", number + 1))?;
        let task = self.start_task(ecs, &key).await?;
        let mut record = self.record.clone();
        record["job"] = json!(key.as_str());
        record["job_id"] = json!(format!("gl-{}", 100_000 + number));
        record["core"]["task"] = json!(task);
        record["launches"][0]["task"] = json!(task);
        let path = self.state.join("jobs").join(format!("{key}.json"));
        std::fs::write(path, serde_json::to_vec(&record)?)?;
        self.write_journal(key, number, &task, runs);
        Ok(LiveCopy { task })
    }

    async fn start_task(
        &self,
        ecs: &aws_sdk_ecs::Client,
        key: &JobKey,
    ) -> Result<String, Box<dyn Error>> {
        let launch = &self.record["launches"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let vpc = AwsVpcConfiguration::builder()
            .subnets(text(&launch["subnet"]))
            .set_security_groups(
                launch["security_groups"]
                    .as_array()
                    .map(|groups| groups.iter().map(text).collect()),
            )
            .build()?;
        let of_sample = launch["containers"][0]["environment"].as_object();
        let variables = of_sample.into_iter().flatten().map(|(name, value)| {
            let value = if name == JOB_VARIABLE { key.to_string() } else { text(value) };
            KeyValuePair::builder().name(name).value(value).build()
        });
        let container = ContainerOverride::builder()
            .name(text(&launch["containers"][0]["name"]))
            .set_environment(Some(variables.collect()));
        let tags = launch["tags"].as_object().into_iter().flatten();
        let tags = tags.map(|(name, value)| Tag::builder().key(name).value(text(value)).build());
        let network = NetworkConfiguration::builder().awsvpc_configuration(vpc).build();
        let call = ecs
            .run_task()
            .cluster(text(&launch["cluster"]))
            .task_definition(text(&launch["task_definition"]))
            .launch_type(LaunchType::Fargate)
            .started_by(text(&launch["started_by"]))
            .network_configuration(network)
            .set_tags(Some(tags.collect()))
            .overrides(TaskOverride::builder().container_overrides(container.build()).build());
        let answer = call.send().await?;
        let task = answer.tasks().first().and_then(|task| task.task_arn());
        Ok(task.ok_or("ECS started no task")?.to_owned())
    }

    /// Tells the events and facts of the sample again.
    fn write_journal(&self, key: JobKey, number: usize, task: &str, runs: bool) {
        let folder = JournalFolder::of(&self.state);
        let sink = JournalSink::new(folder, key, "prepare".to_owned(), Default::default());
        for entry in &self.entries {
            match &entry.content {
                JournalContent::Event(event) => sink.take(event),
                JournalContent::Fact(fact) => sink.take_fact(&own_fact(fact, number, task)),
                JournalContent::Unknown(_) => {}
            }
        }
        if runs {
            sink.take_fact(&JobFact::StageStarted { stage: "build_script".to_owned() });
        }
    }
}

/// The fact with the ids of the copy.
fn own_fact(fact: &JobFact, number: usize, task: &str) -> JobFact {
    let mut fact = fact.clone();
    match &mut fact {
        JobFact::Described(about) => {
            about.id = format!("gl-{}", 100_000 + number);
            about.project = Some(format!("group/project-{}", number % 200));
            about.name = Some(format!("job-{}", number % 1000));
        }
        JobFact::TaskSeen(seen) => task.clone_into(&mut seen.task),
        JobFact::LaunchAnswered { task: Some(accepted), .. } => task.clone_into(&mut accepted.0),
        _ => {}
    }
    fact
}
