//! The first commands of a new user, with wrong input: the last line always says what to do.

use std::rc::Rc;

use fargate_tests::{CheckedHost, TestJob};

/// A person at this host without any configuration.
fn person(site: &CheckedHost) -> Rc<TestJob> {
    site.job_with(|job| {
        job.environment.retain(|name, _| {
            let name = name.to_string_lossy();
            !["JOB_", "CUSTOM_ENV_", "FARGATE_RUNNER_"].iter().any(|start| name.starts_with(start))
                && !name.contains("EXIT_CODE")
        });
        job.arguments = Vec::new();
    })
}

/// What each command prints, behind its own line; folders as `FOLDER`.
async fn told(site: &CheckedHost, person: &TestJob, lines: &[&str]) -> String {
    let folder = site.folder().display().to_string();
    let mut all = String::new();
    for line in lines {
        let words: Vec<String> =
            line.split(' ').map(|word| word.replace("FOLDER", &folder)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ended = person.heard(person.start(&words)).await;
        let said = ended.err().replace(&folder, "FOLDER");
        all.push_str(&format!("$ {line}\n{said}[{}]\n", ended.code));
    }
    all
}

#[tokio::test]
async fn each_message_about_a_first_configuration_names_the_next_step() {
    let site = CheckedHost::open().await;
    let person = person(&site);
    let lines = [
        "-c FOLDER/no/such/c.toml config init",
        "-c /sys/kernel/c.toml config init",
        "-c FOLDER/new.toml config init",
        "-c FOLDER/new.toml config init",
        "-c FOLDER/new.toml config check",
        "-c FOLDER/none.toml config check",
        "-c FOLDER config show",
        "config import FOLDER/none.toml",
        "config import FOLDER",
    ];
    insta::assert_snapshot!(told(&site, &person, &lines).await, @r#"
    $ -c FOLDER/no/such/c.toml config init
    error: writing FOLDER/no/such/c.toml: there is no folder FOLDER/no/such
    hint: make it: `mkdir -p FOLDER/no/such`, or name another file: `fargate-runner -c FILE config init`
    [1]
    $ -c /sys/kernel/c.toml config init
    error: writing /sys/kernel/c.toml: this user may not write there
    hint: run it with `sudo`, or name another file: `fargate-runner -c FILE config init`
    [1]
    $ -c FOLDER/new.toml config init
    Fill in the lines marked REQUIRED, then: fargate-runner -c FOLDER/new.toml config check
    [0]
    $ -c FOLDER/new.toml config init
    error: FOLDER/new.toml exists already, and is not overwritten
    hint: `fargate-runner -c FILE config init` writes another one
    [1]
    $ -c FOLDER/new.toml config check
    error: FOLDER/new.toml:376: key `defaults.cluster` is missing
      FOLDER/new.toml:376: key `defaults.subnets` is missing
      FOLDER/new.toml:376: key `defaults.security_groups` is missing
      FOLDER/new.toml:376: key `defaults.task_definition` is missing
    hint: for example `cluster = "ci"`
    [1]
    $ -c FOLDER/none.toml config check
    error: FOLDER/none.toml: there is no such file
    hint: `fargate-runner config init` writes one; or name the file by `-c FILE` or by the variable FARGATE_RUNNER_CONFIG
    [1]
    $ -c FOLDER config show
    error: FOLDER: this is a folder, a file is expected
    hint: name a file in it: `-c FOLDER/config.toml`
    [1]
    $ config import FOLDER/none.toml
    error: FOLDER/none.toml: there is no such file
    hint: name the file of GitLab's Fargate driver: `fargate-runner config import FILE`
    [1]
    $ config import FOLDER
    error: FOLDER: this is a folder, a file is expected
    hint: name a file in it: `fargate-runner config import FOLDER/fargate.toml`
    [1]
    "#);
    site.close().await;
}

#[tokio::test]
async fn each_message_about_a_first_command_names_the_next_step() {
    let site = CheckedHost::open().await;
    let person = person(&site);
    let lines = [
        "exce -- true",
        "exec echo hello",
        "exec",
        "-c FOLDER/none.toml exec -- true",
        "-c FOLDER/config.toml --profile big exec -- true",
        "-c FOLDER/config.toml exec --cpu 1024 --memory 3000 -- true",
        "-c FOLDER/config.toml exec --script FOLDER/none.sh",
    ];
    insta::assert_snapshot!(told(&site, &person, &lines).await, @r#"
    $ exce -- true
    error: unrecognized subcommand 'exce'

      tip: a similar subcommand exists: 'exec'

    Usage: fargate-runner [OPTIONS] <COMMAND>

    For more information, try '--help'.
    [2]
    $ exec echo hello
    error: unexpected argument 'echo' found

    Usage: fargate-runner exec [OPTIONS] [-- <COMMAND>...]

    For more information, try '--help'.
    hint: the command stands after `--`: `fargate-runner exec -- echo hello`
    [2]
    $ exec
    error: the following required arguments were not provided:
      <COMMAND>...

    Usage: fargate-runner exec -- <COMMAND>...

    For more information, try '--help'.
    hint: the command stands after `--`: `fargate-runner exec -- echo hello`
    [2]
    $ -c FOLDER/none.toml exec -- true
    error: FOLDER/none.toml: there is no such file
    hint: `fargate-runner config init` writes one; or name the file by `-c FILE` or by the variable FARGATE_RUNNER_CONFIG
    [125]
    $ -c FOLDER/config.toml --profile big exec -- true
    error: FOLDER/config.toml: profile "big" is not here; the file has no profiles
    hint: leave out `--profile` for `[defaults]`, or add `[profile.NAME]`
    [125]
    $ -c FOLDER/config.toml exec --cpu 1024 --memory 3000 -- true
    error: memory 3000 does not fit cpu 1024; allowed: 2048, 3072, 4096, 5120, 6144, 7168, 8192
    hint: `--cpu 1024 --memory 3072`
    [125]
    $ -c FOLDER/config.toml exec --script FOLDER/none.sh
    error: reading the script FOLDER/none.sh: No such file or directory (os error 2)
    hint: name a file that this user can read, or `-` for standard input
    [125]
    "#);
    site.close().await;
}
