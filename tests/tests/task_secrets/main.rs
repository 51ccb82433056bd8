//! Secrets of a profile: they reach the profile's jobs as variables and as files, and nothing else. One that
//! ECS cannot read ends the task, and the job's log says which one and what to do.
//!
//! All tests that need a Docker Engine share one, which ends with the program.

mod failed_secrets;
mod memory_folders;
mod nowhere_else;
mod odd_values;
#[path = "../agent_session/openssh_client.rs"]
mod openssh_client;
mod reach_the_job;

use std::rc::Rc;
use std::sync::OnceLock;

use fargate_tests::{CheckedHost, TestEngine, TestJob, skip};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

/// The value of the secret that jobs get as a variable.
const TOKEN: &str = "canary-token-71c0";
/// The value of the secret that jobs get as a file.
const KEY: &str = "canary-key-line-1\ncanary-key-line-2\n";
/// The parameter with it.
const PARAMETER: &str = "/ci/deploy-key";
/// The name of the execution role.
const ROLE: &str = "ci-execution";

/// The engine, or `None` after saying why its tests are skipped. In CI nothing is skipped.
fn engine() -> Option<&'static TestEngine> {
    static ENGINE: OnceLock<Result<TestEngine, String>> = OnceLock::new();
    match ENGINE.get_or_init(TestEngine::start) {
        Ok(engine) => Some(engine),
        Err(missing) => {
            skip(missing);
            None
        }
    }
}

/// A host with the profile `keys`, whose jobs get `NPM_TOKEN` and the file `DEPLOY_KEY`. Its cloud runs
/// containers as processes, or on the engine.
async fn host_with(engine: Option<&TestEngine>) -> CheckedHost {
    let host = CheckedHost::open_with(|options| {
        if let Some(engine) = engine {
            engine.choose(options);
        }
    })
    .await;
    let image = match engine {
        None => "registry.invalid/team/ci:1".to_owned(),
        Some(engine) => engine.private_image(&host, "profile.keys"),
    };
    host.set("profile.keys.image", image);
    host.set("profile.keys.pin_image", false);
    host.set("profile.keys.execution_role", format!("arn:aws:iam::123456789012:role/{ROLE}"));
    // The checks at the end accept only names that stand in the configuration.
    host.set("profile.keys.task_definition_family", "jobs-with-keys");
    let token = serde_json::json!({ "token": TOKEN, "user": "ci" }).to_string();
    let arn = host.cloud().put_secret("ci/npm", &token).expect("a secret");
    host.cloud().put_parameter(PARAMETER, KEY).expect("a parameter");
    let secrets = [
        ("NPM_TOKEN", format!("{arn}:token::"), false),
        ("DEPLOY_KEY", PARAMETER.to_owned(), true),
    ];
    let secrets = secrets.map(|(name, from, as_file)| {
        Value::Table(Table::from_iter([
            ("name".to_owned(), Value::from(name)),
            ("from".to_owned(), Value::from(from)),
            ("as_file".to_owned(), Value::from(as_file)),
        ]))
    });
    host.set("profile.keys.secrets", Value::from(secrets.to_vec()));
    host
}

/// A job of that profile.
fn job_with_keys(host: &CheckedHost) -> Rc<TestJob> {
    host.job_with(|job| {
        job.set("AWS_ENDPOINT_URL", host.cloud().endpoint());
        job.arguments.extend(["--profile".into(), "keys".into()]);
    })
}

/// What `sha256sum` says of a text, so that a job can show that it has the text without printing it.
fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// The parts of the secrets by which a search finds them, whatever stands around them.
const PARTS: [&str; 3] = [TOKEN, "canary-key-line-1", "canary-key-line-2"];

/// Panics if a text holds a secret.
#[track_caller]
fn holds_no_secret(what: &str, text: &str) {
    for part in PARTS {
        assert!(!text.contains(part), "{what} holds {part}");
    }
}
