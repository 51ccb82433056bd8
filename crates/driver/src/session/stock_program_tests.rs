//! The program for stock servers, run by real shells without a server between: its stdin is cut,
//! told to end what runs, or left.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::stock::command;

const TOKEN: &str = "00112233445566778899aabbccddeeff";
const MARK: &str = "fargate-runner-started-00112233445566778899aabbccddeeff\n";

/// One shell as a login server would start it, with a runtime folder of its own.
struct Place {
    folder: TempDir,
    shell: &'static str,
}

/// bash, this system's sh (dash on Debian), and busybox where it is installed.
fn places() -> Vec<Place> {
    let place = |shell| Place { folder: tempfile::tempdir().unwrap(), shell };
    let mut places = vec![place("bash"), place("sh")];
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|b| Path::new(b).exists());
    match busybox {
        Some(busybox) => {
            let place = place("sh");
            std::os::unix::fs::symlink(busybox, place.folder.path().join("sh")).unwrap();
            places.push(place);
        }
        None => {
            assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI: no busybox");
            println!("SKIPPED: busybox is not installed");
        }
    }
    places
}

impl Place {
    fn start(&self) -> Child {
        let own = self.folder.path();
        let path = format!("{}:/usr/bin:/bin", own.display());
        Command::new("/bin/sh")
            .args(["-c", &command(self.shell)])
            .env_clear()
            .env("PATH", path)
            .envs(["XDG_RUNTIME_DIR", "TMPDIR", "HOME"].map(|name| (name, own)))
            .current_dir(own)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Sends `bytes`, and nothing more.
    fn send(&self, bytes: &[u8]) -> Output {
        let mut child = self.start();
        // A program that has already left does not take the rest.
        let _ = child.stdin.take().unwrap().write_all(bytes);
        child.wait_with_output().unwrap()
    }

    /// Starts `script` and returns once it has said `up`.
    fn up(&self, script: &str) -> Child {
        let mut child = self.start();
        begin(&mut child, script);
        child
    }
}

/// Sends `script` and returns once it has said `up`.
fn begin(child: &mut Child, script: &str) {
    child.stdin.as_mut().unwrap().write_all(&request(script.as_bytes(), 120)).unwrap();
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"up\n") {
        assert_eq!(child.stdout.as_mut().unwrap().read(&mut byte).unwrap(), 1, "it ended");
        said.push(byte[0]);
    }
    assert_eq!(String::from_utf8(said).unwrap(), format!("{MARK}up\n"));
}

/// A condition of `sh`: the process whose id stands in the file `pid` runs, and is no zombie.
const ALIVE: &str = "{ read -r pid <pid && read -r stat </proc/$pid/stat; } 2>/dev/null && \
                     case ${stat##*) } in [ZX]*) false;; esac";

fn request(script: &[u8], gone: u64) -> Vec<u8> {
    let length = script.len() + TOKEN.len();
    let mut request = format!("run {TOKEN} {length} 1 {gone}\n").into_bytes();
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
            assert_eq!(ended.status.code(), Some(125), "cut after {cut} in {}", place.shell);
            assert_eq!(text(&ended.stdout), "", "cut after {cut} in {}", place.shell);
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
            assert_eq!(ended.status.code(), Some(125), "cut after {cut} in {}", place.shell);
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
        // busybox counts the lines of an `eval` from 0.
        assert!(
            said.contains("2:") || said.contains("line 2") || said.contains("line 1"),
            "{said}"
        );
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
        for (script, code, signal) in [
            ("echo up; sleep 100; exit 0", None, Some(15)),
            ("trap 'exit 7' TERM; echo up; sleep 100 & wait $!; exit 0", Some(7), None),
            ("trap '' TERM; echo up; sleep 100; exit 0", None, Some(9)),
        ] {
            let mut child = place.up(script);
            child.stdin.as_mut().unwrap().write_all(b"end 1\n").unwrap();
            let status = child.wait().unwrap();
            assert_eq!((status.code(), status.signal()), (code, signal), "{script}");
        }
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn the_next_script_begins_once_the_former_one_is_gone() {
    for place in places() {
        // Nobody reads the former one any more; its driver was killed.
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
        // Process 1 of this machine is none of our containers.
        assert!(!text(&ended.stdout).contains("watchdog"), "{}", text(&ended.stdout));
    }
}

#[test]
fn where_no_record_can_be_kept_a_script_runs_and_ends_as_it_should_all_the_same() {
    for place in places() {
        // Nobody can write to what is a folder, not even root.
        std::fs::create_dir_all(place.folder.path().join(".fargate-runner/seen")).unwrap();
        let ended = place.send(&request(b"echo out; exit 3", 120));
        assert_eq!(ended.status.code(), Some(3), "{}: {}", place.shell, text(&ended.stderr));
        assert_eq!(text(&ended.stdout), format!("{MARK}out\n"));
        let mut child = place.up("echo up; sleep 100; exit 0");
        child.stdin.as_mut().unwrap().write_all(b"end 1\n").unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        let ended = place.send(format!("ready {TOKEN} 100 100 sh\n").as_bytes());
        assert_eq!(text(&ended.stdout), format!("{MARK}shell\nend\n"));
    }
}

#[test]
fn without_a_group_of_its_own_the_former_script_is_ended_before_the_next_one() {
    // An image without setsid, and a server that gives commands no session: one shell for both.
    let place = Place { folder: tempfile::tempdir().unwrap(), shell: "sh" };
    let tools = place.folder.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    for tool in ["sh", "head", "sleep", "mkdir", "rm", "cat", "grep"] {
        let found = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
        let found = found.into_iter().find(|path| path.exists()).unwrap();
        std::os::unix::fs::symlink(found, tools.join(tool)).unwrap();
    }
    let start = || {
        let mut server = Command::new("/bin/sh");
        server.args(["-c", "\"$@\"; exit $?", "server", "/bin/sh", "-c", &command("sh")]);
        let own = place.folder.path();
        server.env_clear().env("PATH", &tools).current_dir(own);
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
