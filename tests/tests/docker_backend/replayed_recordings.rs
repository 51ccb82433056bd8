//! The recorded jobs of a real gitlab-runner, in containers with our own agent: the same stages in the
//! same order, the same verdict, and the same output of the script.

use std::path::Path;

use fargate_playground::git_server::{GitServer, make_repository};
use fargate_playground::runner::RunnerImitation;
use fargate_playground::test_host::{TestHost, TestHostOptions};
use fargate_tests::{PATIENCE, runner, until};

use crate::engine;
use crate::recorded_jobs::replayed::{FILES, every_recorded_job, play, scripts, times};

async fn replay(name: &str) {
    let Some(engine) = engine() else { return };
    // The image holds the agent.
    let mut options = TestHostOptions::new(&runner(), Path::new(""), "replay-");
    engine.choose(&mut options.cloud);
    let mut host = TestHost::open(options).await.expect("a host");
    let repositories = host.folder().join("repositories");
    make_repository(&repositories, "group/project.git", &FILES).await.expect("a repository");
    let git = GitServer::serve_at(&repositories, engine.host_address()).await.expect("a server");
    let runner = RunnerImitation {
        output_limit: 16 * 1024 * 1024,
        scripts: scripts(name, &git.host()),
        ..host.runner("testtestt", times()).expect("a folder for the jobs")
    };
    play(name, &runner, &git.host()).await;
    git.shutdown().await;
    until("the end of every task", || host.cloud().live_tasks() == 0).await;
    let folder = host.cloud().folder().to_owned();
    host.shut_down(PATIENCE).await.expect("a cloud that ends");
    let left = engine.leftovers(&folder).expect("an engine that answers");
    assert_eq!(left, Vec::<String>::new());
}

every_recorded_job! { replay }
