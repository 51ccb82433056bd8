//! Another machine in a task's place: an SSH server with a key of its own that accepts every login,
//! speaks the frames of an agent, and answers the question for a proof with one that it has from
//! elsewhere. It records whatever it is told after that.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use fargate_protocol::{
    AgentMessage, ClientMessage, FEATURES, FrameDecoder, HostProof, HostProofRequest, encode,
};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey, run_stream,
};
use russh::{Channel, ChannelId};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::stolen_login::StolenLogin;

/// What the machine answers to the question for a proof.
#[derive(Clone)]
pub enum ProofTrick {
    /// This proof, whatever is asked.
    Recorded(HostProof),
    /// The proof that this agent gives for the same question, changed so.
    Relayed(StolenLogin, fn(&mut HostProof)),
    /// What an agent of the first version says.
    Older,
}

/// A hello from before agents named their features.
#[derive(Serialize)]
enum FirstHello {
    HelloOk { version: u16, agent: String },
}

/// What a driver told the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldToImpostor {
    /// Questions for a proof.
    pub questions: usize,
    /// Everything after the hello.
    pub later: Vec<u8>,
}

/// The machine. It listens until it is dropped.
pub struct ProofImpostor {
    pub address: SocketAddr,
    told: Arc<Mutex<ToldToImpostor>>,
    listening: JoinHandle<()>,
}

impl ProofImpostor {
    pub async fn listen(trick: ProofTrick) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let mut seed = [0; 32];
        fastrand::fill(&mut seed);
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        let config = Arc::new(Config { keys: vec![key], nodelay: true, ..Config::default() });
        let told = Arc::new(Mutex::default());
        let heard = Arc::clone(&told);
        let listening = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let decoder = FrameDecoder::default();
                let (trick, told) = (trick.clone(), Arc::clone(&heard));
                let handler = ImpostorSession { trick, told, decoder, greeted: false };
                let config = Arc::clone(&config);
                connections.spawn(async move {
                    if let Ok(running) = run_stream(config, stream, handler).await {
                        let _ = running.await;
                    }
                });
            }
        });
        Self { address, told, listening }
    }

    /// What it was told so far.
    pub fn told(&self) -> ToldToImpostor {
        self.told.lock().expect("no test panics here").clone()
    }
}

impl Drop for ProofImpostor {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

struct ImpostorSession {
    trick: ProofTrick,
    told: Arc<Mutex<ToldToImpostor>>,
    decoder: FrameDecoder,
    greeted: bool,
}

impl ImpostorSession {
    async fn answer(&self, challenge: Vec<u8>, prove: HostProofRequest) -> Vec<u8> {
        let proof = match &self.trick {
            ProofTrick::Older => {
                let agent = "fargate-agent of old".to_owned();
                let hello = FirstHello::HelloOk { version: 1, agent };
                return encode(&hello).expect("a frame");
            }
            ProofTrick::Recorded(proof) => proof.clone(),
            ProofTrick::Relayed(real, change) => {
                let challenge = challenge.try_into().expect("32 bytes");
                let mut proof = real.ask(challenge, prove).await;
                change(&mut proof);
                proof
            }
        };
        let hello = AgentMessage::HelloOk {
            version: 1,
            agent: "fargate-agent 0.1.0".to_owned(),
            proof: Some(proof),
            features: FEATURES.iter().map(|&feature| feature.to_owned()).collect(),
            released: None,
            unproven: None,
        };
        encode(&hello).expect("a frame")
    }
}

impl Handler for ImpostorSession {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _: &str,
        _: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn exec_request(
        &mut self,
        _: ChannelId,
        command: &[u8],
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.told.lock().expect("no test panics here").later.extend(command);
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.greeted {
            self.told.lock().expect("no test panics here").later.extend(data);
            return Ok(());
        }
        self.decoder.push(data);
        if let Ok(Some(ClientMessage::Hello { challenge, prove: Some(prove), .. })) =
            self.decoder.take()
        {
            self.greeted = true;
            self.told.lock().expect("no test panics here").questions += 1;
            let answer = self.answer(challenge, prove).await;
            session.data(channel, answer)?;
        }
        Ok(())
    }
}
