//! The recorded jobs of a real gitlab-runner: the same stages in the same order, the same verdict,
//! and what the script printed.

use fargate_playground::git_server::{GitServer, make_repository};
use fargate_playground::runner::{Control, Scripts};
use fargate_tests::Installation;

use crate::recorded::replayed::{DEADLINE, FILES, compare, compare_trace, interrupt, scripts};
use crate::recorded::{Recording, originals};
use crate::{containers, gitlab_runner};

async fn replay(name: &str) {
    let Some(containers) = containers() else { return };
    let installation = Installation::on(containers);
    let repositories = installation.folder().join("repositories");
    make_repository(&repositories, "group/project.git", &FILES).await.unwrap();
    let git = GitServer::serve_at(&repositories, containers.host_address()).await.unwrap();
    let recording = Recording::read(name);
    let runner = gitlab_runner(&installation, scripts(name, &git.host()));
    let control = Control::default();
    let watch = interrupt(&control, &recording, name);
    let job = recording.job(&git.host());
    let play = runner.play(&job, &control, watch);
    let outcome = tokio::time::timeout(DEADLINE, play).await.expect("the job ends by itself");
    compare(&recording, &outcome);
    if let (Scripts::Recorded(_), Some(originals)) = (&runner.scripts, originals()) {
        compare_trace(&originals.join(name).join("trace.txt"), &outcome);
    }
    git.shutdown().await;
    installation.close(1).await;
}

macro_rules! replays {
    ($($test:ident: $name:literal;)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                replay($name).await;
            }
        )*
    };
}

replays! {
    an_ordinary_job_passes: "success";
    a_script_that_exits_with_3_fails_with_3: "script-exits-3";
    a_script_killed_by_a_signal_fails_with_128_and_the_signal: "script-killed-by-signal";
    a_script_of_200_kib_arrives_whole: "script-of-200-kib";
    variables_of_every_kind_arrive_unchanged: "odd-variables";
    variables_that_lie_about_the_job_change_nothing: "hostile-variables";
    an_image_and_services_are_passed_over: "image-and-services";
    a_job_without_sources_passes: "git-strategy-none";
    hooks_and_submodules_run: "hooks-and-submodules";
    a_cache_and_artifacts_are_packed: "artifacts-and-cache";
    artifacts_of_another_job_are_there: "artifact-of-another-job";
    sources_that_are_not_there_are_tried_three_times: "sources-tried-3-times";
    a_cancelled_job_still_runs_its_after_script: "cancelled-in-script";
    a_job_cancelled_at_once_ends_with_cleanup_alone: "cancelled-at-once-in-script";
    a_job_whose_time_is_over_ends_with_cleanup_alone: "job-times-out";
    a_job_whose_runner_is_stopped_ends_with_cleanup_alone: "runner-gets-sigterm";
}
