//! What a script may contain and what it finds: the shell gets its bytes unchanged, its stdin is
//! empty, and only its own output comes back.

use std::process::{Command, Stdio};

use fargate_tests::{BUILD_FAILURE, SshdSetup, alive_in_task, scenes};
use nix::sys::signal::Signal;

use crate::prepared_on;

/// Each server with the shell that gitlab-runner would write for.
fn servers() -> [(&'static str, SshdSetup); 4] {
    [
        ("bash", SshdSetup::open_ssh()),
        ("bash", SshdSetup::open_ssh().login("root", "/bin/dash")),
        ("sh", SshdSetup::open_ssh().login("ci", "/bin/dash")),
        ("sh", SshdSetup::dropbear().login("root", "/run/shells/ash")),
    ]
}

/// What `shell` does with the same bytes in a file.
fn judged(shell: &str, script: &[u8]) -> (Vec<u8>, i32) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), script).expect("a writable file");
    let mut command = Command::new(shell);
    command.arg(file.path()).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().expect("a shell");
    (output.stdout, output.status.code().expect("no signal"))
}

#[tokio::test]
async fn a_script_s_bytes_reach_the_shell_as_they_are() {
    let scripts: [&[u8]; 12] = [
        b"printf 'no last newline'",
        b"echo one\r\necho two\r\n",
        b"echo carriage\r\nexit 3\r\n",
        b"printf '%s' '\xff\xfe\xc3\x28' | od -An -tx1",
        b"x=\xe4\xf6\xfc; printf %s \"$x\"; exit 4",
        b"cat <<'E' | od -An -tx1 -v\nx\xff\xfey\nE\nprintf end",
        b"echo \"it's\" 'quo\"tes' \\\\ $((1 + 2)) `echo back`\n",
        b"\n\n\n",
        b"# only a comment",
        b"false\ntrue\nfalse",
        b"set -e\necho before\nfalse\necho never\n",
        b"cat <<E\nnever ended by its mark\n",
    ];
    for (shell, server) in servers() {
        let Some(site) = crate::site_with(&server).await else { return };
        site.set("defaults.shell", shell);
        let job = site.prepared().await;
        for script in scripts {
            let (out, code) = judged(shell, script);
            let ended = job.run(script).await;
            let shown = String::from_utf8_lossy(script);
            let status = if code == 0 { 0 } else { BUILD_FAILURE };
            assert_eq!(ended.code, status, "{shown:?}: {}", ended.all());
            assert_eq!(ended.stdout, out, "{shown:?} in {shell}");
            if code != 0 {
                assert_eq!(job.exit_code(), Some(format!("{code}\n")), "{shown:?} in {shell}");
            }
        }
        site.close().await;
    }
}

#[tokio::test]
async fn a_script_with_a_syntax_error_is_the_job_s_failure() {
    for (shell, server) in servers() {
        let Some(site) = crate::site_with(&server).await else { return };
        site.set("defaults.shell", shell);
        let job = site.prepared().await;
        let ended = job.run("echo 'never ended").await.with_code(BUILD_FAILURE);
        assert_eq!(ended.out(), "");
        assert!(
            !ended.err().is_empty() && !ended.err().contains("fargate-runner: "),
            "{}",
            ended.err()
        );
        assert_eq!(job.exit_code().as_deref(), Some("2\n"), "{shell}");
        job.run("true").await.passed();
        site.close().await;
    }
}

#[tokio::test]
async fn where_both_streams_are_one_file_the_order_is_the_script_s() {
    for server in [SshdSetup::open_ssh(), SshdSetup::dropbear()] {
        let Some((site, job)) = prepared_on(&server).await else { return };
        scenes::streams_in_one_file_keep_the_order_of_the_script(&job).await;
        site.close().await;
    }
}

#[tokio::test]
async fn the_stdin_of_a_script_is_empty() {
    for (shell, server) in servers() {
        let Some(site) = crate::site_with(&server).await else { return };
        site.set("defaults.shell", shell);
        let job = site.prepared().await;
        let script = "cat | wc -c; read -r word; echo $? \"[$word]\"; readlink /proc/$$/fd/0";
        let ended = job.run(script).await.with_code(0);
        assert_eq!(ended.out().replace(' ', ""), "0\n1[]\n/dev/null\n");
        assert_eq!(ended.err(), "");
        site.close().await;
    }
}

