//! What the text of an image names: a registry, a repository in it, and a tag or a digest. It reads the
//! text as Docker and ECS do, so a text without a registry names an image on Docker Hub.
//!
//! It asks no registry whether the image exists.
//!
//! Source: the grammar of the package `distribution/reference`, and the OCI distribution specification,
//! "Pulling manifests".

use std::fmt;
use std::str::FromStr;

use fargate_model::ecr_host::EcrHost;

/// The registry of a text that names none.
const DOCKER_HUB: &str = "docker.io";
/// The host on which Docker Hub answers.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";
/// Longest name, registry and repository together.
const MAX_NAME: usize = 255;
/// Longest tag.
const MAX_TAG: usize = 128;
/// The tag of a text that has neither tag nor digest.
const DEFAULT_TAG: &str = "latest";

/// An image, as a text names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    /// Registry and repository as the text has them, without tag and digest.
    name: String,
    /// The registry, with its port where it has one.
    registry: String,
    repository: String,
    version: ImageVersion,
}

/// Which of a repository's images is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageVersion {
    /// A tag, which may be moved to another image.
    Tag(String),
    /// A digest, which names one image for ever.
    Digest(String),
}

/// A text names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` names no image: {rule}")]
pub struct ImageReferenceError {
    /// The text.
    pub given: String,
    /// The rule that it breaks.
    pub rule: String,
    /// A text that is near and names an image.
    pub suggestion: Option<String>,
}

impl ImageReference {
    /// The registry's name, with its port where it has one, for example `docker.io`.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Host and port at which the registry answers.
    #[must_use]
    pub fn host(&self) -> &str {
        if self.registry == DOCKER_HUB { DOCKER_HUB_HOST } else { &self.registry }
    }

    /// The repository in the registry, for example `library/debian`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Tag or digest.
    #[must_use]
    pub fn version(&self) -> &ImageVersion {
        &self.version
    }

    /// Whether it is an image of ECR, where the execution role logs in and no secret is needed.
    #[must_use]
    pub fn is_of_ecr(&self) -> bool {
        self.ecr_host().is_some()
    }

    /// Account and Region of the registry, if it is one of ECR.
    #[must_use]
    pub fn ecr_host(&self) -> Option<EcrHost<'_>> {
        EcrHost::parse(&self.registry)
    }

    /// The same image by its digest, in the text's own form.
    #[must_use]
    pub fn with_digest(&self, digest: &str) -> String {
        format!("{}@{digest}", self.name)
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            ImageVersion::Tag(tag) => write!(f, "{}:{tag}", self.name),
            ImageVersion::Digest(digest) => write!(f, "{}@{digest}", self.name),
        }
    }
}

impl FromStr for ImageReference {
    type Err = ImageReferenceError;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        parse(given).map_err(|rule| ImageReferenceError {
            given: fargate_model::text::escape_within(given, 120),
            rule,
            suggestion: suggestion(given),
        })
    }
}

/// Reads the text, or names the rule that it breaks.
fn parse(given: &str) -> Result<ImageReference, String> {
    check_whole(given)?;
    let (rest, digest) = match given.split_once('@') {
        Some((rest, digest)) => (rest, Some(check_digest(digest)?)),
        None => (given, None),
    };
    let (name, tag) = split_tag(rest);
    let tag = tag.map(check_tag).transpose()?;
    if name.len() > MAX_NAME {
        return Err(format!("registry and repository have more than {MAX_NAME} characters"));
    }
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if is_registry(first) => (check_registry(first)?, path),
        _ => (DOCKER_HUB.to_owned(), name),
    };
    check_repository(path)?;
    let is_official = registry == DOCKER_HUB && !path.contains('/');
    let repository = if is_official { format!("library/{path}") } else { path.to_owned() };
    let version = match (digest, tag) {
        // As Docker does: the digest decides, and the tag is for people.
        (Some(digest), _) => ImageVersion::Digest(digest),
        (None, tag) => ImageVersion::Tag(tag.unwrap_or(DEFAULT_TAG).to_owned()),
    };
    Ok(ImageReference { name: name.to_owned(), registry, repository, version })
}

fn check_whole(given: &str) -> Result<(), String> {
    if given.is_empty() {
        return Err("it is empty".to_owned());
    }
    if given.contains("://") {
        return Err("an image is written without a scheme".to_owned());
    }
    match given.chars().find(|&c| !c.is_ascii_alphanumeric() && !"-_.:/@+[]".contains(c)) {
        None => Ok(()),
        Some(c) => Err(format!("it has the character {c:?}, which no image has")),
    }
}

