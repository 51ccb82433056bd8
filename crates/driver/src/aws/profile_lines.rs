//! The lines of a profile file: which are good, and what they say. It knows no file and no profile.

/// What a line is.
pub enum ProfileLine {
    /// A comment, a blank, or more of a value.
    Kept,
    /// More of what was wrong.
    Dropped,
    /// The name of the section that begins.
    Heading(String),
    /// A name and its value.
    Setting(String, String),
    /// A name and its value below a setting, whose name comes first.
    Nested(String, String, String),
}

/// Where in a file the next line stands.
#[derive(Default)]
pub struct LineReader {
    /// The section, unless its heading cannot be read.
    pub section: Option<String>,
    /// The setting that an indented line goes on with, and whether its value is empty, so that such
    /// lines are settings themselves.
    open: Option<(String, bool)>,
    /// What follows belongs to a line that was wrong.
    drops: bool,
}

impl LineReader {
    /// Sorts the next line; what is wrong with it otherwise.
    pub fn read(&mut self, line: &str) -> Result<ProfileLine, &'static str> {
        if line.trim_matches([' ', '\t']).is_empty() || line.starts_with(['#', ';']) {
            return Ok(ProfileLine::Kept);
        }
        if line.starts_with('[') {
            (self.open, self.section) = (None, heading_of(line));
            self.drops = self.section.is_none();
            return match &self.section {
                Some(name) => Ok(ProfileLine::Heading(name.clone())),
                None => Err("a section begins with [NAME], and here the ] is missing"),
            };
        }
        if self.section.is_none() {
            let begins = !std::mem::replace(&mut self.drops, true);
            return match begins {
                true => Err("a setting stands below a section such as [default]"),
                false => Ok(ProfileLine::Dropped),
            };
        }
        if line.starts_with([' ', '\t']) {
            return match &self.open {
                Some((parent, true)) => match setting(line) {
                    Some((name, value)) => Ok(ProfileLine::Nested(parent.clone(), name, value)),
                    None => Err("a setting is NAME = VALUE"),
                },
                Some(_) => Ok(ProfileLine::Kept),
                None if self.drops => Ok(ProfileLine::Dropped),
                None => Err("an indented line goes on with a setting, and there is none"),
            };
        }
        match setting(line) {
            Some((name, value)) => {
                (self.open, self.drops) = (Some((name.clone(), value.is_empty())), false);
                Ok(ProfileLine::Setting(name, value))
            }
            None => {
                (self.open, self.drops) = (None, true);
                Err("a setting is NAME = VALUE")
            }
        }
    }
}

/// The name and the value of a line, without the comment at its end.
pub fn setting(line: &str) -> Option<(String, String)> {
    let end = line.match_indices(['#', ';']).map(|(at, _)| at);
    let end = end.into_iter().find(|at| line[..*at].ends_with(char::is_whitespace));
    let (name, value) = line[..end.unwrap_or(line.len())].split_once('=')?;
    let [name, value] = [name, value].map(|text| text.trim_matches([' ', '\t']));
    (!name.is_empty()).then(|| (name.to_ascii_lowercase(), value.to_owned()))
}

/// The profile that a heading names, or `sso-session NAME` and the like.
pub fn heading_of(line: &str) -> Option<String> {
    let line = line.split(['#', ';']).next()?.trim_matches([' ', '\t']);
    let name = line.strip_prefix('[')?.strip_suffix(']')?.trim();
    let words: Vec<_> = name.split_whitespace().collect();
    Some(match words[..] {
        ["profile", name] | [name] => name.to_owned(),
        _ => words.join(" "),
    })
}
