//! Somebody at the other end who repeats what he is told, or sulks, or stumbles, as the message says.
use actors::domain::identity::TerminalId;
use actors::domain::time::Timestamp;
use actors::ports::clock::Clock;
use adapters::iso8583::framing::{Deframer, Frame, Framing, Header};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use switch::line::{Answered, Answering, CodeLabel, Line, LineSettings, Lines, MessageKind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Repeats what it is told. A message is an MTI and what to do:
/// `echo`, `wait MILLIS`, `hang`, `stumble`, `sulk`, `blame`, `shout`, `as TERMINAL`.
#[derive(Clone, Default)]
pub struct Parrot {
    /// Messages that were heard.
    heard: Arc<AtomicUsize>,
    /// Messages that were answered to the end.
    done: Arc<AtomicUsize>,
}

impl Answering for Parrot {
    fn answer(&self, _: &Arc<Line>, message: Bytes) -> LocalBoxFuture<'static, Answered> {
        self.heard.fetch_add(1, Ordering::Relaxed);
        let parrot = self.clone();
        async move {
            let answered = said(&message).await;
            parrot.done.fetch_add(1, Ordering::Relaxed);
            answered
        }
        .boxed_local()
    }
}

async fn said(message: &Bytes) -> Answered {
    let text = std::str::from_utf8(message).unwrap().trim_end().to_owned();
    let (mti, told) = text.split_at(4);
    let kind = MessageKind::of(mti, CodeLabel::of("00"));
    let echo = Answered { reply: Some(message.clone()), kind, terminal: None, bad: false };
    match told.split_once(' ').unwrap_or((told, "")) {
        ("echo", _) => echo,
        ("wait", millis) => {
            tokio::time::sleep(Duration::from_millis(millis.parse().unwrap())).await;
            echo
        }
        ("hang", _) => std::future::pending().await,
        ("stumble", _) => panic!("the parrot stumbled"),
        ("sulk", _) => Answered { reply: None, ..echo },
        ("blame", _) => Answered { reply: None, bad: true, ..echo },
        ("shout", _) => Answered { reply: Some(Bytes::from(vec![b'A'; 9000])), ..echo },
        ("as", terminal) => Answered { terminal: Some(TerminalId::new(terminal).unwrap()), ..echo },
        (unheard, _) => panic!("the parrot does not know {unheard}"),
    }
}

/// Virtual time: tokio's.
struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        crate::world::BEGIN.plus(self.0.elapsed())
    }
}

/// A line with a parrot at its end.
pub struct Perch {
    pub lines: Lines,
    parrot: Parrot,
}

impl Perch {
    pub fn with(settings: LineSettings) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock(tokio::time::Instant::now()));
        Self { lines: Lines::new(&clock, 3, [settings]), parrot: Parrot::default() }
    }

    pub fn line(&self) -> &Arc<Line> {
        &self.lines.all()[0]
    }

    pub fn answering(&self) -> Arc<dyn Answering> {
        Arc::new(self.parrot.clone())
    }

    pub fn heard(&self) -> usize {
        self.parrot.heard.load(Ordering::Relaxed)
    }

    pub fn done(&self) -> usize {
        self.parrot.done.load(Ordering::Relaxed)
    }
}

/// The settings that most stories want.
pub fn settings() -> LineSettings {
    LineSettings::standard("shops", framing(), "iso87-ascii")
}

pub fn framing() -> Framing {
    "len2+tpdu".parse().unwrap()
}

/// A whole frame.
pub fn frame(message: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    let padded = format!("{message:<12}");
    framing().wrap(&Header::tpdu([0, 3], [0x12, 0x34]), padded.as_bytes(), &mut out).unwrap();
    out.to_vec()
}

/// A terminal at its end of a connection.
pub struct Terminal<S> {
    pub stream: S,
    deframer: Deframer,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Terminal<S> {
    pub fn at(stream: S) -> Self {
        Self { stream, deframer: Deframer::new(framing()) }
    }

    pub async fn say(&mut self, message: &str) {
        self.send(&frame(message)).await;
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next answer; `None` once the line has hung up.
    pub async fn hear(&mut self) -> Option<String> {
        loop {
            match self.deframer.next_frame().unwrap() {
                Some(Frame::Message { header, body }) => {
                    assert_eq!(header, Header::tpdu([0x12, 0x34], [0, 3]), "goes back to where it came from");
                    return Some(String::from_utf8(body.to_vec()).unwrap().trim_end().to_owned());
                }
                Some(Frame::KeepAlive(_)) => return Some("alive".to_owned()),
                None => {}
            }
            let mut bytes = [0; 512];
            match self.stream.read(&mut bytes).await {
                Ok(count @ 1..) => self.deframer.push(&bytes[..count]),
                // Being cut off is a way to be hung up on.
                Ok(0) | Err(_) => return None,
            }
        }
    }

    /// Everything that is still said until the line hangs up.
    pub async fn hear_out(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(answer) = self.hear().await {
            all.push(answer);
        }
        all
    }
}

/// What is counted while a story is told; hold it in the story's own thread.
pub struct Counted {
    recorder: &'static PrometheusRecorder,
    _local: metrics::LocalRecorderGuard<'static>,
}

impl Counted {
    pub fn here() -> Self {
        let recorder = Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        Self { recorder, _local: metrics::set_default_local_recorder(recorder) }
    }

    /// What `/metrics` says of this series.
    pub fn value(&self, series: &str) -> String {
        let rendered = self.recorder.handle().render();
        let line = rendered.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or("nothing").to_owned()
    }
}
