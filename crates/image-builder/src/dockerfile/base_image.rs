//! Which images a Dockerfile builds on.

use std::collections::HashMap;

use super::dockerfile_lexer::{DockerfileInstruction, ParsedDockerfile};

/// An image of a `FROM`, or of a `COPY --from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImage {
    /// The line that names it.
    pub line: usize,
    /// Its text, with the build arguments filled in.
    pub image: String,
    /// The text holds a variable that nothing gives a value.
    pub is_unknown: bool,
}

impl BaseImage {
    /// Whether the text names a digest.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.image.contains("@sha256:")
    }
}

/// The images that are not stages of the same file; `scratch` is none.
#[must_use]
pub fn base_images(file: &ParsedDockerfile, build_args: &[(&str, &str)]) -> Vec<BaseImage> {
    let mut values = HashMap::<String, String>::new();
    let mut stages = Vec::<String>::new();
    let mut images = Vec::new();
    for one in &file.instructions {
        let named = match one.keyword.as_str() {
            // Only what stands before the first FROM counts in a FROM.
            "ARG" if stages.is_empty() => {
                note_argument(&mut values, one, build_args);
                continue;
            }
            "FROM" => {
                let (named, stage) = stage(one);
                let known = stages.contains(&named);
                stages.push(stage);
                if known { continue } else { named }
            }
            "COPY" => match one.flag("from") {
                Some(from)
                    if from.parse::<usize>().is_err() && !stages.iter().any(|s| s == from) =>
                {
                    from.to_owned()
                }
                _ => continue,
            },
            _ => continue,
        };
        let (image, is_unknown) = filled_in(&named, &values);
        if image != "scratch" && !images.iter().any(|known: &BaseImage| known.image == image) {
            images.push(BaseImage { line: one.line, image, is_unknown });
        }
    }
    images
}

/// The image below everything that the last stage adds; `None` if that is `scratch`.
#[must_use]
pub fn final_base(file: &ParsedDockerfile, build_args: &[(&str, &str)]) -> Option<BaseImage> {
    let mut values = HashMap::<String, String>::new();
    let mut stages = Vec::<(String, Option<BaseImage>)>::new();
    for one in &file.instructions {
        match one.keyword.as_str() {
            "ARG" if stages.is_empty() => note_argument(&mut values, one, build_args),
            "FROM" => {
                let (named, stage) = stage(one);
                let known = stages.iter().find(|(name, _)| !name.is_empty() && *name == named);
                let base = match known {
                    Some((_, base)) => base.clone(),
                    None => {
                        let (image, is_unknown) = filled_in(&named, &values);
                        let base = BaseImage { line: one.line, image, is_unknown };
                        Some(base).filter(|base| base.image != "scratch")
                    }
                };
                stages.push((stage, base));
            }
            _ => {}
        }
    }
    stages.pop().and_then(|(_, base)| base)
}

/// An `ARG` that stands before the first `FROM`.
fn note_argument(
    values: &mut HashMap<String, String>,
    one: &DockerfileInstruction,
    build_args: &[(&str, &str)],
) {
    for word in one.words() {
        let (name, default) = word.split_once('=').unwrap_or((&word, ""));
        let given = build_args.iter().find(|(given, _)| *given == name);
        let value = given.map_or(default, |(_, value)| value);
        values.insert(name.to_owned(), value.to_owned());
    }
}

/// What a `FROM` names, and the name of its own stage; empty if it has none.
fn stage(one: &DockerfileInstruction) -> (String, String) {
    let words = one.words();
    let stage = match words.as_slice() {
        [_, keyword, stage] if keyword.eq_ignore_ascii_case("as") => stage.clone(),
        _ => String::new(),
    };
    (words.first().cloned().unwrap_or_default(), stage)
}

/// The text with `$NAME`, `${NAME}` and `${NAME:-default}` replaced, and whether one had no value.
fn filled_in(text: &str, values: &HashMap<String, String>) -> (String, bool) {
    let mut out = String::new();
    let mut is_unknown = false;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out += before;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, default, left) =
            match after.strip_prefix('{').and_then(|in_| in_.split_once('}')) {
                Some((inner, left)) => {
                    let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
                    (name, default, left)
                }
                None => {
                    let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
                    (&after[..end], "", &after[end..])
                }
            };
        let value = values.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let value = value.unwrap_or(default);
        is_unknown |= value.is_empty();
        out += value;
        rest = left;
    }
    (out + rest, is_unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_filled_in_and_stages_are_no_images() {
        let text = "ARG BASE=debian\nARG TAG\nFROM ${BASE}:${TAG:-12} AS build\nFROM build AS next\n\
                    COPY --from=0 /a /a\nCOPY --from=build /a /a\nCOPY --from=tools:1 /b /b\n\
                    FROM scratch\nFROM $OTHER@sha256:0a\n";
        let file = ParsedDockerfile::parse("Dockerfile", text.as_bytes()).unwrap();
        let images = base_images(&file, &[("BASE", "alpine")]);
        let found: Vec<_> = images
            .iter()
            .map(|one| (one.line, one.image.as_str(), one.is_unknown, one.is_pinned()))
            .collect();
        assert_eq!(
            found,
            [
                (3, "alpine:12", false, false),
                (7, "tools:1", false, false),
                (9, "@sha256:0a", true, true)
            ]
        );
    }

    #[test]
    fn the_last_stage_stands_on_the_image_below_the_stages_that_it_names() {
        let base = |text: &str| {
            let file = ParsedDockerfile::parse("Dockerfile", text.as_bytes()).unwrap();
            final_base(&file, &[("BASE", "alpine")]).map(|base| (base.line, base.image))
        };
        let staged = "ARG BASE=debian\nFROM $BASE AS one\nFROM tools AS two\nFROM one AS three\nFROM three\n";
        assert_eq!(base(staged), Some((2, "alpine".to_owned())));
        assert_eq!(base("FROM debian AS one\nFROM scratch\nCOPY --from=one /a /a\n"), None);
        assert_eq!(base("FROM debian:12\n"), Some((1, "debian:12".to_owned())));
    }
}
