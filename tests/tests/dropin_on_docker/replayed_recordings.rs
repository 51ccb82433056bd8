//! The recorded jobs of a real gitlab-runner: the same stages in the same order, the same verdict,
//! and the same output of the script.

use fargate_playground::git_server::{GitServer, make_repository};
use fargate_tests::RunnerInstallation;

use crate::recorded_jobs::replayed::{FILES, every_recorded_job, play, scripts};
use crate::{containers, gitlab_runner};

async fn replay(name: &str) {
    let Some(containers) = containers() else { return };
    let installation = RunnerInstallation::on(containers);
    let repositories = installation.folder().join("repositories");
    make_repository(&repositories, "group/project.git", &FILES).await.unwrap();
    let git = GitServer::serve_at(&repositories, containers.host_address()).await.unwrap();
    let runner = gitlab_runner(&installation, scripts(name, &git.host()));
    play(name, &runner, &git.host()).await;
    git.shutdown().await;
    installation.close(1).await;
}

every_recorded_job! { replay }
