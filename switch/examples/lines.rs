//! What a line costs: `cargo run --release -p switch --example lines -- [CONNECTIONS] [A_SECOND] [SECONDS]`.
//!
//! A child process serves one line with an echo at its end, on two threads. This process opens connections and holds
//! them, and says how much memory the child took for each; then it comes, asks, is answered and leaves, so many times a
//! second by the clock and not by the answers, and says how long that took. Prints figures and judges nothing.
use actix_rt::Arbiter;
use actors::ports::clock::Clock;
use adapters::clock::SteadyClock;
use adapters::iso8583::framing::{Framing, Header, HeaderForm, LengthForm};
use anyhow::Context;
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::future::ready;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use switch::line::{Answered, Answering, BoundLine, CodeLabel, Line, LineSettings, Lines, MessageKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// As long as a sale of fifteen fields.
const MESSAGE: [u8; 165] = [b'0'; 165];
const FRAMING: Framing = Framing::new(LengthForm::Len2, HeaderForm::Tpdu);
/// Connections are opened from so many addresses, since each has only so many ports.
const ADDRESSES: u8 = 8;

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let first = words.next();
    if first.as_deref() == Some("serve") {
        return actix_rt::System::new().block_on(serve());
    }
    let number = |word: Option<String>, usual| word.map_or(Ok(usual), |word| word.parse());
    let (held, rate) = (number(first, 10_000)?, number(words.next(), 1_000)?);
    let seconds = number(words.next(), 10)?;
    actix_rt::System::new().block_on(async move {
        let (child, address) = server()?;
        let measured = measure(&child, address, held, rate, seconds).await;
        stop(child);
        measured
    })
}

async fn measure(
    child: &Child,
    address: SocketAddr,
    held: u32,
    rate: u32,
    seconds: u32,
) -> anyhow::Result<()> {
    let frame = frame()?;
    // What the first connections make the server fetch once is not theirs.
    crowd(address, &frame, 100).await?;
    let empty = resident_kib(child)?;
    let began = Instant::now();
    let crowd = crowd(address, &frame, held).await?;
    let took = began.elapsed();
    let full = resident_kib(child)?;
    let each = full.saturating_sub(empty).saturating_mul(1024) / u64::from(held.max(1));
    println!(
        "{held} connections opened, asked and answered in {took:.1?}, held: {full} KiB resident, {empty} KiB before"
    );
    println!("{each} bytes of the server for each connection that waits");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut again = 0_u32;
    let began = Instant::now();
    for mut stream in crowd {
        again += u32::from(echoed(&mut stream, &frame).await.is_ok());
    }
    println!("{again} of them asked and were answered again, one after another, in {:.1?}", began.elapsed());
    come_and_go(address, &frame, rate, seconds).await;
    Ok(())
}

/// So many connections, each answered once.
async fn crowd(address: SocketAddr, frame: &[u8], count: u32) -> anyhow::Result<Vec<TcpStream>> {
    let mut crowd = Vec::new();
    for number in 0..count {
        let mut stream = connected(address, number).await.with_context(|| format!("connection {number}"))?;
        echoed(&mut stream, frame).await?;
        crowd.push(stream);
    }
    Ok(crowd)
}

/// Comes, asks, is answered and leaves, `rate` times a second; an answer that is late holds up nobody.
async fn come_and_go(address: SocketAddr, frame: &[u8], rate: u32, seconds: u32) {
    let (tell, mut told) = mpsc::channel(65_536);
    let (began, pause) = (Instant::now(), Duration::from_secs(1) / rate.max(1));
    let visits = rate.saturating_mul(seconds);
    for number in 0..visits {
        let due = began + pause * number;
        tokio::time::sleep_until(due).await;
        let (tell, frame) = (tell.clone(), frame.to_owned());
        actix_rt::spawn(async move {
            let visit = async { echoed(&mut connected(address, number).await?, &frame).await };
            let took = visit.await.is_ok().then(|| due.elapsed());
            tell.send(took).await.unwrap_or_default();
        });
    }
    drop(tell);
    let mut took = Vec::new();
    while let Some(one) = told.recv().await {
        took.extend(one);
    }
    took.sort_unstable();
    let at =
        |percent: usize| took.get(took.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default();
    println!(
        "{} of {visits} came, asked, were answered and left at {rate} a second; from when each was due: median {:.2?}, \
         p99 {:.2?}, longest {:.2?}",
        took.len(),
        at(50),
        at(99),
        at(100)
    );
}

async fn connected(address: SocketAddr, number: u32) -> anyhow::Result<TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    let last = u8::try_from(number % u32::from(ADDRESSES))?.saturating_add(1);
    socket.bind(SocketAddr::from(([127, 0, 0, last], 0)))?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn echoed(stream: &mut TcpStream, frame: &[u8]) -> anyhow::Result<()> {
    stream.write_all(frame).await?;
    let mut answer = vec![0; frame.len()];
    stream.read_exact(&mut answer).await?;
    anyhow::ensure!(answer.ends_with(&MESSAGE), "another answer than was asked for");
    Ok(())
}

fn frame() -> anyhow::Result<Vec<u8>> {
    let mut frame = BytesMut::new();
    FRAMING.wrap(&Header::tpdu([0, 3], [0, 1]), &MESSAGE, &mut frame)?;
    Ok(frame.to_vec())
}

/// Repeats what it hears.
struct Echo;

impl Answering for Echo {
    fn answer(&self, _: &Arc<Line>, message: Bytes) -> LocalBoxFuture<'static, Answered> {
        let kind = MessageKind::of("0800", CodeLabel::of("00"));
        ready(Answered { reply: Some(message), kind, terminal: None, bad: false }).boxed_local()
    }
}

async fn serve() -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::starting_now());
    let standard = LineSettings::standard("echo", FRAMING, "iso87-bcd");
    let settings = LineSettings { connections_max: 100_000, per_peer_max: 100_000, ..standard };
    let lines = Lines::new(&clock, 100_000, [settings]);
    let line = lines.all().first().context("a line")?;
    let bound = BoundLine::bind(Arc::clone(line), SocketAddr::from(([127, 0, 0, 1], 0)), None)?;
    println!("{}", bound.address()?);
    let places = [Arbiter::new(), Arbiter::new()].map(|arbiter| arbiter.handle());
    bound.serve(Arc::new(Echo), places.to_vec());
    std::future::pending().await
}

fn server() -> anyhow::Result<(Child, SocketAddr)> {
    let mut child = Command::new(std::env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?;
    let mut said = String::new();
    BufReader::new(child.stdout.take().context("its output")?).read_line(&mut said)?;
    Ok((child, said.trim().parse()?))
}

fn stop(mut child: Child) {
    if child.kill().and_then(|()| child.wait()).is_err() {
        println!("the server could not be stopped");
    }
}

fn resident_kib(child: &Child) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim_matches(|c: char| !c.is_ascii_digit()).parse()?)
}