/// The tag stands behind the last colon, unless that one is the colon of a port.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

/// Whether the first part of a name is a registry: only a registry has a dot, a port or upper case, or is
/// this machine.
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':', '['])
        || first == "localhost"
        || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn check_registry(first: &str) -> Result<String, String> {
    let (host, port) = match first.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (first, None),
    };
    if let Some(port) = port.filter(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Err(format!(
            "`{port}` is no port of the registry; a port is a number from 1 to 65535"
        ));
    }
    let is_address = host.starts_with('[') && host.ends_with(']');
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty()
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !is_address && !host.split('.').all(label) {
        return Err(format!("`{host}` is no host name of a registry"));
    }
    // Other names of Docker Hub.
    let is_hub = ["index.docker.io", "registry-1.docker.io"].contains(&host) && port.is_none();
    Ok(if is_hub { DOCKER_HUB.to_owned() } else { first.to_owned() })
}

fn check_repository(path: &str) -> Result<(), String> {
    if let Some(c) = path.chars().find(char::is_ascii_uppercase) {
        return Err(format!(
            "the repository `{path}` has the letter `{c}`; it may have lower case only"
        ));
    }
    let bad = path.split('/').find(|part| !is_component(part));
    match bad {
        None => Ok(()),
        Some("") => Err(format!("the repository `{path}` has a part without a name beside a `/`")),
        Some(part) => Err(format!(
            "the part `{part}` of the repository must have lower-case letters and digits, with single \
             `.`, `_`, `__` or hyphens between them"
        )),
    }
}

/// Lower-case letters and digits, with a dot, one or two underscores or any number of hyphens between.
fn is_component(part: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let separators = part.split(|c: char| c.is_ascii() && is_letter(c as u8));
    let fits = |gap: &str| matches!(gap, "" | "." | "_" | "__") || gap.bytes().all(|b| b == b'-');
    let ends = |b: Option<u8>| b.is_some_and(is_letter);
    ends(part.bytes().next()) && ends(part.bytes().last()) && separators.into_iter().all(fits)
}

fn check_tag(tag: &str) -> Result<&str, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    if tag.is_empty() {
        return Err("no tag stands behind the colon".to_owned());
    }
    if tag.len() > MAX_TAG || !tag.bytes().all(allowed) || tag.starts_with(['.', '-']) {
        return Err(format!(
            "the tag `{tag}` must have 1 to {MAX_TAG} letters, digits and `_ . -`, and begin with none of \
             `. -`"
        ));
    }
    Ok(tag)
}

fn check_digest(digest: &str) -> Result<String, String> {
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match digest.strip_prefix("sha256:") {
        Some(value) if value.len() == 64 && hex(value) => Ok(digest.to_owned()),
        Some(value) => Err(format!(
            "the digest must have 64 lower-case hexadecimal digits behind `sha256:`; it has {} characters",
            value.chars().count()
        )),
        None => Err(format!("`{digest}` is no digest; a digest begins with `sha256:`")),
    }
}

/// Whether the text is a digest of the one kind that is used.
pub(crate) fn is_digest(text: &str) -> bool {
    check_digest(text).is_ok()
}

/// The text without what people often copy along, if it names an image then.
fn suggestion(given: &str) -> Option<String> {
    let trimmed = given.trim().trim_start_matches("docker://");
    let trimmed = trimmed.split_once("://").map_or(trimmed, |(_, rest)| rest);
    let trimmed = trimmed.trim_matches(['/', '"', '\'', ':']);
    // A blank often stands where the colon before the tag should be.
    let joined = trimmed.split_whitespace().collect::<Vec<_>>().join(":");
    let candidates = [joined.clone(), joined.replace("//", "/"), lower_case(&joined)];
    candidates.into_iter().find(|near| near != given && parse(near).is_ok())
}

