//! Whoever answers at the daemon's socket may say that any task is of this host.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use fargate_tests::CheckedHost;

use crate::orphans::{desired, stray};
use crate::{RunningDaemon, socket, used_site};

/// All frames of a list, as bytes.
fn asked_list(site: &CheckedHost) -> Vec<u8> {
    let mut stream = UnixStream::connect(socket(site)).expect("the daemon's socket");
    let request = br#"{"list":{"version":1}}"#;
    let length = u32::try_from(request.len()).expect("short").to_be_bytes();
    stream.write_all(&[&length[..], request].concat()).expect("the daemon reads");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("the daemon answers");
    reply
}

#[tokio::test]
async fn a_task_of_another_host_is_not_stopped_although_the_list_has_it() {
    let site = used_site().await;
    let foreign = stray(&site, "another-host", 7).await;
    let job = site.prepared().await;
    let daemon = RunningDaemon::of(&site).await;
    let own = site.task_of(&job).arn;
    let list = fargate_tests::until_found("the daemon lists the task", async || {
        let list = asked_list(&site);
        let text = String::from_utf8_lossy(&list).into_owned();
        if text.contains(&own) { Ok(list) } else { Err(text) }
    })
    .await;
    daemon.close().await;
    // The same list with another task in it. Both ids have the same length.
    let id = |arn: &str| arn.rsplit('/').next().expect("an id").to_owned();
    let lie = replaced(&list, id(&own).as_bytes(), id(&foreign).as_bytes());
    let listener = UnixListener::bind(socket(&site)).expect("a socket");
    let liar = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = [0; 512];
        let _ = stream.read(&mut request);
        let _ = stream.write_all(&lie);
    });
    let stopping = site.start(&["tasks", "stop", &id(&foreign), "--yes"]);
    let ended = stopping.ended().await.with_code(1);
    let said = ended.err();
    assert!(said.contains("is not of this host: another-host started it"), "{said}");
    liar.join().expect("the liar was asked");
    assert_eq!(desired(&site, &foreign), "RUNNING");
    std::fs::remove_file(socket(&site)).expect("the liar's socket");
    site.ecs().stop_task().cluster("ci").task(&foreign).send().await.expect("a stop");
    job.cleanup().await.passed();
    site.close().await;
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let (mut out, mut at) = (bytes.to_vec(), 0);
    while let Some(found) = out[at..].windows(from.len()).position(|window| window == from) {
        out[at + found..at + found + to.len()].copy_from_slice(to);
        at += found + to.len();
    }
    out
}
