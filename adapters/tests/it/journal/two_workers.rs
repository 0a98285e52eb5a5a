//! Writer and caretaker run on threads of their own: whatever one does while the other is half way, nothing is lost.
//!
//! The disk here lets the caretaker run on while the writer is in the middle of something, as a second thread may.
use super::rig::{Rig, SMALL, SetClock, history, run};
use actors::ports::contract::samples;
use actors::ports::disk::{Disk, DiskFile};
use actors::ports::journal::Journal;
use adapters::disk::simulated::SimulatedDisk;
use adapters::journal::{Fatal, Opened, open, segment};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// More steps than it takes the caretaker to prepare a segment.
const STEPS: usize = 32;

/// A disk on which the caretaker gets on with its work while the writer opens the prepared segment.
#[derive(Clone)]
struct Interleaved {
    disk: SimulatedDisk,
    caretaker: Arc<Mutex<Option<Work>>>,
}

impl Interleaved {
    fn let_the_caretaker_work(&self) {
        let Ok(mut work) = self.caretaker.try_lock() else { return };
        let Some(caretaker) = work.as_mut() else { return };
        for _ in 0..STEPS {
            if caretaker.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                *work = None;
                return;
            }
        }
    }
}

impl Disk for Interleaved {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.open(name)?;
        if name == segment::PREPARED {
            self.let_the_caretaker_work();
        }
        Ok(file)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }
}

#[test]
fn no_segment_is_prepared_over_the_one_that_is_being_taken_into_use() {
    run(async {
        let disk = Interleaved { disk: SimulatedDisk::new(), caretaker: Arc::default() };
        let on_fatal = Box::new(|fatal: Fatal| panic!("{fatal}"));
        let shared = Arc::new(disk.clone());
        let opened = open(shared, Arc::new(SetClock::new()), SMALL, on_fatal).await.unwrap();
        let Opened { journal, writer, caretaker, .. } = opened;
        *disk.caretaker.lock().unwrap() = Some(Box::pin(caretaker.run()));
        let writer = tokio::spawn(writer.run());
        for call in history(12) {
            let last = journal.append(samples::BEGIN, call);
            let _wanted = journal.durable(last);
            while !journal.is_durable(last) {
                assert!(!writer.is_finished(), "the writer found no segment");
                disk.let_the_caretaker_work();
                tokio::task::yield_now().await;
            }
        }
        let again = Rig::open(&disk.disk, SMALL).await.unwrap();
        assert_eq!(
            again.entries(),
            history(12).concat(),
            "what was acknowledged is in the files that have names"
        );
        again.stop().await;
    });
}
