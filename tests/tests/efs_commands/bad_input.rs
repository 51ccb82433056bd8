//! Each mistake of a person is one clear sentence, and nothing is made.

use std::fs;

use crate::StorageOperator;

#[tokio::test]
async fn each_mistake_is_one_sentence_and_makes_nothing() {
    let person = StorageOperator::at_once().await;
    let cases: [(&[&str], &str); 4] = [
        (&["plan", "--project", "app"], "`--project \"app\"` is no path of a project"),
        (&["plan", "--project", "team/*"], "`--project \"team/*\"` is no path of a project"),
        (&["plan", "--project", "other/app"], "is for the project other/app"),
        (&["apply"], "nobody can be asked"),
    ];
    for (arguments, sentence) in cases {
        let said = person.says(arguments).await.with_code(1);
        assert!(said.err.contains(sentence), "{arguments:?}: {}", said.err);
    }
    let usual = person.configured("", "");
    let text = fs::read_to_string(&usual).expect("a file");
    let changes: [(&str, &str, &str); 3] = [
        (&person.file_system, "fs-00000000", "has no file system fs-00000000 in this account"),
        ("volumes = [\"cache\", \"tools\"]", "", "no profile mounts a volume"),
        (
            "subnets = [",
            "subnets = [\"subnet-00000000\", ",
            "reading the subnets subnet-00000000, ",
        ),
    ];
    for (old, new, sentence) in changes {
        let changed = text.replace(old, new);
        assert_ne!(changed, text, "{old}");
        fs::write(&usual, changed).expect("a writable folder");
        let said = person.says_in(&usual, &["apply", "--yes"], &[]).await.with_code(1);
        assert!(said.err.contains(sentence), "{sentence}: {}", said.err);
    }
    let none = text.split("[profile.shared]").next().expect("a first part");
    fs::write(&usual, format!("{none}\n[profile.one]\nimage = \"a:1\"\n"))
        .expect("a writable folder");
    let said = person.says_in(&usual, &["plan"], &[]).await.with_code(1);
    assert!(said.err.contains("the file has no volume; add `[volume.NAME]`"), "{}", said.err);
    assert_eq!(person.counts().await, (0, 0));
    person.host.close().await;
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let person = StorageOperator::at_once().await;
    for right in [
        "elasticfilesystem:DescribeFileSystems",
        "elasticfilesystem:DescribeAccessPoints",
        "elasticfilesystem:CreateAccessPoint",
        "elasticfilesystem:PutFileSystemPolicy",
        "elasticfilesystem:CreateMountTarget",
        "ec2:DescribeSubnets",
    ] {
        person.host.cloud().deny(right);
        let said = person.says(&["apply", "--yes"]).await.with_code(1);
        let sentence = format!("it needs the right to {right}");
        assert!(said.err.contains(&sentence), "{right}: {}", said.err);
        person.host.cloud().allow(right);
    }
    person.says(&["apply", "--yes"]).await.with_code(0);
    assert_eq!(person.counts().await, (3, 2));
    person.host.close().await;
}

#[tokio::test]
async fn the_managers_own_role_is_refused_and_never_assumed() {
    let person = StorageOperator::at_once().await;
    let role = person.host.cloud().add_role("eu-west-1", "ci-manager", None);
    let file = person.configured("", &format!("assume_role_arn = \"{role}\""));
    let said = person.says_in(&file, &["plan"], &[]).await.with_code(1);
    assert!(
        said.err.contains("as arn:aws:sts::123456789012:assumed-role/acting-infrastructure/"),
        "{}",
        said.err
    );
    assert_eq!(person.host.calls("AssumeRole"), 0, "the administrator's credentials are used");
    let profiles = person.host.folder().join("aws-config");
    let text = format!(
        "[profile manager]\nrole_arn = {role}\nsource_profile = base\nregion = eu-west-1\n\
         [profile base]\naws_access_key_id = test\naws_secret_access_key = test\n"
    );
    fs::write(&profiles, text).expect("a writable folder");
    let profiles = profiles.to_str().expect("a path of ours");
    let manager = [
        ("AWS_CONFIG_FILE", profiles),
        ("AWS_PROFILE", "manager"),
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_SESSION_TOKEN", ""),
    ];
    let said = person.says_in(&file, &["apply", "--yes"], &manager).await.with_code(1);
    assert!(said.err.contains("the manager's own role (`assume_role_arn`)"), "{}", said.err);
    assert_eq!(person.counts().await, (0, 0));
    person.host.close().await;
}
