//! Changes a JSON answer at the places that a pointer names.

use serde_json::Value;

/// What is changed in an answer, and where.
///
/// A pointer is one of RFC 6901 (`/tasks/0/lastStatus`), in which `*` stands for every element of a
/// list and every member of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerEdit {
    /// Puts a value there. The last member of the pointer is added if it is missing.
    Set {
        /// Where.
        pointer: String,
        /// What.
        value: Value,
    },
    /// Removes what is there.
    Remove {
        /// Where.
        pointer: String,
    },
}

impl AnswerEdit {
    /// Changes `answer`. A pointer to a place that does not exist changes nothing.
    pub(crate) fn apply(&self, answer: &mut Value) {
        let (pointer, value) = match self {
            Self::Set { pointer, value } => (pointer, Some(value)),
            Self::Remove { pointer } => (pointer, None),
        };
        let steps: Vec<String> = pointer.split('/').skip(1).map(unescaped).collect();
        change(answer, &steps, value);
    }
}

/// `~1` means a slash and `~0` a tilde, as RFC 6901 says.
fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

fn change(within: &mut Value, steps: &[String], value: Option<&Value>) {
    let Some((step, rest)) = steps.split_first() else { return };
    if rest.is_empty() {
        return change_member(within, step, value);
    }
    match within {
        Value::Object(members) if step == "*" => {
            members.values_mut().for_each(|member| change(member, rest, value));
        }
        Value::Array(items) if step == "*" => {
            items.iter_mut().for_each(|item| change(item, rest, value));
        }
        Value::Object(members) => {
            if let Some(member) = members.get_mut(step) {
                change(member, rest, value);
            }
        }
        Value::Array(items) => {
            if let Some(item) = step.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
                change(item, rest, value);
            }
        }
        _ => {}
    }
}

fn change_member(within: &mut Value, step: &str, value: Option<&Value>) {
    match (within, value) {
        (Value::Object(members), Some(value)) if step == "*" => {
            members.values_mut().for_each(|member| *member = value.clone());
        }
        (Value::Object(members), Some(value)) => {
            members.insert(step.to_owned(), value.clone());
        }
        (Value::Object(members), None) if step == "*" => members.clear(),
        (Value::Object(members), None) => {
            members.remove(step);
        }
        (Value::Array(items), Some(value)) if step == "*" => {
            items.iter_mut().for_each(|item| *item = value.clone());
        }
        (Value::Array(items), None) if step == "*" => items.clear(),
        (Value::Array(items), value) => {
            let Some(at) = step.parse::<usize>().ok().filter(|at| *at < items.len()) else {
                return;
            };
            match value {
                Some(value) => items[at] = value.clone(),
                None => drop(items.remove(at)),
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changed(pointer: &str, value: Option<Value>) -> Value {
        let mut answer = json!({"tasks": [{"a": 1, "b/c": 2}, {"a": 3}], "failures": []});
        let pointer = pointer.to_owned();
        let edit = match value {
            Some(value) => AnswerEdit::Set { pointer, value },
            None => AnswerEdit::Remove { pointer },
        };
        edit.apply(&mut answer);
        answer
    }

    #[test]
    fn a_value_is_set_where_the_pointer_leads_and_in_every_place_for_a_star() {
        let set = |pointer| changed(pointer, Some(json!(null)));
        assert_eq!(set("/tasks/1/a")["tasks"][1], json!({"a": null}));
        assert_eq!(set("/tasks/*/new")["tasks"][1], json!({"a": 3, "new": null}));
        assert_eq!(set("/tasks/0/b~1c")["tasks"][0], json!({"a": 1, "b/c": null}));
        assert_eq!(set("/tasks/*")["tasks"], json!([null, null]));
        assert_eq!(set("/*"), json!({"tasks": null, "failures": null}));
    }

    #[test]
    fn what_is_removed_is_gone() {
        assert_eq!(changed("/tasks", None), json!({"failures": []}));
        assert_eq!(changed("/tasks/0", None)["tasks"], json!([{"a": 3}]));
        assert_eq!(changed("/tasks/*", None)["tasks"], json!([]));
        assert_eq!(changed("/tasks/*/*", None)["tasks"], json!([{}, {}]));
    }

    #[test]
    fn a_pointer_that_leads_nowhere_changes_nothing() {
        let same = changed("/nothing/here", None);
        for pointer in ["/tasks/7/a", "/tasks/7", "/tasks/x", "/failures/0", "/tasks/0/a/deep"] {
            assert_eq!(changed(pointer, Some(json!(9))), same, "{pointer}");
            assert_eq!(changed(pointer, None), same, "{pointer}");
        }
    }
}
