//! A journal that cannot be written costs one warning for each process, and no job anything.

use fargate_tests::CheckedHost;

use crate::logged;

#[tokio::test]
async fn a_job_does_not_need_its_journal() {
    let site = CheckedHost::open().await;
    std::fs::create_dir_all(site.state_dir()).expect("a state folder");
    std::fs::write(site.state_dir().join("journals"), "in the way").expect("a file");
    let job = site.prepared().await;
    let ran = job.run("echo fine").await.with_code(0);
    assert_eq!((ran.out().as_str(), ran.err().as_str()), ("fine\n", ""));
    job.cleanup().await.passed();
    let name = "gl-4000";
    let warnings = logged(&site, name).into_iter().filter(|event| event == "journal.not_written");
    assert_eq!(warnings.count(), 3, "one for each of three processes");
    let shown = site.start(&["jobs", "show", name, "-o", "table"]).ended().await.with_code(0);
    assert!(shown.err().contains("the history of this job is missing"), "{}", shown.err());
    std::fs::remove_file(site.state_dir().join("journals")).expect("the file");
    let why = site.start(&["jobs", "why", name]).ended().await.with_code(1);
    assert!(why.err().contains("has no journal here"), "{}", why.err());
    site.close().await;
}
