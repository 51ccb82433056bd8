//! The login of a private registry: written to Secrets Manager, shown, and tested against Debian's
//! `docker-registry`. The password is nowhere but in the secret.

mod password_prompt;
mod pinned_jobs;
mod token_registry;

use std::fs;
use std::process::Stdio;

use fargate_tests::image_registry::{ImageRegistry, PASSWORD, USER};
use fargate_tests::{CheckedHost, PolicyHolder, contains, files_below, redacted, runner};
use regex::Regex;
use serde_json::json;
use token_registry::TokenRegistry;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What a command said.
struct SaidByCommand {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A person at a host whose profile names this image and a registry secret.
struct RegistryOperator {
    host: CheckedHost,
    image: String,
    lines: String,
}

impl RegistryOperator {
    async fn at(image: &str) -> Self {
        let lines = "registry_secret = \"ci/registry\"\n".to_owned();
        let host = CheckedHost::open().await;
        // A registry that is gone is asked again until the time of a call is over.
        for (key, time) in [("aws_connect", "500ms"), ("aws_attempt", "1s"), ("aws_call", "2s")] {
            host.set(&format!("defaults.timeouts.{key}"), time);
        }
        Self { host, image: image.to_owned(), lines }
    }

    /// Calls `registry-secret` with these arguments and this text on standard input.
    async fn says(&self, arguments: &[&str], input: &str) -> SaidByCommand {
        let file = self.host.folder().join("private.toml");
        let usual = fs::read_to_string(self.host.config()).expect("the configuration");
        let image = format!("image = \"{}\"\n{}", self.image, self.lines);
        let text: String = usual
            .lines()
            .map(|line| match line.starts_with("task_definition = ") {
                true => image.clone(),
                false => format!("{line}\n"),
            })
            .collect();
        fs::write(&file, text).expect("a writable folder");
        let mut child = Command::new(runner())
            .arg("--config")
            .arg(&file)
            .arg("registry-secret")
            .args(arguments)
            .env_clear()
            .envs(self.host.environment_of(PolicyHolder::Infrastructure, &file))
            .env("AWS_ENDPOINT_URL", self.host.cloud().endpoint())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a program that can be started");
        let mut stdin = child.stdin.take().expect("piped");
        // A command that reads nothing may have ended already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.expect("the end of the command");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = SaidByCommand {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        };
        for stream in [&said.out, &said.err] {
            assert!(!stream.contains(PASSWORD), "{arguments:?} shows the password: {stream}");
        }
        said
    }

    /// Writes this text into the secret, as another program may have done.
    fn write_secret(&self, text: &str) {
        self.host.cloud().put_secret("ci/registry", text).expect("a name and a value");
    }

    async fn set(&self, password: &str) -> SaidByCommand {
        self.says(&["set", USER, "--password-stdin"], password).await
    }
}

/// What differs from run to run in what a command says.
fn steady(text: &str, registry: &ImageRegistry) -> String {
    let suffix = Regex::new("secret:ci/registry-[A-Za-z0-9]{6}").expect("a pattern of ours");
    let text = text.replace(&registry.host(), "REGISTRY");
    redacted(&suffix.replace_all(&text, "secret:ci/registry-SUFFIX"))
}

#[tokio::test]
async fn a_login_is_written_shown_and_tested_and_its_password_is_in_the_secret_alone() {
    let Some(registry) = ImageRegistry::start().await else { return };
    let digest = registry.push_index("team/ci", "1", &["amd64", "arm64"]);
    let person = RegistryOperator::at(&format!("{}/team/ci:1", registry.host())).await;
    let said = person.set(&format!("{PASSWORD}\n")).await;
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(0), "secret ci/registry: created, user `ci`\n")
    );
    let arn = said.out.trim().to_owned();
    assert!(arn.contains(":secret:ci/registry-"), "{arn}");
    let again = person.set(PASSWORD).await;
    assert_eq!(again.err, "secret ci/registry: has this login already, user `ci`\n");
    let shown = person.says(&["show", "--format", "json"], "").await;
    let shown: serde_json::Value = serde_json::from_str(&shown.out).expect("JSON");
    assert_eq!((&shown["arn"], &shown["user"]), (&json!(arn), &json!(USER)));
    let tested = person.says(&["test"], "").await;
    assert_eq!(tested.code, Some(0), "{}", tested.err);
    assert!(tested.err.contains(&digest), "{digest} in {}", tested.err);
    let rotated = person.set("another-password-0815").await;
    assert!(rotated.err.contains("has a new version"), "{}", rotated.err);
    let records = format!("{:?}", person.host.cloud().requests());
    assert!(records.contains("PutSecretValue") && !records.contains("sesame"));
    for path in files_below(person.host.folder()) {
        let bytes = fs::read(&path).unwrap_or_default();
        assert!(!contains(&bytes, PASSWORD.as_bytes()), "{} has the password", path.display());
    }
    person.host.close().await;
}

