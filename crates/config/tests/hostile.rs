//! Files that are no configuration: nothing panics, nothing blocks, one clear answer each.

mod common;

use std::path::Path;

use common::{read, theirs};
use fargate_config::{ConfigError, REFERENCE, UnknownKeyPolicy, load, parse};
use insta::assert_snapshot;
use proptest::prelude::*;

/// Whatever the outcome, it is one that a person can read.
fn is_readable(text: &str) {
    let path = Path::new("config.toml");
    let lines = text.lines().count() + 1;
    for unknown in [UnknownKeyPolicy::Refuse, UnknownKeyPolicy::Warn] {
        match parse(text, path, unknown) {
            Ok(loaded) => {
                for text in [loaded.config.show(None), loaded.config.import()] {
                    assert!(parse(&text, path, UnknownKeyPolicy::Refuse).is_ok(), "{text}");
                }
                for noticed in loaded.warnings.iter().chain(&loaded.notices) {
                    let said = noticed.to_string();
                    assert!(!said.contains(char::is_control) && said.len() < 2000, "{said:?}");
                }
            }
            Err(ConfigError { problems }) => {
                assert!(!problems.is_empty());
                for problem in problems {
                    assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)));
                    let said = problem.to_string() + problem.hint.as_deref().unwrap_or_default();
                    assert!(!said.contains(char::is_control), "{said:?}");
                    assert!(said.len() < 2000, "{said}");
                }
            }
        }
    }
}

/// The reference with every setting in use.
fn full() -> String {
    let plain = |line: &str| {
        let rest = line.strip_prefix('#').unwrap_or_default();
        let setting = rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[');
        (if setting { rest } else { line }).to_owned() + "\n"
    };
    REFERENCE.lines().map(plain).collect()
}

/// A file of GitLab's driver with most settings there are, theirs and ours.
fn full_of_theirs() -> String {
    theirs::full()
        .set("", "Owner", "\"ci\"")
        .set("Fargate", "Subnets", "[\"subnet-1\"]")
        .set("Fargate", "CapacityProviderStrategy", "[{ Provider = \"FARGATE\" }]")
        .set("Fargate", "CPU", "1024")
        .set("Fargate", "HostKey", "\"seed\"")
        .set("Fargate", "PublicIP", "\"none\"")
        .set("Fargate", "JobTaskDefinitions", "[\"a\"]")
        .set("Fargate", "AssumeRoleArn", "\"arn:aws:iam::123456789012:role/ci\"")
        .set("Fargate.Timeouts", "EcsPollMin", "\"1ms\"")
        .set("Fargate.Tags", "team", "\"x\"")
        .set("SSH", "ClientKey", "\"rsa\"")
        .text()
}

/// Values of every kind, and some that no check expects.
fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("-0x1".to_owned()),
        Just("1e400".to_owned()),
        Just("[[{}]]".to_owned()),
        Just("1979-05-27".to_owned()),
        Just("nan".to_owned()),
        Just("\"\\u0000\"".to_owned()),
        Just("[1, \"\\u202e\", {}]".to_owned()),
        Just("99999999999999999999999".to_owned()),
        Just("-99999999999999999999999999999999999999999999".to_owned()),
        "\"[^\"\\\\\\x00-\\x1f]{0,40}\"",
        "[0-9]{1,25}",
    ]
}

