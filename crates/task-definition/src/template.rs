//! A template: ECS's own JSON with placeholders. It is read, and filled with values.
//!
//! Two rules let optional parts go. A member or a list item that is the placeholder of an absent
//! setting and nothing else is left out. An object with the member `"$when": "NAME"` is left out, with
//! the member or list item that holds it, if the setting NAME is absent; else only `$when` is. Whether
//! the result is a good task definition is asked in `checks`.

use std::borrow::Cow;
use std::path::Path;

use fargate_model::text::escape_within;
use serde_json::{Map, Value};

use crate::error::TemplateError;
use crate::placeholder::{PlaceholderValue, PlaceholderValues};

/// The templates that are part of the program.
const OWN: [(&str, &str); 2] = [
    ("ci", include_str!("../../../task-definitions/ci.json")),
    ("manager", include_str!("../../../task-definitions/manager.json")),
];

/// Longest template, in bytes: twice as long as ECS lets a task definition be.
///
/// Source: Amazon ECS Developer Guide, "Amazon ECS service quotas": 64 KiB.
const LONGEST: u64 = 128 * 1024;

/// The member that makes an object conditional.
const WHEN: &str = "$when";

/// A template that was read.
#[derive(Clone, Debug)]
pub struct DefinitionTemplate {
    name: String,
    members: Map<String, Value>,
}

impl DefinitionTemplate {
    /// Reads the template that the configuration names: one of the program's own, or a file.
    ///
    /// # Errors
    ///
    /// Returns [`TemplateError`] if the file cannot be read or is no JSON object.
    pub fn named(name: &str) -> Result<Self, TemplateError> {
        if let Some((_, text)) = OWN.iter().find(|(own, _)| *own == name) {
            return Self::parse(name, text);
        }
        let unread = |what: String| TemplateError::Unread { name: name.to_owned(), what };
        let bytes = fargate_files::read_at_most(Path::new(name), LONGEST)
            .map_err(|error| unread(error.to_string()))?;
        if bytes.len() as u64 > LONGEST {
            return Err(unread(format!("it is longer than {} KiB", LONGEST / 1024)));
        }
        let text = String::from_utf8(bytes).map_err(|_| unread("it is not UTF-8".to_owned()))?;
        Self::parse(name, &text)
    }

    /// Reads a template from its text. `name` is for errors.
    ///
    /// # Errors
    ///
    /// Returns [`TemplateError::NoJson`] if the text is no JSON object.
    pub fn parse(name: &str, text: &str) -> Result<Self, TemplateError> {
        let no_json = |what: String| TemplateError::NoJson { name: name.to_owned(), what };
        // Some editors begin a file with this mark, which is no JSON.
        match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
            Ok(Value::Object(members)) => Ok(Self { name: name.to_owned(), members }),
            Ok(_) => Err(no_json("it is no object".to_owned())),
            Err(error) => Err(no_json(error.to_string())),
        }
    }

    /// The template filled with these values.
    ///
    /// # Errors
    ///
    /// Returns [`TemplateError`] if a placeholder is unknown, is used as it cannot be, or has no value
    /// inside a longer text.
    pub fn fill(&self, values: &PlaceholderValues) -> Result<Value, TemplateError> {
        let filling = TemplateFilling { template: &self.name, values };
        let filled = filling.object(&self.members, "")?;
        Ok(filled.unwrap_or_else(|| Value::Object(Map::new())))
    }
}

/// One pass over a template.
struct TemplateFilling<'a> {
    template: &'a str,
    values: &'a PlaceholderValues,
}

