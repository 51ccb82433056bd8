//! What a server after the login cannot do to this host.

use fargate_mask::SharedMasker;
use std::sync::Arc;

use fargate_config::{ClientKeyKind, JobTimeouts};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{self, Auth, Handle, VerifiedPublicKey};
use tokio::net::{TcpListener, TcpStream};

use super::keys::ClientKey;
use super::login::{HostKeyPolicy, SshConnection, TaskLogin};

/// A server that accepts every login.
struct OpenServer;

impl server::Handler for OpenServer {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _: &str,
        _: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }
}

/// A logged-in client, and the server's side of its connection.
async fn logged_in() -> (SshConnection, Handle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
    let config = Arc::new(server::Config { keys: vec![key], ..server::Config::default() });
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        server::run_stream(config, stream, OpenServer).await.unwrap().handle()
    };
    let connecting = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let key = ClientKey::draw(ClientKeyKind::Ed25519).unwrap();
        let login = TaskLogin {
            user: "root".to_owned(),
            key,
            host: HostKeyPolicy::FirstUse,
            keepalive_tries: 3,
            rekey_after_mib: 1024,
            masker: SharedMasker::default(),
        };
        SshConnection::open(stream, &login, &JobTimeouts::default()).await.unwrap()
    };
    tokio::join!(connecting, serving)
}

#[tokio::test]
async fn a_server_opens_no_channel_of_any_kind_to_this_host() {
    let (connection, server) = logged_in().await;
    let opened = [
        ("forwarded-tcpip", server.channel_open_forwarded_tcpip("10.0.0.1", 22, "x", 1).await),
        ("forwarded-streamlocal", server.channel_open_forwarded_streamlocal("/run/x").await),
        ("direct-tcpip", server.channel_open_direct_tcpip("169.254.169.254", 80, "x", 1).await),
        ("direct-streamlocal", server.channel_open_direct_streamlocal("/run/x").await),
        ("x11", server.channel_open_x11("10.0.0.1", 6000).await),
        ("auth-agent", server.channel_open_agent().await),
        ("session", server.channel_open_session().await),
    ];
    for (kind, opened) in opened {
        assert!(matches!(opened, Err(russh::Error::ChannelOpenFailure(_))), "{kind}: {opened:?}");
    }
    // The connection itself still works.
    assert!(connection.handle.send_ping().await.is_ok() && !connection.handle.is_closed());
}
