//! A runner on a host with a Docker Engine, as the pipeline asks for: our imitation of gitlab-runner, whose driver
//! runs each script on this host. And the project that it fetches.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fargate_playground::runner::{
    DriverCommands, GitInfo, GitLabJob, GitLabVerdict, JobControl, JobVariable, OUTPUT_LIMIT,
    RunnerImitation, RunnerTimes, ScriptSource,
};
use fargate_tests::{agent, runner, write_program};
use tempfile::TempDir;

use crate::pipeline_file::PipelineJob;

/// Longest time of a job: it builds, packs and pushes some ten megabytes with a debug build.
const JOB_TIME: Duration = Duration::from_secs(240);
/// What bash needs on this machine.
const LIBRARIES: [&str; 4] = ["libtinfo.so.6", "libresolv.so.2", "libc.so.6", "libselinux.so.1"];
const LIBRARY_FOLDER: &str = "/lib/x86_64-linux-gnu";
const HOST_DRIVER: &str = r#"#!/bin/bash
[ "$1" != config ] || printf '{"driver":{"name":"host","version":"1"}}'
[ "$1" = run ] || exit 0
bash "$2" || exit "$BUILD_FAILURE_EXIT_CODE"
"#;
const DOCKERFILE: &str = "FROM scratch
COPY tools/libraries /lib/x86_64-linux-gnu
COPY tools/loader /lib64
COPY tools/bin /bin
RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]
RUN mkdir -p /tmp /root /builds && echo root:x:0:0:root:/root:/bin/bash > /etc/passwd
COPY fargate-agent /usr/local/bin/fargate-agent
ENV PATH=/usr/local/bin:/bin
ENTRYPOINT [\"/usr/local/bin/fargate-agent\"]
";

/// The runner and the project, in a folder of their own.
pub struct HostRunner {
    folder: TempDir,
    docker_host: String,
    commit: String,
}

/// A job that was played.
pub struct PipelineRun {
    pub passed: bool,
    pub log: String,
    /// The folder of the project, with what the job left there.
    pub project: PathBuf,
}

impl HostRunner {
    pub fn open(docker_host: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("pipeline-").tempdir().expect("a folder");
        let project = folder.path().join("group/project");
        let context = project.join("images/ci");
        fill_context(&context);
        fs::write(project.join("images/fargate-runner.toml"), configuration(folder.path()))
            .expect("a writable folder");
        let git = "git init -q -b main && git add . && git -c user.name=a -c user.email=a@example.com \
                   commit -q -m one && git rev-parse HEAD";
        let commit = output(Command::new("sh").args(["-c", git]).current_dir(&project));
        write_program(&folder.path().join("driver"), HOST_DRIVER);
        for name in ["jobs", "home", "tmp"] {
            fs::create_dir(folder.path().join(name)).expect("a writable folder");
        }
        Self { folder, docker_host: docker_host.to_owned(), commit: commit.trim().to_owned() }
    }

    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// What a person does after `image-publish` and GitLab does with it: the manifest with a promotion becomes a
    /// commit on the default branch.
    pub fn merge_promotion(&mut self, manifest: &Path, version: &str, variables: &[JobVariable]) {
        let project = self.folder.path().join("group/project");
        let merged = project.join("images/images.json");
        fs::copy(manifest, &merged).expect("the manifest that was published");
        let value = |key: &str| {
            let found = variables.iter().rev().find(|variable| variable.key == key);
            found.map(|variable| variable.value.clone()).expect("a variable of the environment")
        };
        let text = fs::read_to_string(project.join("images/fargate-runner.toml")).expect("a file");
        let text = text
            .replace("${CI_PROJECT_DIR}", &project.display().to_string())
            .replace("${IMAGE_REPOSITORY}", &value("IMAGE_REPOSITORY"))
            .replace("${IMAGE_MANIFEST}", &merged.display().to_string());
        let config = self.folder.path().join("person.toml");
        fs::write(&config, text).expect("a writable folder");
        let mut promote = Command::new(runner());
        promote.arg("--config").arg(&config).args(["image", "promote", "ci", version]);
        promote.args(["--to", "stable"]).env("HOME", self.folder.path().join("home"));
        output(promote.env("DOCKER_CONFIG", value("DOCKER_CONFIG")));
        let git = "git add . && git -c user.name=a -c user.email=a@example.com commit -q -m promote \
                   && git rev-parse HEAD";
        let commit = output(Command::new("sh").args(["-c", git]).current_dir(&project));
        self.commit = commit.trim().to_owned();
    }

    /// A folder with Docker's configuration that holds a login.
    pub fn docker_config(&self, registry: &str, auth: &str) -> String {
        let folder = self.folder.path().join(format!("docker-{}", registry.replace(':', "-")));
        fs::create_dir(&folder).expect("a writable folder");
        let config = serde_json::json!({ "auths": { registry: { "auth": auth } } });
        fs::write(folder.join("config.json"), config.to_string()).expect("a writable folder");
        folder.display().to_string()
    }

    /// Plays a job with the variables of the file, after them those of GitLab and of the environment.
    pub async fn play(&self, number: u64, job: &PipelineJob, more: &[JobVariable]) -> PipelineRun {
        let lines: Vec<_> = job.script.iter().map(String::as_str).collect();
        let git = GitInfo {
            repo_url: format!("file://{}", self.folder.path().join("group/project").display()),
            ref_name: "main".to_owned(),
            sha: self.commit.clone(),
            refspecs: vec!["+refs/heads/main:refs/remotes/origin/main".to_owned()],
            depth: 0,
        };
        let mut played = GitLabJob::new(number, &job.name, git, &lines);
        let of_file = job.variables.iter().map(|(key, value)| JobVariable {
            key: key.clone(),
            value: value.clone(),
            ..JobVariable::default()
        });
        played.variables.extend(of_file.chain(more.iter().cloned()));
        let builds = self.folder.path().join("builds").display().to_string();
        let runner = self.imitation(builds);
        let control = JobControl::default();
        let play = runner.play(&played, &control, std::sync::Arc::new(|_| {}));
        let ended = tokio::time::timeout(JOB_TIME, play).await.expect("a job that ends by itself");
        let log = String::from_utf8_lossy(&ended.trace).into_owned();
        let passed = ended.verdict == GitLabVerdict::Success;
        PipelineRun { passed, log, project: checked_out(self.folder.path()) }
    }

    fn imitation(&self, builds_dir: String) -> RunnerImitation {
        let at = |name: &str| self.folder.path().join(name);
        let mut path = OsString::from(runner().parent().expect("it lies in a folder"));
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let environment: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), path),
            ("HOME".into(), at("home").into()),
            ("DOCKER_HOST".into(), self.docker_host.clone().into()),
        ];
        RunnerImitation {
            driver: DriverCommands::new(&at("driver"), &[], &[]),
            environment,
            builds_dir,
            cache_dir: at("cache").display().to_string(),
            short_token: "hostrun".to_owned(),
            folder: at("jobs"),
            times: RunnerTimes::default(),
            output_limit: OUTPUT_LIMIT,
            scripts: ScriptSource::Written,
        }
    }
}

