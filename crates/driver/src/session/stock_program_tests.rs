//! Tests of the program for stock servers. Real shells run it, without a server: its stdin is cut,
//! it is told to end what runs, or its client leaves.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::stock::command as command_of;

const TOKEN: &str = "00112233445566778899aabbccddeeff";
const MARK: &str = "fargate-runner-started-00112233445566778899aabbccddeeff\n";

/// A shell as a login server starts it, from bash or from `sh`, with a runtime folder of its own.
struct TestLoginShell {
    folder: TempDir,
    /// The shell for which scripts are written.
    shell: &'static str,
    /// The program that is `/bin/sh`. `None` is this system's own.
    system_shell: Option<&'static str>,
    /// Variables that the image adds.
    image: Vec<(&'static str, String)>,
}

/// All shells that are `/bin/sh` somewhere.
const SYSTEM_SHELLS: [&str; 5] = ["dash", "bash", "busybox", "mksh", "zsh"];

/// bash for the script with this system's `sh`, and each of [`SYSTEM_SHELLS`] for both.
fn places() -> Vec<TestLoginShell> {
    let mut places = vec![TestLoginShell::of("bash", None)];
    for name in SYSTEM_SHELLS {
        let program = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name));
        let can_be_sh = program.iter().any(|program| program.is_file()) && can_mount();
        if can_be_sh {
            places.push(TestLoginShell::of("sh", Some(name)));
        } else {
            assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI: {name} as sh");
            println!("SKIPPED: {name} is not installed, or cannot take the place of /bin/sh here");
        }
    }
    places
}

/// Programs of util-linux that give a process mounts of its own, whoever runs them.
fn in_own_mounts() -> Command {
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "--", "/bin/sh", "-c"]);
    command
}

fn can_mount() -> bool {
    in_own_mounts().arg("mount --bind /bin/sh /bin/sh").output().is_ok_and(|o| o.status.success())
}

impl TestLoginShell {
    fn of(shell: &'static str, system_shell: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, shell, system_shell, image: Vec::new() }
    }

    /// Names it in messages.
    fn name(&self) -> String {
        format!("{} beside {}", self.shell, self.system_shell.unwrap_or("the system's sh"))
    }

    fn start(&self) -> Child {
        let own = self.folder.path();
        let mut command = match self.system_shell {
            None => Command::new("/bin/bash"),
            Some(system_shell) => {
                let mut command = in_own_mounts();
                let mount = "mount --bind \"$(command -v \"$0\")\" /bin/sh && exec \"$@\"";
                command.args([mount, system_shell]);
                // The mounts are made in the test's environment, and the shell starts in the
                // image's.
                command.args(["env", "-i"]);
                let own = own.display();
                command.args(["XDG_RUNTIME_DIR", "TMPDIR", "HOME"].map(|n| format!("{n}={own}")));
                command.arg("PATH=/usr/bin:/bin");
                command.args(self.image.iter().map(|(name, value)| format!("{name}={value}")));
                command.arg("/bin/sh");
                command
            }
        };
        command.args(["-c", &command_of(self.shell)]).env_clear().env("PATH", "/usr/bin:/bin");
        if self.system_shell.is_none() {
            command.envs(["XDG_RUNTIME_DIR", "TMPDIR", "HOME"].map(|name| (name, own)));
            command.envs(self.image.iter().map(|(name, value)| (name, value)));
        }
        command.current_dir(own).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Sends `bytes` and then closes stdin.
    fn send(&self, bytes: &[u8]) -> Output {
        let mut child = self.start();
        // A program that has already ended does not accept the rest.
        let _ = child.stdin.take().unwrap().write_all(bytes);
        child.wait_with_output().unwrap()
    }

    /// Starts `script`, and returns when it has written `up`.
    fn up(&self, script: &str) -> Child {
        let mut child = self.start();
        begin(&mut child, script);
        child
    }
}

/// Sends `script`, and returns when it has written `up`.
fn begin(child: &mut Child, script: &str) {
    child.stdin.as_mut().unwrap().write_all(&request(script.as_bytes(), 120)).unwrap();
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"up\n") {
        assert_eq!(child.stdout.as_mut().unwrap().read(&mut byte).unwrap(), 1, "it ended");
        said.push(byte[0]);
    }
    assert_eq!(String::from_utf8(said).unwrap(), format!("{MARK}up\n"));
}

