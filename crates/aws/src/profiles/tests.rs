use super::*;

/// Profiles with this content of both files and this `AWS_PROFILE`.
fn profiles(config: &[u8], credentials: &[u8], named: Option<&str>) -> AwsProfiles {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".aws")).unwrap();
    std::fs::write(folder.path().join(".aws/config"), config).unwrap();
    std::fs::write(folder.path().join(".aws/credentials"), credentials).unwrap();
    let home = folder.path().to_owned();
    AwsProfiles::of(|name| named.filter(|_| name == "AWS_PROFILE").map(OsString::from), Some(home))
}

/// Why the profile is refused, in one line, with short file names.
fn refused(profiles: &AwsProfiles) -> String {
    let why = profiles.check().unwrap_err();
    let evidence: Vec<_> = why.evidence.iter().map(ToString::to_string).collect();
    let text = format!("{}: {}", why.headline(), evidence.join(" "));
    let folder = profiles.config.path.parent().unwrap().to_str().unwrap();
    text.replace(folder, "~/.aws")
}

/// The key that the SDK reads from the text.
async fn key_of(profiles: &AwsProfiles) -> Option<String> {
    use aws_config::profile::ProfileFileCredentialsProvider;
    use aws_config::provider_config::ProviderConfig;
    use aws_credential_types::provider::ProvideCredentials;
    let http = crate::http::AwsHttpClient::new(
        &fargate_config::AccountSettings::default(),
        &fargate_mask::SharedMasker::default(),
    )
    .unwrap();
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&ProviderConfig::without_region().with_http_client(http))
        .profile_files(profiles.files())
        .profile_name(profiles.selected_for_sdk())
        .build();
    Some(provider.provide_credentials().await.ok()?.access_key_id().to_owned())
}

const KEYS: &str = "aws_access_key_id = AKIA1\naws_secret_access_key = secret\n";

#[tokio::test]
async fn what_harms_no_profile_in_use_is_passed_over() {
    let default = format!("[default]\n{KEYS}");
    for credentials in [
        format!("\u{feff}{default}"),
        format!("{default}[other]\nthis is no setting\n  nor this\n"),
        format!("[other\naws_access_key_id = AKIA2\n\n{default}"),
        format!("no section yet\n{default}"),
        format!("[other]\n  indented = 1\n{default}"),
        format!("{default}[other]\n= no name\n"),
        default.replace('\n', "\r\n"),
        // botocore accepts these.
        default.replace("\naws", "\n  aws"),
        default.replace("[default]", "[default] /* why */"),
        default.replace("[default]", "[default]\n  # why"),
        default.replace("[default]", "  [default]"),
    ] {
        let profiles = profiles(b"", credentials.as_bytes(), None);
        assert!(profiles.check().is_ok(), "{credentials}");
        assert_eq!(key_of(&profiles).await.as_deref(), Some("AKIA1"), "{credentials}");
    }
    let binary = [b"[other]\n\xff\xfe = 1\n".as_slice(), default.as_bytes()].concat();
    assert_eq!(key_of(&profiles(b"", &binary, None)).await.as_deref(), Some("AKIA1"));
}

#[tokio::test]
async fn a_profile_is_found_with_and_without_its_word_in_either_file() {
    for (config, credentials) in [
        (format!("[profile ci]\n{KEYS}"), String::new()),
        (format!("[ci]\n{KEYS}"), String::new()),
        (String::new(), format!("[ci]\n{KEYS}")),
        (String::new(), format!("[ profile ci ] # comment\n{KEYS}")),
        (format!("[profile ci]\nrole_session_name = x\n[ci]\n{KEYS}"), String::new()),
    ] {
        let profiles = profiles(config.as_bytes(), credentials.as_bytes(), Some("ci"));
        assert!(profiles.check().is_ok());
        assert_eq!(key_of(&profiles).await.as_deref(), Some("AKIA1"), "{config}{credentials}");
    }
}

