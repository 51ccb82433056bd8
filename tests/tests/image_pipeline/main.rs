//! `images/pipeline.gitlab-ci.yml`: its jobs, played by the imitation of gitlab-runner on a host with a Docker
//! Engine, with two registries and a GitLab that answers by a script. The scripts come from the file.

mod host_runner;
mod pipeline_file;
mod scripted_gitlab;

use std::fs;
use std::path::Path;

use fargate_playground::runner::JobVariable;
use fargate_tests::image_registry::{AUTHORIZATION, ImageRegistry, PASSWORD};
use fargate_tests::{CheckedHost, PlainEngine, have, skip};
use host_runner::HostRunner;
use pipeline_file::{PipelineFile, PipelineKind};
use scripted_gitlab::{MERGE_REQUEST, ScriptedApi};
use serde_json::Value;

const SANDBOX: &str = "image-sandbox";
const DISTRIBUTION: &str = "image-distribution";
const TOKEN: &str = "glpat-canary-0123456789";
const REPOSITORY: &str = "team/ci";

#[test]
fn jobs_of_merge_requests_never_see_the_distribution_account() {
    let file = PipelineFile::read();
    let jobs = file.jobs(PipelineKind::MergeRequest);
    assert_eq!(names(&jobs), ["image-candidate", "image-check"]);
    for job in &jobs {
        assert_eq!(job.environment, SANDBOX, "{}", job.name);
    }
}

#[test]
fn a_person_starts_what_publishes_and_promotions_follow_the_default_branch_alone() {
    let file = PipelineFile::read();
    let jobs = file.jobs(PipelineKind::DefaultBranch);
    assert_eq!(names(&jobs), ["image-publish", "image-reconcile"]);
    for job in &jobs {
        assert_eq!(job.environment, DISTRIBUTION, "{}", job.name);
        assert_eq!(job.is_manual, job.name == "image-publish", "{}", job.name);
    }
}

#[tokio::test]
async fn a_merge_request_gets_a_candidate_and_a_merged_promotion_reaches_tags_and_task_definitions()
{
    if !have("busybox") || !have("git") {
        return;
    }
    let engine = match PlainEngine::start() {
        Ok(engine) => engine,
        Err(missing) => return skip(&missing),
    };
    let (Some(sandbox), Some(distribution)) =
        (ImageRegistry::start().await, ImageRegistry::start().await)
    else {
        return;
    };
    let account = CheckedHost::open().await;
    account.without_policies("the pipeline writes a configuration of its own");
    let mut runner = HostRunner::open(engine.docker_host());
    let file = PipelineFile::read();
    let of_sandbox = scoped(&runner, &sandbox);

    let check = file.job("image-check", PipelineKind::MergeRequest);
    let checked = runner.play(1, &check, &of_sandbox).await;
    assert!(checked.passed, "{}", checked.log);
    assert!(checked.log.contains("fargate-runner image check"), "{}", checked.log);

    let candidate = file.job("image-candidate", PipelineKind::MergeRequest);
    let pushed = runner.play(2, &candidate, &of_sandbox).await;
    assert!(pushed.passed, "{}", pushed.log);
    let report = json(&pushed.project.join("candidate.json"));
    assert_eq!(report["version"]["status"], "tested", "{}", pushed.log);
    let tag = report["tag"].as_str().expect("a tag").to_owned();
    assert!(tag.starts_with("ci-c") && !tag.ends_with("-dirty"), "{tag}");
    let digest = report["digest"].as_str().expect("a digest").to_owned();
    let stored = sandbox.digest_of_tag(REPOSITORY, &tag).map(|(digest, _)| digest);
    assert_eq!(stored.as_deref(), Some(digest.as_str()));
    assert_eq!(distribution.digest_of_tag(REPOSITORY, &tag), None);
    assert!(!pushed.project.join("images/images.json").exists(), "a candidate stays outside");

    let gitlab = ScriptedApi::start();
    let mut of_distribution = scoped(&runner, &distribution);
    of_distribution.extend([
        JobVariable { file: true, ..variable("FARGATE_RUNNER_GITLAB_TOKEN_FILE", TOKEN) },
        variable("CI_API_V4_URL", &gitlab.url()),
        variable("CI_PROJECT_ID", "7"),
        variable("CI_DEFAULT_BRANCH", "main"),
        variable("CI_COMMIT_SHA", runner.commit()),
    ]);
    let publish = file.job("image-publish", PipelineKind::DefaultBranch);
    let published = runner.play(3, &publish, &of_distribution).await;
    assert!(published.passed, "{}", published.log);
    assert!(published.log.contains(MERGE_REQUEST), "{}", published.log);
    let report = json(&published.project.join("published.json"));
    // The same content is the same image, whoever builds it.
    assert_eq!(report["digest"], digest.as_str());
    let tag = report["tag"].as_str().expect("a tag");
    assert!(distribution.digest_of_tag(REPOSITORY, tag).is_some(), "{tag}");
    require_offer(&gitlab, &published.project, &report, runner.commit());
    for log in [&checked.log, &pushed.log, &published.log] {
        assert!(!log.contains(TOKEN) && !log.contains(PASSWORD), "{log}");
    }

    let manifest = published.project.join("images/images.json");
    runner.merge_promotion(&manifest, &digest, &of_distribution);
    of_distribution.extend(of_account(&account));
    let reconcile = file.job("image-reconcile", PipelineKind::DefaultBranch);
    for number in [4, 5] {
        let reconciled = runner.play(number, &reconcile, &of_distribution).await;
        assert!(reconciled.passed, "{}", reconciled.log);
        let stable = distribution.digest_of_tag(REPOSITORY, "stable").map(|(digest, _)| digest);
        assert_eq!(stable.as_deref(), Some(digest.as_str()), "{}", reconciled.log);
        // The second one finds everything as it must be.
        let image = format!("{}/{REPOSITORY}@{digest}", distribution.host());
        assert_eq!(registered_images(&account), [image], "{}", reconciled.log);
        assert!(!reconciled.log.contains(PASSWORD), "{}", reconciled.log);
    }
    assert_eq!(sandbox.digest_of_tag(REPOSITORY, "stable"), None);
    account.close().await;
}

