//! Puts a command line into the shape that the parser knows: GitLab's driver takes one dash or two,
//! a space or `=`, `--debug=false`, short names of its sub-commands, and the last of two equal flags.
//!
//! Flags of every command are taken from wherever they stand and put in front, once each. What is
//! not one of them stays where it is, for the parser to judge. From the script of `run` on, and after
//! `--`, nothing is touched: what stands there is not ours.
//!
//! Source: the documentation of Go's package `flag`, "Command line flag syntax".

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Flags of every command that take a value.
const WITH_VALUE: [&str; 7] =
    ["config", "profile", "log-level", "log-file", "log-format", "task-def", "platform-version"];

/// The flag of every command that takes none.
const SWITCH: &str = "debug";

/// Flags that are asked where they stand: help is about the command before it.
const ASKED: [&str; 2] = ["help", "version"];

/// Flags of `exec` that take a value, which is no word to look at.
const OF_EXEC: [&str; 3] = ["--cpu", "--memory", "--script"];

/// What GitLab's driver is called, and a link to this one may be.
const THEIR_NAME: &str = "fargate";

/// Whether the program was called by the name of GitLab's driver.
pub fn is_called_as_theirs(line: &[OsString]) -> bool {
    let name = line.first().map(std::path::Path::new).and_then(std::path::Path::file_name);
    name == Some(OsStr::new(THEIR_NAME))
}

/// The line in the parser's shape.
///
/// # Errors
///
/// A switch with a value that is neither true nor false, in words.
pub fn normalized(line: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, String> {
    let mut words = line.into_iter();
    let program = words.next().unwrap_or_else(|| "fargate-runner".into());
    let mut flags = CollectedFlags::default();
    let mut rest: Vec<OsString> = Vec::new();
    let mut place = WordPosition::Command;
    while let Some(word) = words.next() {
        if place == WordPosition::Verbatim {
            rest.push(word);
            continue;
        }
        if word == "--" {
            // Before a sub-command it only says that a word follows, which it does.
            if !matches!(place, WordPosition::Command | WordPosition::Stage | WordPosition::Script)
            {
                rest.push(word);
                place = WordPosition::Verbatim;
            }
        } else if word == "-v" && place == WordPosition::Command {
            // Short for the version there. Source: urfave/cli, `VersionFlag`.
            rest.push("--version".into());
        } else if let Some(flag) = WrittenFlag::read(&word) {
            rest.extend(flags.take(flag, &mut words)?);
        } else if word.as_bytes().starts_with(b"-") && word.len() > 1 {
            let takes = place == WordPosition::Exec && OF_EXEC.iter().any(|flag| word == *flag);
            rest.push(word);
            rest.extend(takes.then(|| words.next()).flatten());
        } else {
            let (known, next) = place.word(&word);
            rest.push(known.map_or(word, OsString::from));
            place = next;
        }
    }
    Ok(std::iter::once(program).chain(flags.in_front()).chain(rest).collect())
}

/// Which word comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WordPosition {
    /// A sub-command.
    Command,
    /// A stage of `custom`.
    Stage,
    /// The script of `run`.
    Script,
    /// Words of `exec`, before `--`.
    Exec,
    /// Words of another command.
    Other,
    /// What is not ours.
    Verbatim,
}

impl WordPosition {
    /// The full name of a word that stands here, if it is a short one, and what comes after it.
    fn word(self, word: &OsStr) -> (Option<&'static str>, Self) {
        match (self, word.to_str().unwrap_or_default()) {
            (Self::Command, "custom") => (None, Self::Stage),
            (Self::Command, "c") => (Some("custom"), Self::Stage),
            (Self::Command, "exec") => (None, Self::Exec),
            (Self::Stage, "co") => (Some("config"), Self::Other),
            (Self::Stage, "p") => (Some("prepare"), Self::Other),
            (Self::Stage, "cl") => (Some("cleanup"), Self::Other),
            (Self::Stage, "run") => (None, Self::Script),
            (Self::Stage, "r") => (Some("run"), Self::Script),
            (Self::Script, _) => (None, Self::Verbatim),
            (Self::Exec, _) => (None, Self::Exec),
            _ => (None, Self::Other),
        }
    }
}

