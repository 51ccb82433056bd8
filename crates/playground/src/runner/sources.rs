//! The scripts that fetch a job's sources, throw a work tree away, and forget what was fetched.

use super::script_builder::{StageScriptBuilder, StageScriptInput};

/// Fetches the commit of the job into its project folder.
pub(super) fn get(body: &mut StageScriptBuilder, subject: &StageScriptInput) {
    let job = subject.job;
    let project = body.word(&subject.places.project_dir);
    body.variables(subject);
    body.line("export GIT_TERMINAL_PROMPT=0");
    unlock(body, subject);
    hook(body, subject, "pre_get_sources_script");
    match job.variable("GIT_STRATEGY") {
        Some("none" | "empty") => {
            body.notice("Skipping Git repository setup");
            body.line(format!("mkdir -p {project}"));
        }
        _ => fetch(body, subject),
    }
    hook(body, subject, "post_get_sources_script");
}

fn fetch(body: &mut StageScriptBuilder, subject: &StageScriptInput) {
    let git = &subject.job.git_info;
    let project = body.word(&subject.places.project_dir);
    let url = body.word(&git.repo_url);
    let depth = match git.depth {
        0 => {
            body.notice("Fetching changes...");
            String::new()
        }
        depth => {
            body.notice(&format!("Fetching changes with git depth set to {depth}..."));
            format!(" --depth {depth}")
        }
    };
    body.line(format!("git init --quiet {project}"));
    body.line(format!("cd {project}"));
    body.line(format!("if git remote add origin {url} > /dev/null 2>&1; then"));
    body.notice("Created fresh repository.");
    body.line("else");
    body.line(format!("git remote set-url origin {url}"));
    body.line("fi");
    let refspecs: Vec<_> = git.refspecs.iter().map(|refspec| body.word(refspec)).collect();
    body.line(format!(
        "git -c gc.autoDetach=false fetch origin --no-recurse-submodules {}{depth} --prune --quiet",
        refspecs.join(" ")
    ));
    let short = git.sha.get(..8).unwrap_or(&git.sha);
    body.notice(&format!("Checking out {short} as detached HEAD (ref is {})...", git.ref_name));
    body.line(format!("git -c submodule.recurse=false checkout -f -q {}", body.word(&git.sha)));
    body.line("git clean -ffdx");
}

fn hook(body: &mut StageScriptBuilder, subject: &StageScriptInput, name: &str) {
    body.user_lines(subject.job.hook(name));
}

/// Deletes all files of the work tree, before the sources are fetched again.
pub(super) fn clear(body: &mut StageScriptBuilder, subject: &StageScriptInput) {
    let project = body.word(&subject.places.project_dir);
    body.variables(subject);
    body.notice("Deleting tracked and untracked files...");
    body.line(format!("mkdir -p {project}"));
    body.line(format!("cd {project}"));
    body.line("if [ -d .git ]; then git rm -r -f -q --ignore-unmatch . && git clean -ffdx; fi");
}

/// Removes what a stage may have left, and the variables that earlier stages set.
pub(super) fn forget(body: &mut StageScriptBuilder, subject: &StageScriptInput) {
    let variables = format!("{}/gitlab_runner_env", subject.places.temporary());
    body.line(format!("rm -f {}", body.word(&variables)));
    unlock(body, subject);
}

/// Removes git's locks, hooks and configuration: a stage that was killed may have left any.
fn unlock(body: &mut StageScriptBuilder, subject: &StageScriptInput) {
    let git = format!("{}/.git", subject.places.project_dir);
    for name in ["index.lock", "shallow.lock", "HEAD.lock", "config.lock", "config"] {
        body.line(format!("rm -f {}", body.word(&format!("{git}/{name}"))));
    }
    body.line(format!("rm -r -f {}", body.word(&format!("{git}/hooks"))));
}
