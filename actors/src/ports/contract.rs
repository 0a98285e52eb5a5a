//! One suite per port: what every implementor must do, memory twin and real thing alike.
//!
//! A suite takes a way to make a fresh implementor and panics at the first broken promise. It needs no runtime:
//! [`complete`] waits on the calling thread, so an implementor may work on threads of its own. `samples` holds
//! entries that fold, for whoever tests or measures a journal.
pub mod binding_store;
pub mod journal;
pub mod samples;
pub mod security_module;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread until `future` is complete.
pub fn complete<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Whether `future` is still waiting when it is asked once.
pub fn is_waiting<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    std::pin::Pin::new(future).poll(&mut context).is_pending()
}
