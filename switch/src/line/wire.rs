//! One connection's stream: what is read goes to the deframer, what is to be said waits here until the peer takes it.
//!
//! Reading and writing go on in one task, and neither holds memory while nothing passes: bytes are read into a place on
//! the stack, which is wiped. A peer that takes too little of what waits for it in the time that it is given is deaf.
use actors::domain::time::{Deadline, Timestamp};
use adapters::iso8583::framing::Deframer;
use bytes::{Buf, BytesMut};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use zeroize::Zeroize;

/// Bytes taken off the stream at a time.
const READ: usize = 4096;
/// With so much waiting to be sent, nothing more is read and no answer is taken up.
const OUT_ROOM: usize = 64 * 1024;
/// What a peer has to take in the time that it is given, if so much waits: a slow link is borne, a deaf peer is not.
const TAKEN: usize = 4096;
/// How long a peer that was hung up on is listened to, so that its last words do not cut off ours.
const LINGER: Duration = Duration::from_secs(1);
/// And how much it may say meanwhile, in reads.
const LINGER_READS: usize = 64;

pub(super) struct Wire<S> {
    stream: S,
    out: BytesMut,
    is_flushed: bool,
    sent: u64,
    /// Up to which byte everything has to be sent, and by when.
    due: Option<(u64, Deadline)>,
}

/// What happened on a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stirred {
    /// Something was said.
    Heard,
    /// The peer will say no more.
    Ended,
    /// Something was sent.
    Wrote,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, out: BytesMut::new(), is_flushed: true, sent: 0, due: None }
    }

    /// Where is written what is to be sent.
    pub(super) const fn out(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    /// Whether the peer takes what it is sent.
    pub(super) fn has_room(&self) -> bool {
        self.out.len() < OUT_ROOM
    }

    /// Whether everything is sent.
    pub(super) fn is_silent(&self) -> bool {
        self.out.is_empty() && self.is_flushed
    }

    /// By when more of what waits has to be sent.
    pub(super) fn due(&mut self, now: Timestamp, within: Duration) -> Option<Deadline> {
        let is_kept = self.due.is_some_and(|(mark, _)| self.sent < mark);
        if self.is_silent() {
            self.due = None;
        } else if !is_kept {
            let wanted = u64::try_from(self.out.len().clamp(1, TAKEN)).unwrap_or(u64::MAX);
            self.due = Some((self.sent.saturating_add(wanted), Deadline::after(now, within)));
        }
        self.due.map(|(_, by)| by)
    }

    /// Sends what waits, and reads if there is somewhere to.
    pub(super) async fn stir(&mut self, mut to: Option<&mut Deframer>) -> io::Result<Stirred> {
        poll_fn(|cx| self.poll(cx, to.as_deref_mut())).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, to: Option<&mut Deframer>) -> Poll<io::Result<Stirred>> {
        if self.poll_write(cx)? {
            return Poll::Ready(Ok(Stirred::Wrote));
        }
        let Some(deframer) = to else { return Poll::Pending };
        let mut space = [0; READ];
        let mut read = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        deframer.push(read.filled());
        let stirred = if read.filled().is_empty() { Stirred::Ended } else { Stirred::Heard };
        read.filled_mut().zeroize();
        Poll::Ready(Ok(stirred))
    }

    /// Sends what the peer takes now; whether it took any.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let before = self.sent;
        while !self.out.is_empty() {
            let Poll::Ready(taken) = Pin::new(&mut self.stream).poll_write(cx, &self.out)? else { break };
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.out.advance(taken);
            self.sent = self.sent.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
            self.is_flushed = false;
        }
        let mut is_news = self.sent > before;
        if self.out.is_empty() && !self.is_flushed && Pin::new(&mut self.stream).poll_flush(cx)?.is_ready() {
            self.is_flushed = true;
            self.out = BytesMut::new();
            is_news = true;
        }
        Ok(is_news)
    }

    /// Hangs up: says so, and listens a moment, since closing on unread bytes would take back what was just said.
    pub(super) async fn hang_up(mut self) {
        let farewell = async {
            if self.stream.shutdown().await.is_err() {
                return;
            }
            // Not in the task: every connection would carry it all its life.
            let mut ignored = vec![0; 1024];
            for _ in 0..LINGER_READS {
                if !matches!(self.stream.read(&mut ignored).await, Ok(1..)) {
                    return;
                }
            }
        };
        // A peer that does not hang up within the moment is hung up on all the same.
        drop(tokio::time::timeout(LINGER, farewell).await);
    }
}
