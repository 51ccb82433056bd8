//! `config import`, `check` and `show` on a file of GitLab's driver, as a person sees them.

use std::fs;

use fargate_tests::replace_in;

use crate::{OldStyleHost, call};

/// GitLab's own example, with ids in the place of its placeholders.
const EXAMPLE: &str = r#"LogLevel = "info"
LogFormat = "text"

[Fargate]
  Cluster = "test-cluster"
  Region = "us-east-2"
  Subnet = "subnet-0a1b2c3d"
  SecurityGroup = "sg-0a1b2c3d"
  TaskDefinition = "test-task:1"
  EnablePublicIP = true
  UsePublicIP = false

[TaskMetadata]
  Directory = "/opt/gitlab-runner/metadata"

[SSH]
  Username = "root"
  Port = 22
"#;

#[tokio::test]
async fn the_import_of_gitlabs_example_is_a_file_of_ours_that_passes() {
    let old = OldStyleHost::open().await;
    let job = old.job();
    let runner = fargate_tests::runner();
    fs::write(job.folder.join("old.toml"), EXAMPLE).expect("a writable folder");
    let imported = call(&job, &runner, &["config", "import", "old.toml"]).await.with_code(0);
    let heading = "# The settings of old.toml in Fargate Runner's own grammar.\n";
    assert!(imported.out().starts_with(heading), "{}", imported.out());
    insta::assert_snapshot!(imported.err(), @r#"
    warning: old.toml:4: key `Fargate.HostKey` is not there, so that `first_use` is implied: the first host key that a task shows is taken and pinned, whoever shows it
    hint: `HostKey = "seed"` once the image starts fargate-agent instead of sshd
    "#);
    fs::write(job.folder.join("new.toml"), imported.stdout).expect("a writable folder");
    let checked = call(&job, &runner, &["-c", "new.toml", "config", "check"]).await.with_code(0);
    assert_eq!(
        (checked.out().as_str(), checked.err().as_str()),
        (
            "new.toml: in order, no profiles\n",
            "warning: new.toml:32: key `defaults.public_ip` is \"assigned\": each task gets a public address, and only its security groups keep the internet out\n\
             hint: `public_ip = \"none\"`, and a route to a NAT gateway as the way out\n"
        )
    );
    // Both files set the same values; only the places of the values differ.
    let shown = |text: String| -> Vec<String> {
        let settings = text.lines().filter(|line| !line.starts_with('#'));
        settings.map(|line| line.split(" # ").next().unwrap_or_default().to_owned()).collect()
    };
    let of_old = call(&job, &runner, &["-c", "old.toml", "config", "show"]).await.with_code(0);
    let of_new = call(&job, &runner, &["-c", "new.toml", "config", "show"]).await.with_code(0);
    assert_eq!(shown(of_old.out()), shown(of_new.out()));
    old.site.close().await;
}

#[tokio::test]
async fn check_says_what_it_noticed_and_passes_and_unknown_keys_are_no_failure() {
    let old = OldStyleHost::open().await;
    let job = old.job();
    let runner = fargate_tests::runner();
    let path = job.folder.join("old.toml");
    fs::write(&path, EXAMPLE).expect("a writable folder");
    replace_in(&path, "UsePublicIP = false", "Sysctls = [\"/cache\"]");
    let checked = call(&job, &runner, &["-c", "old.toml", "config", "check"]).await.with_code(0);
    insta::assert_snapshot!(checked.all(), @r#"
    old.toml: in order, a file of GitLab's Fargate driver
    warning: old.toml:11: key `Fargate.Sysctls` is not known here, it is ignored
    warning: old.toml:4: key `Fargate.HostKey` is not there, so that `first_use` is implied: the first host key that a task shows is taken and pinned, whoever shows it
    hint: `HostKey = "seed"` once the image starts fargate-agent instead of sshd
    warning: old.toml:10: key `Fargate.EnablePublicIP` is true: each task gets a public address, and only its security groups keep the internet out
    hint: `EnablePublicIP = false`, and a route to a NAT gateway as the way out
    "#);
    old.site.close().await;
}

#[tokio::test]
async fn what_cannot_be_imported_is_said_in_one_line() {
    let old = OldStyleHost::open().await;
    let job = old.job();
    let runner = fargate_tests::runner();
    let ours = old.site.config().display().to_string();
    let own = call(&job, &runner, &["config", "import", &ours]).await.with_code(1);
    assert!(own.error_line().contains("a file of Fargate Runner already"), "{}", own.all());
    let gone = call(&job, &runner, &["config", "import", "/no/such.toml"]).await.with_code(1);
    assert!(gone.error_line().contains("there is no such file"), "{}", gone.all());
    let (cut, _) = EXAMPLE.split_once("-0a1b2c3d").expect("an id");
    fs::write(job.folder.join("cut.toml"), cut).expect("a writable folder");
    let cut = call(&job, &runner, &["config", "import", "cut.toml"]).await.with_code(1);
    assert!(cut.error_line().contains("cut.toml:7: TOML syntax"), "{}", cut.all());
    assert_eq!(cut.out(), "");
    old.site.close().await;
}
