use std::collections::HashMap;
use std::sync::Arc;

use fargate_config::BuildNetwork;
use fargate_mask::SharedMasker;

use super::super::scripted_engine::ScriptedEngine;
use super::*;
use crate::context::ContextFolder;
use crate::engine::LineRedaction;
use crate::event::ImageEvents;

async fn built(engine: &ScriptedEngine) -> Result<BuiltImage, ImageFailure> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    let request = BuildRequest {
        context: Arc::new(ContextFolder::read(folder.path(), "Dockerfile").unwrap()),
        dockerfile: "Dockerfile".to_owned(),
        time_s: 0,
        arguments: HashMap::new(),
        architecture: "amd64".to_owned(),
        tag: "a:b".to_owned(),
        network: BuildNetwork::Default,
        without_cache: false,
        needs_buildkit: false,
        secrets: Arc::default(),
        redaction: LineRedaction::default(),
    };
    let masker = SharedMasker::default();
    masker.remember("canary-secret");
    let (run, _cancel) = ImageRun::new(ImageEvents::nobody(), masker);
    let connected = ImageEngine::connect(Some(&engine.address())).await.unwrap();
    connected.build(&request, &run).await
}

/// The failure of a build that the engine answers with this, and its exit code.
async fn failed(answer: &str) -> (u8, String) {
    let engine = ScriptedEngine::start(answer, false);
    let error = built(&engine).await.unwrap_err();
    (error.exit_code(), error.to_string())
}

#[tokio::test]
async fn the_last_id_is_the_image() {
    let answer = "{\"stream\":\"Step 1/1 : FROM scratch\\n\"}\n{\"aux\":{\"ID\":\"sha256:1\"}}\n\
                  {\"aux\":{\"ID\":\"sha256:2\"}}\n";
    let image = built(&ScriptedEngine::start(answer, false)).await.unwrap();
    assert_eq!((image.id.as_str(), image.steps), ("sha256:2", 1));
}

#[tokio::test]
async fn an_answer_that_ends_without_a_result_is_a_failure() {
    let (code, text) = failed("{\"stream\":\"Step 1/3 : RUN make\\n\"}\n").await;
    assert_eq!(code, 5);
    assert!(text.contains("step 1 of 3: RUN make") && text.contains("neither an image"), "{text}");
}

#[tokio::test]
async fn a_step_that_fails_is_told_with_its_exit_code_and_without_secrets() {
    let answer = "{\"stream\":\"Step 2/3 : RUN curl canary-secret\\n\"}\n{\"stream\":\"said canary-\"}\n\
                  {\"stream\":\"secret\\n\"}\n{\"errorDetail\":{\"message\":\"The command '/bin/sh -c curl \
                  canary-secret' returned a non-zero code: 7\"},\"error\":\"x\"}\n";
    let (code, text) = failed(answer).await;
    assert_eq!(code, 5);
    assert!(text.contains("ended with 7") && text.contains("| said [MASKED]"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test]
async fn a_full_disk_and_a_refused_base_have_codes_of_their_own() {
    let answer = |words: &str| format!("{{\"errorDetail\":{{\"message\":\"{words}\"}}}}\n");
    assert_eq!(failed(&answer("write /x: no space left on device")).await.0, 6);
    assert_eq!(failed(&answer("unauthorized: authentication required")).await.0, 7);
    assert_eq!(failed(&answer("COPY failed: file not found")).await.0, 5);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_says_nothing_for_long_is_given_up() {
    let engine = ScriptedEngine::start("{\"stream\":\"Step 1/1 : RUN sleep\\n\"}\n", true);
    let error = built(&engine).await.unwrap_err();
    assert!(error.exit_code() == 5 && error.to_string().contains("said nothing"), "{error}");
}

#[tokio::test]
async fn where_no_engine_is_the_error_names_the_socket_and_the_next_step() {
    let Err(error) = ImageEngine::connect(Some("unix:///nowhere/docker.sock")).await else {
        panic!("an engine where none is")
    };
    assert_eq!(error.exit_code(), 6);
    let text = error.to_string();
    assert!(text.contains("/nowhere/docker.sock") && text.contains("`DOCKER_HOST`"), "{text}");
}