#[tokio::test]
async fn the_test_says_in_words_at_which_step_it_ends() {
    let Some(registry) = ImageRegistry::start().await else { return };
    registry.push("team/ci", "1", "amd64");
    registry.push("team/ci", "arm", "arm64");
    let image = |name: &str| format!("{}/{name}", registry.host());
    let mut person = RegistryOperator::at(&image("team/ci:1")).await;
    let mut told = String::new();
    let mut tell = |what: &str, said: &SaidByCommand| {
        told += &format!("## {what}\n{}", steady(&said.err, &registry));
        assert_eq!(said.out, "", "{what}");
    };
    tell("no secret", &person.says(&["test"], "").await);
    person.write_secret("ci:password");
    tell("no JSON", &person.says(&["test"], "").await);
    person.write_secret(r#"{"user":"ci","password":"canary-canary"}"#);
    tell("no user name", &person.says(&["test"], "").await);
    person.set("wrong-password").await;
    tell("a wrong password", &person.says(&["test"], "").await);
    person.set(PASSWORD).await;
    tell("all is well", &person.says(&["test"], "").await);
    for (what, name) in [
        ("no such tag", "team/ci:2"),
        ("no such repository", "team/other:1"),
        ("another architecture", "team/ci:arm"),
        ("a typo", "team/CI:1"),
    ] {
        person.image = image(name);
        tell(what, &person.says(&["test"], "").await);
    }
    person.image = image("team/ci:arm");
    person.lines += "architecture = \"arm64\"\n";
    tell("the right architecture", &person.says(&["test"], "").await);
    person.host.cloud().deny("secretsmanager:GetSecretValue");
    tell("no right to read", &person.says(&["test"], "").await);
    person.host.cloud().allow("secretsmanager:GetSecretValue");
    person.lines = String::new();
    tell("no secret in the profile", &person.says(&["test"], "").await);
    drop(registry);
    // The policy has the secrets of the configuration, not one that a flag alone names.
    person.lines = "registry_secret = \"ci/registry\"\n".to_owned();
    let gone = person.says(&["test", "--secret", "ci/registry"], "").await;
    assert!(gone.err.contains("cannot be asked from this host"), "{}", gone.err);
    insta::assert_snapshot!(told, @r##"
    ## no secret
    + image: REGISTRY/team/ci:1 of the registry REGISTRY
    x secret: the secret ci/registry does not exist, or has no value, in eu-west-1
    hint: write it: `fargate-runner registry-secret set USER`
    ## no JSON
    + image: REGISTRY/team/ci:1 of the registry REGISTRY
    x secret: the secret ci/registry is not the JSON that ECS reads: the value is not a JSON object
    hint: write it: `fargate-runner registry-secret set USER`
    ## no user name
    + image: REGISTRY/team/ci:1 of the registry REGISTRY
    x secret: the secret ci/registry is not the JSON that ECS reads: the JSON has no `username`
    hint: write it: `fargate-runner registry-secret set USER`
    ## a wrong password
    + image: REGISTRY/team/ci:1 of the registry REGISTRY
    + secret: ci/registry is the JSON that ECS reads, user `ci`
    x login: the registry REGISTRY refused the login of user `ci`: the password or the user is wrong
    hint: write the right login: `fargate-runner registry-secret set USER`
    ## all is well
    + image: REGISTRY/team/ci:1 of the registry REGISTRY
    + secret: ci/registry is the JSON that ECS reads, user `ci`
    + registry: the image is sha256:TASKTASK, for x86_64; a task runs x86_64
    ## no such tag
    + image: REGISTRY/team/ci:2 of the registry REGISTRY
    + secret: ci/registry is the JSON that ECS reads, user `ci`
    x registry: the repository team/ci of REGISTRY has no image 2
    hint: correct `image`, or push the image
    ## no such repository
    + image: REGISTRY/team/other:1 of the registry REGISTRY
    + secret: ci/registry is the JSON that ECS reads, user `ci`
    x registry: the repository team/other of REGISTRY has no image 1
    hint: correct `image`, or push the image
    ## another architecture
    + image: REGISTRY/team/ci:arm of the registry REGISTRY
    + secret: ci/registry is the JSON that ECS reads, user `ci`
    x architecture: the image is made for arm64, and the profile asks for x86_64
    hint: set `architecture`, or build the image for it
    ## a typo
    x image: `REGISTRY/team/CI:1` names no image: the repository `team/CI` has the letter `C`; it may have lower case only
    hint: did you mean `REGISTRY/team/ci:1`?
    ## the right architecture
    + image: REGISTRY/team/ci:arm of the registry REGISTRY
    + secret: ci/registry is the JSON that ECS reads, user `ci`
    + registry: the image is sha256:TASKTASK, for arm64; a task runs arm64
    ## no right to read
    + image: REGISTRY/team/ci:arm of the registry REGISTRY
    x secret: this host may not call secretsmanager:GetSecretValue on the secret ci/registry: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/acting-infrastructure/host is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-SUFFIX because no identity-based policy allows the secretsmanager:GetSecretValue action
    hint: allow secretsmanager:GetSecretValue for this host's role
    ## no secret in the profile
    + image: REGISTRY/team/ci:arm of the registry REGISTRY
    + secret: none is named, so the registry is asked without a login
    x login: the registry REGISTRY asks for a login, and the profile names no `registry_secret`
    hint: name the secret with the login as `registry_secret`
    "##);
    person.host.close().await;
}

#[tokio::test]
async fn what_cannot_be_written_is_told_in_one_sentence() {
    let person = RegistryOperator::at("team/ci:1").await;
    let mut told = String::new();
    for (arguments, input) in [
        (&["set", "ci", "--password-stdin"][..], ""),
        (&["set", "a:b", "--password-stdin"], PASSWORD),
        (&["set", "ci", "--password-stdin"], "two\nlines\n"),
        (&["set", "ci"], PASSWORD),
        (&["show"], ""),
        (&["set", "ci", "--password-stdin", "--secret", "a b"], PASSWORD),
    ] {
        let said = person.says(arguments, input).await;
        assert_eq!(said.code, Some(1), "{arguments:?}: {}", said.err);
        told += &format!("## {}\n{}", arguments.join(" "), redacted(&said.err));
    }
    insta::assert_snapshot!(told, @r##"
    ## set ci --password-stdin
    error: the password is empty
    ## set a:b --password-stdin
    error: the user name has a colon, which no registry can receive
    ## set ci --password-stdin
    error: the password has a control character or a line break
    ## set ci
    error: the password is typed at a terminal, and standard input is none
    hint: `--password-stdin` reads it from standard input
    ## show
    error: the secret ci/registry does not exist, or has no value, in eu-west-1
    hint: write it: `fargate-runner registry-secret set USER`
    ## set ci --password-stdin --secret a b
    error: calling Secrets Manager at http://PLACE for the secret a b: ValidationException: Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!
    "##);
    let help = person.says(&["set", "--help"], "").await;
    assert!(help.out.len() > 100 && !help.out.contains("--password "), "{}", help.out);
    person.host.close().await;
}

#[tokio::test]
async fn a_token_service_is_asked_for_the_right_to_pull_and_no_login_goes_to_another_server() {
    let registry = TokenRegistry::start();
    let person = RegistryOperator::at(&format!("{}/team/ci:1", registry.host())).await;
    person.set("wrong-password").await;
    let refused = person.says(&["test"], "").await;
    assert!(refused.err.contains("login: the registry"), "{}", refused.err);
    assert!(refused.err.contains("the password or the user is wrong"), "{}", refused.err);
    person.set(PASSWORD).await;
    let tested = person.says(&["test"], "").await;
    assert_eq!(tested.code, Some(0), "{}", tested.err);
    assert!(tested.err.contains("for x86_64; a task runs x86_64"), "{}", tested.err);
    let asked = registry.blob_requests();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("/far/away") && !asked[0].contains("authorization"), "{asked:?}");
    person.host.close().await;
}

#[tokio::test]
async fn a_secret_that_somebody_else_has_just_created_gets_a_new_version() {
    let person = RegistryOperator::at("registry.invalid/team/ci:1").await;
    person.write_secret(&format!(r#"{{"username":"{USER}","password":"older"}}"#));
    let rule = "DescribeSecret call 1: error ResourceNotFoundException \"Secrets Manager can't find the specified secret.\"";
    person.host.cloud().set_faults(rule.parse().unwrap_or_else(|error| panic!("{error}")));
    let said = person.set(PASSWORD).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!((person.host.calls("CreateSecret"), person.host.calls("PutSecretValue")), (1, 1));
    person.host.close().await;
}
