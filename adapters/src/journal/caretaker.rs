//! The work that must not hold up the writer: the next segment, snapshots, and dropping what is old.
//!
//! It runs beside the writer, on a thread of its own in production. When no segment can be prepared it says so and tries
//! again every second; what is left of the present segment is the reserve on which begun payments are finished. A writer
//! that has used it up waits for a disk that is full, and ends with one that is broken.
use super::retention;
use super::segment;
use super::shared::{Frozen, Shared};
use super::snapshot::{self, Snapshot};
use actors::planted::{Bug, is_planted};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const ROUND: Duration = Duration::from_secs(1);
/// How often retention looks whether something is old enough.
const ROUNDS_PER_RETENTION: u32 = 60;
const WAITING: Duration = Duration::from_millis(10);

/// The writer's caretaker.
pub struct Caretaker {
    shared: Arc<Shared>,
}

impl Caretaker {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Works until the writer is done and its last snapshot is written.
    pub async fn run(self) {
        let mut rounds: u32 = 0;
        loop {
            self.serve_writer().await;
            if self.shared.desk.is_writer_done() {
                // The last snapshot may have been handed over between the two looks.
                self.take_snapshot().await;
                return;
            }
            if rounds >= ROUNDS_PER_RETENTION {
                rounds = 0;
                retention::retire_old(&self, &self.shared).await;
            }
            if timeout(ROUND, self.shared.desk.caretaker.notified()).await.is_err() {
                rounds = rounds.saturating_add(1);
            }
        }
    }

    /// Drops what is older than the configured age now; how many segments went.
    pub async fn retire_old(&self) -> usize {
        retention::retire_old(self, &self.shared).await
    }

    /// Serves the writer until `done`; `false` if the writer ended first.
    pub(super) async fn until(&self, done: impl Fn() -> bool) -> bool {
        while !done() {
            if self.shared.desk.is_writer_done() {
                return done();
            }
            self.prepare().await;
            // Running out of time is what is waited for as well.
            timeout(WAITING, self.shared.desk.caretaker.notified()).await.ok();
        }
        true
    }

    /// Has a snapshot made of the present state; whether it was written.
    pub(super) async fn snapshot_now(&self) -> bool {
        self.shared.desk.want_frozen();
        self.shared.intake.nudge();
        loop {
            if let Some(frozen) = self.shared.desk.take_frozen() {
                return self.write_snapshot(frozen).await;
            }
            if self.shared.desk.is_writer_done() {
                return false;
            }
            self.prepare().await;
            timeout(WAITING, self.shared.desk.caretaker.notified()).await.ok();
        }
    }

    async fn serve_writer(&self) {
        if !self.shared.desk.is_writer_done() {
            self.prepare().await;
        }
        self.take_snapshot().await;
        self.report_room();
    }

    async fn prepare(&self) {
        let now = Instant::now();
        if !self.shared.desk.lacks_prepared(now) {
            return;
        }
        match segment::prepare(&*self.shared.disk, self.shared.options.segment_bytes()).await {
            Ok(()) => self.shared.desk.put_prepared(),
            Err(error) => {
                let said = error.to_string();
                if self.shared.desk.fell_short(error, now + ROUND) {
                    tracing::warn!(error = %said, "no further journal segment could be prepared; the reserve is in use");
                }
                // The half-filled file must not keep the space that others need; next time it is made anew.
                self.shared.disk.remove(segment::FILLING).ok();
            }
        }
        self.report_room();
    }

    async fn take_snapshot(&self) {
        if let Some(frozen) = self.shared.desk.take_frozen() {
            self.write_snapshot(frozen).await;
        }
    }

    async fn write_snapshot(&self, frozen: Frozen) -> bool {
        let Frozen { mark, index, open } = frozen;
        let snapshot = Snapshot { mark, table: index.merged(), open };
        let stale = is_planted(Bug::SnapshotIndexStale).then(|| snapshot.stale(index.base()));
        let written = snapshot::write(&*self.shared.disk, stale.as_ref().unwrap_or(&snapshot)).await;
        let table = Arc::new(snapshot.table);
        self.shared.lives().index.replace_base(table);
        self.shared.desk.snapshot_done();
        if let Err(error) = &written {
            tracing::warn!(%error, "a journal snapshot could not be written; the next start takes longer");
        }
        written.is_ok()
    }

    fn report_room(&self) {
        let short = self.shared.desk.is_short_of_space();
        self.shared.gauges.room_reserve.set(if short { 1.0 } else { 0.0 });
    }
}