/// Replaces a piece of the text, given in thousandths of its length.
fn mutate(text: &str, from: usize, length: usize, with: &str) -> String {
    let at = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    let start = text.chars().count() * from / 1000;
    format!("{}{with}{}", &text[..at(start)], &text[at(start + length)..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_gets_a_readable_answer(text in any::<String>()) {
        is_readable(&text);
    }

    #[test]
    fn any_value_of_any_key_gets_a_readable_answer(
        line in 0..60_usize,
        value in values(),
    ) {
        let full = full();
        let settings = full.lines().filter(|line| line.contains(" = ") && !line.starts_with('#'));
        let count = settings.clone().count();
        let setting = settings.clone().nth(line % count).unwrap();
        let key = setting.split_once(" = ").unwrap().0;
        is_readable(&full.replace(setting, &format!("{key} = {value}")));
    }

    #[test]
    fn any_value_of_any_key_of_gitlabs_driver_gets_a_readable_answer(
        line in 0..60_usize, value in values(),
    ) {
        let full = full_of_theirs();
        let settings: Vec<_> = full.lines().filter(|line| line.contains(" = ")).collect();
        let setting = settings[line % settings.len()];
        let key = setting.split_once(" = ").unwrap().0;
        is_readable(&full.replace(setting, &format!("{key} = {value}")));
    }

    #[test]
    fn any_mutation_of_a_file_of_gitlabs_driver_gets_a_readable_answer(
        from in 0..1000_usize, length in 0..60_usize, with in ".{0,12}",
        from_2 in 0..1000_usize, with_2 in "[\\[\\]{}=\"'#.\n a-zA-Z0-9-]{0,8}",
    ) {
        let once = mutate(&full_of_theirs(), from, length, &with);
        is_readable(&once);
        is_readable(&mutate(&once, from_2, 3, &with_2));
    }

    #[test]
    fn any_mutation_of_the_reference_gets_a_readable_answer(
        from in 0..1000_usize, length in 0..200_usize, with in ".{0,12}",
        from_2 in 0..1000_usize, with_2 in "[\\[\\]{}=\"'#.\n a-z0-9-]{0,8}",
    ) {
        let once = mutate(&full(), from, length, &with);
        is_readable(&once);
        is_readable(&mutate(&once, from_2, 3, &with_2));
    }

    #[test]
    fn any_bytes_in_a_file_get_a_readable_answer(bytes in any::<Vec<u8>>()) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        if let Err(problems) = load(file.path(), UnknownKeyPolicy::Refuse) {
            prop_assert!(!problems.problems.is_empty());
        }
    }
}

#[test]
fn deep_wide_and_long_texts_end_with_a_readable_answer() {
    let half = (fargate_config::MAX_FILE_BYTES / 2) as usize;
    is_readable(&format!("config_version = 1\na = {}", "[".repeat(half)));
    is_readable(&format!("config_version = 1\na = {}1", "{ a = ".repeat(half / 6)));
    is_readable(&format!("config_version = 1\n{}a = 1", "a.".repeat(half)));
    is_readable(&format!("config_version = 1\n[{}a]", "a.".repeat(half)));
    is_readable(&format!("config_version = 1\n{} = 1", "k".repeat(half)));
    is_readable(&format!("config_version = 1\nowner = \"{}\"", "ü".repeat(half)));
    let mut wide = "config_version = 1\n[defaults]\n".to_owned();
    for n in 0..half / 20 {
        wide.push_str(&format!("subnet{n} = \"x\"\n"));
    }
    is_readable(&wide);
    is_readable(&wide.replace("config_version = 1\n[defaults]\n", "[Fargate]\n"));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let text = format!("\u{feff}{}", common::ConfigDraft::least().text().replace('\n', "\r\n"));
    read(&text).unwrap();
    let wrong = text.replace("\"ci\"", "1");
    assert_eq!(read(&wrong).unwrap_err().problems[0].line, Some(3));
}

/// What is said about `bytes` in a file, or about what `make` puts at the path.
fn about(make: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    make(&path);
    let said = load(&path, UnknownKeyPolicy::Refuse).unwrap_err().to_string();
    said.replace(&folder.path().display().to_string(), "/etc/fargate-runner")
}

#[test]
fn what_is_no_readable_file_is_said_in_one_sentence() {
    assert_snapshot!(about(|_| {}), @r#"
    /etc/fargate-runner/config.toml: there is no such file
    hint: `fargate-runner config init` writes one; or name the file by `-c FILE` or by the variable FARGATE_RUNNER_CONFIG
    "#);
    assert_snapshot!(about(|path| std::fs::create_dir(path).unwrap()), @r#"
    /etc/fargate-runner/config.toml: this is a folder, a file is expected
    hint: name a file in it: `-c /etc/fargate-runner/config.toml/config.toml`
    "#);
    assert_snapshot!(about(|path| std::fs::write(path, "").unwrap()), @r#"
    /etc/fargate-runner/config.toml: this file is empty
    hint: `fargate-runner config init` writes a file to begin with
    "#);
    assert_snapshot!(about(|path| std::fs::write(path, b"a = 1\n\x7fELF\xff\xfe").unwrap()), @r#"
    /etc/fargate-runner/config.toml:2: this is no text, byte 0xff is not UTF-8
    hint: a configuration is a TOML file in UTF-8
    "#);
    assert_snapshot!(about(|path| std::fs::write(path, vec![b'#'; 10_000_000]).unwrap()), @r#"
    /etc/fargate-runner/config.toml: this file has 10000000 bytes, at most 1048576 are read
    hint: is it a configuration file?
    "#);
    assert_snapshot!(about(|path| std::os::unix::fs::symlink("/dev/zero", path).unwrap()), @r#"
    /etc/fargate-runner/config.toml: this is a device or a pipe, a file is expected
    hint: name the file by `-c FILE` or by the variable FARGATE_RUNNER_CONFIG
    "#);
    assert_snapshot!(about(|path| std::os::unix::fs::symlink("config.toml", path).unwrap()), @r#"
    /etc/fargate-runner/config.toml: this file cannot be read: Too many levels of symbolic links (os error 40)
    hint: name the file by `-c FILE` or by the variable FARGATE_RUNNER_CONFIG
    "#);
    assert_snapshot!(about(|path| std::os::unix::fs::symlink("gone", path).unwrap()), @r#"
    /etc/fargate-runner/config.toml: there is no such file
    hint: `fargate-runner config init` writes one; or name the file by `-c FILE` or by the variable FARGATE_RUNNER_CONFIG
    "#);
}

#[test]
fn a_file_is_read_from_its_place() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), common::ConfigDraft::least().text()).unwrap();
    let config = load(file.path(), UnknownKeyPolicy::Refuse).unwrap().config;
    assert_eq!(config.profile(None).unwrap().cluster, "ci");
}
