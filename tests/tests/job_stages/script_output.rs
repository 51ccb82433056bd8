//! Output and scripts byte for byte, the environment of scripts, and what other processes can see
//! of them.

use std::fs;

use aws_sdk_ecs::types::{ContainerDefinition, KeyValuePair};
use fargate_tests::{
    BUILD_FAILURE, CheckedHost, PATIENCE, PipeReading, alive, alive_in_task, contains, mark,
    memory_kib, process, scenes, until,
};
use nix::unistd::Pid;

#[tokio::test]
async fn stdout_and_stderr_stay_apart_and_every_byte_arrives() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let script = r"printf 'a\0b\377\376\r\n\033]0;x\007 no newline'; printf 'e\0\200' >&2; exit 3";
    let ended = job.run(script).await.with_code(BUILD_FAILURE);
    assert_eq!(ended.stdout, b"a\0b\xff\xfe\r\n\x1b]0;x\x07 no newline");
    assert_eq!(ended.stderr, b"e\0\x80");
    let every_byte = "for i in {0..255}; do printf \"\\\\x$(printf %02x $i)\"; done";
    let ended = job.run(every_byte).await.with_code(0);
    assert_eq!(ended.stdout, (0..=255).collect::<Vec<u8>>());
    site.close().await;
}

#[tokio::test]
async fn where_both_streams_are_one_file_the_order_is_the_script_s() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    scenes::streams_in_one_file_keep_the_order_of_the_script(&job).await;
    let script = "set -x; for i in 1 2 3; do echo $i; done; echo end >&2";
    let command = ["exec", "--quiet", "--", "bash", "-c", script];
    let ended = site.start_joined(&command).ended().await.with_code(0);
    let order = "+ for i in 1 2 3\n+ echo 1\n1\n+ for i in 1 2 3\n+ echo 2\n2\n\
                 + for i in 1 2 3\n+ echo 3\n3\n+ echo end\nend\n";
    assert_eq!(ended.out(), order);
    site.close().await;
}

#[tokio::test]
async fn a_script_may_be_empty_or_of_20_mib_and_reads_nothing_from_stdin() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let ended = job.run("").await.with_code(0);
    assert_eq!((ended.stdout, ended.stderr), (vec![], vec![]));
    for size in [1 << 20, 20 << 20] {
        let line = "# a line that says nothing, so that the script is long enough for this test\n";
        let mut script = line.repeat(size / line.len());
        script += "echo last line\nexit 5";
        let ended = job.run(&script).await.with_code(BUILD_FAILURE);
        assert_eq!(ended.out(), "last line\n", "{size}");
        assert_eq!(job.exit_code().as_deref(), Some("5\n"));
    }
    // A script with NUL bytes and without a last newline reaches the shell as it is.
    let ended =
        job.run(b"cat <<'E' | od -An -tx1 -v\nx\xff\xfey\nE\nprintf end").await.with_code(0);
    assert_eq!(ended.out(), " 78 ff fe 79 0a\nend");
    site.close().await;
}

#[tokio::test]
async fn scripts_see_the_image_and_the_task_role_and_nothing_of_ours() {
    let site = CheckedHost::open().await;
    let name = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
    let variable = KeyValuePair::builder().name(name).value("/v2/credentials/x").build();
    let container = ContainerDefinition::builder().environment(variable);
    site.set("defaults.task_definition", site.register("with-role", container).await);
    let job = site.prepared().await;
    let ended = job.run("env -0").await.with_code(0);
    let environment = ended.out();
    let variables: Vec<_> = environment.split_terminator('\0').collect();
    let role = format!("{name}=/v2/credentials/x");
    assert!(variables.contains(&role.as_str()), "{variables:?}");
    for name in ["PATH=", "HOME="] {
        assert!(variables.iter().any(|variable| variable.starts_with(name)), "{variables:?}");
    }
    for name in ["FARGATE_RUNNER", "SSH_PUBLIC_KEY", "CUSTOM_ENV_", "JOB_RESPONSE_FILE"] {
        assert!(!environment.contains(name), "{name} in {variables:?}");
    }
    // They cannot read it from other processes either.
    let read = "cat /proc/1/environ /proc/2/environ 2>/dev/null | tr '\\0' '\\n' | grep -c SEED";
    assert_eq!(job.run(format!("{read}; true")).await.out(), "0\n");
    site.close().await;
}

#[tokio::test]
async fn nothing_secret_stands_in_any_process_list_while_a_job_runs() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let canary = format!("canary-of-a-script-{}", std::process::id());
    let mut running = job.start_run(format!(": {canary}\necho ready; read <> <(:)"));
    running.wrote("ready").await;
    let task = site.task_of(&job);
    let mut secrets = vec![canary, job.token.clone()];
    secrets.push(task.environment["FARGATE_RUNNER_HOST_KEY_SEED"].clone());
    secrets.extend(job.keys());
    assert!(secrets.len() >= 4, "the state file holds a client key");
    let mut seen = 0;
    for entry in fs::read_dir("/proc").expect("a process list").flatten() {
        let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
        seen += usize::from(contains(&line, b"fargate"));
        for secret in &secrets {
            assert!(!contains(&line, secret.as_bytes()), "{}", String::from_utf8_lossy(&line));
        }
    }
    assert!(seen >= 2, "the driver and the agent are among the processes");
    job.cleanup().await.passed();
    job.heard(running).await;
    site.close().await;
}

#[tokio::test]
async fn a_process_that_a_script_leaves_behind_does_not_hold_its_stage() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let ended = job.run("sleep 1000 & echo $!").await.with_code(0);
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    // It goes on until the task ends, as with every runner.
    let look = format!("{} && echo alive", alive_in_task(ended.out().trim()));
    assert_eq!(job.run(look).await.out(), "alive\n");
    site.close().await;
}

/// Bytes that a process has written so far, by the kernel's count.
fn written(pid: Pid) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|count| count.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_reader_who_does_not_read_blocks_the_script_at_the_window_and_then_gets_every_byte() {
    const WINDOW: u64 = 4 << 20;
    // What pipes and one read of the agent may hold beside the window.
    const SLACK: u64 = 512 << 10;
    const LAST: u32 = 2_700_000;
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let mark = mark("writer");
    let script = format!("(exec -a {mark} seq {LAST}); echo done >&2");
    let mut running = job.start_stage("build_script", script, PipeReading::OnDemand);
    until("the writer filled the window", || {
        process(&mark).is_some_and(|pid| written(pid) >= WINDOW)
    })
    .await;
    let writer = process(&mark).expect("a writer that waits");
    let mut before = 0;
    let mut same = 0;
    until("the writer came to a halt", || {
        let now = written(writer);
        same = if now == before { same + 1 } else { 0 };
        before = now;
        same == 40
    })
    .await;
    assert!(before <= WINDOW + SLACK, "{before} bytes were taken from the script");
    assert!(alive(writer) && running.runs(), "the script is not over");
    let driver = running.pid();
    running.read_on();
    running.wrote(&format!("\n{}\n", LAST / 2)).await;
    let memory = memory_kib(driver);
    let ended = job.heard(running).await.with_code(0);
    let expected: Vec<u8> = (1..=LAST).flat_map(|n| format!("{n}\n").into_bytes()).collect();
    assert!(expected.len() > 20_000_000);
    assert!(ended.stdout == expected, "{} of {} bytes", ended.stdout.len(), expected.len());
    assert_eq!(ended.err(), "done\n");
    // The program itself, the window, and some room; the log is 20 MB.
    assert!(memory < 48 << 10, "{memory} KiB");
    site.close().await;
}
