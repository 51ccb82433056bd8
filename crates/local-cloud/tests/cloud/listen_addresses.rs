//! At which addresses a cloud listens, which keys it accepts there, and who can read its folder.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;

use fargate_local_cloud::{AccessKeyPair, CloudOptions, LocalCloud};

use crate::client::{KEY, options, send_otherwise, send_raw, serve};

async fn refused(options: CloudOptions) -> String {
    LocalCloud::serve(options).await.err().expect("a refusal").to_string()
}

fn at(listen: &str) -> CloudOptions {
    CloudOptions { listen: listen.parse().expect("an address"), ..options() }
}

#[tokio::test]
async fn a_cloud_that_cannot_listen_says_where_and_why() {
    let first = serve().await;
    let taken = first.endpoint().replace("http://", "");
    assert_eq!(
        refused(at(&taken)).await,
        format!("listening on {taken}; choose another address with --listen")
    );
    for allow_remote in [false, true] {
        assert_eq!(
            refused(CloudOptions { allow_remote, ..at("0.0.0.0:4000") }).await,
            "listening on 0.0.0.0:4000 would take the port from every task, which has an address of \
             its own; give one address, for example 127.0.0.1:4000"
        );
        for listen in ["[::]:4000", "[::ffff:0.0.0.0]:4000"] {
            let said = refused(CloudOptions { allow_remote, ..at(listen) }).await;
            assert!(said.contains("would take the port from every task"), "{said}");
        }
    }
    first.shutdown().await;
}

#[tokio::test]
async fn an_address_that_other_machines_reach_is_refused_unless_it_is_allowed() {
    for listen in ["192.0.2.7:4000", "[2001:db8::1]:4000", "[::ffff:192.0.2.7]:4000"] {
        assert_eq!(
            refused(at(listen)).await,
            format!(
                "listening on {listen} would let other machines run commands on this one; give a \
                 loopback address, for example 127.0.0.1:4000, or allow it with --allow-remote"
            )
        );
    }
}

#[tokio::test]
async fn an_address_that_other_machines_reach_is_refused_with_keys_that_strangers_know() {
    let known = ["test", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"];
    for secret in known {
        let access_keys = Some(AccessKeyPair::new("test", secret));
        let options = CloudOptions { access_keys, allow_remote: true, ..at("192.0.2.7:4000") };
        assert_eq!(
            refused(options).await,
            "listening on 192.0.2.7:4000 with access key test, whose secret is well known or easily \
             guessed, would let strangers run commands on this machine; unset AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY (then a random pair is drawn), or set a pair that nobody else knows"
        );
    }
}

/// The address from which this machine would reach others. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[tokio::test]
async fn where_it_is_allowed_the_cloud_is_asked_by_that_address_and_no_other_name() {
    let Some(address) = own_address() else {
        eprintln!("SKIPPED: this machine has no address but loopback");
        return;
    };
    let listen = SocketAddr::new(address, 0);
    let options = CloudOptions { listen, allow_remote: true, ..options() };
    let cloud = LocalCloud::serve(options).await.expect("a cloud");
    let (endpoint, host) = (cloud.endpoint(), cloud.endpoint().replace("http://", ""));
    assert_eq!(send_otherwise(&endpoint, "ec2", &host, "").await.status, 200);
    assert_eq!(send_otherwise(&endpoint, "ec2", "evil.example", "").await.status, 403);
    assert_eq!(send_otherwise(&endpoint, "ec2", "192.0.2.99:80", "").await.status, 403);
    let look = format!("GET /_local/tasks HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    assert_eq!(send_raw(&endpoint, look).await.expect("an answer").status, 200);
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_cloud_draws_keys_of_its_own_and_the_public_ones_open_nothing() {
    if std::env::var_os("AWS_ACCESS_KEY_ID").is_some() {
        eprintln!("SKIPPED: the environment names a key pair, which the cloud takes");
        return;
    }
    let options = || CloudOptions::new("no-agent-here");
    let cloud = LocalCloud::serve(options()).await.expect("a cloud");
    let other = LocalCloud::serve(options()).await.expect("a cloud");
    let keys = cloud.drawn_keys().expect("keys of its own");
    assert_ne!(Some(keys), other.drawn_keys());
    let written = cloud.configuration("/state".as_ref());
    assert!(written.contains(&format!("AWS_SECRET_ACCESS_KEY={}\n", keys.secret_access_key)));
    let host = cloud.endpoint().replace("http://", "");
    // Signed with other keys.
    let answer = send_otherwise(&cloud.endpoint(), "ecs", &host, "").await;
    assert_eq!((answer.status, &answer.json()["__type"]), (400, &"InvalidClientTokenId".into()));
    assert_eq!(cloud.tasks().len(), 0);
    cloud.shutdown().await;
    other.shutdown().await;

    let named = serve().await;
    assert_eq!(named.drawn_keys(), None);
    assert!(!named.configuration("/state".as_ref()).contains(KEY.1));
    named.shutdown().await;
}

#[tokio::test]
async fn the_folder_of_a_cloud_is_for_its_owner_alone() {
    let parent = tempfile::tempdir().expect("a folder");
    for folder in [None, Some(parent.path().join("made").join("here"))] {
        let cloud = LocalCloud::serve(CloudOptions { folder, ..options() }).await.expect("a cloud");
        let mode = cloud.folder().metadata().expect("a folder").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", cloud.folder().display());
        cloud.shutdown().await;
    }
}
