//! Reads the lines of a profile file: which are valid, and what they say.
//!
//! It opens no file, and does not know which profile is used.

/// The words that begin a heading which names no profile.
pub const NAMED_KINDS: [&str; 2] = ["sso-session", "services"];

/// What a line is.
pub enum ProfileLine {
    /// A comment, an empty line, or the continuation of a value.
    Kept,
    /// The continuation of a wrong line.
    Dropped,
    /// The heading of a section, with its name.
    Heading(String),
    /// A name and its value.
    Setting(String, String),
    /// A name and its value below a setting, whose name comes first.
    Nested(String, String, String),
}

/// The setting that a more deeply indented line continues.
struct OpenSetting {
    name: String,
    indent: usize,
    /// Its value is empty, so the lines below it are settings themselves.
    is_empty: bool,
}

/// The position in a file.
#[derive(Default)]
pub struct LineReader {
    /// The section, unless its heading cannot be read.
    pub section: Option<String>,
    open: Option<OpenSetting>,
    /// Whether the next lines belong to a wrong line.
    drops: bool,
}

impl LineReader {
    /// Reads the next line. Returns what is wrong with it if it is not valid.
    pub fn read(&mut self, line: &str) -> Result<ProfileLine, &'static str> {
        let text = line.trim_matches([' ', '\t']);
        if text.is_empty() || line.starts_with(['#', ';']) {
            return Ok(ProfileLine::Kept);
        }
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(open) = self.open.as_ref().filter(|open| indent > open.indent) {
            return match setting(line) {
                _ if !open.is_empty => Ok(ProfileLine::Kept),
                Some((name, value)) => Ok(ProfileLine::Nested(open.name.clone(), name, value)),
                None => Err("a setting is NAME = VALUE"),
            };
        }
        if indent > 0 && self.open.is_none() && self.drops || text.starts_with(['#', ';']) {
            return Ok(ProfileLine::Dropped);
        }
        if text.starts_with('[') { self.begin(text) } else { self.set(text, indent) }
    }

    fn begin(&mut self, text: &str) -> Result<ProfileLine, &'static str> {
        (self.open, self.section) = (None, heading_of(text));
        self.drops = self.section.is_none();
        match &self.section {
            Some(name) => Ok(ProfileLine::Heading(name.clone())),
            None => Err("a section begins with [NAME], and here the ] is missing"),
        }
    }

    fn set(&mut self, text: &str, indent: usize) -> Result<ProfileLine, &'static str> {
        if self.section.is_none() {
            let begins = !std::mem::replace(&mut self.drops, true);
            return match begins {
                true => Err("a setting stands below a section such as [default]"),
                false => Ok(ProfileLine::Dropped),
            };
        }
        match setting(text) {
            Some((name, value)) => {
                let is_empty = value.is_empty();
                let open = OpenSetting { name: name.clone(), indent, is_empty };
                (self.open, self.drops) = (Some(open), false);
                Ok(ProfileLine::Setting(name, value))
            }
            None => {
                (self.open, self.drops) = (None, true);
                Err("a setting is NAME = VALUE")
            }
        }
    }
}

/// The name and the value of a line, without a comment at the end.
pub fn setting(line: &str) -> Option<(String, String)> {
    let end = line.match_indices(['#', ';']).map(|(at, _)| at);
    let end = end.into_iter().find(|at| line[..*at].ends_with(char::is_whitespace));
    let (name, value) = line[..end.unwrap_or(line.len())].split_once('=')?;
    let [name, value] = [name, value].map(|text| text.trim_matches([' ', '\t']));
    (!name.is_empty()).then(|| (name.to_ascii_lowercase(), value.to_owned()))
}

/// The profile that a heading names, or `sso-session NAME` and the like. One pair of quotes is
/// removed, as `aws configure` writes it around names with blanks. Text behind the `]` is ignored.
pub fn heading_of(line: &str) -> Option<String> {
    let (name, _) = line.trim_matches([' ', '\t']).strip_prefix('[')?.split_once(']')?;
    let name = name.trim();
    Some(match name.split_once(char::is_whitespace) {
        Some(("profile", name)) => unquoted(name).to_owned(),
        Some((kind, name)) if NAMED_KINDS.contains(&kind) => format!("{kind} {}", unquoted(name)),
        _ => unquoted(name).to_owned(),
    })
}

fn unquoted(name: &str) -> &str {
    let name = name.trim();
    let within = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(name)
}
