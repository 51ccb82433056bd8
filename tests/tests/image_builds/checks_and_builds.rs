//! `image check` and `image build`: what reaches the engine, what the build says, how it fails and stops.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{ImageFolder, ImageOutput, engine};
use fargate_tests::image_registry::{AUTHORIZATION, ImageRegistry};
use serde_json::json;

const SECRET: &str = "hunter2-canary-value";

#[tokio::test]
async fn a_check_says_what_would_be_built_and_changes_nothing() {
    let Some(registry) = ImageRegistry::start().await else { return };
    let Some(engine) = engine() else { return };
    let folder = ImageFolder::new(engine.docker_host(), "FROM scratch\nCOPY a /a\n", "");
    folder.write("a", "1");
    let config = fs::read_to_string(folder.path("config.toml")).expect("a file");
    let config = config.replace("registry.example/", &format!("{}/", registry.host()));
    fs::write(folder.path("config.toml"), config).expect("a writable folder");
    let refused = folder.run(&["check", "ci"]).with_code(7);
    assert!(refused.err().contains("hint: give a login that may push"), "{}", refused.err());
    let auth = AUTHORIZATION.trim_start_matches("Basic ");
    let login = json!({ "auths": { registry.host(): { "auth": auth } } }).to_string();
    fs::create_dir(folder.path("docker")).expect("a writable folder");
    fs::write(folder.path("docker/config.json"), login).expect("a writable folder");
    let before = engine.image_tags().expect("an engine that answers");
    let mut check = folder.command(&["check", "ci", "--json"]);
    let checked = check.env("DOCKER_CONFIG", folder.path("docker")).output();
    let checked = ImageOutput(checked.expect("the program starts")).with_code(0);
    let report = &checked.objects()[0];
    assert_eq!((&report["image"], &report["context_files"]), (&"ci".into(), &2.into()));
    assert!(report["engine"]["version"].is_string(), "{report}");
    assert!(checked.err().contains("context     2 files, "), "{}", checked.err());
    assert!(checked.err().contains("may push to "), "{}", checked.err());
    assert_eq!((registry.open_uploads("team/ci"), registry.tags("team/ci").len()), (0, 0));
    assert_eq!(engine.image_tags().expect("an engine that answers"), before);
}

