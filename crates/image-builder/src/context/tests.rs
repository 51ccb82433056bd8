use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use super::super::{ContextError, ContextFolder};
use super::*;
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn read(folder: &TempDir) -> Result<ContextFolder, ContextError> {
    ContextFolder::read(folder.path(), "Dockerfile")
}

fn tar(folder: &TempDir) -> Vec<u8> {
    let mut out = Vec::new();
    read(folder).unwrap().write_tar(&mut out, 1_700_000_000).unwrap();
    out
}

/// What GNU tar says of it: mode, owner, size, time and name of each entry.
fn listed(tar: &[u8]) -> Vec<String> {
    let mut list = Command::new("tar")
        .args(["--list", "--verbose", "--numeric-owner", "--utc", "--file=-"])
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = list.stdin.take().unwrap();
    let tar = tar.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&tar).unwrap());
    let output = list.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    String::from_utf8(output.stdout).unwrap().lines().map(words).collect()
}

#[test]
fn the_tar_is_sorted_owned_by_root_and_has_two_modes_and_one_time() {
    let folder =
        folder(&[("b/run.sh", "#!/bin/sh\n"), ("b-a", ""), ("Dockerfile", "FROM scratch\n")]);
    let mode = |path: &str, mode| {
        fs::set_permissions(folder.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("b/run.sh", 0o700);
    mode("b-a", 0o666);
    symlink("../b-a", folder.path().join("b/link")).unwrap();
    assert_eq!(
        listed(&tar(&folder)),
        [
            "-rw-r--r-- 0/0 13 2023-11-14 22:13 Dockerfile",
            "drwxr-xr-x 0/0 0 2023-11-14 22:13 b/",
            "lrwxrwxrwx 0/0 0 2023-11-14 22:13 b/link -> ../b-a",
            "-rwxr-xr-x 0/0 10 2023-11-14 22:13 b/run.sh",
            "-rw-r--r-- 0/0 0 2023-11-14 22:13 b-a",
        ]
    );
}

#[test]
fn long_names_and_targets_and_an_empty_file_survive() {
    let name = format!("{}/{}/{}", "d".repeat(120), "ü".repeat(100), "x".repeat(80));
    let folder = folder(&[(&name, ""), ("Dockerfile", "FROM scratch\n")]);
    symlink(&name, folder.path().join("link")).unwrap();
    let list = listed(&tar(&folder)).join("\n");
    assert!(list.contains(&"ü".repeat(100)) && list.contains(&"x".repeat(80)), "{list}");
    assert!(list.contains(&format!("link -> {}", "d".repeat(120))), "{list}");
}

#[test]
fn equal_contents_have_equal_digests_whatever_their_times_and_their_order() {
    let files = [("z", "1"), ("a/b", "2"), ("Dockerfile", "FROM scratch\n")];
    let reversed: Vec<_> = files.iter().rev().copied().collect();
    let digest = |files: &[(&str, &str)]| read(&folder(files)).unwrap().summary(5).unwrap();
    let first = digest(&files);
    assert_eq!(first, digest(&reversed));
    assert_eq!((first.files, first.bytes), (3, 15));
    assert_ne!(first.digest, digest(&[("z", "3"), files[1], files[2]]).digest);
}

#[test]
fn ignored_files_are_not_sent_and_those_that_are_taken_in_again_are() {
    let folder = folder(&[
        (".dockerignore", "**\n!keep\n!Dockerfile\nkeep/*.env\n"),
        ("secret.env", "TOKEN=1"),
        ("keep/a", "1"),
        ("keep/b.env", "2"),
        ("deep/folder/c", "3"),
        ("Dockerfile", "FROM scratch\n"),
    ]);
    let read = read(&folder).unwrap();
    let paths: Vec<_> = read.entries().iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["Dockerfile", "keep", "keep/a"]);
    assert!(read.ignores("secret.env") && read.has("keep") && !read.has("secret.env"));
}

#[test]
fn the_ignore_file_of_the_dockerfile_goes_before_the_general_one() {
    let folder = folder(&[
        (".dockerignore", "a"),
        ("Dockerfile.dockerignore", "b"),
        ("a", ""),
        ("b", ""),
        ("Dockerfile", "FROM scratch\n"),
    ]);
    let read = read(&folder).unwrap();
    assert!(read.has("a") && !read.has("b"));
}

#[test]
fn an_ignored_dockerfile_reaches_the_engine_and_is_hidden_from_the_build() {
    let folder =
        folder(&[(".dockerignore", "Dockerfile\n"), ("a", "1"), ("Dockerfile", "FROM scratch\n")]);
    let list = listed(&tar(&folder)).join("\n");
    assert!(list.contains("Dockerfile") && list.matches(".dockerignore").count() == 1, "{list}");
    let text = tar(&folder);
    let hides = b"Dockerfile\n.dockerignore\n";
    assert!(text.windows(hides.len()).any(|part| part == hides));
}

#[test]
fn what_must_not_be_sent_is_refused_with_its_path_unless_it_is_ignored() {
    let refused = |make: &dyn Fn(&std::path::Path), what: &str| {
        let folder = folder(&[("sub/a", ""), ("Dockerfile", "FROM scratch\n")]);
        make(&folder.path().join("sub/bad"));
        let error = read(&folder).unwrap_err().to_string();
        assert!(error.contains("`sub/bad`") && error.contains(what), "{error}");
        fs::write(folder.path().join(".dockerignore"), "sub/b*\n").unwrap();
        assert!(read(&folder).is_ok());
    };
    let mode = nix::sys::stat::Mode::S_IRWXU;
    refused(&|path| symlink("/etc/shadow", path).unwrap(), "outside the context");
    refused(&|path| symlink("../../up", path).unwrap(), "outside the context");
    refused(&|path| nix::unistd::mkfifo(path, mode).unwrap(), "a FIFO");
    refused(&|path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()), "a socket");
}

#[test]
fn links_in_a_circle_are_sent_as_they_are() {
    let folder = folder(&[("Dockerfile", "FROM scratch\n")]);
    symlink("b", folder.path().join("a")).unwrap();
    symlink("a", folder.path().join("b")).unwrap();
    assert_eq!(listed(&tar(&folder)).len(), 3);
}

#[test]
fn the_history_of_git_is_sent_only_if_the_ignore_file_asks_for_it() {
    let folder = folder(&[(".git/config", ""), ("Dockerfile", "FROM scratch\n")]);
    assert!(matches!(read(&folder), Err(ContextError::GitFolder)));
    fs::write(folder.path().join(".dockerignore"), ".git\n").unwrap();
    assert!(!read(&folder).unwrap().has(".git"));
    fs::write(folder.path().join(".dockerignore"), "!.git\n").unwrap();
    assert!(read(&folder).unwrap().has(".git/config"));
}

#[test]
fn a_file_that_changes_or_goes_meanwhile_ends_the_tar() {
    for change in [
        |path: &Path| fs::write(path, "more").unwrap(),
        |path: &Path| {
            fs::remove_file(path).unwrap();
        },
    ] {
        let folder = folder(&[("a", "1"), ("Dockerfile", "FROM scratch\n")]);
        let read = read(&folder).unwrap();
        change(&folder.path().join("a"));
        let error = read.write_tar(&mut io::sink(), 0).unwrap_err().to_string();
        assert!(error.contains("changed while") || error.contains("No such file"), "{error}");
    }
}

#[test]
fn a_name_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder(&[("Dockerfile", "FROM scratch\n")]);
    fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"a\xff")), "").unwrap();
    assert!(read(&folder).unwrap_err().to_string().contains("is not UTF-8"));
}