/// The variables by which the jobs of one environment reach its AWS account.
fn of_account(account: &CheckedHost) -> Vec<JobVariable> {
    let text = |text: &std::ffi::OsStr| text.to_str().expect("UTF-8").to_owned();
    let given = account.environment().into_iter().filter_map(|(key, value)| {
        let key = text(&key);
        key.starts_with("AWS_").then(|| variable(&key, &text(&value)))
    });
    let endpoint = variable("AWS_ENDPOINT_URL", &account.cloud().endpoint());
    given.chain([endpoint]).collect()
}

/// The images of all task definitions that were registered.
fn registered_images(account: &CheckedHost) -> Vec<String> {
    let requests = account.cloud().requests().into_iter();
    let registered = requests.filter(|one| one.operation == "RegisterTaskDefinition");
    let image = |one: &Value| one["containerDefinitions"][0]["image"].as_str().map(str::to_owned);
    registered.filter_map(|one| image(&one.body)).collect()
}

/// The branch and the merge request carry what the job left in its folder.
fn require_offer(gitlab: &ScriptedApi, project: &Path, report: &Value, commit: &str) {
    let calls = gitlab.calls();
    let lines: Vec<_> = calls.iter().map(|call| call.line.as_str()).collect();
    let place = "/api/v4/projects/7";
    let file = format!("HEAD {place}/repository/files/images%2Fimages.json?ref={commit}");
    let others = ["repository/commits", "merge_requests"].map(|to| format!("POST {place}/{to}"));
    assert_eq!(lines, [&file, &others[0], &others[1]]);
    assert!(calls.iter().all(|call| call.token == TOKEN), "{calls:?}");
    let (committed, opened) = (&calls[1].body, &calls[2].body);
    let change = json(&project.join("change.json"));
    assert_eq!(committed["start_sha"], commit);
    for branch in [&committed["branch"], &opened["source_branch"]] {
        assert_eq!(branch, &change["branch"]);
    }
    assert_eq!(opened["target_branch"], "main");
    assert_eq!(
        (&opened["title"], &opened["description"]),
        (&change["title"], &change["description"])
    );
    let content = committed["actions"][0]["content"].as_str().expect("a text");
    let kept = fs::read_to_string(project.join("images/images.json")).expect("the manifest");
    assert_eq!(content, kept);
    let manifest: Value = serde_json::from_str(content).expect("JSON");
    assert_eq!(manifest["images"]["ci"]["versions"][0]["digest"], report["digest"]);
}

/// What GitLab gives to the jobs of one environment alone.
fn scoped(runner: &HostRunner, registry: &ImageRegistry) -> Vec<JobVariable> {
    let auth = AUTHORIZATION.trim_start_matches("Basic ");
    vec![
        variable("IMAGE_REPOSITORY", &format!("{}/{REPOSITORY}", registry.host())),
        variable("DOCKER_CONFIG", &runner.docker_config(&registry.host(), auth)),
    ]
}

fn variable(key: &str, value: &str) -> JobVariable {
    JobVariable {
        key: key.to_owned(),
        value: value.to_owned(),
        raw: true,
        ..JobVariable::default()
    }
}

fn names(jobs: &[pipeline_file::PipelineJob]) -> Vec<&str> {
    let mut names: Vec<_> = jobs.iter().map(|job| job.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn json(file: &Path) -> Value {
    let text = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).expect("JSON")
}