/// A script whose child says that it is up. mksh handles TERM itself, and if a TERM comes just
/// before it waits for a child, it forgets it until the child ends.
const WAITS: &str = r#"/bin/sh -c "/bin/echo up; exec /bin/sleep 100"; exit 0"#;

/// A condition for `sh`: the process whose id is in the file `pid` runs, and is not a zombie.
const ALIVE: &str = "{ read -r pid <pid && read -r stat </proc/$pid/stat; } 2>/dev/null && \
                     case ${stat##*) } in [ZX]*) false;; esac";

fn request(script: &[u8], gone: u64) -> Vec<u8> {
    let length = script.len() + TOKEN.len();
    let mut request = format!("run {TOKEN} {length} 1 {gone} apart\n").into_bytes();
    request.extend_from_slice(script);
    request.extend_from_slice(TOKEN.as_bytes());
    request
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_script_that_is_cut_after_any_byte_does_not_begin() {
    let whole = request(b"touch begun\necho begun\nexit 0\n", 120);
    for place in places() {
        for cut in 0..whole.len() {
            let ended = place.send(&whole[..cut]);
            assert_eq!(ended.status.code(), Some(125), "cut after {cut} in {}", place.name());
            assert_eq!(text(&ended.stdout), "", "cut after {cut} in {}", place.name());
            assert!(!place.folder.path().join("begun").exists(), "cut after {cut}");
        }
        assert_eq!(text(&place.send(&whole).stdout), format!("{MARK}begun\n"));
        assert!(place.folder.path().join("begun").exists());
    }
}

#[test]
fn a_long_script_that_is_cut_does_not_begin() {
    let mut script = b"touch begun\n".to_vec();
    script.extend(b"echo 'a line that is long enough' >/dev/null\n".repeat(8000));
    let whole = request(&script, 120);
    assert!(whole.len() > 330 * 1024);
    for place in places() {
        for cut in (0..whole.len()).step_by(16_411).chain(whole.len() - 40..whole.len()) {
            let ended = place.send(&whole[..cut]);
            assert_eq!(ended.status.code(), Some(125), "cut after {cut} in {}", place.name());
            assert!(!place.folder.path().join("begun").exists(), "cut after {cut}");
        }
        assert_eq!(place.send(&whole).status.code(), Some(0));
        assert!(place.folder.path().join("begun").exists());
    }
}

#[test]
fn a_script_finds_nothing_of_the_program_and_its_lines_count_from_1() {
    let script =
        b"printf '%s,' \"$#\" \"$0\"; set | grep -c '^fr_'\nsleep 0 & wait; no-such-program\n";
    for place in places() {
        let ended = place.send(&request(script, 120));
        assert_eq!(ended.status.code(), Some(127));
        assert_eq!(text(&ended.stdout), format!("{MARK}0,{},0\n", place.shell));
        let said = text(&ended.stderr).strip_prefix(MARK).unwrap().to_owned();
        // busybox counts the lines of an `eval` from 0, zsh counts them as one line, and mksh names
        // none.
        let is_counted = ["2:", "line 2", "line 1"].iter().any(|line| said.contains(line));
        assert!(is_counted || matches!(place.system_shell, Some("mksh" | "zsh")), "{said}");
    }
}

#[test]
fn how_a_script_ends_is_how_the_command_ends() {
    for place in places() {
        for (script, code, signal) in [
            ("exit 3", Some(3), None),
            ("(exit 4)", Some(4), None),
            ("exit 125", Some(125), None),
            ("trap 'echo bye' EXIT; exit 5", Some(5), None),
            ("exec sh -c 'exit 6'", Some(6), None),
            ("set -e; false; exit 0", Some(1), None),
            ("kill -TERM $$; exit 0", None, Some(15)),
            ("kill -KILL $$", None, Some(9)),
            ("", Some(0), None),
        ] {
            let status = place.send(&request(script.as_bytes(), 120)).status;
            assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
        }
    }
}

#[test]
fn a_wish_to_end_reaches_the_whole_group_and_is_not_ignored_for_long() {
    for place in places() {
        let began = Instant::now();
        // Who obeys has more time than a busy machine takes.
        for (script, grace, code, signal) in [
            (WAITS, 10, None, Some(15)),
            ("trap 'exit 7' TERM; echo up; sleep 100 & wait $!; exit 0", 10, Some(7), None),
            ("trap '' TERM; echo up; sleep 100; exit 0", 1, None, Some(9)),
        ] {
            let mut child = place.up(script);
            let end = format!("end {grace}\n");
            child.stdin.as_mut().unwrap().write_all(end.as_bytes()).unwrap();
            let status = child.wait().unwrap();
            assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
        }
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn the_next_script_begins_once_the_former_one_is_gone() {
    for place in places() {
        // Nobody reads the former script's output any more, because its driver was killed.
        let mut former = place.up("echo $$ >pid; trap '' TERM; echo up; sleep 100; exit 0");
        drop(former.stdin.take());
        drop(former.stdout.take());
        let reaper = std::thread::spawn(move || former.wait().unwrap());
        let next = format!("for n in 1 2 3; do {ALIVE} || exit 0; sleep 1; done; exit 1");
        let ended = place.send(&request(next.as_bytes(), 120));
        assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
        assert_eq!(reaper.join().unwrap().signal(), Some(9));
    }
}

#[test]
fn a_script_whose_client_is_gone_for_too_long_is_ended() {
    for place in places() {
        let mut child = place.start();
        let script = b"echo up; sleep 100; exit 0";
        child.stdin.take().unwrap().write_all(&request(script, 1)).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(15));
    }
}

#[test]
fn what_a_script_that_is_over_has_left_behind_is_let_be() {
    for place in places() {
        let left = "sleep 100 >/dev/null 2>&1 & echo $! >pid; exit 0";
        assert_eq!(place.send(&request(left.as_bytes(), 120)).status.code(), Some(0));
        let look = format!("{ALIVE} && kill $pid");
        let ended = place.send(&request(look.as_bytes(), 120));
        assert_eq!(ended.status.code(), Some(0), "{}", text(&ended.stderr));
    }
}

#[test]
fn a_request_that_is_none_is_refused_and_what_the_place_has_is_told() {
    for place in places() {
        for bytes in
            [&b""[..], b"\n", b"run\n", b"reboot 1 2 3\n", b"\xff\xfe\0\n", b"run x y z w\n"]
        {
            let ended = place.send(bytes);
            assert_eq!(ended.status.code(), Some(125), "{}", String::from_utf8_lossy(bytes));
            assert_eq!(text(&ended.stdout), "");
        }
        let ended = place.send(format!("ready {TOKEN} 100 100 no-such-shell\n").as_bytes());
        assert!(text(&ended.stdout).ends_with("end\n") && !text(&ended.stdout).contains("shell\n"));
        // Process 1 of this machine does not belong to a container of ours.
        assert!(!text(&ended.stdout).contains("watchdog"), "{}", text(&ended.stdout));
    }
}

#[test]
fn where_no_record_can_be_kept_a_script_runs_and_ends_as_it_should_all_the_same() {
    for place in places() {
        // A folder cannot be written like a file, not even by root.
        std::fs::create_dir_all(place.folder.path().join(".fargate-runner/seen")).unwrap();
        let ended = place.send(&request(b"echo out; exit 3", 120));
        assert_eq!(ended.status.code(), Some(3), "{}: {}", place.shell, text(&ended.stderr));
        assert_eq!(text(&ended.stdout), format!("{MARK}out\n"));
        let name = place.name();
        let mut child = place.up(WAITS);
        child.stdin.as_mut().unwrap().write_all(b"end 10\n").unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(15), "{name}");
        let ended = place.send(format!("ready {TOKEN} 100 100 sh\n").as_bytes());
        assert_eq!(text(&ended.stdout), format!("{MARK}shell\nend\n"));
    }
}

#[test]
fn without_a_group_of_its_own_the_former_script_is_ended_before_the_next_one() {
    // An image without setsid, and a server that starts commands without a session. One shell for
    // both parts.
    if !can_mount() {
        assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI: mounts of our own");
        println!("SKIPPED: no mounts of our own are to be had here");
        return;
    }
    let place = TestLoginShell::of("sh", None);
    let start = || {
        let mut server = in_own_mounts();
        let hide = "mount --bind /dev/null \"$(command -v setsid)\" && \"$@\"; exit $?";
        server.args([hide, "server", "/bin/sh", "-c", &command_of("sh")]);
        let own = place.folder.path();
        server.env_clear().env("PATH", "/usr/bin:/bin").current_dir(own);
        server.envs(["XDG_RUNTIME_DIR", "TMPDIR", "HOME"].map(|name| (name, own)));
        server.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        server.stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut former = start();
    begin(&mut former, "echo $$ >pid; echo up; exec sleep 100");
    let mut next = start();
    let look = format!("{ALIVE} && echo alive; exit 0");
    next.stdin.take().unwrap().write_all(&request(look.as_bytes(), 120)).unwrap();
    let ended = next.wait_with_output().unwrap();
    assert_eq!(text(&ended.stdout), MARK, "{}", text(&ended.stderr));
    assert_eq!(former.wait().unwrap().code(), Some(128 + 15));
}

#[test]
fn streams_that_are_joined_come_as_one_in_their_order() {
    let script =
        b"for i in 1 2 3; do echo $i; echo e$i >&2; done; /bin/ls /no/such >&2 2>&-; exit 3";
    for place in places() {
        let whole = String::from_utf8(request(script, 120)).unwrap();
        let ended = place.send(whole.replace(" apart\n", " joined\n").as_bytes());
        let said = (text(&ended.stdout), text(&ended.stderr));
        assert_eq!(said, (&*format!("{MARK}1\ne1\n2\ne2\n3\ne3\n"), MARK), "{}", place.name());
        assert_eq!(ended.status.code(), Some(3));
    }
}

/// What images are known to set, and worse: variables, and lines of a file that bash reads.
///
/// A function named `exec` is left out: a login shell that has one cannot run any command.
fn hostile_images() -> Vec<Vec<(&'static str, String)>> {
    let one = |name, value: &str| vec![(name, value.to_owned())];
    let functions = [
        "BASH_FUNC_read%%",
        "BASH_FUNC_kill%%",
        "BASH_FUNC_trap%%",
        "BASH_FUNC_head%%",
        "BASH_FUNC_sleep%%",
        "BASH_FUNC_grep%%",
        "BASH_FUNC_printf%%",
        "BASH_FUNC_echo%%",
        "BASH_FUNC_command%%",
        "BASH_FUNC_builtin%%",
        "BASH_FUNC_true%%",
        "BASH_FUNC_[%%",
        "BASH_FUNC_rm%%",
        "BASH_FUNC_mkdir%%",
        "BASH_FUNC_setsid%%",
        "BASH_FUNC_env%%",
        "BASH_FUNC_sh%%",
        "BASH_FUNC_eval%%",
        "BASH_FUNC_exit%%",
        "BASH_FUNC_set%%",
        "BASH_FUNC_unset%%",
        "BASH_FUNC_shift%%",
        "BASH_FUNC_umask%%",
    ];
    let options = "allexport:braceexpand:errexit:hashall:noclobber:noglob:nounset:pipefail";
    vec![
        one("TMOUT", "1"),
        one("IFS", "0123456789abcdefghijklmnopqrstuvwxyz/-. "),
        one("SHELLOPTS", options),
        one("SHELLOPTS", "braceexpand:hashall:posix"),
        one("BASHOPTS", "failglob:nullglob:nocasematch:expand_aliases:xpg_echo"),
        one("POSIXLY_CORRECT", "1"),
        functions.map(|name| (name, "() { return 1; }".to_owned())).to_vec(),
        one("ENV", "bash_env"),
        one("BASH_ENV", "bash_env"),
        one("CDPATH", "/"),
        one("GLOBIGNORE", "*"),
        one("LD_PRELOAD", "/no/such/library.so"),
        one("PATH", "hostile:/usr/bin:/bin"),
    ]
}

/// Makes a file that bash may read before a script, and programs with the names that ours uses.
fn furnish(place: &TestLoginShell) {
    let own = place.folder.path();
    let lines = "export TMOUT=1; readonly TMOUT; IFS=0123456789/; set -u; set -f\n\
                 shopt -s expand_aliases; alias eval=false set=false unset=false\n\
                 read() { return 1; }; kill() { return 1; }; trap() { return 1; }\n\
                 command() { return 1; }; printf() { return 1; }; sh() { return 1; }\n";
    fs::write(own.join("bash_env"), lines).unwrap();
    fs::create_dir(own.join("hostile")).unwrap();
    for name in ["read", "kill", "trap", "head", "grep", "printf", "rm", "mkdir", "setsid", "env"] {
        let program = own.join("hostile").join(name);
        fs::write(&program, "#!/bin/sh\nexit 1\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn nothing_that_an_image_sets_ends_a_script_early_or_keeps_it_from_being_ended() {
    let tried: Vec<_> = places()
        .into_iter()
        .flat_map(|place| {
            let (shell, system_shell) = (place.shell, place.system_shell);
            hostile_images().into_iter().map(move |image| {
                let place = TestLoginShell { image, ..TestLoginShell::of(shell, system_shell) };
                furnish(&place);
                // Longer than TMOUT, and longer than a client may be gone; but this client's
                // connection is open.
                let script = b"/bin/echo up; /bin/sleep 3; /bin/echo end; exit 4";
                let mut child = place.start();
                let mut stdin = child.stdin.take().unwrap();
                stdin.write_all(&request(script, 1)).unwrap();
                (place, child, stdin)
            })
        })
        .collect();
    for (place, child, stdin) in tried {
        let said = format!("{} with {:?}", place.name(), place.image);
        let ended = child.wait_with_output().unwrap();
        drop(stdin);
        let told = (text(&ended.stdout).to_owned(), text(&ended.stderr).to_owned());
        assert_eq!(told.0, format!("{MARK}up\nend\n"), "{said}: {told:?}");
        let (_, own) = told.1.split_once(MARK).unwrap();
        assert!(own.lines().all(|line| line.contains("LD_PRELOAD")), "{said}: {told:?}");
        assert_eq!(ended.status.code(), Some(4), "{said}: {told:?}");
        let mut child = place.up(WAITS);
        child.stdin.as_mut().unwrap().write_all(b"end 10\n").unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(15), "{said}");
    }
}

#[test]
fn a_script_finds_what_its_image_sets_as_the_image_set_it() {
    let look = "echo \"$TMOUT-$KEPT-${IFS:+set}\"; exec 2>/dev/null; type helpful";
    for place in places() {
        let image = vec![
            ("TMOUT", "900".to_owned()),
            ("KEPT", " a  b ".to_owned()),
            ("BASH_FUNC_helpful%%", "() { echo helped; }".to_owned()),
        ];
        let place = TestLoginShell { image, ..place };
        let ended = place.send(&request(look.as_bytes(), 120));
        let said = text(&ended.stdout);
        assert!(said.starts_with(&format!("{MARK}900- a  b -set\n")), "{}: {said}", place.name());
        let is_bash = place.shell == "bash" || place.system_shell == Some("bash");
        assert_eq!(said.contains("helpful is a function"), is_bash, "{}: {said}", place.name());
    }
}

#[test]
fn an_image_that_traces_its_shells_traces_the_script_and_little_of_ours() {
    let image = vec![("SHELLOPTS", "braceexpand:hashall:allexport:xtrace".to_owned())];
    let place = TestLoginShell { image, ..TestLoginShell::of("bash", None) };
    let long = format!("echo up\n: {}\necho $-\n", "x".repeat(200_000));
    let ended = place.send(&request(long.as_bytes(), 120));
    let (_, said) = text(&ended.stderr).split_once(MARK).unwrap();
    assert!(said.starts_with("++ echo up\n++ : xxx"), "{}", &said[..200]);
    let (own, _) = text(&ended.stderr).split_once(MARK).unwrap();
    assert!(own.len() < 32 << 10, "{}", own.len());
    let flags = text(&ended.stdout).lines().last().unwrap();
    assert!(flags.contains('a') && flags.contains('x'), "{flags}");
}
