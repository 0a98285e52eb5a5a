//! A concentrator: many terminals share a connection to the line, as those of a chain behind its host do.
//!
//! To a terminal it is a network like any other. What it writes goes out over the shared connection, in one piece with what
//! others wrote meanwhile; an answer finds its terminal by field 41. A connection that breaks is broken for all of its terminals,
//! and made again by the first of them that comes back.
use actors::domain::identity::TerminalId;
use actors::ports::Answer;
use adapters::http_client::{Link, Network};
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::fields as field;
use adapters::iso8583::framing::{Deframer, Frame, Framing};
use adapters::iso8583::message::Message;
use adapters::players::pos::PosLine;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::HashMap;
use std::io;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// What may wait to be sent over a connection; a terminal that has more is told that it is broken.
const WAITING_MAX: usize = 1024 * 1024;
/// Answers that a terminal has not read yet; it asks one thing at a time.
const UNREAD_MAX: usize = 16;
const READ_AT_ONCE: usize = 16 * 1024;

/// The shared connections of a line.
pub struct Concentrator {
    trunks: Vec<Arc<Trunk>>,
    next: AtomicUsize,
}

/// One terminal's way to the line.
pub struct Branch {
    trunk: Arc<Trunk>,
    terminal: TerminalId,
}

struct Trunk {
    under: Arc<dyn Network>,
    framing: Framing,
    dialect: Arc<Dialect>,
    wire: tokio::sync::Mutex<Option<Arc<Wire>>>,
}

/// A connection while it lasts.
#[derive(Default)]
struct Wire {
    out: Mutex<BytesMut>,
    has_more: Notify,
    terminals: Mutex<HashMap<TerminalId, Sender<Bytes>>>,
    is_over: AtomicBool,
}

/// A terminal's end of it.
struct Extension {
    wire: Arc<Wire>,
    answers: Receiver<Bytes>,
    rest: Bytes,
}

impl Concentrator {
    /// So many connections over this network, each made when its first terminal speaks.
    pub fn new(links: NonZeroUsize, under: &Arc<dyn Network>, line: &PosLine) -> Self {
        let trunk = || Trunk {
            under: Arc::clone(under),
            framing: line.framing,
            dialect: Arc::clone(&line.dialect),
            wire: tokio::sync::Mutex::default(),
        };
        let trunks = (0..links.get()).map(|_| Arc::new(trunk())).collect();
        Self { trunks, next: AtomicUsize::new(0) }
    }

    /// The way of one more terminal: they take the connections in turn.
    pub fn branch(&self, terminal: TerminalId) -> Option<Branch> {
        let at = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.trunks.len())?;
        self.trunks.get(at).map(|trunk| Branch { trunk: Arc::clone(trunk), terminal })
    }
}

impl Network for Branch {
    fn connect(&self, host: String, port: u16) -> Answer<io::Result<Link>> {
        let (trunk, terminal) = (Arc::clone(&self.trunk), self.terminal);
        Box::pin(async move {
            let wire = trunk.open(host, port).await?;
            let (answered, answers) = channel(UNREAD_MAX);
            locked(&wire.terminals).insert(terminal, answered);
            Ok(Link::new(Extension { wire, answers, rest: Bytes::new() }))
        })
    }
}

impl Trunk {
    async fn open(self: &Arc<Self>, host: String, port: u16) -> io::Result<Arc<Wire>> {
        let mut open = self.wire.lock().await;
        if let Some(wire) = open.as_ref().filter(|wire| !wire.is_over.load(Ordering::Acquire)) {
            return Ok(Arc::clone(wire));
        }
        let link = self.under.connect(host, port).await?;
        let wire = Arc::new(Wire::default());
        tokio::spawn(Arc::clone(&wire).carry(link, self.framing, Arc::clone(&self.dialect)));
        *open = Some(Arc::clone(&wire));
        Ok(wire)
    }
}

impl Wire {
    /// Carries until the connection ends.
    async fn carry(self: Arc<Self>, link: Link, framing: Framing, dialect: Arc<Dialect>) {
        let (mut reader, mut writer) = tokio::io::split(link);
        let ended = tokio::select! {
            ended = self.send(&mut writer) => ended,
            ended = self.hear(&mut reader, framing, &dialect) => ended,
        };
        if let Err(fault) = ended {
            eprintln!("loadtest: a shared connection of the line broke: {fault}");
        }
        self.is_over.store(true, Ordering::Release);
        // Whoever waits there learns that it is over.
        locked(&self.terminals).clear();
    }

