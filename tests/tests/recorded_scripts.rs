//! Recorded jobs of a real gitlab-runner, played through the real binaries on the local cloud: the
//! same stages in the same order, the same verdict, and every byte of the scripts in the task.

mod recorded_jobs;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, EfsVolumeConfiguration, KeyValuePair, MountPoint,
    NetworkMode, Volume,
};
use fargate_local_cloud::LocalCloud;
use fargate_playground::git_server::{GitServer, make_repository};
use fargate_playground::runner::{PlayedJob, RecordedScripts, RunnerImitation, ScriptSource};
use fargate_playground::test_host::{TestHost, TestHostOptions};
use fargate_playground::{leftovers, programs};
use fargate_tests::{PATIENCE, until};
use recorded_jobs::replayed::{CHECKSUM, FILES, every_recorded_job, play, scripts, times};
use sha2::{Digest, Sha256};

/// The file system with the stand-in, and where tasks see it.
const FILE_SYSTEM: &str = "fs-0a1b2c3d4e5f60718";
const HELPER: &str = "/opt/helper";

/// Everything one replayed job needs.
struct ReplaySetup {
    host: TestHost,
    git: GitServer,
    runner: RunnerImitation,
}

impl ReplaySetup {
    async fn open(name: &str) -> Self {
        let options = TestHostOptions::new(&driver(), &programs::agent().unwrap(), "replay-");
        let host = TestHost::open(options).await.unwrap();
        let repositories = host.folder().join("repositories");
        make_repository(&repositories, "group/project.git", &FILES).await.unwrap();
        let git = GitServer::serve(&repositories).await.unwrap();
        let family = register_definition_with_helper(host.cloud()).await;
        let text = host.usual_configuration().replace("\"ci-job\"", &format!("\"{family}\""));
        assert!(text.contains(&family), "the configuration names the task definition");
        host.configure(&text).unwrap();
        let runner = RunnerImitation {
            output_limit: 16 * 1024 * 1024,
            scripts: scripts(name, &git.host()),
            ..host.runner("testtestt", times()).unwrap()
        };
        Self { host, git, runner }
    }

    /// Waits until all tasks have stopped, and checks that nothing else is left.
    async fn close(mut self) {
        until("the end of every task", || self.host.cloud().live_tasks() == 0).await;
        let tasks = self.host.cloud().tasks();
        self.git.shutdown().await;
        let (jobs, state) = (&self.runner.folder, self.host.state_dir());
        // A sandbox ends a moment after its task.
        let left = || leftovers::of_all(jobs, &state, &tasks);
        until(&format!("nothing left of {:?}", left()), || left().is_none()).await;
        self.host.shut_down(PATIENCE).await.unwrap();
    }
}

/// The real driver, beside this test.
fn driver() -> PathBuf {
    let given = std::env::var_os("FARGATE_RUNNER_BINARY").map(PathBuf::from);
    programs::runner(given.as_deref()).unwrap()
}

/// A task definition in which PATH begins with the stand-in for `gitlab-runner` and with shells
/// that say which script they got. They reach the task on a file system, because a task does not
/// see every folder of this machine.
async fn register_definition_with_helper(cloud: &LocalCloud) -> String {
    let helper = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/helper");
    copy(&helper, &cloud.add_file_system(FILE_SYSTEM));
    let path = std::env::var("PATH").unwrap();
    let value = format!("{HELPER}/bin:{path}");
    let mount =
        MountPoint::builder().source_volume("helper").container_path(HELPER).read_only(true);
    let container = ContainerDefinition::builder()
        .name("job")
        .image("registry.example/ci/job:1")
        .environment(KeyValuePair::builder().name("PATH").value(value).build())
        .mount_points(mount.build())
        .build();
    let efs = EfsVolumeConfiguration::builder().file_system_id(FILE_SYSTEM).build().unwrap();
    let volume = Volume::builder().name("helper").efs_volume_configuration(efs).build();
    let request = fargate_tests::ecs_client(cloud)
        .register_task_definition()
        .family("ci-job-with-helper")
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .cpu("1024")
        .memory("2048")
        .container_definitions(container)
        .volumes(volume);
    request.send().await.unwrap();
    "ci-job-with-helper".to_owned()
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

async fn replay(name: &str) {
    let theatre = ReplaySetup::open(name).await;
    let outcome = play(name, &theatre.runner, &theatre.git.host()).await;
    if let ScriptSource::Recorded(scripts) = &theatre.runner.scripts {
        compare_scripts(scripts, &outcome);
    }
    theatre.close().await;
}

/// The shell of each stage got exactly the bytes of the script's file.
fn compare_scripts(scripts: &RecordedScripts, outcome: &PlayedJob) {
    let mut seen: Vec<&str> = Vec::new();
    for call in &outcome.calls {
        let Some(stage) = call.stage.as_deref() else { continue };
        let nth = seen.iter().filter(|name| **name == stage).count();
        seen.push(stage);
        let script = scripts.script(stage, nth).unwrap();
        let expected = format!("{CHECKSUM}{}\n", hex::encode(Sha256::digest(script)));
        let got = String::from_utf8_lossy(&call.stdout);
        assert!(
            got.starts_with(&expected),
            "{stage}: expected {expected}, got {}",
            first_line(&got)
        );
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

every_recorded_job! { replay }

#[test]
fn the_stand_in_answers_the_four_verbs() {
    let helper = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/helper/bin/gitlab-runner");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("vendor")).unwrap();
    std::fs::write(folder.path().join("vendor/dep"), "1").unwrap();
    let run = |words: &[&str]| {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let command =
            std::process::Command::new(&helper).args(words).current_dir(folder.path()).output();
        command.unwrap().status.code()
    };
    assert_eq!(run(&["cache-extractor", "--file", "c/cache.zip", "--timeout", "10"]), Some(1));
    assert_eq!(run(&["cache-archiver", "--file", "c/cache.zip", "--path", "vendor/"]), Some(0));
    std::fs::remove_dir_all(folder.path().join("vendor")).unwrap();
    assert_eq!(run(&["cache-extractor", "--file", "c/cache.zip"]), Some(0));
    assert_eq!(std::fs::read_to_string(folder.path().join("vendor/dep")).unwrap(), "1");
    assert_eq!(run(&["artifacts-downloader", "--id", "4049"]), Some(0));
    assert_eq!(std::fs::read_to_string(folder.path().join("out/app")).unwrap(), "from-build\n");
    assert_eq!(run(&["artifacts-uploader", "--id", "1", "--path", "out/"]), Some(0));
    assert_eq!(run(&["artifacts-uploader", "--id", "1", "--path", "absent/"]), Some(2));
    assert_eq!(run(&["register"]), Some(1));
}