#[tokio::test]
async fn no_descriptor_of_ours_is_open_in_a_script() {
    for (shell, server) in servers() {
        let Some(site) = crate::site_with(&server).await else { return };
        site.set("defaults.shell", shell);
        let job = site.prepared().await;
        let ended = job.run("cd /proc/$$/fd && for n in *; do echo $n; done").await.with_code(0);
        // Shells keep one of their own far from the small numbers.
        let open: Vec<_> =
            ended.out().lines().filter_map(|n| n.parse::<u32>().ok()).filter(|n| *n < 10).collect();
        let (one, other) = (vec![0, 1, 2], vec![0, 1, 2, 3]);
        assert!(open == one || open == other && ended.out().ends_with("3\n"), "{}", ended.out());
        site.close().await;
    }
}

#[tokio::test]
async fn what_a_login_shell_says_does_not_reach_the_job() {
    let noise = "for file in .bashrc .bash_profile .profile .bash_login; do\n\
                 echo 'echo noise; echo noise >&2; printf no-newline' >$HOME/$file\n\
                 done\n\
                 echo 'echo bye' >$HOME/.bash_logout\n\
                 echo 'echo rc-noise; echo rc-noise >&2' >$HOME/.ssh/rc";
    for server in [
        SshdSetup::open_ssh().before(noise),
        SshdSetup::open_ssh().login("ci", "/bin/bash").before(noise),
        SshdSetup::dropbear().before(noise),
        SshdSetup::open_ssh()
            .line("SetEnv ENV=/run/home-of-root/.profile")
            .login("root", "/bin/sh")
            .before(noise),
    ] {
        let Some((site, job)) = prepared_on(&server).await else { return };
        let ended = job.run("echo out; echo err >&2").await.with_code(0);
        assert_eq!((ended.out().as_str(), ended.err().as_str()), ("out\n", "err\n"));
        site.close().await;
    }
}

#[tokio::test]
async fn a_process_that_a_script_leaves_behind_does_not_hold_its_stage_and_lives_on() {
    for (shell, server) in servers() {
        let Some(site) = crate::site_with(&server).await else { return };
        site.set("defaults.shell", shell);
        let job = site.prepared().await;
        for script in ["sleep 1000 & echo $!", "sleep 1000 >/dev/null 2>&1 & echo $!"] {
            let ended = job.run(script).await.with_code(0);
            assert!(ended.took < fargate_tests::PATIENCE, "{:?}", ended.took);
            // It goes on until the task ends, as with every runner.
            let look = format!("{} && echo alive", alive_in_task(ended.out().trim()));
            for _ in 0..3 {
                assert_eq!(job.run(&look).await.out(), "alive\n", "{shell}: {script}");
            }
        }
        site.close().await;
    }
}

#[tokio::test]
async fn a_home_that_is_not_there_is_the_image_s_business() {
    let server = SshdSetup::open_ssh()
        .line("AuthorizedKeysFile /run/authorized_keys")
        .before("mv $HOME/.ssh/authorized_keys /run && rm -r $HOME");
    let Some((site, job)) = prepared_on(&server).await else { return };
    let ended = job.run("pwd; echo err >&2").await.with_code(0);
    assert_eq!((ended.out().as_str(), ended.err().as_str()), ("/\n", "err\n"));
    site.close().await;
}

#[tokio::test]
async fn a_script_that_clears_the_folders_of_everyone_breaks_no_later_stage() {
    for (shell, server) in servers() {
        let Some(site) = crate::site_with(&server).await else { return };
        site.set("defaults.shell", shell);
        let job = site.prepared().await;
        let clear =
            "rm -rf /dev/shm/* /dev/shm/.[!.]* /tmp/* /tmp/.[!.]* $HOME/.[!s.]*; echo clear";
        for _ in 0..2 {
            assert_eq!(job.run(clear).await.with_code(0).all(), "clear\n");
        }
        site.close().await;
    }
}

