//! Images that do not pass: each says the phase, the times, the end of the log and the next step, exits with 9,
//! and is gone afterwards.

use crate::test_site::{SSHD, site};

/// Writes the key of somebody else.
const OTHER_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOBBifyzt+3ro2UXhit/0ao6EQvecTHZ9SV2SRSdakUY";

/// What a test of this image says from `error:` on. Everything is gone then.
fn refused(
    name: &str,
    tag: &str,
    base: &str,
    instructions: &str,
    flags: &[&str],
) -> Option<String> {
    let site = site()?;
    site.image(tag, base, instructions);
    let tested = site.test(name, &[&["--image-id", tag], flags].concat()).with_code(9);
    site.assert_nothing_left();
    let err = tested.err();
    Some(err[err.find("error: ").expect("an error")..].to_owned())
}

#[test]
fn an_entry_point_that_dies_is_told_with_its_status_and_the_masked_end_of_its_log() {
    let token = format!("glpat-{}", "Zq8bT3mW9xKcV2nR7sLp");
    let entry = format!(
        r#"ENTRYPOINT ["/bin/sh","-c","echo starting with {token}; printf '\\033[31mno config\\n' >&2; exit 3"]"#
    );
    let Some(said) = refused("sshd", "smoke/dies:1", SSHD, &entry, &[]) else { return };
    assert!(
        said.starts_with("error: smoke test of smoke/dies:1: SSH banner failed after "),
        "{said}"
    );
    assert!(said.contains("the container ended with 3 while it was needed"), "{said}");
    assert!(said.contains("phases: container start "), "{said}");
    assert!(said.contains("starting with [MASKED]") && said.contains("no config"), "{said}");
    assert!(!said.contains("glpat-") && !said.contains('\u{1b}'), "{said}");
    assert!(said.contains("\nhint: start it by hand to see why"), "{said}");
}

#[test]
fn an_entry_point_that_is_not_there_is_told_in_the_words_of_the_engine() {
    let entry = r#"ENTRYPOINT ["/nonexistent/server"]"#;
    let Some(said) = refused("sshd", "smoke/absent:1", SSHD, entry, &[]) else { return };
    assert!(said.contains("container start failed after "), "{said}");
    assert!(said.contains("/nonexistent/server"), "{said}");
    assert!(said.contains("hint: correct ENTRYPOINT and CMD of the image"), "{said}");
}

#[test]
fn an_image_without_a_shell_lets_us_in_and_runs_nothing() {
    let files = "COPY fargate-agent /fargate-agent\nENTRYPOINT [\"/fargate-agent\"]\n";
    let Some(said) = refused("agent", "smoke/bare:1", "scratch", files, &[]) else { return };
    assert!(said.contains("environment failed after ") && said.contains("login "), "{said}");
    assert!(said.contains("the agent refused it: bash could not be started"), "{said}");
    assert!(said.contains("hint: put the shell into the image"), "{said}");
}

#[test]
fn a_server_that_refuses_our_key_is_told_with_the_usual_reasons() {
    let entry = format!(
        r#"ENTRYPOINT ["/usr/bin/env","SSH_PUBLIC_KEY={OTHER_KEY}","/usr/local/bin/entrypoint.sh"]"#
    );
    let Some(said) = refused("sshd", "smoke/other-key:1", SSHD, &entry, &[]) else { return };
    assert!(said.contains("login failed after "), "{said}");
    assert!(said.contains("the login was refused: user root was refused"), "{said}");
    assert!(said.contains("hint: the usual reasons: another user than `ssh.user`"), "{said}");
}

#[test]
fn a_stock_server_is_not_taken_for_the_agent_that_the_profile_expects() {
    let Some(said) = refused("agent", "smoke/no-agent:1", SSHD, "LABEL a=b\n", &[]) else { return };
    assert!(said.contains("login failed after "), "{said}");
    assert!(said.contains("`host_key = \"first_use\"`"), "{said}");
}

#[test]
fn an_image_that_ignores_sigterm_is_told_with_the_time_that_it_had() {
    let entry =
        r#"ENTRYPOINT ["/bin/bash","-c","trap '' TERM; /usr/local/bin/entrypoint.sh & wait"]"#;
    let flags = ["--stop-timeout", "1s"];
    let Some(said) = refused("sshd", "smoke/stubborn:1", SSHD, entry, &flags) else { return };
    assert!(said.contains("stop failed after ") && said.contains("large output "), "{said}");
    assert!(said.contains("it did not end within 1.0 s after SIGTERM"), "{said}");
    assert!(said.contains("hint: let the entry point `exec` the server"), "{said}");
}

#[test]
fn folders_of_the_images_path_that_scripts_do_not_have_are_named() {
    let path =
        "ENV PATH=/opt/tool/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n";
    let Some(said) = refused("sshd", "smoke/lost-path:1", SSHD, path, &[]) else { return };
    assert!(said.contains("scripts do not find what the image has in /opt/tool/bin"), "{said}");
    assert!(said.contains("SetEnv PATH="), "{said}");
}

#[test]
fn an_image_that_the_engine_does_not_have_is_the_engines_refusal() {
    let Some(site) = site() else { return };
    let said = site.test("agent", &["--image-id", "smoke/gone:1"]).with_code(6).err();
    assert!(said.contains("smoke/gone:1"), "{said}");
    site.assert_nothing_left();
}
