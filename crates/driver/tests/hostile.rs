//! Files of a host and values of a job, as a hostile disk or job could make them. Nothing may
//! panic, be half read, or repeat a value that may be secret.

use fargate_mask::SharedMasker;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use fargate_driver::gitlab::{JobResponse, StageEnvironment};
use fargate_driver::session::{ClientKey, parse_host_key, shell_for};
use fargate_model::job::{JobIdentity, JobKey};
use fargate_state::StateFolder;
use proptest::collection::vec;
use proptest::prelude::*;

const RESPONSE: &str = r#"{"id":7,"token":"canary","job_info":{"name":"lint","project_id":3,"project_full_path":"group/project","pipeline_id":9},"git_info":{"repo_url":"https://gitlab-ci-token:canary@gitlab.example/group/project.git"},"runner_info":{"timeout":3600}}"#;

const RECORD: &str = r#"{"schema":1,"origin":"gitlab","core":{"cluster":"ci","region":"eu-west-1","endpoint":null,"task":"arn:aws:ecs:eu-west-1:1:task/ci/abc"},"owner":"host-1","job":"0000000000000000000000000000000000000000000000000000000000000000","job_id":"gl-7","attempt":1,"prepared_by":"00000000000000000000000000000000","launches":[],"client_key":"canary-key","host_key":"","user":"root","peer":null,"address":null,"deadline_unix_s":1,"ready":true,"shell":"bash"}"#;

fn key() -> JobKey {
    JobIdentity::from_repository("https://gitlab.example/group/project.git", 3, 7)
        .expect("an address of a repository")
        .key()
}

/// What was read, or why it was not.
fn response(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("response.json");
    fs::write(&path, bytes).expect("a file");
    let variables = [
        ("BUILD_FAILURE_EXIT_CODE", OsString::from("1")),
        ("SYSTEM_FAILURE_EXIT_CODE", OsString::from("2")),
        ("JOB_RESPONSE_FILE", path.into_os_string()),
    ];
    let lookup = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
    let environment = StageEnvironment::read(lookup).expect("a whole environment");
    match JobResponse::read(&environment, lookup, &SharedMasker::default()) {
        Ok(response) => {
            assert!(!response.untrusted, "variables are no substitute for a file that is there");
            response.name()
        }
        Err(error) => error.to_string(),
    }
}

/// Reads a record and a tombstone from these bytes in every way in which stages do.
fn state(bytes: &[u8]) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("an event loop").block_on(state_read_in_every_way(bytes))
}

async fn state_read_in_every_way(bytes: &[u8]) -> Vec<String> {
    let root = tempfile::tempdir().expect("a folder");
    let folder = StateFolder::open(root.path(), Duration::from_secs(5)).expect("a state folder");
    let key = key();
    let at = |room: &str| -> PathBuf { root.path().join(room).join(format!("{key}.json")) };
    fs::write(at("jobs"), bytes).expect("a file");
    fs::write(at("tombstones"), bytes).expect("a file");
    let mut said = Vec::new();
    let mut note = |error: Option<String>| said.extend(error);
    note(folder.record(&key).err().map(|error| error.to_string()));
    note(folder.take_over(&key).await.err().map(|error| error.to_string()));
    let _ = folder.known(&key);
    let _ = folder.tombstone(&key);
    folder.bury(&key, None).await.expect("a writable folder");
    assert!(!at("jobs").exists(), "the record, and the key in it, are gone");
    said
}

fn is_one_plain_line(said: &str) {
    assert!(!said.contains(char::is_control) && said.len() < 1000, "{said:?}");
    assert!(!said.contains("canary"), "{said}");
}

/// `text` with some bytes replaced, removed or added.
fn spoilt(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    vec(change, 1..4).prop_map(move |changes| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

/// A variable that is missing, valid, or has any bytes that an environment can hold.
fn variable(right: &'static str) -> impl Strategy<Value = Option<OsString>> {
    prop_oneof![
        Just(None),
        right.prop_map(|text| Some(OsString::from(text))),
        vec(1..=u8::MAX, 0..200).prop_map(|bytes| Some(OsString::from_vec(bytes))),
    ]
}

#[test]
fn what_is_spoilt_below_was_whole() {
    assert_eq!(response(RESPONSE.as_bytes()), "gl-7");
    assert_eq!(state(RECORD.as_bytes()), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_response_of_any_bytes_is_refused_in_one_line(bytes in vec(any::<u8>(), 0..500)) {
        is_one_plain_line(&response(&bytes));
    }

    #[test]
    fn a_spoilt_response_is_read_or_refused_in_one_line(bytes in spoilt(RESPONSE)) {
        is_one_plain_line(&response(&bytes));
    }

    #[test]
    fn a_state_file_of_any_bytes_is_told_in_one_line_and_can_be_buried(
        bytes in vec(any::<u8>(), 0..500),
    ) {
        state(&bytes).iter().for_each(|said| is_one_plain_line(said));
    }

    #[test]
    fn a_spoilt_state_file_is_told_in_one_line_and_can_be_buried(bytes in spoilt(RECORD)) {
        state(&bytes).iter().for_each(|said| is_one_plain_line(said));
    }

    #[test]
    fn an_environment_of_any_bytes_is_read_or_refused_in_one_line(
        codes in [variable("[0-9]{1,3}"), variable("[0-9]{1,3}")],
        others in vec(variable("[0-9a-z/:.@]{1,40}"), 7),
    ) {
        let lookup = |name: &str| match name {
            "BUILD_FAILURE_EXIT_CODE" => codes[0].clone(),
            "SYSTEM_FAILURE_EXIT_CODE" => codes[1].clone(),
            // The name of the variable chooses one of the other values.
            name => others[name.bytes().map(usize::from).sum::<usize>() % others.len()].clone(),
        };
        match StageEnvironment::read(lookup) {
            Ok(read) => assert!(read.codes.build_failure != 0 && read.codes.system_failure != 0),
            Err(error) => is_one_plain_line(&error.to_string()),
        }
        let environment = StageEnvironment::read_for_cleanup(lookup);
        match JobResponse::read(&environment, lookup, &SharedMasker::default()) {
            Ok(response) => assert!(response.untrusted, "there is no such file"),
            Err(error) => is_one_plain_line(&error.to_string()),
        }
    }

    #[test]
    fn keys_and_scripts_of_any_bytes_are_no_panic(bytes in vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = parse_host_key(&text);
        let _ = ClientKey::parse(&text);
        let _ = shell_for("runner", &bytes);
        let _ = shell_for(&text, &bytes);
    }
}