    async fn send(&self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        loop {
            let waiting = std::mem::take(&mut *locked(&self.out));
            if waiting.is_empty() {
                self.has_more.notified().await;
            } else {
                writer.write_all(&waiting).await?;
                writer.flush().await?;
            }
        }
    }

    async fn hear(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        framing: Framing,
        dialect: &Dialect,
    ) -> io::Result<()> {
        let (mut deframer, mut bytes) = (Deframer::new(framing), vec![0; READ_AT_ONCE]);
        loop {
            let read = reader.read(&mut bytes).await?;
            if read == 0 {
                return Ok(());
            }
            deframer.push(bytes.get(..read).unwrap_or_default());
            while let Some(frame) = deframer.next_frame().map_err(io::Error::other)? {
                if let Frame::Message { header, body } = frame {
                    let mut answer = BytesMut::new();
                    framing.wrap(&header, &body, &mut answer).map_err(io::Error::other)?;
                    self.deliver(dialect, &body, answer.freeze());
                }
            }
        }
    }

    /// An answer to a terminal that is not there, or does not read, is let fall.
    fn deliver(&self, dialect: &Dialect, body: &[u8], answer: Bytes) {
        let message = Message::parse(dialect, body).ok();
        let terminal = message.as_ref().and_then(|message| message.text(field::TERMINAL));
        let terminal = terminal.and_then(|text| TerminalId::new(text.to_string().trim_end()).ok());
        if let Some(waiting) = terminal.and_then(|terminal| locked(&self.terminals).get(&terminal).cloned()) {
            drop(waiting.try_send(answer));
        }
    }
}