/// A small image with bash, busybox and the agent.
fn fill_context(context: &Path) {
    let script = r#"mkdir -p "$1/tools/bin" "$1/tools/libraries" "$1/tools/loader"
        cp "$(command -v busybox)" "$(command -v bash)" "$1/tools/bin/"
        shift_to=$1 folder=$3; strip -o "$1/fargate-agent" "$2" 2>/dev/null || cp "$2" "$1/fargate-agent"
        cp -L /lib64/ld-linux-x86-64.so.2 "$1/tools/loader/"
        shift 3
        for library; do [ ! -e "$folder/$library" ] || cp -L "$folder/$library" "$shift_to/tools/libraries/"; done"#;
    let mut command = Command::new("sh");
    command.args(["-euc", script, "sh"]).arg(context).arg(agent()).arg(LIBRARY_FOLDER);
    output(command.args(LIBRARIES));
    fs::write(context.join("Dockerfile"), DOCKERFILE).expect("a writable folder");
}

fn configuration(folder: &Path) -> String {
    format!(
        "config_version = 1\nstate_dir = \"{}/state\"\n\n[defaults]\ncluster = \"ci\"\nregion = \
         \"eu-west-1\"\nsubnets = [\"subnet-0a1b2c3d4e5f60718\"]\nsecurity_groups = \
         [\"sg-0a1b2c3d4e5f60718\"]\ntask_definition = \"ci:1\"\n\n[image.ci]\nrepository = \
         \"${{IMAGE_REPOSITORY}}\"\ncontext = \"${{CI_PROJECT_DIR}}/images/ci\"\nmanifest = \
         \"${{IMAGE_MANIFEST}}\"\n\n[profile.jobs]\nimage = \"ci@stable\"\nexecution_role = \
         \"ci-execution\"\ntask_definition_family = \"pipeline-jobs\"\n",
        folder.display()
    )
}

/// The one checkout below the folder of builds.
fn checked_out(folder: &Path) -> PathBuf {
    let find = "find \"$1/builds\" -name .git -type d | head -n 1";
    let found = output(Command::new("sh").args(["-c", find, "sh"]).arg(folder));
    Path::new(found.trim()).parent().map_or_else(PathBuf::new, Path::to_owned)
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("a program that can be started");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {words}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
