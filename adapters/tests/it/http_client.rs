//! The HTTP client against peers that misbehave on the wire: what is called "not sent" was never received.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use actors::domain::time::Deadline;
use actors::ports::Answer;
use actors::ports::clock::Clock;
use adapters::clock::SteadyClock;
use adapters::http_client::{HttpAnswer, HttpClient, Link, Network, Reason, TcpNetwork, Unanswered};
use bytes::Bytes;
use hyper::Request;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

fn client(network: Arc<dyn Network>) -> (HttpClient, Arc<SteadyClock>) {
    let clock = Arc::new(SteadyClock::starting_now());
    (HttpClient::new(network, None, clock.clone()), clock)
}

async fn send(
    client: &HttpClient,
    clock: &SteadyClock,
    url: &str,
    ms: u64,
) -> Result<HttpAnswer, Unanswered> {
    let request = Request::post(url).body(Bytes::from_static(b"{\"amount\":\"12.50\"}")).unwrap();
    client.send(request, Deadline::after(clock.now(), Duration::from_millis(ms))).await
}

/// Serves each connection with `serve`; returns the address.
async fn peer<F, S>(serve: S) -> String
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TcpStream) -> F + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    url
}

/// Reads one request; `None` if the client closed before it was whole.
async fn read_request(stream: &mut TcpStream) -> Option<()> {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\"12.50\"}") {
        let mut bytes = [0; 1024];
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => seen.extend_from_slice(&bytes[..n]),
        }
    }
    Some(())
}

async fn answer_with(bytes: &'static [u8]) -> Result<HttpAnswer, Unanswered> {
    let url = peer(move |mut stream| async move {
        read_request(&mut stream).await.unwrap();
        stream.write_all(bytes).await.unwrap_or_default();
    })
    .await;
    let (client, clock) = client(Arc::new(TcpNetwork));
    send(&client, &clock, &url, 500).await
}

#[tokio::test]
async fn a_peer_that_nobody_listens_at_was_not_sent_anything() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (client, clock) = client(Arc::new(TcpNetwork));
    let answer = send(&client, &clock, &format!("http://{free}/"), 500).await;
    assert_eq!(answer, Err(Unanswered::NotSent(Reason::NoConnection)));
}

