//! A shell at a real terminal: kind, size, keys and exit codes, with our agent and with a stock server.

use fargate_tests::{CheckedHost, SshdSetup, TestJob, mark, process, until};
use nix::sys::signal::Signal;

use crate::name_of;
use crate::person_at_terminal::PersonAtTerminal;

/// What every server's shell must do.
async fn a_real_terminal(site: &CheckedHost, job: &TestJob) {
    let mut running =
        job.start_run("echo up; until [ -e /tmp/go ]; do sleep 0.05; done; echo done");
    running.wrote("up").await;
    let mut person = PersonAtTerminal::in_shell(site, &name_of(job)).await;
    assert!(!person.has_usual_terminal(), "every key is passed on");
    person.types("[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo $TERM-$((1 + 1))\r");
    person.sees("xterm-256color-2").await;
    person.types("stty size\r");
    person.sees("30 100\r\n").await;
    person.resizes(120, 40);
    person.types(
        "until stty size | grep -q '^40 120$'; do sleep 0.1; done; echo resized-$((40 + 2))\r",
    );
    person.sees("resized-42").await;
    person.types("printf '\\033[3%dmred\\n' 1\r");
    person.sees("\x1b[31mred").await;
    ctrl_c_reaches_the_program(&mut person).await;
    person.types("touch /tmp/go; exit 7\r");
    let (code, shown) = person.ends().await;
    assert_eq!(code, 7, "{shown:?}");
    let ended = job.heard(running).await.with_code(0);
    assert_eq!(ended.out(), "up\ndone\n", "the script does not notice the shell");
}

async fn ctrl_c_reaches_the_program(person: &mut PersonAtTerminal) {
    let mark = mark("under-ctrl-c");
    person.types(&format!("bash -c 'exec -a {mark} sleep 1000'; echo status-$?\r"));
    until("the program runs", || process(&mark).is_some()).await;
    person.types("\x03");
    until("the program ended", || process(&mark).is_none()).await;
    // The shell and the person are still there.
    person.types("echo after-$((40 + 2))\r");
    person.sees("after-42").await;
}

async fn exit_codes(site: &CheckedHost, job: &TestJob) {
    for (last, code) in [("exit 0", 0), ("exit 255", 255), ("kill -9 $$", 137)] {
        let person = PersonAtTerminal::in_shell(site, &name_of(job)).await;
        person.types(&format!("{last}\r"));
        let (ended, shown) = person.ends().await;
        assert_eq!(ended, code, "{last}: {shown:?}");
    }
}

#[tokio::test]
async fn the_agent_gives_a_real_terminal_beside_the_script() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    a_real_terminal(&site, &job).await;
    exit_codes(&site, &job).await;
    let log = site.log();
    assert!(log.contains("shell.opened") && log.contains("shell.closed"), "{log}");
    site.close().await;
}

#[tokio::test]
async fn a_stock_server_gives_a_real_terminal_beside_the_script() {
    if !SshdSetup::can_run() {
        return;
    }
    let site = CheckedHost::open().await;
    SshdSetup::open_ssh().serve(&site).await;
    let job = site.prepared().await;
    a_real_terminal(&site, &job).await;
    exit_codes(&site, &job).await;
    site.close().await;
}

#[tokio::test]
async fn a_shell_sees_the_scripts_environment_and_nothing_of_the_agent() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let mut person = PersonAtTerminal::in_shell(&site, &name_of(&job)).await;
    person.types("env | grep -c -e FARGATE_RUNNER -e SSH_PUBLIC_KEY; echo searched-$((40 + 2))\r");
    person.sees("0\r\nsearched-42").await;
    person.types("exit\r");
    person.ends().await;
    site.close().await;
}

#[tokio::test]
async fn a_command_at_a_terminal_has_one_too_and_its_words_arrive_as_they_are() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let name = name_of(&job);
    let script = "[ -t 1 ] && printf '%s|' \"$@\"; exit 5";
    let words = ["jobs", "shell", &name, "--", "sh", "-c", script, "sh", "a b", "$HOME", "'"];
    let (code, shown) = PersonAtTerminal::starts(&site, &words).ends().await;
    assert_eq!((code, shown.as_str()), (5, "a b|$HOME|'|"));
    site.close().await;
}

#[tokio::test]
async fn a_signal_ends_the_shell_with_its_programs_and_gives_the_terminal_back() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGINT, 130)] {
        let mark = mark("under-signal");
        let person = PersonAtTerminal::in_shell(&site, &name_of(&job)).await;
        person.types(&format!("bash -c 'exec -a {mark} sleep 1000'\r"));
        until("the program runs", || process(&mark).is_some()).await;
        person.signals(signal);
        let (ended, shown) = person.ends().await;
        assert_eq!(ended, code, "{shown:?}");
        until("the program ended", || process(&mark).is_none()).await;
    }
    job.run("true").await.passed();
    site.close().await;
}
