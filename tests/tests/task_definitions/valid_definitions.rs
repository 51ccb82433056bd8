//! Every rendered definition is valid by a model of the API that others wrote.

use std::path::Path;
use std::process::Stdio;

use fargate_tests::{CheckedHost, EcsEmulator, python, runner};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::{command, host_with_image};

/// Settings of the profile as TOML writes them, each step on top of the ones before.
const STEPS: [&[(&str, &str)]; 8] = [
    &[],
    &[("architecture", "\"arm64\""), ("task_role", "\"arn:aws:iam::123456789012:role/ci-task\"")],
    &[
        ("execution_role", "\"arn:aws:iam::123456789012:role/ci-execution\""),
        ("registry_secret", "\"ci/registry\""),
    ],
    &[("log_group", "\"/ci/tasks\"")],
    &[("volumes", "[\"cache\"]")],
    &[("secrets", "[{ name = \"A\", from = \"/ci/a\" }, { name = \"B\", from = \"/ci/b\" }]")],
    &[("tmpfs", "[{ path = \"/scratch\", size_mib = 64 }]")],
    &[("host_key", "\"first_use\""), ("task_definition_template", "\"manager\"")],
];

/// The volume that one of the steps names.
const VOLUME: [(&str, &str); 3] =
    [("file_system", "fs-0a1b2c3d"), ("access_point", "fsap-0a1b2c3d"), ("path", "/cache")];

/// What `render` prints after each step.
async fn rendered(site: &CheckedHost) -> Vec<Value> {
    let mut definitions = Vec::new();
    for (key, value) in VOLUME {
        site.set(&format!("volume.cache.{key}"), value);
    }
    for settings in STEPS {
        for (key, value) in settings {
            let value: toml::Table = toml::from_str(&format!("value = {value}")).expect("TOML");
            site.set(&format!("profile.own.{key}"), value["value"].clone());
        }
        let ended = command(site, &["render"]).await.with_code(0);
        definitions.push(serde_json::from_str(&ended.out()).expect("JSON"));
        let registered = command(site, &["register"]).await.with_code(0);
        assert!(registered.err().contains("registered now"), "{}", registered.err());
    }
    definitions
}

#[tokio::test]
async fn every_rendered_definition_is_valid_by_the_model_of_botocore() {
    let Some(python) = python() else { return };
    let site = host_with_image().await;
    let definitions = rendered(&site).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/definitions.py");
    let judge = async |definitions: &[Value]| {
        let mut judge = Command::new(&python)
            .arg(&script)
            .arg(site.cloud().endpoint())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python runs");
        let mut stdin = judge.stdin.take().expect("stdin is piped");
        let text = Value::from(definitions.to_vec()).to_string();
        stdin.write_all(text.as_bytes()).await.expect("it reads");
        drop(stdin);
        judge.wait_with_output().await.expect("it ends")
    };
    let output = judge(&definitions).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // The judge finds what is wrong.
    let mut wrong = definitions[0].clone();
    wrong["cpu"] = 1024.into();
    wrong["colour"] = "red".into();
    let output = judge(&[wrong]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("unknown colour"), "{said}");
    site.close().await;
}

#[tokio::test]
async fn an_emulator_that_others_wrote_takes_every_definition_and_finds_it_again() {
    let Some(emulator) = EcsEmulator::start().await else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.toml");
    let state = folder.path().join("state");
    let call = async |settings: &str, arguments: &[&str]| {
        let text = format!(
            "config_version = 1\nstate_dir = {state:?}\n[defaults]\ncluster = \"ci\"\n\
             region = \"eu-west-1\"\nsubnets = [\"subnet-1\"]\nsecurity_groups = [\"sg-1\"]\n\
             image = \"team/ci:1\"\npin_image = false\n{settings}[volume.cache]\n"
        );
        let volume: String =
            VOLUME.iter().map(|(key, value)| format!("{key} = {value:?}\n")).collect();
        let text = text + &volume;
        std::fs::write(&config, text).expect("a writable folder");
        let mut command = Command::new(runner());
        command.env_clear().env("AWS_ENDPOINT_URL", emulator.endpoint());
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.arg("-c").arg(&config).arg("task-definition").args(arguments);
        let output = command.output().await.expect("it runs");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words}");
        words
    };
    let mut settings = String::new();
    for step in STEPS {
        for (key, value) in step {
            settings.push_str(&format!("{key} = {value}\n"));
        }
        let words = call(&settings, &["register"]).await;
        assert!(words.contains("registered now"), "{words}");
        // A described revision and a rendered one are the same.
        let words = call(&settings, &["diff"]).await;
        assert!(words.contains("is what the profile makes"), "{words}");
        std::fs::remove_dir_all(state.join("definitions")).expect("it was made");
        let words = call(&settings, &["register"]).await;
        assert!(words.contains("ECS had it already"), "{words}");
    }
}
