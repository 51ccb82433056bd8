//! The jobs of `images/pipeline.gitlab-ci.yml`, and which of them a pipeline has.
//!
//! It reads the part of YAML that the file uses, and panics at anything else, so nothing is read wrongly.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

/// What stands in the file, with what each job extends put into it.
pub struct PipelineFile {
    content: Map<String, Value>,
}

/// Which kind of pipeline runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipelineKind {
    MergeRequest,
    DefaultBranch,
}

/// One job of a pipeline.
#[derive(Clone, Debug)]
pub struct PipelineJob {
    pub name: String,
    /// `before_script` and `script`, as GitLab hands them out.
    pub script: Vec<String>,
    /// Variables of the file and of the job; a later one of the same name wins.
    pub variables: Vec<(String, String)>,
    pub environment: String,
    pub is_manual: bool,
}

impl PipelineFile {
    pub fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../images/pipeline.gitlab-ci.yml");
        let text = fs::read_to_string(path).expect("the file of the pipeline");
        let lines: Vec<_> = text.lines().filter_map(YamlLine::of).collect();
        let Value::Object(content) = block(&mut &lines[..], 0) else { panic!("no mapping") };
        Self { content }
    }

    /// Every job that a pipeline of this kind has.
    pub fn jobs(&self, kind: PipelineKind) -> Vec<PipelineJob> {
        let names = self
            .content
            .iter()
            .filter(|(name, value)| !name.starts_with('.') && value.get("script").is_some());
        names.filter_map(|(name, _)| self.job_of(name, kind)).collect()
    }

    /// The job with this name.
    pub fn job(&self, name: &str, kind: PipelineKind) -> PipelineJob {
        self.job_of(name, kind).unwrap_or_else(|| panic!("{name} is not in {kind:?}"))
    }

    fn job_of(&self, name: &str, kind: PipelineKind) -> Option<PipelineJob> {
        let job = self.extended(name);
        let rules = job["rules"].as_array().expect("each job has rules");
        let rule = rules.iter().find(|rule| holds(rule["if"].as_str().expect("a text"), kind))?;
        let lines = |key: &str| texts(job.get(key));
        let variables =
            [self.content.get("variables"), job.get("variables")].map(|table| match table {
                Some(Value::Object(table)) => table
                    .iter()
                    .map(|(key, value)| (key.clone(), value.as_str().expect("text").to_owned()))
                    .collect(),
                _ => Vec::new(),
            });
        Some(PipelineJob {
            name: name.to_owned(),
            script: [lines("before_script"), lines("script")].concat(),
            variables: variables.concat(),
            environment: job["environment"]["name"].as_str().unwrap_or_default().to_owned(),
            is_manual: rule["when"] == "manual",
        })
    }

    /// A job on top of what it extends; tables are joined, as GitLab does it.
    fn extended(&self, name: &str) -> Map<String, Value> {
        let own = self.content[name].as_object().expect("a job").clone();
        let Some(base) = own.get("extends") else { return own };
        let mut job = self.extended(base.as_str().expect("one name"));
        join(&mut job, own);
        job
    }
}

fn join(base: &mut Map<String, Value>, own: Map<String, Value>) {
    for (key, value) in own {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(base)), Value::Object(own)) => join(base, own),
            (_, value) => drop(base.insert(key, value)),
        }
    }
}

/// The two conditions that the file has.
fn holds(condition: &str, kind: PipelineKind) -> bool {
    match condition {
        r#"$CI_PIPELINE_SOURCE == "merge_request_event""# => kind == PipelineKind::MergeRequest,
        "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" => kind == PipelineKind::DefaultBranch,
        other => panic!("a condition that this test does not know: {other}"),
    }
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.map(|item| item.as_str().expect("a text").to_owned()).collect()
}

/// One line that is neither empty nor a comment.
#[derive(Clone, Copy)]
struct YamlLine<'text> {
    indent: usize,
    text: &'text str,
}

impl<'text> YamlLine<'text> {
    fn of(line: &'text str) -> Option<Self> {
        let text = line.trim();
        let is_content = !text.is_empty() && !text.starts_with('#');
        assert!(!line.contains('\t') && !line.ends_with(['|', '>']), "{line}");
        is_content.then(|| Self { indent: line.len() - line.trim_start().len(), text })
    }
}

/// The mapping or the list whose lines have this indent.
fn block(lines: &mut &[YamlLine], indent: usize) -> Value {
    if lines[0].text.starts_with("- ") { list(lines, indent) } else { mapping(lines, indent) }
}

fn list(lines: &mut &[YamlLine], indent: usize) -> Value {
    let mut items = Vec::new();
    while let Some(line) = lines.first().copied().filter(|line| line.indent == indent) {
        let item = line.text.strip_prefix("- ").unwrap_or_else(|| panic!("{}", line.text));
        // A table in a list begins on the line of the dash.
        if item.starts_with("if: ") {
            let (first, rest) = lines.split_first().expect("a line");
            let mut table = vec![YamlLine { indent: indent + 2, text: item }];
            let more = rest.iter().take_while(|next| next.indent > first.indent);
            table.extend(more.copied());
            *lines = &rest[table.len() - 1..];
            items.push(mapping(&mut &table[..], indent + 2));
        } else {
            *lines = &lines[1..];
            items.push(json!(item));
        }
    }
    Value::Array(items)
}

fn mapping(lines: &mut &[YamlLine], indent: usize) -> Value {
    let mut table = Map::new();
    while let Some(line) = lines.first().copied().filter(|line| line.indent == indent) {
        *lines = &lines[1..];
        let (key, value) = line.text.split_once(':').unwrap_or_else(|| panic!("{}", line.text));
        let value = match value.trim() {
            "" => {
                let inner = lines.first().expect("what belongs to the key").indent;
                assert!(inner > indent, "{key}");
                block(lines, inner)
            }
            flow if flow.starts_with('[') => {
                let items = flow.strip_prefix('[').and_then(|flow| flow.strip_suffix(']'));
                json!(items.expect("a list in one line").split(", ").collect::<Vec<_>>())
            }
            text => json!(text),
        };
        assert!(table.insert(key.to_owned(), value).is_none(), "{key} stands twice");
    }
    Value::Object(table)
}
