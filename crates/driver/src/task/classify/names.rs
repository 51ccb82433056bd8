//! Finds the names in ECS's words that fill the sentences of a cause.
//!
//! It does not decide the cause.

/// A name follows these words. The first of them that the text contains counts.
const AFTER: [(&str, &[&str]); 4] = [
    (
        "image",
        &[
            "failed to resolve ref ",
            "pull access denied for ",
            "failed to unpack image on snapshotter ",
        ],
    ),
    ("parameter", &["invalid parameters: ", "invalid ssm parameters: ", ":parameter"]),
    ("subnet", &["in subnet '"]),
    ("group", &["log group '", ":log-group:"]),
];

/// The file system, image, parameter, subnet and log group that these words name.
pub fn names_in(text: &str) -> Vec<(&'static str, String)> {
    let mut names = Vec::new();
    names.extend(file_system(text).map(|id| ("fs", id)));
    for (name, beginnings) in AFTER {
        let found = beginnings.iter().find_map(|words| after(text, words));
        names.extend(found.map(|value| (name, value)));
    }
    names
}

/// Source: Amazon EFS API Reference, `FileSystemId`: hexadecimal digits after the prefix.
fn file_system(text: &str) -> Option<String> {
    let mut found = text.match_indices("fs-").map(|(at, prefix)| {
        let digits = text[at + prefix.len()..].split(|c: char| !c.is_ascii_hexdigit()).next();
        format!("fs-{}", digits.unwrap_or_default())
    });
    found.find(|id| id.len() > "fs-".len())
}

/// The word after `words`, without the characters that end a clause.
fn after(text: &str, words: &str) -> Option<String> {
    let (_, rest) = text.split_once(words)?;
    let is_end = |c: char| !(c.is_ascii_alphanumeric() || "-_./:@".contains(c));
    let word = rest.split(is_end).next().unwrap_or_default();
    let word = word.trim_end_matches([':', '.']);
    (!word.is_empty()).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_what_ecs_says() {
        let named = |text: &str| names_in(text);
        let one = |name: &'static str, value: &str| vec![(name, value.to_owned())];
        assert_eq!(named("resolve \"fs-0abc.efs.x\""), one("fs", "fs-0abc"));
        assert_eq!(named("mounting fs-:/ and fs-12ef:/dir"), one("fs", "fs-12ef"));
        assert_eq!(
            named("failed to resolve ref docker.io/acme/ci:x: not found"),
            one("image", "docker.io/acme/ci:x")
        );
        assert_eq!(named("pull access denied for acme/ci, repository"), one("image", "acme/ci"));
        assert_eq!(named("invalid parameters: /ci/token"), one("parameter", "/ci/token"));
        assert_eq!(
            named("on resource: arn:aws:ssm:eu-west-1:1:parameter/ci/token because"),
            one("parameter", "/ci/token")
        );
        assert_eq!(named("Interface in subnet 'subnet-0a1': no"), one("subnet", "subnet-0a1"));
        assert_eq!(named("the log group '/ci/jobs' is"), one("group", "/ci/jobs"));
        assert_eq!(named("fs-, failed to resolve ref : nothing"), []);
    }
}