#[tokio::test]
async fn a_profile_with_blanks_or_quotes_in_its_name_is_found() {
    for (name, config, credentials) in [
        ("x y", format!("[profile \"x y\"]\n{KEYS}"), ""),
        ("x y", format!("[profile 'x y']\n{KEYS}"), ""),
        ("it's", format!("[profile \"it's\"]\n{KEYS}"), ""),
        ("x y", String::new(), "[x y]\naws_access_key_id = AKIA1\naws_secret_access_key = s\n"),
        ("ci", format!("[profile ci]\nregion = x\n{KEYS}[profile 'x y']\nregion = x\n"), ""),
    ] {
        let profiles = profiles(config.as_bytes(), credentials.as_bytes(), Some(name));
        assert!(profiles.check().is_ok(), "{config}");
        assert_eq!(key_of(&profiles).await.as_deref(), Some("AKIA1"), "{config}{credentials}");
    }
    let source = b"[profile a]\nrole_arn = r\nsource_profile = x y\n[profile 'x y']\ncredential_process = /bin/keys\n";
    let source = profiles(source, b"", Some("a"));
    assert!(source.check().is_ok());
    assert!(source.config.text.contains("source_profile = fargate-runner-profile-0\n"));
    assert!(source.config.text.contains("[profile fargate-runner-profile-0]\n"));
    assert!(source.config.text.contains("credential_source = fargate-runner-process-0\n"));
    let odd = profiles(b"[profile bad name]\nx\n", b"", Some("bad name"));
    assert_eq!(
        odd.check().unwrap_err().command().unwrap(),
        "aws sts get-caller-identity --profile 'bad name'"
    );
}

