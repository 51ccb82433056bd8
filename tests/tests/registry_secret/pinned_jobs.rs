//! Jobs whose profile has an image: the task starts from the digest that the tag has now, or does not start.

use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fargate_tests::image_registry::{ImageRegistry, PASSWORD, USER};
use fargate_tests::{CheckedHost, TestJob, free_place, redacted, runner};
use tokio::process::Command;

use crate::token_registry::{answer, serve};

/// A host with a profile `private` for this image, and its registry secret.
async fn private_host(image: &str, password: &str) -> CheckedHost {
    let host = CheckedHost::open().await;
    for (key, time) in [("aws_connect", "500ms"), ("aws_attempt", "1s"), ("aws_call", "2s")] {
        host.set(&format!("defaults.timeouts.{key}"), time);
    }
    host.set("profile.private.image", image);
    host.set("profile.private.registry_secret", "ci/registry");
    host.set("profile.private.execution_role", "ci-execution");
    // The checks at the end accept only names that stand in the configuration.
    host.set("profile.private.task_definition_family", "private-jobs");
    let login = format!(r#"{{"username":"{USER}","password":"{password}"}}"#);
    host.cloud().put_secret("ci/registry", &login).expect("a name and a value");
    host
}

fn private_job(host: &CheckedHost) -> Rc<TestJob> {
    host.job_with(|job| {
        job.set("AWS_ENDPOINT_URL", host.cloud().endpoint());
        job.arguments.extend(["--profile".into(), "private".into()]);
    })
}

/// The image of the one task definition that was registered.
fn registered_image(host: &CheckedHost) -> String {
    let requests = host.cloud().requests();
    let mut registered = requests.iter().filter(|one| one.operation == "RegisterTaskDefinition");
    let request = registered.next().expect("a task definition was registered");
    assert!(registered.next().is_none(), "one is enough");
    request.body["containerDefinitions"][0]["image"].as_str().expect("an image").to_owned()
}

/// Whether `task-definition list` calls its only revision current, and its words for people.
async fn listed(host: &CheckedHost) -> (String, String) {
    let mut list = Command::new(runner());
    list.arg("--config").arg(host.config()).env_clear().envs(host.environment());
    list.env("AWS_ENDPOINT_URL", host.cloud().endpoint());
    list.args(["--profile", "private", "task-definition", "list", "--format", "tsv"]);
    let output = list.output().await.expect("a program that can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (rows, words) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{words}");
    (rows.split('\t').nth(4).expect("a row").to_owned(), words)
}

#[tokio::test]
async fn a_task_starts_from_the_digest_that_the_tag_has_now() {
    let Some(registry) = ImageRegistry::start().await else { return };
    let digest = registry.push_index("team/ci", "1", &["amd64", "arm64"]);
    let image = format!("{}/team/ci:1", registry.host());
    let host = private_host(&image, PASSWORD).await;
    let job = private_job(&host);
    job.prepare().await.passed();
    assert_eq!(registered_image(&host), format!("{}/team/ci@{digest}", registry.host()));
    let ended = job.run("echo from the task").await.with_code(0);
    assert_eq!(ended.out(), "from the task\n");
    job.cleanup().await.passed();

    // What a job registered is what the profile makes, by digest.
    let (current, _) = listed(&host).await;
    assert_eq!(current, "yes");
    drop(registry);
    let (current, words) = listed(&host).await;
    assert_eq!(current, "no");
    assert!(words.contains("none is marked as current"), "{words}");
    host.close().await;
}

#[tokio::test]
async fn a_registry_that_only_tasks_can_reach_is_not_asked() {
    let image = "registry.invalid:5000/team/ci:1";
    let host = private_host(image, PASSWORD).await;
    host.set("profile.private.pin_image", false);
    let job = private_job(&host);
    job.prepare().await.passed();
    assert_eq!(registered_image(&host), image);
    job.cleanup().await.passed();
    host.close().await;
}

#[tokio::test]
async fn an_image_that_cannot_be_pinned_starts_no_task_and_the_job_log_says_why() {
    let Some(registry) = ImageRegistry::start().await else { return };
    registry.push("team/ci", "arm", "arm64");
    let mut told = String::new();
    for (what, name, password) in [
        ("no such tag", "team/ci:2", PASSWORD),
        ("a wrong password", "team/ci:arm", "wrong-password"),
        ("another architecture", "team/ci:arm", PASSWORD),
        ("a typo", "team/CI:arm", PASSWORD),
    ] {
        let image = format!("{}/{name}", registry.host());
        let host = private_host(&image, password).await;
        let job = private_job(&host);
        let ended = job.prepare().await;
        let text = redacted(&ended.out().replace(&registry.host(), "REGISTRY"));
        let from = text.find("error: ").unwrap_or_else(|| panic!("{what}: no error in {text}"));
        told += &format!("## {what}\n{}", &text[from..]);
        assert_eq!((host.calls("RunTask"), host.calls("RegisterTaskDefinition")), (0, 0), "{what}");
        job.cleanup().await.passed();
        host.close().await;
    }
    insta::assert_snapshot!(told, @r##"
    ## no such tag
    error: image REGISTRY/team/ci:2 does not exist
      The repository team/ci of REGISTRY has no image 2; correct `image`, or push the image.
      Fix: correct the image in the task definition, or push it
        fargate-runner config show
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: image-not-found
    ## a wrong password
    error: the registry refused the image
      The registry REGISTRY refused the login of user `ci`: the password or the user is wrong; write the right login: `fargate-runner registry-secret set USER`.
      Fix: check that the registry accepts the login of the task definition
        fargate-runner config show
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: image-denied
    ## another architecture
    error: the image is not built for this architecture
      The image is made for arm64, and the profile asks for x86_64; set `architecture`, or build the image for it.
      Fix: build the image for the architecture of the task definition
        docker buildx imagetools inspect REGISTRY/team/ci:arm
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: image-arch
    ## a typo
    error: `REGISTRY/team/CI:arm` names no image
      `REGISTRY/team/CI:arm` names no image: the repository `team/CI` has the letter `C`; it may have lower case only; did you mean `REGISTRY/team/ci:arm`?
      Fix: correct `image` in the configuration of the manager host
        fargate-runner config show
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: image-malformed
    "##);
}

/// What the job's log says of an image in the registry at this place, from the error on.
async fn refusal_at(place: &str) -> String {
    let host = private_host(&format!("{place}/team/ci:1"), PASSWORD).await;
    let job = private_job(&host);
    let ended = job.prepare().await;
    let text = redacted(&ended.out().replace(place, "REGISTRY"));
    assert_eq!((host.calls("RunTask"), host.calls("RegisterTaskDefinition")), (0, 0), "{text}");
    job.cleanup().await.passed();
    host.close().await;
    let from = text.find("error: ").unwrap_or_else(|| panic!("no error in {text}"));
    text[from..].to_owned()
}

#[tokio::test]
async fn a_registry_that_redirects_for_ever_is_left_after_five() {
    let place = free_place();
    let asked = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&asked);
    serve(place, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        answer("307 Temporary Redirect", &format!("Location: http://{place}/again\r\n"), "")
    });
    let said = refusal_at(&place.to_string()).await;
    assert!(said.contains("more than 5 redirects"), "{said}");
    assert_eq!(asked.load(Ordering::Relaxed), 6, "the first request and five redirects");
}

#[tokio::test]
async fn a_registry_that_never_answers_costs_a_start_no_more_than_one_call_to_aws() {
    // Connections are accepted by the system, and nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let place = silent.local_addr().expect("an address").to_string();
    let begun = std::time::Instant::now();
    let said = refusal_at(&place).await;
    assert!(said.contains("REGISTRY"), "{said}");
    // `timeouts.aws_call` is 2 s here; the rest is room for a slow machine.
    assert!(begun.elapsed().as_secs() < 20, "{said}");
}