/// The text with its repository in lower case; a tag keeps its case.
fn lower_case(text: &str) -> String {
    let (name, tag) = split_tag(text);
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    name.to_ascii_lowercase() + &tag
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn a_text_is_read_as_docker_reads_it() {
        for (text, host, repository, version) in [
            ("debian", "registry-1.docker.io", "library/debian", "latest"),
            (
                "my-organisation/my-image:latest",
                "registry-1.docker.io",
                "my-organisation/my-image",
                "latest",
            ),
            ("docker.io/debian:12", "registry-1.docker.io", "library/debian", "12"),
            ("index.docker.io/acme/ci:a.B_c-1", "registry-1.docker.io", "acme/ci", "a.B_c-1"),
            ("localhost/ci", "localhost", "ci", "latest"),
            ("localhost:5000/ci:1", "localhost:5000", "ci", "1"),
            (
                "registry.example.com:5000/a/b__c/d-e.f",
                "registry.example.com:5000",
                "a/b__c/d-e.f",
                "latest",
            ),
            ("[::1]:5000/ci", "[::1]:5000", "ci", "latest"),
            ("Registry/ci", "Registry", "ci", "latest"),
        ] {
            let image: ImageReference = text.parse().unwrap_or_else(|error| panic!("{error}"));
            let tag = ImageVersion::Tag(version.to_owned());
            assert_eq!(
                (image.host(), image.repository(), image.version()),
                (host, repository, &tag)
            );
        }
        let both: ImageReference = format!("acme/ci:1@{DIGEST}").parse().unwrap();
        assert_eq!(both.version(), &ImageVersion::Digest(DIGEST.to_owned()));
        assert_eq!(both.to_string(), format!("acme/ci@{DIGEST}"));
    }

    #[test]
    fn a_pinned_image_keeps_the_name_of_the_text() {
        let image: ImageReference = "my-organisation/my-image:latest".parse().unwrap();
        assert_eq!(image.with_digest(DIGEST), format!("my-organisation/my-image@{DIGEST}"));
    }

    #[test]
    fn an_image_of_ecr_is_known_by_its_registry() {
        for (text, is_of_ecr) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/ci:1", true),
            ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/ci", true),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/ci", true),
            ("123456789012.dkr-ecr.eu-west-1.on.aws/ci", true),
            ("public.ecr.aws/docker/library/debian", false),
            ("registry.example.com/dkr.ecr/ci", false),
        ] {
            assert_eq!(text.parse::<ImageReference>().unwrap().is_of_ecr(), is_of_ecr, "{text}");
        }
    }

    #[test]
    fn each_typo_is_told_by_its_rule_and_a_near_image() {
        let mut told = String::new();
        for text in [
            "",
            "https://registry.example.com/acme/ci:1",
            "acme/My-Image:Latest",
            "acme/ci latest",
            "acme//ci",
            "acme/ci:",
            "acme/ci:1:2",
            "acme/ci/",
            "acme/-ci",
            "acme/ci:-1",
            "registry.example.com:70000/ci",
            "registry..example/ci",
            "acme/ci@sha256:12",
            "acme/ci@latest",
            "acme/ci:1\u{1b}[2J",
        ] {
            let error = text.parse::<ImageReference>().unwrap_err();
            let near = error.suggestion.as_deref().unwrap_or("-");
            told += &format!("{error} ({near})\n");
        }
        insta::assert_snapshot!(told, @r##"
        `` names no image: it is empty (-)
        `https://registry.example.com/acme/ci:1` names no image: an image is written without a scheme (registry.example.com/acme/ci:1)
        `acme/My-Image:Latest` names no image: the repository `acme/My-Image` has the letter `M`; it may have lower case only (acme/my-image:Latest)
        `acme/ci latest` names no image: it has the character ' ', which no image has (acme/ci:latest)
        `acme//ci` names no image: the repository `acme//ci` has a part without a name beside a `/` (acme/ci)
        `acme/ci:` names no image: no tag stands behind the colon (acme/ci)
        `acme/ci:1:2` names no image: the part `ci:1` of the repository must have lower-case letters and digits, with single `.`, `_`, `__` or hyphens between them (-)
        `acme/ci/` names no image: the repository `acme/ci/` has a part without a name beside a `/` (acme/ci)
        `acme/-ci` names no image: the part `-ci` of the repository must have lower-case letters and digits, with single `.`, `_`, `__` or hyphens between them (-)
        `acme/ci:-1` names no image: the tag `-1` must have 1 to 128 letters, digits and `_ . -`, and begin with none of `. -` (-)
        `registry.example.com:70000/ci` names no image: `70000` is no port of the registry; a port is a number from 1 to 65535 (-)
        `registry..example/ci` names no image: `registry..example` is no host name of a registry (-)
        `acme/ci@sha256:12` names no image: the digest must have 64 lower-case hexadecimal digits behind `sha256:`; it has 2 characters (-)
        `acme/ci@latest` names no image: `latest` is no digest; a digest begins with `sha256:` (-)
        `acme/ci:1\x1b[2J` names no image: it has the character '\u{1b}', which no image has (-)
        "##);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_written_again(text in "\\PC{0,40}|[a-z0-9:/@._-]{0,40}") {
            if let Ok(image) = text.parse::<ImageReference>() {
                let again: ImageReference = image.to_string().parse().expect("its own text");
                assert_eq!(again, image);
            }
        }
    }
}