/// A flag of every command as it was written.
enum WrittenFlag {
    /// Its name, and its value where it stands in the same word.
    Value(&'static str, Option<OsString>),
    Switch(Option<OsString>),
    /// Help or version, with a value that may deny it.
    Asked(&'static str, Option<OsString>),
}

impl WrittenFlag {
    fn read(word: &OsStr) -> Option<Self> {
        let bytes = word.as_bytes();
        let long = bytes.strip_prefix(b"--").or_else(|| bytes.strip_prefix(b"-"))?;
        let (name, value) = match long.iter().position(|&b| b == b'=') {
            None => (long, None),
            Some(at) => (&long[..at], Some(OsString::from_vec(long[at + 1..].to_vec()))),
        };
        let is = |known: &&'static str| known.as_bytes() == name;
        if let Some(known) = WITH_VALUE.iter().copied().find(is) {
            return Some(Self::Value(known, value));
        }
        if name == SWITCH.as_bytes() {
            return Some(Self::Switch(value));
        }
        if let Some(known) = ASKED.iter().copied().find(is) {
            return Some(Self::Asked(known, value));
        }
        // Ours: `-c FILE`, `-c=FILE` and `-cFILE`.
        let short = bytes.strip_prefix(b"-c")?;
        let value = short.strip_prefix(b"=").unwrap_or(short);
        let value = (!short.is_empty()).then(|| OsString::from_vec(value.to_vec()));
        Some(Self::Value("config", value))
    }
}

/// The flags of every command that were seen, the last of each.
#[derive(Default)]
struct CollectedFlags {
    values: Vec<(&'static str, OsString)>,
    debug: bool,
}

impl CollectedFlags {
    /// Takes a flag, and its value from the words that follow where it needs one. What it gives back
    /// stays in its place.
    fn take(
        &mut self,
        flag: WrittenFlag,
        words: &mut impl Iterator<Item = OsString>,
    ) -> Result<Option<OsString>, String> {
        match flag {
            WrittenFlag::Value(name, value) => match value.or_else(|| words.next()) {
                Some(value) => {
                    self.values.retain(|(known, _)| *known != name);
                    self.values.push((name, value));
                }
                // The parser says that a value is missing.
                None => return Ok(Some(format!("--{name}").into())),
            },
            WrittenFlag::Switch(value) => self.debug = is_true(SWITCH, value.as_deref())?,
            WrittenFlag::Asked(name, value) => {
                let asked = is_true(name, value.as_deref())?;
                return Ok(asked.then(|| format!("--{name}").into()));
            }
        }
        Ok(None)
    }

    fn in_front(self) -> impl Iterator<Item = OsString> {
        let joined = |(name, value): (&str, OsString)| {
            let mut word = OsString::from(format!("--{name}="));
            word.push(value);
            word
        };
        let debug = self.debug.then(|| format!("--{SWITCH}").into());
        self.values.into_iter().map(joined).chain(debug)
    }
}

/// Source: Go, `strconv.ParseBool`.
fn is_true(name: &str, value: Option<&OsStr>) -> Result<bool, String> {
    let Some(value) = value else { return Ok(true) };
    match value.to_str() {
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        _ => {
            let given = fargate_model::text::escape_within(&value.to_string_lossy(), 60);
            Err(format!("flag `--{name}` is \"{given}\", allowed are `true` and `false`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &str) -> Vec<String> {
        let words = words.split(' ').filter(|word| !word.is_empty()).map(OsString::from);
        let line = normalized(std::iter::once(OsString::from("x")).chain(words));
        line.unwrap()[1..].iter().map(|word| word.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_flag_is_taken_in_every_form_and_place() {
        for name in WITH_VALUE {
            for form in ["-N=a", "--N=a", "-N a", "--N a"] {
                let flag = form.replace('N', name);
                let front = format!("--{name}=a");
                for (place, words) in [
                    (format!("{flag} custom prepare"), "custom prepare"),
                    (format!("custom {flag} prepare"), "custom prepare"),
                    (format!("custom prepare {flag}"), "custom prepare"),
                    (format!("{flag} c r /s stage"), "custom run /s stage"),
                    (format!("c {flag} r /s stage"), "custom run /s stage"),
                    (format!("c r {flag} /s stage"), "custom run /s stage"),
                    (format!("exec {flag} -q -- true"), "exec -q -- true"),
                ] {
                    let expected = format!("{front} {words}");
                    assert_eq!(line(&place), expected.split(' ').collect::<Vec<_>>(), "{place}");
                }
            }
        }
        for form in ["-c=a", "-c a", "-ca"] {
            assert_eq!(
                line(&format!("custom {form} prepare")),
                ["--config=a", "custom", "prepare"]
            );
        }
    }

    #[test]
    fn every_alias_is_the_command_that_it_stands_for() {
        for (short, long) in [
            ("c co", "custom config"),
            ("c p", "custom prepare"),
            ("c cl", "custom cleanup"),
            ("c r /s stage", "custom run /s stage"),
            ("custom co", "custom config"),
            ("c cleanup", "custom cleanup"),
            // Our own `config` has no alias, and its words are not those of `custom`.
            ("config c", "config c"),
            ("config show", "config show"),
            ("config import c", "config import c"),
        ] {
            assert_eq!(line(short), long.split(' ').collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_switch_may_have_a_value_and_the_last_one_decides() {
        for value in ["1", "t", "T", "true", "TRUE", "True"] {
            assert_eq!(line(&format!("-debug={value} c p")), ["--debug", "custom", "prepare"]);
        }
        for value in ["0", "f", "F", "false", "FALSE", "False"] {
            assert_eq!(line(&format!("--debug={value} c p")), ["custom", "prepare"]);
            assert_eq!(line(&format!("--debug c p --debug={value}")), ["custom", "prepare"]);
            assert_eq!(line(&format!("--help={value} c p")), ["custom", "prepare"]);
        }
        // A word that follows is not its value.
        assert_eq!(line("--debug false"), ["--debug", "false"]);
        let words = ["x", "--debug=may\u{1b}be"].map(OsString::from);
        let refused = normalized(words).unwrap_err();
        insta::assert_snapshot!(refused, @r#"flag `--debug` is "may\x1bbe", allowed are `true` and `false`"#);
    }

    #[test]
    fn of_two_equal_flags_the_last_one_decides() {
        assert_eq!(line("-config a c -c b p"), ["--config=b", "custom", "prepare"]);
        assert_eq!(line("--log-level= c p"), ["--log-level=", "custom", "prepare"]);
    }

    #[test]
    fn a_value_may_look_like_a_flag() {
        assert_eq!(line("-log-level -debug c p"), ["--log-level=-debug", "custom", "prepare"]);
        assert_eq!(line("--config -- c p"), ["--config=--", "custom", "prepare"]);
        assert_eq!(line("exec --script -debug -q"), ["exec", "--script", "-debug", "-q"]);
    }

    #[test]
    fn help_and_version_stay_where_they_are_asked() {
        assert_eq!(line("-help"), ["--help"]);
        assert_eq!(line("-version"), ["--version"]);
        assert_eq!(line("-v"), ["--version"]);
        assert_eq!(line("custom -help"), ["custom", "--help"]);
        assert_eq!(line("custom run -h"), ["custom", "run", "-h"]);
    }

    #[test]
    fn from_the_script_on_and_after_two_dashes_nothing_is_touched() {
        let words = "-config x -debug=maybe c r --help --";
        assert_eq!(
            line(&format!("c r /s {words}")),
            format!("custom run /s {words}").split(' ').collect::<Vec<_>>()
        );
        assert_eq!(
            line(&format!("exec -- {words}")),
            format!("exec -- {words}").split(' ').collect::<Vec<_>>()
        );
        assert_eq!(line("-- custom -- run -- /s stage"), ["custom", "run", "/s", "stage"]);
    }

    /// Words that mean something somewhere, and some that mean nothing anywhere.
    const POOL: [&str; 24] = [
        "custom",
        "c",
        "config",
        "co",
        "prepare",
        "p",
        "run",
        "r",
        "cleanup",
        "cl",
        "exec",
        "--",
        "-",
        "-c",
        "-cx",
        "--config",
        "-log-file=",
        "--debug",
        "-debug=false",
        "--cpu",
        "-h",
        "",
        "--unknown=1",
        "x",
    ];

    proptest::proptest! {
        #[test]
        fn any_line_is_taken_and_what_follows_a_script_is_as_it_was(
            before in proptest::sample::subsequence(POOL.to_vec(), 0..POOL.len()),
            after in proptest::collection::vec(".{0,12}", 0..6),
        ) {
            let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
            let _ = normalized(words(&before));
            let after: Vec<&str> = after.iter().map(String::as_str).collect();
            let line = normalized(words(&[&["x", "c", "r", "/s"][..], &after].concat())).unwrap();
            proptest::prop_assert_eq!(&line[4..], &words(&after));
        }
    }

    #[test]
    fn words_that_are_no_text_pass_as_they_are() {
        let raw = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let words =
            [raw(b"x"), raw(b"-config"), raw(b"/\xff"), raw(b"c"), raw(b"p"), raw(b"-\xfe")];
        let line = normalized(words).unwrap();
        assert_eq!(
            line[1..],
            [raw(b"--config=/\xff"), raw(b"custom"), raw(b"prepare"), raw(b"-\xfe")]
        );
    }

    #[test]
    fn a_line_without_a_word_and_flags_without_a_value_are_left_to_the_parser() {
        assert_eq!(normalized([]).unwrap(), ["fargate-runner"]);
        assert_eq!(line(""), Vec::<String>::new());
        assert_eq!(line("custom prepare --config"), ["custom", "prepare", "--config"]);
        assert_eq!(line("- c"), ["-", "c"]);
        assert_eq!(line("--unknown c p"), ["--unknown", "custom", "prepare"]);
    }

    #[test]
    fn the_name_of_their_driver_is_the_last_part_of_the_path() {
        let called = |name: &str| is_called_as_theirs(&[OsString::from(name)]);
        assert!(called("fargate") && called("/opt/gitlab-runner/fargate"));
        assert!(!called("fargate-runner") && !called("/fargate/x") && !called(""));
        assert!(!is_called_as_theirs(&[]));
    }
}
