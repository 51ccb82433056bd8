//! The recorded jobs of a real gitlab-runner, in containers with our own agent: the same stages in the
//! same order, the same verdict, and the same output of the script. The image comes from a private registry,
//! whose login lies in Secrets Manager.

use std::path::Path;

use fargate_playground::git_server::{GitServer, make_repository};
use fargate_playground::runner::RunnerImitation;
use fargate_playground::test_host::{TestHost, TestHostOptions};
use fargate_tests::{PATIENCE, TestEngine, ecs_client, runner, store_login, until};

use crate::image_pulls::private;
use crate::recorded_jobs::replayed::{FILES, every_recorded_job, play, scripts, times};
use crate::{engine, register_by};

/// Lets the jobs of this host run in the private image.
async fn use_private_image(engine: &TestEngine, host: &TestHost) {
    let secret = store_login(host.cloud(), "registry", engine.login()).await;
    let container = private(engine, "1", &secret);
    register_by(&ecs_client(host.cloud()), "private", vec![container], Vec::new()).await;
    let text = std::fs::read_to_string(host.config()).expect("a configuration");
    let mut settings: toml::Table = toml::from_str(&text).expect("TOML");
    settings["defaults"]["task_definition"] = "private".into();
    host.configure(&settings.to_string()).expect("a writable folder");
}

async fn replay(name: &str) {
    let Some(engine) = engine() else { return };
    // The image holds the agent.
    let mut options = TestHostOptions::new(&runner(), Path::new(""), "replay-");
    engine.choose(&mut options.cloud);
    let mut host = TestHost::open(options).await.expect("a host");
    use_private_image(engine, &host).await;
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
