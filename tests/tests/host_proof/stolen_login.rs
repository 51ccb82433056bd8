//! A client that logs in to a job's task with the job's own key, and asks its agent for proofs. It has
//! more than any attacker on the network; the tests give it to those whose proofs must not count.

use std::net::SocketAddr;
use std::sync::Arc;

use fargate_protocol::{
    AgentMessage, ClientMessage, FrameDecoder, HostProof, HostProofRequest, SUBSYSTEM, VERSIONS,
    encode,
};
use fargate_tests::{TestJob, until};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{ChannelMsg, client};

/// The address and the key of a task.
#[derive(Clone)]
pub struct StolenLogin {
    address: SocketAddr,
    key: Arc<PrivateKey>,
}

struct TrustingClient;

impl client::Handler for TrustingClient {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

impl StolenLogin {
    /// With the key in the job's record, which may be written any moment.
    pub async fn of(job: &TestJob, address: SocketAddr) -> Self {
        let text = || Some(job.state()?["client_key"].as_str()?.to_owned());
        until("the record has a key", || text().is_some()).await;
        let key = PrivateKey::from_openssh(text().expect("just seen")).expect("a key");
        Self { address, key: Arc::new(key) }
    }

    /// What the agent answers to a client that asks for this proof.
    pub async fn ask(&self, challenge: [u8; 32], prove: HostProofRequest) -> HostProof {
        let mut client = client::connect(Arc::default(), self.address, TrustingClient)
            .await
            .expect("the agent answers");
        let key = PrivateKeyWithHashAlg::new(self.key.clone(), None);
        let login = client.authenticate_publickey("root", key).await.expect("an answer");
        assert!(login.success(), "the agent knows the key");
        let mut channel = client.channel_open_session().await.expect("a channel");
        channel.request_subsystem(true, SUBSYSTEM).await.expect("a request");
        let hello = ClientMessage::Hello {
            versions: VERSIONS.to_vec(),
            challenge: challenge.to_vec(),
            client: "a thief".to_owned(),
            prove: Some(prove),
        };
        channel.data(&encode(&hello).expect("a frame")[..]).await.expect("a channel");
        let mut decoder = FrameDecoder::default();
        loop {
            match channel.wait().await.expect("an answer") {
                ChannelMsg::Data { data } => decoder.push(&data),
                _ => continue,
            }
            match decoder.take().expect("a frame") {
                Some(AgentMessage::HelloOk { proof: Some(proof), .. }) => return proof,
                Some(other) => panic!("no proof: {other:?}"),
                None => {}
            }
        }
    }
}
