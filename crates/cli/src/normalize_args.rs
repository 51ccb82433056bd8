//! Puts a command line into the shape that the parser knows: GitLab's driver takes one dash or two,
//! a space or `=`, `--debug=false`, short names of its sub-commands, and the last of two equal flags.
//!
//! The flags of every command, whose names come from clap's own command, are taken from wherever they
//! stand and put in front, once each. Everything else stays where it is, for the parser to judge. From
//! the script of `run` on, and after `--`, nothing is changed: those words are not ours.
//!
//! Source: the documentation of Go's package `flag`, "Command line flag syntax".

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::ArgAction;

/// The names of the flags that clap's command knows, without dashes.
#[derive(Debug)]
pub struct FlagNames {
    /// Flags of every command that take a value.
    with_value: Vec<String>,
    /// Their short names, with the long ones that they stand for.
    short: Vec<(char, String)>,
    /// Flags of every command that take none.
    switches: Vec<String>,
    /// Flags that are asked where they stand: help is about the command before it.
    asked: Vec<String>,
    /// Flags of `exec` that take a value, which is no word to look at; with their dashes.
    of_exec: Vec<String>,
}

impl FlagNames {
    /// Those of the whole program. `command` must be built, so that it has the flags of clap's own.
    pub fn of(command: &clap::Command) -> Self {
        let mut names = Self {
            with_value: Vec::new(),
            short: Vec::new(),
            switches: Vec::new(),
            asked: Vec::new(),
            of_exec: Vec::new(),
        };
        for flag in command.get_arguments() {
            let Some(name) = flag.get_long().map(str::to_owned) else { continue };
            match flag.get_action() {
                ArgAction::Help | ArgAction::Version => names.asked.push(name),
                action if action.takes_values() => {
                    names.short.extend(flag.get_short().map(|short| (short, name.clone())));
                    names.with_value.push(name);
                }
                _ => names.switches.push(name),
            }
        }
        let exec =
            command.find_subcommand("exec").into_iter().flat_map(|exec| exec.get_arguments());
        let own = exec.filter(|flag| !flag.is_global_set() && flag.get_action().takes_values());
        names.of_exec.extend(own.filter_map(|flag| Some(format!("--{}", flag.get_long()?))));
        names
    }
}

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
pub fn normalized(
    line: impl IntoIterator<Item = OsString>,
    names: &FlagNames,
) -> Result<Vec<OsString>, String> {
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
        } else if let Some(flag) = WrittenFlag::read(&word, names) {
            rest.extend(flags.take(flag, &mut words)?);
        } else if word.as_bytes().starts_with(b"-") && word.len() > 1 {
            let takes = place == WordPosition::Exec
                && names.of_exec.iter().any(|flag| word == flag.as_str());
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

/// A flag of every command as it was written, by its long name.
enum WrittenFlag<'n> {
    /// With its value, where that stands in the same word.
    Value(&'n str, Option<OsString>),
    /// With a value that may switch it off.
    Switch(&'n str, Option<OsString>),
    /// Help or version, with a value that may deny it.
    Asked(&'n str, Option<OsString>),
}

impl<'n> WrittenFlag<'n> {
    fn read(word: &OsStr, names: &'n FlagNames) -> Option<Self> {
        let bytes = word.as_bytes();
        let long = bytes.strip_prefix(b"--").or_else(|| bytes.strip_prefix(b"-"))?;
        let (name, value) = match long.iter().position(|&b| b == b'=') {
            None => (long, None),
            Some(at) => (&long[..at], Some(OsString::from_vec(long[at + 1..].to_vec()))),
        };
        let among = |known: &'n [String]| {
            known.iter().map(String::as_str).find(|known| known.as_bytes() == name)
        };
        if let Some(known) = among(&names.with_value) {
            return Some(Self::Value(known, value));
        }
        if let Some(known) = among(&names.switches) {
            return Some(Self::Switch(known, value));
        }
        if let Some(known) = among(&names.asked) {
            return Some(Self::Asked(known, value));
        }
        names.short.iter().find_map(|(short, known)| Self::read_short(bytes, *short, known))
    }

    /// Ours, as `-c`: `-c FILE`, `-c=FILE` and `-cFILE`.
    fn read_short(word: &[u8], short: char, name: &'n str) -> Option<Self> {
        let given = word.strip_prefix(format!("-{short}").as_bytes())?;
        let value = given.strip_prefix(b"=").unwrap_or(given);
        let value = (!given.is_empty()).then(|| OsString::from_vec(value.to_vec()));
        Some(Self::Value(name, value))
    }
}

/// The flags of every command that were seen, the last of each.
#[derive(Default)]
struct CollectedFlags<'n> {
    values: Vec<(&'n str, OsString)>,
    switches: Vec<&'n str>,
}

impl<'n> CollectedFlags<'n> {
    /// Takes a flag, and its value from the words that follow where it needs one. What it gives back
    /// stays in its place.
    fn take(
        &mut self,
        flag: WrittenFlag<'n>,
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
            WrittenFlag::Switch(name, value) => {
                let is_on = is_true(name, value.as_deref())?;
                self.switches.retain(|known| *known != name);
                self.switches.extend(is_on.then_some(name));
            }
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
        let switches = self.switches.into_iter().map(|name| format!("--{name}").into());
        self.values.into_iter().map(joined).chain(switches)
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
    use clap::CommandFactory;

    fn names() -> FlagNames {
        let mut command = crate::args::RunnerCli::command();
        command.build();
        FlagNames::of(&command)
    }

    fn normalized(line: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, String> {
        super::normalized(line, &names())
    }

    #[test]
    fn the_names_are_those_that_clap_knows() {
        let names = names();
        assert_eq!(
            names.with_value,
            [
                "config",
                "profile",
                "log-level",
                "log-file",
                "log-format",
                "task-def",
                "platform-version"
            ]
        );
        assert_eq!(names.short, [('c', "config".to_owned())]);
        assert_eq!((names.switches, names.asked.len()), (vec!["debug".to_owned()], 2));
        assert_eq!(names.of_exec, ["--cpu", "--memory", "--script"]);
    }

    fn line(words: &str) -> Vec<String> {
        let words = words.split(' ').filter(|word| !word.is_empty()).map(OsString::from);
        let line = normalized(std::iter::once(OsString::from("x")).chain(words));
        line.unwrap()[1..].iter().map(|word| word.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_flag_is_taken_in_every_form_and_place() {
        for name in names().with_value {
            for form in ["-N=a", "--N=a", "-N a", "--N a"] {
                let flag = form.replace('N', &name);
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