#[test]
fn a_profile_that_cannot_work_is_refused_with_file_profile_and_line_and_without_the_line() {
    let broken = b"[default]\naws_access_key_id = A\naws_secret_access_key canary\n";
    insta::assert_snapshot!(refused(&profiles(b"", broken, None)), @"the AWS profile default gives no credentials: Line 3 of ~/.aws/credentials, in [default]: a setting is NAME = VALUE.");
    insta::assert_snapshot!(refused(&profiles(b"[profile ci\nregion = x\n", b"", Some("ci"))), @"the AWS profile ci gives no credentials: Line 1 of ~/.aws/config: a section begins with [NAME], and here the ] is missing.");
    insta::assert_snapshot!(refused(&profiles(b"[profile other]\n", b"", Some("ci"))), @"the AWS profile ci gives no credentials: AWS_PROFILE names it, and no file has it: ~/.aws/config and ~/.aws/credentials.");
    let source = b"[profile ci]\nrole_arn = arn:x\nsource_profile = base\n";
    insta::assert_snapshot!(refused(&profiles(source, b"", Some("ci"))), @r#"the AWS profile ci gives no credentials: Line 3 of ~/.aws/config, in [ci]: there is no profile "base"."#);
    let chain = [source, b"[profile base]\nsso_session = s\n[sso-session s]\ncanary\n".as_slice()];
    insta::assert_snapshot!(refused(&profiles(&chain.concat(), b"", Some("ci"))), @"the AWS profile ci gives no credentials: Line 7 of ~/.aws/config, in [sso-session s]: a setting is NAME = VALUE.");
}

#[test]
fn a_profile_that_contradicts_itself_is_refused_by_its_line() {
    let said = |config: &str| {
        refused(&profiles(config.as_bytes(), b"", Some("a"))).split_once(": ").unwrap().1.to_owned()
    };
    insta::assert_snapshot!(said("[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = r\nsource_profile = a\n"), @"Line 6 of ~/.aws/config, in [b]: source_profile leads in a circle.");
    insta::assert_snapshot!(said("[profile a]\nrole_arn = r\n"), @"Line 2 of ~/.aws/config, in [a]: role_arn needs source_profile or credential_source.");
    insta::assert_snapshot!(said("[profile a]\nrole_arn = r\nsource_profile = a\ncredential_source = Environment\n"), @"Line 3 of ~/.aws/config, in [a]: source_profile and credential_source exclude each other.");
    insta::assert_snapshot!(said("[profile a]\nsso_session = team\n"), @"Line 2 of ~/.aws/config, in [a]: there is no section [sso-session team].");
    insta::assert_snapshot!(said("[profile a]\nsso_session = FOO BAR\n[sso-session 'FOO BAR']\n"), @"Line 2 of ~/.aws/config, in [a]: a name of an sso-session with blanks or quotes is unknown here; rename it.");
    insta::assert_snapshot!(said("[profile a]\nlogin_session = x\n"), @"Line 2 of ~/.aws/config, in [a]: login_session is unknown here; use SSO or a credential_process.");
    insta::assert_snapshot!(said("[profile a]\nrole_arn = r\ncredential_source = environment\n"), @"Line 3 of ~/.aws/config, in [a]: credential_source is one of Environment, Ec2InstanceMetadata, EcsContainer.");
    insta::assert_snapshot!(said("[profile a]\nrole_arn = r\nweb_identity_token_file = /no/such\n"), @"Line 3 of ~/.aws/config, in [a]: the file /no/such cannot be read: No such file or directory (os error 2).");
    insta::assert_snapshot!(said("[profile a]\naws_access_key_id = x\n"), @"Line 2 of ~/.aws/config, in [a]: aws_secret_access_key is missing beside it.");
    insta::assert_snapshot!(said("[profile a]\naws_secret_access_key = x\n"), @"Line 2 of ~/.aws/config, in [a]: aws_access_key_id is missing beside it.");
    insta::assert_snapshot!(said("[profile a]\nrole_arn = r\nsource_profile = a\n"), @"Line 3 of ~/.aws/config, in [a]: source_profile is this profile itself, which has no keys.");
    insta::assert_snapshot!(said("[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nregion = x\n"), @r#"Line 3 of ~/.aws/config, in [a]: profile "b" has no credentials."#);
    // What the SDK accepts, we accept: the keys of a source win, and a profile may be its own
    // source.
    for good in [
        format!("[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = r\n{KEYS}"),
        format!("[profile a]\nrole_arn = r\nsource_profile = a\n{KEYS}"),
        "[profile a]\nrole_arn = r\nweb_identity_token_file = /dev/null\n".to_owned(),
        "[profile a]\nrole_arn = r\ncredential_source = EcsContainer\n".to_owned(),
        "[profile a]\nregion = x\n".to_owned(),
    ] {
        assert!(profiles(good.as_bytes(), b"", Some("a")).check().is_ok(), "{good}");
    }
}

#[test]
fn a_process_becomes_a_source_of_ours_unless_another_source_stands_beside_it() {
    let config = format!(
        "[profile ci]\ncredential_process = /bin/keys --of \"a b\" # why\nregion = x\n\
         [profile both]\ncredential_process = /bin/keys\n{KEYS}\
         [profile role]\nrole_arn = r\nsource_profile = ci\ncredential_process = /bin/keys\n"
    );
    let profiles = profiles(config.as_bytes(), b"", Some("ci"));
    let [process] = &profiles.processes()[..] else { panic!("{:?}", profiles.processes()) };
    assert_eq!((process.command.as_str(), process.line), ("/bin/keys --of \"a b\"", 2));
    assert!(!profiles.config.text.contains("credential_process"), "{}", profiles.config.text);
    assert!(profiles.config.text.contains(&format!("credential_source = {}", process.source)));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join(".aws/config")).unwrap();
    let profiles = AwsProfiles::of(|_| None, Some(folder.path().to_owned()));
    assert!(profiles.places().contains("it is not a regular file"), "{}", profiles.places());
    assert!(profiles.check().is_ok());
}

#[test]
fn no_file_panics() {
    let odd =
        ["[", "[]", "[[x]]", "=", " = ", "[x]\n\t=\n\t\n = 1", "[profile]", "\u{feff}\u{feff}[a]"];
    for text in odd {
        let _ = profiles(text.as_bytes(), text.as_bytes(), Some("x")).check();
    }
}