#[tokio::test]
async fn a_request_that_the_peer_read_and_hung_up_on_is_unknown() {
    assert_eq!(answer_with(b"").await, Err(Unanswered::Unknown(Reason::Broken)));
    assert_eq!(
        answer_with(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{").await,
        Err(Unanswered::Unknown(Reason::Broken))
    );
    assert_eq!(answer_with(b"nonsense\r\n\r\n").await, Err(Unanswered::Unknown(Reason::Broken)));
}

#[tokio::test]
async fn an_endless_head_or_body_is_unknown_and_is_not_read_to_its_end() {
    let huge = [&b"HTTP/1.1 200 OK\r\ncontent-length: 65537\r\n\r\n"[..], &vec![b'x'; 65_537]].concat();
    assert_eq!(answer_with(huge.leak()).await, Err(Unanswered::Unknown(Reason::Oversize)));
    let head = [&b"HTTP/1.1 200 OK\r\nx: "[..], &vec![b'x'; 70_000]].concat();
    assert_eq!(answer_with(head.leak()).await, Err(Unanswered::Unknown(Reason::Broken)));
}

#[tokio::test]
async fn a_redirect_is_handed_back_and_not_followed() {
    let answer =
        answer_with(b"HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(answer.unwrap().status, 302);
}

#[tokio::test]
async fn a_peer_that_reads_and_says_nothing_is_unknown_at_the_deadline() {
    let url = peer(|mut stream| async move {
        read_request(&mut stream).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let (client, clock) = client(Arc::new(TcpNetwork));
    assert_eq!(send(&client, &clock, &url, 100).await, Err(Unanswered::Unknown(Reason::Deadline)));
}

/// Connects never.
struct Nowhere;

impl Network for Nowhere {
    fn connect(&self, _: String, _: u16) -> Answer<io::Result<Link>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_deadline_that_passes_while_connecting_means_not_sent() {
    let (client, clock) = client(Arc::new(Nowhere));
    let answer = send(&client, &clock, "http://platform/", 50).await;
    assert_eq!(answer, Err(Unanswered::NotSent(Reason::Deadline)));
}

/// A network without sockets, as a simulation brings it.
struct InMemory;

impl Network for InMemory {
    fn connect(&self, host: String, port: u16) -> Answer<io::Result<Link>> {
        assert_eq!((host.as_str(), port), ("platform", 80));
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        tokio::spawn(async move {
            let mut bytes = [0; 4_096];
            assert_ne!(theirs.read(&mut bytes).await.unwrap(), 0);
            theirs.write_all(OK).await.unwrap();
        });
        Box::pin(async { Ok(Link::new(ours)) })
    }
}

#[tokio::test]
async fn any_network_will_do() {
    let (client, clock) = client(Arc::new(InMemory));
    assert_eq!(send(&client, &clock, "http://platform/", 500).await.unwrap().body, "{}");
}

/// The race that matters: a kept connection that the peer closes just when it is used again. However it ends, a
/// request that the peer has read is never called "not sent", and none is sent twice behind our back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_connection_that_dies_neither_hides_nor_doubles_a_request() {
    let read = Arc::new(AtomicUsize::new(0));
    let counter = read.clone();
    let url = peer(move |mut stream| {
        let counter = counter.clone();
        async move {
            // Serves one or two requests and closes without a word.
            for _ in 0..=counter.load(Ordering::SeqCst) % 2 {
                if read_request(&mut stream).await.is_none() {
                    return;
                }
                counter.fetch_add(1, Ordering::SeqCst);
                stream.write_all(OK).await.unwrap_or_default();
            }
        }
    })
    .await;
    let (client, clock) = client(Arc::new(TcpNetwork));
    let (mut answered, mut unknown) = (0, 0);
    for _ in 0..2_000 {
        match send(&client, &clock, &url, 2_000).await {
            Ok(_) => answered += 1,
            Err(Unanswered::Unknown(_)) => unknown += 1,
            Err(Unanswered::NotSent(_)) => {}
        }
    }
    let read = read.load(Ordering::SeqCst);
    assert!(
        answered <= read && read <= answered + unknown,
        "{answered} answered, {unknown} unknown, {read} read"
    );
}

/// TCP that takes one to three milliseconds to connect.
#[derive(Default)]
struct Sluggish(AtomicU64);

impl Network for Sluggish {
    fn connect(&self, host: String, port: u16) -> Answer<io::Result<Link>> {
        let ms = 1 + self.0.fetch_add(1, Ordering::SeqCst) % 3;
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            TcpNetwork.connect(host, port).await
        })
    }
}

/// The same for giving up: deadlines that pass just when the connection comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giving_up_at_any_moment_never_calls_a_request_not_sent_that_was_read() {
    let read = Arc::new(AtomicUsize::new(0));
    let counter = read.clone();
    let url = peer(move |mut stream| {
        let counter = counter.clone();
        async move {
            if read_request(&mut stream).await.is_some() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    let (client, clock) = client(Arc::new(Sluggish::default()));
    let (mut heard, mut not_sent) = (0, 0);
    for round in 0..1_500 {
        match send(&client, &clock, &url, 1 + round % 4).await {
            Err(Unanswered::NotSent(_)) => not_sent += 1,
            _ => heard += 1,
        }
    }
    // Whatever is still on its way arrives before this is answered.
    send(&client, &clock, &url, 2_000).await.unwrap_err();
    let read = read.load(Ordering::SeqCst);
    assert!(read <= heard + 1, "{heard} may have been heard, {not_sent} not sent, {read} read");
    assert!(heard > 0 && not_sent > 0, "the race was not run: {heard} heard, {not_sent} not sent");
}
