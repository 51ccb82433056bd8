//! What is wrong or dangerous in a Dockerfile, with the line of each.

use crate::context::ContextFolder;

use super::base_image::base_images;
use super::dockerfile_lexer::{DockerfileInstruction, ParsedDockerfile, split_words};

/// Words of a name whose value is a secret.
const SECRET_WORDS: [&str; 8] =
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "KEY", "CREDENTIAL", "CREDENTIALS", "APIKEY"];
/// Words of a name that show that its value is none: what is public, or where something is.
const HARMLESS_WORDS: [&str; 13] = [
    "PUBLIC",
    "GPG",
    "PUB",
    "KEYRING",
    "FINGERPRINT",
    "FILE",
    "PATH",
    "DIR",
    "ID",
    "SERVER",
    "URL",
    "NAME",
    "TYPE",
];
/// The instructions that there are.
const INSTRUCTIONS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Whether a finding stops the build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LintSeverity {
    /// Nothing is built.
    Error,
    /// It is told, and the build goes on.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintFinding {
    /// The line in the Dockerfile; none for a build argument of the configuration.
    pub line: Option<usize>,
    /// Whether it stops the build.
    pub severity: LintSeverity,
    /// What is wrong.
    pub what: String,
    /// The next step.
    pub hint: String,
}

/// Whether the value of a variable with this name is a secret, as far as the name tells.
#[must_use]
pub fn has_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let mut words = name.split(['_', '.', '-']);
    let ends = |word: &str| SECRET_WORDS.iter().any(|secret| word.ends_with(secret));
    words.clone().any(ends) && !words.any(|word| HARMLESS_WORDS.contains(&word))
}

/// Everything that was found, by lines.
#[must_use]
pub fn lint(
    file: &ParsedDockerfile,
    build_args: &[(&str, &str)],
    context: &ContextFolder,
) -> Vec<LintFinding> {
    let mut findings = Vec::new();
    for (name, _) in build_args.iter().filter(|(name, _)| has_secret_name(name)) {
        findings.push(secret_name(None, "build argument", name));
    }
    if let Some(image) = &file.syntax {
        findings.push(LintFinding {
            line: Some(1),
            severity: LintSeverity::Warning,
            what: format!(
                "`# syntax={image}` makes an engine with BuildKit fetch that image first"
            ),
            hint: "leave the line out, unless the engine reaches that registry".to_owned(),
        });
    }
    for one in &file.instructions {
        findings.extend(of_instruction(one, context));
    }
    for base in base_images(file, build_args) {
        if base.is_unknown || !base.is_pinned() {
            findings.push(LintFinding {
                line: Some(base.line),
                severity: LintSeverity::Warning,
                what: format!("the base `{}` may be another image tomorrow", base.image),
                hint: "name its digest: `IMAGE@sha256:...`".to_owned(),
            });
        }
    }
    findings.sort_by_key(|finding| finding.line);
    findings
}

fn of_instruction(one: &DockerfileInstruction, context: &ContextFolder) -> Vec<LintFinding> {
    let line = Some(one.line);
    match one.keyword.as_str() {
        "ARG" | "ENV" | "LABEL" => {
            let secret = |name: &String| {
                // A label describes; only its value could be a secret, which the gate looks for.
                one.keyword != "LABEL" && has_secret_name(name)
            };
            let names = names(one).into_iter().filter(secret);
            names.map(|name| secret_name(line, &one.keyword, &name)).collect()
        }
        "ADD" => of_add(one, context),
        "COPY" if one.flag("from").is_none() => missing_sources(one, context),
        "ONBUILD" => {
            let (keyword, rest) = one.arguments.split_once(' ').unwrap_or((&one.arguments, ""));
            let secret = matches!(keyword.to_ascii_uppercase().as_str(), "ARG" | "ENV");
            let inner = DockerfileInstruction {
                keyword: keyword.to_ascii_uppercase(),
                arguments: rest.to_owned(),
                ..one.clone()
            };
            if secret { of_instruction(&inner, context) } else { Vec::new() }
        }
        known if INSTRUCTIONS.contains(&known) => Vec::new(),
        other => vec![LintFinding {
            line,
            severity: LintSeverity::Error,
            what: format!("`{other}` is no instruction"),
            hint: format!("the instructions are {}", INSTRUCTIONS.join(", ")),
        }],
    }
}

/// The names that an ARG or an ENV gives values to.
fn names(one: &DockerfileInstruction) -> Vec<String> {
    let words = split_words(&one.arguments);
    let has_sign = words.first().is_some_and(|word| word.contains('='));
    // `ENV NAME value` is the old form with one name.
    let of_old_form = one.keyword == "ENV" && !has_sign;
    let words = words.iter().take(if of_old_form { 1 } else { usize::MAX });
    words.map(|word| word.split('=').next().unwrap_or_default().to_owned()).collect()
}

fn secret_name(line: Option<usize>, what: &str, name: &str) -> LintFinding {
    LintFinding {
        line,
        severity: LintSeverity::Error,
        what: format!("{what} `{name}` would be written into the image, where everybody reads it"),
        hint: format!(
            "give a secret by `build_secrets = [\"{}=/absolute/path\"]` and `RUN \
             --mount=type=secret,id={}`; give anything else another name",
            name.to_ascii_lowercase(),
            name.to_ascii_lowercase()
        ),
    }
}

