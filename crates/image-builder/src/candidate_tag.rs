//! The tag of a candidate, `NAME-c20260131t080000z-GIT-INPUTS`: when it was made, the first digits of the
//! commit, and the first digits of what it was made of. `-dirty` follows if files differed from the commit.
//!
//! Such tags are never moved, and they sort by time.

use fargate_image_manifest::ManifestTime;

/// Digits of commit and inputs.
const DIGITS: usize = 8;
/// Longest tag. Source: OCI distribution specification, "Pulling manifests".
const LONGEST: usize = 128;
const DIRTY: &str = "-dirty";
/// The length of the time.
const STAMP: usize = "20260131t080000z".len();

/// What a candidate was made of, as the end of its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CandidateSource {
    /// The commit; none if it is not known.
    pub commit: Option<String>,
    /// The digest of everything that the image was made of.
    pub inputs: String,
    /// Files differed from the commit.
    pub dirty: bool,
}

impl CandidateSource {
    /// The tag of a candidate of the image `name` that is made now; `None` if it would be too long.
    pub fn tag(&self, name: &str, now: ManifestTime) -> Option<String> {
        let stamp: String = now.to_string().chars().filter(|c| !"-:".contains(*c)).collect();
        let tag = format!("{name}-c{}{}", stamp.to_ascii_lowercase(), self.ending());
        (tag.len() <= LONGEST).then_some(tag)
    }

    /// Whether a tag is one of a candidate of this image with the same commit and inputs.
    pub fn made(&self, name: &str, tag: &str) -> bool {
        ending(name, tag).is_some_and(|end| end == self.ending())
    }

    /// Whether a tag is one of a candidate of this image with the same inputs, of whatever commit.
    pub fn has_inputs_of(&self, name: &str, tag: &str) -> bool {
        let end = ending(name, tag).map(|end| end.trim_end_matches(DIRTY));
        end.and_then(|end| end.rsplit('-').next()) == Some(&first_digits(&self.inputs))
    }

    fn ending(&self) -> String {
        let commit = first_digits(self.commit.as_deref().unwrap_or_default());
        let dirty = if self.dirty { DIRTY } else { "" };
        format!("-{commit}-{}{dirty}", first_digits(&self.inputs))
    }
}

/// The first digits of a digest or a commit; zeros if there is none.
fn first_digits(text: &str) -> String {
    let digits = text.trim_start_matches("sha256:").chars().take(DIGITS).collect::<String>();
    format!("{digits:0<DIGITS$}")
}

/// What follows the time in a candidate tag of this image.
fn ending<'tag>(name: &str, tag: &'tag str) -> Option<&'tag str> {
    candidate_time(name, tag)?;
    tag.get(name.len() + "-c".len() + STAMP..)
}

/// When a candidate tag of this image was made: `NAME-c20260131t080000z-GIT-CONTEXT`. `None` for any other
/// tag.
pub(crate) fn candidate_time(name: &str, tag: &str) -> Option<ManifestTime> {
    let rest = tag.strip_prefix(name)?.strip_prefix("-c")?;
    let (stamp, rest) = rest.split_at_checked(STAMP)?;
    if !rest.starts_with('-') || !stamp.is_ascii() {
        return None;
    }
    let (day, time) = stamp.strip_suffix('z')?.split_once('t')?;
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if day.len() != 8 || time.len() != 6 || !is_number(day) || !is_number(time) {
        return None;
    }
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &day[..4],
        &day[4..6],
        &day[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    );
    ManifestTime::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(dirty: bool) -> CandidateSource {
        let inputs = format!("sha256:{}", "5e6f7a8b".repeat(8));
        CandidateSource { commit: Some("1a2b3c4d5e".repeat(4)), inputs, dirty }
    }

    #[test]
    fn a_tag_tells_when_and_of_what_it_was_made() {
        let now = ManifestTime::try_from("2026-01-31T08:00:05Z".to_owned()).unwrap();
        let tag = source(false).tag("ci", now).unwrap();
        assert_eq!(tag, "ci-c20260131t080005z-1a2b3c4d-5e6f7a8b");
        assert_eq!(candidate_time("ci", &tag), Some(now));
        let dirty = source(true).tag("ci", now).unwrap();
        assert_eq!(dirty, format!("{tag}-dirty"));
        let unknown = CandidateSource { commit: None, ..source(false) };
        let unknown = unknown.tag("ci", now).unwrap();
        assert_eq!(unknown, "ci-c20260131t080005z-00000000-5e6f7a8b");
        assert_eq!(source(false).tag(&"n".repeat(100), now), None);
        assert!(source(false).made("ci", &tag) && !source(false).made("ci", &dirty));
        for (same, tag) in
            [(true, &tag), (true, &dirty), (true, &unknown), (false, &tag[1..].into())]
        {
            assert_eq!(source(true).has_inputs_of("ci", tag), same, "{tag}");
        }
    }

    #[test]
    fn only_a_candidate_tag_of_the_image_itself_has_a_time() {
        let time = candidate_time("ci", "ci-c20260131t080005z-1a2b3c4d-5e6f7a8b").unwrap();
        assert_eq!(time.to_string(), "2026-01-31T08:00:05Z");
        let dirty = "ci-c20260131t080005z-1a2b3c4d-5e6f7a8b-dirty";
        assert_eq!(candidate_time("ci", dirty), Some(time));
        for other in [
            "",
            "ci",
            "stable",
            "ci-c20260131t080005z",
            "ci-c20269931t080005z-1a-2b",
            "ci-c2026013108000500-1a-2b",
            "ci-node-c20260131t080005z-1a-2b",
            "ci-c2026é131t08000z-1a",
        ] {
            assert_eq!(candidate_time("ci", other), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_after_the_name_panics(tag in "\\PC{0,40}") {
            let tag = format!("ci-c{tag}");
            let _ = (source(false).made("ci", &tag), source(true).has_inputs_of("ci", &tag));
        }
    }
}
