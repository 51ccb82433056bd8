//! The audit log: append-only, and a changed entry is found.

use fargate_history::{AuditEntry, AuditVerification, PersonAction};
use serde_json::json;

use crate::place::{JobShape, TestHistory, TestJournals, key, read_all};
use crate::postgres::run_sql;

fn stop_by(who: &str, at_ms: u64) -> AuditEntry {
    AuditEntry {
        at_ms,
        host: "ci-1".into(),
        who: who.into(),
        action: "task.stop".into(),
        object: "gl-4411".into(),
        details: json!({ "note": "it hangs", "nul": "a\0b" }),
    }
}

#[tokio::test]
async fn each_launch_and_end_of_a_job_is_audited_with_its_user_and_image() {
    for history in TestHistory::each().await {
        history.store.put(vec![JobShape::numbered(3).update("ci-1")]).await.unwrap();
        let records = history.store.audit_after(0, 100).await.unwrap();
        let actions: Vec<_> = records.iter().map(|record| record.entry.action.as_str()).collect();
        assert_eq!(actions, ["task.launched", "task.stopping", "job.ended"]);
        for record in &records {
            let entry = &record.entry;
            assert_eq!((entry.who.as_str(), entry.object.as_str()), ("kim", key(3).as_str()));
            assert_eq!(entry.details["project"], "acme/web");
            assert_eq!(entry.details["image"], "node@stable");
        }
        assert_eq!(records[2].entry.details["verdict"], "failed");
        // The export is one line of JSON for each.
        let line = serde_json::to_string(&records[0]).unwrap();
        assert!(
            line.starts_with(r#"{"sequence":1,"at_ms":1796083"#) && !line.contains('\n'),
            "{line}"
        );
    }
}

#[tokio::test]
async fn an_entry_can_be_neither_changed_nor_removed() {
    for history in TestHistory::each().await {
        history.store.add_audit(&stop_by("kim", 1)).await.unwrap();
        for sql in ["UPDATE audit SET who = 'sam'", "DELETE FROM audit"] {
            let refused = run_sql(&history.location, sql).unwrap_err();
            assert!(refused.contains("the audit log is append-only"), "{refused}");
        }
        assert_eq!(history.store.audit_after(0, 10).await.unwrap()[0].entry.who, "kim");
    }
}

#[tokio::test]
async fn a_changed_a_missing_and_a_cut_off_entry_are_found() {
    for (sql, broken_at) in [
        ("UPDATE audit SET who = 'sam' WHERE sequence = 4", Some(4)),
        ("UPDATE audit SET details = '{}' WHERE sequence = 1", Some(1)),
        ("DELETE FROM audit WHERE sequence = 5", Some(6)),
        ("DELETE FROM audit WHERE sequence > 7", Some(8)),
        ("DELETE FROM audit WHERE sequence < 4", Some(4)),
        ("DELETE FROM audit", Some(1)),
        ("UPDATE audit SET who = who", None),
    ] {
        for history in TestHistory::each().await {
            for at_ms in 1..=9 {
                history.store.add_audit(&stop_by("kim", at_ms)).await.unwrap();
            }
            // Somebody who owns the database can remove what protects it.
            let guards = if matches!(history.location, fargate_history::HistoryLocation::Sqlite(_))
            {
                "DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_removed;"
            } else {
                "DROP TRIGGER audit_is_append_only ON audit;"
            };
            run_sql(&history.location, &format!("{guards} {sql};")).unwrap();
            let found = history.store.verify_audit().await.unwrap();
            assert_eq!(found.broken_at, broken_at, "{sql}");
        }
    }
}

#[tokio::test]
async fn entries_that_are_added_while_the_log_is_verified_are_no_damage() {
    for history in TestHistory::each().await {
        let store = history.store.clone();
        let adding = tokio::spawn(async move {
            for at_ms in 0..300 {
                store.add_audit(&stop_by("kim", at_ms)).await.unwrap();
            }
        });
        while !adding.is_finished() {
            assert_eq!(history.store.verify_audit().await.unwrap().broken_at, None);
        }
        adding.await.unwrap();
        let whole = AuditVerification { entries: 300, broken_at: None };
        assert_eq!(history.store.verify_audit().await.unwrap(), whole);
    }
}

#[tokio::test]
async fn old_entries_leave_at_the_beginning_and_the_rest_stays_whole() {
    for history in TestHistory::each().await {
        // A clock that was set back does not let a younger entry go.
        for at_ms in [10, 20, 30, 25, 40, 50] {
            history.store.add_audit(&stop_by("kim", at_ms)).await.unwrap();
        }
        assert_eq!(history.store.prune_audit(30).await.unwrap(), 2);
        let left = history.store.audit_after(0, 100).await.unwrap();
        let sequences: Vec<_> = left.iter().map(|record| record.sequence).collect();
        assert_eq!(sequences, [3, 4, 5, 6]);
        let whole = AuditVerification { entries: 4, broken_at: None };
        assert_eq!(history.store.verify_audit().await.unwrap(), whole);
        assert_eq!(history.store.prune_audit(1000).await.unwrap(), 4);
        let none = AuditVerification { entries: 0, broken_at: None };
        assert_eq!(history.store.verify_audit().await.unwrap(), none);
        history.store.add_audit(&stop_by("sam", 60)).await.unwrap();
        assert_eq!(history.store.audit_after(0, 100).await.unwrap()[0].sequence, 7);
        assert_eq!(history.store.verify_audit().await.unwrap().broken_at, None);
    }
}

#[tokio::test]
async fn what_people_do_by_commands_is_audited_once_also_after_a_kill_in_between() {
    for history in TestHistory::each().await {
        let journals = TestJournals::in_folder(history.folder.path());
        let stop = PersonAction {
            task: Some("arn:aws:ecs:eu-west-1:111122223333:task/ci/1".to_owned()),
            job: Some(key(1).as_str().to_owned()),
            note: "it hangs".to_owned(),
            ..PersonAction::now("anna", "task.stop")
        };
        // The same action twice is two actions.
        let later =
            PersonAction { at_ms: stop.at_ms + 1, ..PersonAction::now("ben", "host.resume") };
        for action in [&stop, &stop, &later] {
            action.keep(&journals.state_dir).unwrap();
        }
        let folder = journals.state_dir.join("actions");
        let files = || -> Vec<_> {
            let read = std::fs::read_dir(&folder).unwrap();
            read.map(|entry| entry.unwrap().path()).collect()
        };
        let kept: Vec<_> =
            files().into_iter().map(|path| (std::fs::read(&path).unwrap(), path)).collect();
        let mut ingest = journals.ingest(&history.store, "ci-1");
        read_all(&mut ingest).await;
        assert!(files().is_empty());
        // As if the daemon had been killed after the entry was written and before the file was removed.
        for (bytes, path) in &kept {
            std::fs::write(path, bytes).unwrap();
        }
        std::fs::write(folder.join("000000000000000-torn.json"), "{\"at_ms\":").unwrap();
        read_all(&mut ingest).await;
        let records = history.store.audit_after(0, 10).await.unwrap();
        let told: Vec<_> = records
            .iter()
            .map(|record| (record.entry.who.as_str(), record.entry.action.as_str()))
            .collect();
        assert_eq!(told, [("anna", "task.stop"), ("anna", "task.stop"), ("ben", "host.resume")]);
        let (entry, of_host) = (&records[0].entry, &records[2].entry);
        assert_eq!((&entry.host, Some(&entry.object)), (&"ci-1".to_owned(), stop.task.as_ref()));
        assert_eq!(
            (&entry.details["note"], &entry.details["job"]),
            (&json!("it hangs"), &json!(stop.job))
        );
        assert_eq!(of_host.object, "ci-1");
        let left: Vec<_> =
            files().iter().map(|path| path.extension().map(ToOwned::to_owned)).collect();
        assert_eq!(left, [Some("unreadable".into())], "it is put aside, and nothing waits for it");
        let verified = history.store.verify_audit().await.unwrap();
        assert_eq!(verified, AuditVerification { entries: 3, broken_at: None });
    }
}