impl AsyncRead for Extension {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(self.answers.poll_recv(cx)) {
                Some(answer) => self.rest = answer,
                None => return Poll::Ready(Ok(())),
            }
        }
        let take = self.rest.len().min(into.remaining());
        into.put_slice(self.rest.get(..take).unwrap_or_default());
        self.rest.advance(take);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Extension {
    /// Takes all of it or nothing, so that no two terminals' messages are mixed.
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, frame: &[u8]) -> Poll<io::Result<usize>> {
        let mut out = locked(&self.wire.out);
        let is_stuck = out.len().saturating_add(frame.len()) > WAITING_MAX;
        if is_stuck || self.wire.is_over.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        out.extend_from_slice(frame);
        self.wire.has_more.notify_one();
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::counter::{Counter, Wire};
    use actors::domain::identity::MerchantId;
    use adapters::clock::SteadyClock;
    use adapters::dice::SystemDice;
    use adapters::iso8583::builder::Builder;
    use adapters::iso8583::framing::Header;
    use adapters::iso8583::mti::Mti;
    use adapters::players::Surroundings;
    use adapters::players::pos::Pos;
    use tokio::io::DuplexStream;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    /// A network whose connections come out here.
    struct Paper(UnboundedSender<DuplexStream>);

    impl Network for Paper {
        fn connect(&self, _: String, _: u16) -> Answer<io::Result<Link>> {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let sent = self.0.send(far).map_err(|_| io::ErrorKind::ConnectionRefused.into());
            Box::pin(async move { sent.map(|()| Link::new(near)) })
        }
    }

    struct Shop {
        line: PosLine,
        surroundings: Surroundings,
        concentrator: Concentrator,
        connected: UnboundedReceiver<DuplexStream>,
    }

    impl Shop {
        fn new() -> Self {
            let (made, connected) = unbounded_channel();
            let (framing, dialect) = ("len2+tpdu".parse::<Framing>().unwrap(), Dialect::named("iso87-ascii"));
            let (header, dialect) = (framing.plain_header(), Arc::new(dialect.unwrap().clone()));
            let line = PosLine { host: "line".into(), port: 1, framing, header, dialect, sealer: None };
            let (clock, dice) = (Arc::new(SteadyClock::starting_now()), Arc::new(SystemDice::new().unwrap()));
            let surroundings = Surroundings { network: Arc::new(Paper(made)), tls: None, clock, dice };
            let concentrator = Concentrator::new(NonZeroUsize::new(1).unwrap(), &surroundings.network, &line);
            Self { line, surroundings, concentrator, connected }
        }

        fn terminal(&self, name: &str) -> Pos {
            let terminal = TerminalId::new(name).unwrap();
            let network = Arc::new(self.concentrator.branch(terminal).unwrap());
            let surroundings = Surroundings { network, ..self.surroundings.clone() };
            Pos::new(surroundings, self.line.clone(), terminal, MerchantId::new("M1").unwrap(), 1)
        }

        /// Reads so many questions.
        async fn questions(&self, switch: &mut DuplexStream, count: usize) -> Vec<(Header, Bytes)> {
            let (mut deframer, mut bytes) = (Deframer::new(self.line.framing), [0; 4096]);
            let mut questions = Vec::new();
            while questions.len() < count {
                let read = switch.read(&mut bytes).await.unwrap();
                deframer.push(&bytes[..read]);
                while let Some(Frame::Message { header, body }) = deframer.next_frame().unwrap() {
                    questions.push((header, body));
                }
            }
            questions
        }

        /// Answers with the terminal's own name in field 38, so that it can be told whose answer it is.
        async fn answer(&self, switch: &mut DuplexStream, question: &(Header, Bytes)) {
            self.answer_with("00", switch, question).await;
        }

        async fn answer_with(&self, code: &str, switch: &mut DuplexStream, (header, body): &(Header, Bytes)) {
            let message = Message::parse(&self.line.dialect, body).unwrap();
            let mut builder = Builder::new(&self.line.dialect, Mti::parse(b"0810").unwrap());
            let terminal = message.text(field::TERMINAL).unwrap().to_string();
            for field in [field::TRANSMISSION, field::STAN, field::TERMINAL] {
                builder.echo(&message, field).unwrap();
            }
            builder.set(field::RESPONSE_CODE, code).unwrap();
            builder.set(field::APPROVAL, &format!("{:0>6}", terminal.trim())).unwrap();
            let (mut answer, mut frame) = (BytesMut::new(), BytesMut::new());
            builder.finish(&mut answer).unwrap();
            self.line.framing.wrap(&header.reply(), &answer, &mut frame).unwrap();
            switch.write_all(&frame).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_terminal_opens_by_signing_on_and_does_not_where_that_is_refused() {
        for (code, opens) in [("00", true), ("58", false)] {
            let mut shop = Shop::new();
            let (wire, id) = (Wire::Iso(Box::new(shop.terminal("T1"))), TerminalId::new("T1").unwrap());
            let mut counter = Counter::new(id, None, shop.surroundings.clone(), wire);
            let answering = async {
                let mut switch = shop.connected.recv().await.unwrap();
                let question = shop.questions(&mut switch, 1).await.remove(0);
                let message = Message::parse(&shop.line.dialect, &question.1).unwrap();
                assert_eq!(message.mti().as_str(), "0800");
                assert_eq!(message.text(field::NETWORK_CODE).as_deref(), Some("001"));
                shop.answer_with(code, &mut switch, &question).await;
                switch
            };
            let (opened, _switch) = tokio::join!(counter.open(), answering);
            assert_eq!(opened.is_ok(), opens, "{code}: {opened:?}");
        }
    }

    #[tokio::test]
    async fn terminals_share_a_connection_and_each_gets_its_own_answer() {
        let mut shop = Shop::new();
        let (mut one, mut other) = (shop.terminal("T1"), shop.terminal("T2"));
        let asking = async { tokio::join!(one.manage("301"), other.manage("301")) };
        let answering = async {
            let mut switch = shop.connected.recv().await.unwrap();
            let questions = shop.questions(&mut switch, 2).await;
            // Who asked last is answered first.
            for question in questions.iter().rev() {
                shop.answer(&mut switch, question).await;
            }
            switch
        };
        let ((first, second), _switch) = tokio::join!(asking, answering);
        assert_eq!(first.unwrap().approval.as_deref(), Some("0000T1"));
        assert_eq!(second.unwrap().approval.as_deref(), Some("0000T2"));
        assert!(shop.connected.try_recv().is_err(), "one connection is enough");
    }

    #[tokio::test]
    async fn a_connection_that_breaks_is_broken_for_all_and_made_again() {
        let mut shop = Shop::new();
        let (mut one, mut other) = (shop.terminal("T1"), shop.terminal("T2"));
        let asking = async { tokio::join!(one.manage("301"), other.manage("301")) };
        let breaking = async {
            let mut switch = shop.connected.recv().await.unwrap();
            drop(shop.questions(&mut switch, 2).await);
        };
        let ((first, second), ()) = tokio::join!(asking, breaking);
        assert!(first.unwrap_err().is_passing() && second.unwrap_err().is_passing());
        let answering = async {
            let mut switch = shop.connected.recv().await.unwrap();
            let questions = shop.questions(&mut switch, 1).await;
            shop.answer(&mut switch, &questions[0]).await;
            switch
        };
        let (again, _switch) = tokio::join!(other.manage("301"), answering);
        assert_eq!(again.unwrap().approval.as_deref(), Some("0000T2"));
    }
}