impl TemplateFilling<'_> {
    /// `None` if the object is left out.
    fn object(
        &self,
        members: &Map<String, Value>,
        at: &str,
    ) -> Result<Option<Value>, TemplateError> {
        if let Some(condition) = members.get(WHEN)
            && !self.holds(condition, at)?
        {
            // What is left out must still be right, or the error would appear with the setting.
            self.members(members, at)?;
            return Ok(None);
        }
        Ok(Some(Value::Object(self.members(members, at)?)))
    }

    fn members(
        &self,
        members: &Map<String, Value>,
        at: &str,
    ) -> Result<Map<String, Value>, TemplateError> {
        let mut filled = Map::new();
        for (name, value) in members.iter().filter(|(name, _)| *name != WHEN) {
            let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            if let Some(value) = self.value(value, &at)? {
                filled.insert(name.clone(), value);
            }
        }
        Ok(filled)
    }

    fn value(&self, value: &Value, at: &str) -> Result<Option<Value>, TemplateError> {
        match value {
            Value::String(text) => self.text(text, at),
            Value::Object(members) => self.object(members, at),
            Value::Array(items) => {
                let mut filled = Vec::with_capacity(items.len());
                for (number, item) in items.iter().enumerate() {
                    filled.extend(self.value(item, &format!("{at}[{number}]"))?);
                }
                Ok(Some(Value::Array(filled)))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(Some(value.clone())),
        }
    }

    fn holds(&self, condition: &Value, at: &str) -> Result<bool, TemplateError> {
        let at = if at.is_empty() { WHEN } else { at };
        let Some(name) = condition.as_str() else {
            let what = format!("`{WHEN}` is the name of a placeholder, in quotes");
            return Err(self.misused(at, what));
        };
        Ok(self.look_up(name, at)?.is_some())
    }

    /// A text, a number that it stands for, or nothing.
    fn text(&self, text: &str, at: &str) -> Result<Option<Value>, TemplateError> {
        let pieces = self.pieces(text, at)?;
        if let [TextPiece::Placeholder(name)] = pieces.as_slice() {
            let Some(value) = self.look_up(name, at)? else { return Ok(None) };
            return value.whole().map(Some).ok_or_else(|| self.condition(name, at));
        }
        let mut filled = String::with_capacity(text.len());
        for piece in pieces {
            match piece {
                TextPiece::Plain(plain) => filled.push_str(&plain),
                TextPiece::Placeholder(name) => match self.look_up(name, at)? {
                    Some(value) => {
                        let inside = value.inside().ok_or_else(|| self.condition(name, at))?;
                        filled.push_str(&inside);
                    }
                    None => {
                        let what = format!(
                            "`${{{name}}}` is part of a longer text, and the setting is absent"
                        );
                        return Err(self.misused(at, what));
                    }
                },
            }
        }
        Ok(Some(Value::String(filled)))
    }

    /// Plain texts and placeholders in their order; `$${` is a plain `${`.
    fn pieces<'t>(&self, text: &'t str, at: &str) -> Result<Vec<TextPiece<'t>>, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, after) = (&rest[..start], &rest[start + 2..]);
            if let Some(before) = before.strip_suffix('$') {
                pieces.push(TextPiece::Plain(format!("{before}${{").into()));
                rest = after;
                continue;
            }
            let Some((name, after)) = after.split_once('}') else {
                let what = "`${` has no `}`; a `${` that is no placeholder is written `$${`";
                return Err(self.misused(at, what.to_owned()));
            };
            if !before.is_empty() {
                pieces.push(TextPiece::Plain(before.into()));
            }
            pieces.push(TextPiece::Placeholder(name));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(TextPiece::Plain(rest.into()));
        }
        Ok(pieces)
    }

    fn look_up(&self, name: &str, at: &str) -> Result<Option<&PlaceholderValue>, TemplateError> {
        self.values.get(name).ok_or_else(|| TemplateError::UnknownPlaceholder {
            template: self.template.to_owned(),
            member: escape_within(at, 100),
            given: escape_within(name, 60),
            nearest: nearest(name, self.values.names()),
            allowed: self.values.names().collect::<Vec<_>>().join(", "),
        })
    }

    fn condition(&self, name: &str, at: &str) -> TemplateError {
        self.misused(at, format!("`{name}` has no text of its own, it stands only after `{WHEN}`"))
    }

    fn misused(&self, at: &str, what: String) -> TemplateError {
        let member = escape_within(at, 100);
        TemplateError::Misused { template: self.template.to_owned(), member, what }
    }
}

enum TextPiece<'t> {
    Plain(Cow<'t, str>),
    Placeholder(&'t str),
}

/// The name that was probably meant.
fn nearest(given: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    const ENOUGH: f64 = 0.75;
    let given = given.trim().to_ascii_lowercase();
    let scored = names.map(|name| (name, strsim::jaro_winkler(&given, name)));
    let best = scored.max_by(|(_, one), (_, other)| one.total_cmp(other));
    best.filter(|(_, score)| *score > ENOUGH).map(|(name, _)| name)
}
