//! Accepts connections and answers their requests, with limits that no client can stretch.
//!
//! HTTP/1.1 only. A client has [`FIRST_BYTE`] for its first byte and [`HEADER_TIME`] for the head of each
//! request; the number of connections is limited, and one address may not take all of them. It knows no
//! paths.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use crate::access::ConnectionEnds;

/// How long a new connection may be silent. Ours: a browser that opens one ahead opens another one.
pub const FIRST_BYTE: Duration = Duration::from_secs(5);
/// How long the head of a request may take; also the longest pause between two requests.
pub const HEADER_TIME: Duration = Duration::from_secs(10);
/// How long open requests may go on after the end began.
pub const GRACE: Duration = Duration::from_secs(5);
/// Largest head of a request, and what a connection buffers. hyper takes no less than 8 KiB.
const BUFFER_BYTES: usize = 16 * 1024;
/// Pause after an accept that failed, for example because file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// When the kernel gives up on a peer that acknowledges nothing.
const PEER_GONE: Duration = Duration::from_secs(60);

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// All together.
    pub all: usize,
    /// From one address that is not of this machine.
    pub of_one_address: usize,
}

/// Serves until `until` is true, then lets open requests end within a moment.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    mut until: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(limits.all));
    let places = Arc::new(AddressPlaces { most: limits.of_one_address, taken: Mutex::default() });
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit.expect("the semaphore is never closed"), listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            _ = until.wait_for(|is_over| *is_over) => break,
            Some(_) = connections.join_next() => continue,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(place) = places.take(peer.ip()) else { continue };
                let connection = answer(stream, peer, router.clone(), until.clone());
                connections.spawn(held(connection, permit, place));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    connections.shutdown().await;
}

async fn held(connection: impl Future<Output = ()>, _: OwnedSemaphorePermit, _: AddressPlace) {
    connection.await;
}

/// Answers the requests of one connection.
async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    mut until: watch::Receiver<bool>,
) {
    let Ok(arrived_at) = stream.local_addr() else { return };
    // Small answers go out at once, and a dead peer is noticed. A failure only makes that later.
    let _ = stream.set_nodelay(true);
    let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(PEER_GONE));
    let first = tokio::select! {
        first = timeout(FIRST_BYTE, stream.readable()) => first,
        _ = until.wait_for(|is_over| *is_over) => return,
    };
    if !matches!(first, Ok(Ok(()))) {
        return;
    }
    let ends = ConnectionEnds { peer, arrived_at };
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ends);
        let answered = router.clone().oneshot(request.map(Body::new));
        async move { Ok::<_, Infallible>(answered.await.unwrap_or_else(|never| match never {})) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(BUFFER_BYTES)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = until.wait_for(|is_over| *is_over) => connection.as_mut().graceful_shutdown(),
    }
    // An error is of this client alone: it is gone, slow, or speaks no HTTP.
    let _ = connection.await;
}

/// How many connections each address has.
struct AddressPlaces {
    most: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of an address.
struct AddressPlace {
    places: Arc<AddressPlaces>,
    address: IpAddr,
}

impl AddressPlaces {
    /// A place for `address`. `None` if it has too many; on this machine nobody has.
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<AddressPlace> {
        let address = address.to_canonical();
        let mut taken = self.taken.lock().expect("no one panics while holding the places");
        let count = taken.entry(address).or_default();
        if *count >= self.most && !address.is_loopback() {
            return None;
        }
        *count += 1;
        Some(AddressPlace { places: Arc::clone(self), address })
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let Ok(mut taken) = self.places.taken.lock() else { return };
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_take_all_places() {
        let places = Arc::new(AddressPlaces { most: 2, taken: Mutex::default() });
        let (far, local) = ("192.0.2.7".parse().unwrap(), "127.0.0.1".parse().unwrap());
        let held: Vec<_> = (0..2).map(|_| places.take(far).unwrap()).collect();
        assert!(places.take(far).is_none());
        assert!(places.take("192.0.2.8".parse().unwrap()).is_some());
        assert!((0..5).all(|_| places.take(local).is_some()));
        drop(held);
        assert!(places.take(far).is_some());
        assert_eq!(places.taken.lock().unwrap().len(), 0, "nothing is kept of who is gone");
    }
}
