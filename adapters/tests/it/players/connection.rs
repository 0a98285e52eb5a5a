//! The connection under a player: kept, replaced in silence when it is stale, and honest about everything else.
use super::stub::{Stub, Turn, surroundings};
use actors::ports::Answer;
use adapters::http_client::{Link, Network};
use adapters::players::connection::{ANSWER_BYTES_MAX, Ask, Connection};
use adapters::players::{PlayFault, Silence};
use hyper::Method;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const WITHIN: Duration = Duration::from_secs(5);

fn ask() -> Ask {
    Ask::new(Method::GET, "/")
}

fn connection(network: Arc<dyn Network>) -> Connection {
    Connection::new(surroundings(network), "http://localhost:1".parse().unwrap())
}

/// Answers the first request on each connection as if it would keep the connection, and hangs up.
#[derive(Default)]
struct HangsUp(AtomicUsize);

impl Network for HangsUp {
    fn connect(&self, _: String, _: u16) -> Answer<io::Result<Link>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            let (near, mut far) = tokio::io::duplex(4096);
            tokio::spawn(async move {
                assert!(far.read(&mut [0; 4096]).await.unwrap() > 0);
                far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
            });
            Ok(Link::new(near))
        })
    }
}

struct Nobody;

impl Network for Nobody {
    fn connect(&self, _: String, _: u16) -> Answer<io::Result<Link>> {
        Box::pin(async { Err(io::Error::from(io::ErrorKind::ConnectionRefused)) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_the_switch_closed_while_idle_is_replaced_in_silence() {
    let network = Arc::new(HangsUp::default());
    let mut connection = connection(network.clone());
    for round in 1..=3 {
        connection.ask(ask(), WITHIN).await.unwrap().success().unwrap();
        assert_eq!(network.0.load(Ordering::SeqCst), round);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_there_is_told_apart_from_nobody_answering() {
    let fault = connection(Arc::new(Nobody)).ask(ask(), WITHIN).await.unwrap_err();
    assert!(matches!(fault, PlayFault::Unanswered(Silence::NoConnection)));
    assert!(!fault.may_have_acted());

    let fault = connection(Stub::new(|_| Turn::Silence)).ask(ask(), WITHIN).await.unwrap_err();
    assert!(matches!(fault, PlayFault::Unanswered(Silence::Late)));
    assert!(fault.may_have_acted() && fault.is_passing());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_late_is_never_taken_for_the_next_ones() {
    let mut first = true;
    let stub =
        Stub::new(
            move |_| {
                if std::mem::take(&mut first) { Turn::Silence } else { Turn::Json(200, "2".into()) }
            },
        );
    let mut connection = connection(stub);
    assert!(connection.ask(ask(), WITHIN).await.is_err());
    assert_eq!(connection.ask(ask(), WITHIN).await.unwrap().decode::<u8>().unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_problem_keeps_its_field_and_a_proxys_page_at_least_its_status() {
    let problem = r#"{"type":"/p/x","title":"No","status":409,"detail":"why","field":"terminal","more":1}"#;
    let mut turns = [
        Turn::With(409, "retry-after", "7", problem.into()),
        Turn::With(502, "content-type", "text/html", "<h1>Bad Gateway</h1>".into()),
    ]
    .into_iter();
    let mut connection = connection(Stub::new(move |_| turns.next().unwrap()));
    let mut next = async || match connection.ask(ask(), WITHIN).await.unwrap().decode::<u8>() {
        Err(PlayFault::Refused(problem)) => *problem,
        other => panic!("{other:?}"),
    };
    let problem = next().await;
    assert_eq!((problem.status, problem.kind.as_str(), problem.detail.as_str()), (409, "/p/x", "why"));
    assert_eq!((problem.field.as_deref(), problem.retry_after), (Some("terminal"), Some(7)));
    let problem = next().await;
    assert_eq!((problem.status, problem.title.as_str()), (502, "Bad Gateway"));
    assert!(PlayFault::from(Box::new(problem)).is_passing());
}

#[tokio::test(start_paused = true)]
async fn a_huge_answer_is_not_read() {
    let stub = Stub::new(|_| Turn::Json(200, "x".repeat(ANSWER_BYTES_MAX + 1)));
    let fault = connection(stub).ask(ask(), WITHIN).await.unwrap_err();
    assert!(matches!(fault, PlayFault::Unanswered(Silence::Oversize)));
}