#[tokio::test]
async fn a_script_that_ends_its_own_group_is_told_by_its_signal() {
    for (shell, server) in servers() {
        let Some(site) = crate::site_with(&server).await else { return };
        site.set("defaults.shell", shell);
        let job = site.prepared().await;
        let ended = job.run("sleep 1000 & kill -TERM 0; sleep 30").await.with_code(BUILD_FAILURE);
        assert_eq!(ended.all(), "", "{shell}");
        assert_eq!(job.exit_code().as_deref(), Some("143\n"), "{shell}");
        job.run("true").await.passed();
        site.close().await;
    }
}

#[tokio::test]
async fn what_a_login_shell_s_files_set_changes_no_verdict() {
    for line in [
        r"IFS=$'\n\t'",
        "IFS=e",
        "set -euo pipefail",
        "set -x; export SHELLOPTS",
        "shopt -s nullglob failglob dotglob",
        "head() { :; }; printf() { :; }; export -f head printf",
    ] {
        let file = format!("cat >$HOME/.bashrc <<'END_OF_FILE'\n{line}\nEND_OF_FILE\n");
        let Some((site, job)) = prepared_on(&SshdSetup::open_ssh().before(&file)).await else {
            return;
        };
        let ended = job.run("#!/usr/bin/env bash\necho a; exit 3\n").await;
        assert_eq!((ended.code, ended.out().as_str()), (BUILD_FAILURE, "a\n"), "{line}");
        assert_eq!(job.exit_code().as_deref(), Some("3\n"), "{line}");
        let mut former = job.start_run("echo $$ >/tmp/pid; trap '' TERM; echo up; sleep 1000");
        former.wrote("up").await;
        former.signal(Signal::SIGKILL);
        job.heard(former).await;
        let look = format!("{} && echo alive; exit 0", alive_in_task("$(cat /tmp/pid)"));
        assert_eq!(job.run(look).await.with_code(0).out(), "", "{line}");
        site.close().await;
    }
}

/// Where an image may set what its shells obey; TMOUT is what hardened images set. Its `sh` is bash, which
/// obeys.
fn timed_out() -> Vec<(&'static str, SshdSetup)> {
    let path = "PATH=/run/bin:/usr/bin:/bin";
    let server = || SshdSetup::open_ssh().before("mkdir /run/bin && ln -s /bin/bash /run/bin/sh");
    let set = format!("SetEnv TMOUT=1 {path}");
    let profile = format!("echo 'export {path} TMOUT=1; readonly TMOUT' >$HOME/.bashrc");
    let file = format!("printf 'TMOUT=1\\n{path}\\n' >$HOME/.ssh/environment");
    let functions = "echo 'read() { return 1; }; kill() { exit 9; }; trap() { exit 9; }; IFS=0123' \
                     >/run/functions";
    vec![
        ("bash", server().line(&set)),
        ("sh", server().line(&set)),
        ("sh", server().line(&set).login("ci", "/bin/dash")),
        ("bash", server().before(&profile)),
        ("bash", server().before(&file).line("PermitUserEnvironment yes")),
        ("bash", server().before(functions).line(&format!("{set} BASH_ENV=/run/functions"))),
    ]
}

#[tokio::test]
async fn what_an_image_sets_for_idle_shells_ends_no_script_and_the_script_finds_it() {
    for (shell, server) in timed_out() {
        let Some(site) = crate::site_with(&server).await else { return };
        site.set("defaults.shell", shell);
        site.set("defaults.timeouts.client_gone", "1s");
        let job = site.prepared().await;
        // Longer than both together.
        let ended = job.run("echo begin; sleep 4; echo end; echo \"$TMOUT\"").await.with_code(0);
        assert_eq!(ended.all(), "begin\nend\n1\n", "{server:?}");
        site.close().await;
    }
}

#[tokio::test]
async fn that_output_is_left_behind_is_said_each_time() {
    let Some((site, job)) = prepared_on(&SshdSetup::open_ssh()).await else { return };
    for _ in 0..5 {
        let ended = job.run("(sleep 1000) & echo a; exit 0").await.with_code(0);
        assert_eq!(ended.out(), "a\n");
        assert!(ended.err().contains("left behind still holds its output"), "{}", ended.err());
    }
    site.close().await;
}