fn of_add(one: &DockerfileInstruction, context: &ContextFolder) -> Vec<LintFinding> {
    let words = one.words();
    let is_remote = |word: &&String| word.starts_with("http://") || word.starts_with("https://");
    let sources = &words[..words.len().saturating_sub(1)];
    if let Some(url) = sources.iter().find(is_remote)
        && one.flag("checksum").is_none()
    {
        let url = url.split(['?', '@']).next().unwrap_or_default();
        return vec![LintFinding {
            line: Some(one.line),
            severity: LintSeverity::Error,
            what: format!("ADD takes whatever `{url}` gives that day"),
            hint: "add `--checksum=sha256:...`, or fetch and check it in a `RUN`".to_owned(),
        }];
    }
    missing_sources(one, context)
}

/// The sources of a COPY or an ADD that are not in the context. Patterns and variables are the engine's.
fn missing_sources(one: &DockerfileInstruction, context: &ContextFolder) -> Vec<LintFinding> {
    let words = one.words();
    let Some((_, sources)) = words.split_last() else { return Vec::new() };
    let is_plain = |word: &&String| {
        !word.contains(['*', '?', '[', '$', ':']) && !word.starts_with("<<") && !word.contains("..")
    };
    let missing = sources.iter().filter(is_plain).filter(|word| !context.has(word));
    let finding = |word: &String| LintFinding {
        line: Some(one.line),
        severity: LintSeverity::Error,
        what: format!("{} needs `{word}`, which is not in the context", one.keyword),
        hint: match context.ignores(word) {
            true => "the ignore file keeps it away; take it in by a line with `!`".to_owned(),
            false => format!("paths count from {}", context.root().display()),
        },
    };
    missing.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, build_args: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("Dockerfile", text);
        write("here", "");
        write("hidden", "");
        write(".dockerignore", "hidden\n");
        let context = ContextFolder::read(folder.path(), "Dockerfile").unwrap();
        let file = ParsedDockerfile::parse("Dockerfile", text.as_bytes()).unwrap();
        let root = folder.path().display().to_string();
        let lines = lint(&file, build_args, &context).into_iter().map(|finding| {
            let line = finding.line.map_or("-".to_owned(), |line| line.to_string());
            format!("{line} {:?}: {}; {}", finding.severity, finding.what, finding.hint)
        });
        lines.collect::<Vec<_>>().join("\n").replace(&root, "ROOT")
    }

    #[test]
    fn what_is_dangerous_or_missing_is_found_with_its_line() {
        let text = "# syntax=docker/dockerfile:1\nFROM debian:12\nARG NPM_TOKEN\nENV A=1 DB_PASSWORD=x\n\
                    ENV API_KEY old form\nADD https://example.com/a?token=1 /a\n\
                    COPY here hidden gone /x/\nCOPY *.txt $A /x/\nCOPY --from=debian:12 /y /y\n\
                    RUNN a\nONBUILD ARG SECRET\n";
        insta::assert_snapshot!(found(text, &[("GIT_TOKEN", "x"), ("BASE", "y")]), @r#"
        - Error: build argument `GIT_TOKEN` would be written into the image, where everybody reads it; give a secret by `build_secrets = ["git_token=/absolute/path"]` and `RUN --mount=type=secret,id=git_token`; give anything else another name
        1 Warning: `# syntax=docker/dockerfile:1` makes an engine with BuildKit fetch that image first; leave the line out, unless the engine reaches that registry
        2 Warning: the base `debian:12` may be another image tomorrow; name its digest: `IMAGE@sha256:...`
        3 Error: ARG `NPM_TOKEN` would be written into the image, where everybody reads it; give a secret by `build_secrets = ["npm_token=/absolute/path"]` and `RUN --mount=type=secret,id=npm_token`; give anything else another name
        4 Error: ENV `DB_PASSWORD` would be written into the image, where everybody reads it; give a secret by `build_secrets = ["db_password=/absolute/path"]` and `RUN --mount=type=secret,id=db_password`; give anything else another name
        5 Error: ENV `API_KEY` would be written into the image, where everybody reads it; give a secret by `build_secrets = ["api_key=/absolute/path"]` and `RUN --mount=type=secret,id=api_key`; give anything else another name
        6 Error: ADD takes whatever `https://example.com/a` gives that day; add `--checksum=sha256:...`, or fetch and check it in a `RUN`
        7 Error: COPY needs `hidden`, which is not in the context; the ignore file keeps it away; take it in by a line with `!`
        7 Error: COPY needs `gone`, which is not in the context; paths count from ROOT
        10 Error: `RUNN` is no instruction; the instructions are ADD, ARG, CMD, COPY, ENTRYPOINT, ENV, EXPOSE, FROM, HEALTHCHECK, LABEL, MAINTAINER, ONBUILD, RUN, SHELL, STOPSIGNAL, USER, VOLUME, WORKDIR
        11 Error: ARG `SECRET` would be written into the image, where everybody reads it; give a secret by `build_secrets = ["secret=/absolute/path"]` and `RUN --mount=type=secret,id=secret`; give anything else another name
        "#);
    }

    #[test]
    fn a_careful_file_has_no_finding() {
        let text = "ARG BASE=debian@sha256:0a\nFROM $BASE\nENV GPG_KEY=1 SSH_PUBLIC_KEY= TOKEN_FILE=/run/t\n\
                    ADD --checksum=sha256:0a https://example.com/a /a\nCOPY here ./here /x/\n\
                    COPY <<EOF /e\ntext\nEOF\nENV MONKEYS=1 KEYBOARD=2\nLABEL token.kind=none\n";
        assert_eq!(found(text, &[]), "");
    }
}
