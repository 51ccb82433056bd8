//! One connection through a relay: it passes bytes in both directions and makes the planned faults
//! happen. It does not accept connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{
    ConnectionCut, READ, RelayBehaviour, RelayControl, RelayFault, RelayFaultKind, RelaySide,
    RelayTarget, SharedRelayState, TargetLookup, socket,
};
use crate::first_bytes::{OF_A_CONVERSATION, keep};

/// How long the ends of a closed connection may take to close their own sides.
const LAST_BYTES: Duration = Duration::from_secs(5);

pub(super) async fn serve(
    mut client: TcpStream,
    id: usize,
    fault: Option<RelayFault>,
    shared: Arc<SharedRelayState>,
) {
    let (way, always) = {
        let control = shared.control.borrow();
        (control.way.clone(), control.always)
    };
    let target = match way {
        RelayTarget::To(target) => target,
        RelayTarget::Found(TargetLookup(find)) => match find() {
            Some(target) => target,
            None => return reset(&client),
        },
        RelayTarget::Says(words) => {
            let (mut read, mut write) = client.split();
            let swallow = async {
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = read.read(&mut buffer).await {
                    keep(&mut shared.said().swallowed, &buffer[..n], OF_A_CONVERSATION);
                }
            };
            // A client that has read enough may close before it has read all.
            let _ = tokio::join!(write.write_all(&words), swallow);
            return;
        }
        RelayTarget::SaysAndCloses(words) => {
            let _ = client.write_all(&words).await;
            let _ = client.shutdown().await;
            return;
        }
    };
    let connection = RelayedConnection { id, fault: fault.or(always), shared };
    connection.pass(client, target).await;
}

struct RelayedConnection {
    id: usize,
    fault: Option<RelayFault>,
    shared: Arc<SharedRelayState>,
}

impl RelayedConnection {
    async fn pass(self, mut client: TcpStream, target: SocketAddr) {
        let mut control = self.shared.control.subscribe();
        let passes = |control: &RelayControl| control.line != RelayBehaviour::Silent;
        if control.wait_for(passes).await.is_err() {
            return;
        }
        // The target refused, so the client is reset: the relay has already accepted it.
        let Ok(task) = socket(target, self.shared.segment) else { return reset(&client) };
        let Ok(mut task) = task.connect(target).await else { return reset(&client) };
        for stream in [&client, &task] {
            stream.set_nodelay(true).expect("an open socket");
        }
        let how = {
            let (client_read, client_write) = client.split();
            let (task_read, task_write) = task.split();
            let up = self.direction(RelaySide::Client, client_read, task_write);
            let down = self.direction(RelaySide::Task, task_read, client_write);
            tokio::select! {
                passed = async { tokio::try_join!(up, down) } => match passed {
                    Ok(_) => return,
                    Err(how) => how,
                },
                how = self.cut_from_outside() => how,
            }
        };
        end(client, task, how).await;
    }

    /// Returns when the test wants this connection cut.
    async fn cut_from_outside(&self) -> ConnectionCut {
        let mut control = self.shared.control.subscribe();
        let cut = |control: &RelayControl| match (control.line, control.cut) {
            (RelayBehaviour::Cutting(how), _) => Some(how),
            (_, Some((last, how))) if self.id <= last => Some(how),
            _ => None,
        };
        loop {
            if let Some(how) = cut(&control.borrow_and_update()) {
                return how;
            }
            if control.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns when bytes may pass.
    async fn passes(&self, control: &mut watch::Receiver<RelayControl>) {
        let passes = |control: &RelayControl| {
            control.line != RelayBehaviour::Silent && control.forgotten < self.id
        };
        if control.wait_for(passes).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn direction(
        &self,
        side: RelaySide,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
    ) -> Result<(), ConnectionCut> {
        let mut control = self.shared.control.subscribe();
        let mut fault = self.fault.filter(|fault| fault.from == side);
        let mut buffer = vec![0; READ];
        let mut passed = 0;
        loop {
            self.passes(&mut control).await;
            let n = tokio::select! {
                _ = control.changed() => continue,
                read = from.read(&mut buffer) => match read {
                    Ok(n @ 1..) => n,
                    _ => {
                        let _ = to.shutdown().await;
                        return Ok(());
                    }
                },
            };
            if side == RelaySide::Task && self.id == 1 {
                keep(&mut self.shared.said().by_task, &buffer[..n], OF_A_CONVERSATION);
            }
            let mut rest = &mut buffer[..n];
            if let Some(RelayFault { after, what, .. }) = fault
                && after < passed + n as u64
            {
                let before = usize::try_from(after - passed).expect("within what was read");
                let (first, behind) = rest.split_at_mut(before);
                self.write(side, &mut to, first, &mut control).await?;
                fault = None;
                self.shared.counts.send_modify(|counts| counts.struck += 1);
                match what {
                    RelayFaultKind::Cut(how) => return Err(how),
                    RelayFaultKind::Stall => self.stall(&mut control).await,
                    RelayFaultKind::Pause(pause) => sleep(pause).await,
                    RelayFaultKind::Flip => behind[0] ^= 1,
                }
                rest = behind;
            }
            self.write(side, &mut to, rest, &mut control).await?;
            passed += n as u64;
        }
    }

    async fn stall(&self, control: &mut watch::Receiver<RelayControl>) {
        self.shared.counts.send_modify(|counts| counts.stalls += 1);
        let own = self.shared.counts.borrow().stalls;
        if control.wait_for(|control| control.released >= own).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn write(
        &self,
        side: RelaySide,
        to: &mut WriteHalf<'_>,
        bytes: &[u8],
        control: &mut watch::Receiver<RelayControl>,
    ) -> Result<(), ConnectionCut> {
        let piece = control.borrow().piece;
        for piece in bytes.chunks(piece) {
            self.passes(control).await;
            if to.write_all(piece).await.is_err() {
                return Err(ConnectionCut::Rst);
            }
            self.shared.counts.send_modify(|counts| {
                let count = match side {
                    RelaySide::Client => &mut counts.from_client,
                    RelaySide::Task => &mut counts.from_task,
                };
                *count += piece.len() as u64;
            });
        }
        Ok(())
    }
}

async fn end(mut client: TcpStream, mut task: TcpStream, how: ConnectionCut) {
    match how {
        ConnectionCut::Rst => [&client, &task].into_iter().for_each(reset),
        ConnectionCut::Fin => {
            for stream in [&mut client, &mut task] {
                let _ = stream.shutdown().await;
            }
            // A socket that is closed with bytes unread would reset instead.
            let swallow = async |mut stream: TcpStream| {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer).await {}
            };
            let both = async { tokio::join!(swallow(client), swallow(task)) };
            let _ = timeout(LAST_BYTES, both).await;
        }
    }
}

/// The next close of this socket sends a reset.
fn reset(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    socket.set_linger(Some(Duration::ZERO)).expect("an open socket");
}