#[test]
fn each_kind_of_fault_that_a_check_finds_has_its_exit_code_and_a_next_step() {
    let Some(engine) = engine() else { return };
    let said = |dockerfile: &str, arguments: &[&str], code| {
        let folder = ImageFolder::new(engine.docker_host(), dockerfile, "");
        let root = folder.context().display().to_string();
        let output = folder.run(arguments).with_code(code);
        assert_eq!(output.out(), "");
        let words = output.err();
        let (_, error) = words.split_once("error: ").expect("an error");
        error.replace(&root, "CONTEXT")
    };
    insta::assert_snapshot!([
        said("FROM scratch\n", &["check", "other"], 2),
        said("FROM scratch\nCOPY gone /\nARG NPM_TOKEN\n", &["check", "ci"], 2),
        said("", &["build", "ci"], 2),
    ].join("\n"), @r#"
    looking for `[image.other]`: the configuration has `ci`

    checking the Dockerfile: Dockerfile:2: COPY needs `gone`, which is not in the context
    hint: paths count from CONTEXT
    Dockerfile:3: ARG `NPM_TOKEN` would be written into the image, where everybody reads it
    hint: give a secret by `build_secrets = ["npm_token=/absolute/path"]` and `RUN --mount=type=secret,id=npm_token`; give anything else another name

    reading Dockerfile: it has no instruction
    hint: a Dockerfile begins with `FROM`
    "#);
    let nowhere = ImageFolder::new("unix:///nowhere/docker.sock", "FROM scratch\n", "");
    let error = nowhere.run(&["build", "ci"]).with_code(6).err();
    assert!(error.contains("/nowhere/docker.sock") && error.contains("hint: "), "{error}");
}

#[test]
fn ignored_files_never_reach_the_engine_and_equal_contexts_make_the_same_image() {
    let Some(engine) = engine() else { return };
    let build = || {
        let steps = "COPY . /c\nRUN busybox find /c -type f\n";
        let folder = ImageFolder::with_shell(engine.docker_host(), steps, "");
        folder.write(".dockerignore", "*.env\ntools\n!tools/busybox\n!tools/lib\n");
        folder.write("secret.env", SECRET);
        folder.write("kept", "1");
        folder.run(&["build", "ci", "--events", "ndjson"]).with_code(0)
    };
    let (first, second) = (build(), build());
    let lines = first.out();
    assert!(lines.contains("\"line\":\"/c/kept\"") && !lines.contains("secret.env"), "{lines}");
    let last = |output: &crate::ImageOutput| output.objects().pop().expect("a result");
    let (first, second) = (last(&first), last(&second));
    assert_eq!(first["context_digest"], second["context_digest"]);
    assert_eq!(first["built"]["id"], second["built"]["id"]);
    assert_eq!((&first["built"]["steps"], &second["built"]["cached"]), (&7.into(), &6.into()));
}

#[test]
fn stdout_of_a_build_is_the_id_alone() {
    let Some(engine) = engine() else { return };
    let folder = ImageFolder::with_shell(engine.docker_host(), "", "");
    let built = folder.run(&["build", "ci"]).with_code(0);
    let id = built.out();
    assert!(id.starts_with("sha256:") && id.trim().len() == 71, "{id}");
    assert!(built.err().contains("build       5 steps, "), "{}", built.err());
}

#[test]
fn a_step_that_fails_is_told_with_its_exit_code_by_both_builders() {
    let Some(engine) = engine() else { return };
    // A heredoc or a mount is what only BuildKit knows.
    for flag in ["", "--mount=type=tmpfs,target=/t "] {
        let step = format!("RUN {flag}busybox echo words; busybox echo more >&2; exit 7\n");
        let folder = ImageFolder::with_shell(engine.docker_host(), &step, "");
        let error = folder.run(&["build", "ci"]).with_code(5).err();
        assert!(error.contains("ended with 7") && error.contains("  | more"), "{error}");
        assert!(error.contains("RUN ") && error.contains("busybox echo words"), "{error}");
    }
}

#[test]
fn a_build_secret_is_there_for_its_step_and_nowhere_else() {
    let Some(engine) = engine() else { return };
    let steps = "RUN --mount=type=secret,id=npm busybox wc -c /run/secrets/npm; busybox cat \
                 /run/secrets/npm\n";
    let secret = tempfile::NamedTempFile::new().expect("a file");
    fs::write(secret.path(), SECRET).expect("a writable file");
    let keys = format!("build_secrets = [\"npm={}\"]", secret.path().display());
    let folder = ImageFolder::with_shell(engine.docker_host(), steps, &keys);
    let built = folder.run(&["build", "ci", "--no-cache", "--events", "ndjson"]).with_code(0);
    let lines = built.out();
    assert!(lines.contains("\"line\":\"20 /run/secrets/npm\""), "{lines}");
    assert!(lines.contains("[MASKED]"), "{lines}");
    let image = engine.image("fargate-runner/ci:local").expect("an engine that answers");
    for text in [lines, built.err(), image.to_string()] {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn an_interrupt_stops_the_build_and_leaves_no_container() {
    let Some(engine) = engine() else { return };
    for (flag, why) in [("", "first builder"), ("--mount=type=tmpfs,target=/t ", "BuildKit")] {
        let step = format!("RUN {flag}busybox echo begun; busybox sleep 600\n");
        let folder = ImageFolder::with_shell(engine.docker_host(), &step, "");
        let mut command = folder.command(&["build", "ci", "--events", "ndjson"]);
        let mut build =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(build.stdout.take().expect("piped")).lines();
        let begun = lines.any(|line| line.is_ok_and(|line| line.contains("\"line\":\"begun\"")));
        assert!(begun, "{why}");
        let pid = Pid::from_raw(i32::try_from(build.id()).expect("a process id"));
        kill(pid, Signal::SIGINT).expect("a process that runs");
        drop(lines);
        let output = build.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(130), "{why}: {output:?}");
        let left = engine.contents().expect("an engine that answers");
        assert_eq!(left, Vec::<String>::new(), "{why}");
    }
}

#[test]
fn a_secret_in_the_context_stops_the_build_before_the_engine_gets_a_byte() {
    let Some(engine) = engine() else { return };
    let folder = ImageFolder::with_shell(engine.docker_host(), "COPY . /app\n", "");
    let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    folder.write("notes/token.txt", &format!("the token is {token}\n"));
    for verb in ["check", "build"] {
        let refused = folder.run(&[verb, "ci", "--events", "ndjson"]).with_code(4);
        assert!(!refused.out().contains("build_step"), "no step began: {}", refused.out());
        let words = refused.err();
        assert!(words.contains("notes/token.txt") && words.contains("rotate it"), "{words}");
        assert!(!words.contains(&token), "{words}");
    }

    // What is ignored is not sent, so it may hold what it will.
    folder.write(".dockerignore", "notes\n");
    folder.run(&["build", "ci"]).with_code(0);
}

#[test]
fn a_token_that_a_step_prints_is_shown_nowhere() {
    let Some(engine) = engine() else { return };
    // Two parts, because the Dockerfile is a file of the context as well.
    let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    let (first, second) = token.split_at(10);
    let steps = format!("RUN busybox printf '%s%s\\n' {first} {second}; exit 3\n");
    let folder = ImageFolder::with_shell(engine.docker_host(), &steps, "");
    let failed = folder.run(&["build", "ci", "--no-cache", "--events", "ndjson"]).with_code(5);
    for text in [failed.out(), failed.err()] {
        assert!(!text.contains(&token), "{text}");
    }
}

#[test]
fn a_scan_of_a_built_image_finds_a_secret_that_a_later_step_deleted() {
    let Some(engine) = engine() else { return };
    let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    let (first, second) = token.split_at(10);
    let steps = format!(
        "RUN busybox printf '%s%s\\n' {first} {second} >/kept.txt\nRUN busybox rm /kept.txt\n"
    );
    let folder = ImageFolder::with_shell(engine.docker_host(), &steps, "");
    let id = folder.run(&["build", "ci"]).with_code(0).out();
    let found = folder.run(&["scan", id.trim(), "--image", "ci"]).with_code(4);
    let words = found.err();
    assert!(words.contains("kept.txt") && !words.contains(&token), "{words}");

    let clean = ImageFolder::with_shell(engine.docker_host(), "RUN busybox true\n", "");
    let id = clean.run(&["build", "ci"]).with_code(0).out();
    clean.run(&["scan", id.trim(), "--image", "ci"]).with_code(0);
}
