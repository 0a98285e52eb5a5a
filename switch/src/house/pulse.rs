//! What the gate goes by: on each worker's thread, how much later than it was due something is come round to.
//!
//! A thread that has too much to do is late for everything alike, so what is asked of it ever so often is as late as a payment.
//! Next: `actors::gate`.
use actix_rt::ArbiterHandle;
use actors::gate::Gate;
use actors::ports::clock::Clock;
use metrics::{Gauge, gauge};
use std::sync::Arc;
use std::time::Duration;

/// How often a thread is asked.
const BEAT: Duration = Duration::from_millis(10);

/// Feels the pulse of these threads, for as long as they are there.
pub(super) fn feel(gate: &Gate, clock: &Arc<dyn Clock>, threads: &[ArbiterHandle]) {
    for (number, thread) in threads.iter().enumerate() {
        let (gate, clock) = (gate.clone(), Arc::clone(clock));
        let late = gauge!("turnout_thread_late_seconds", "thread" => number.to_string());
        if !thread.spawn(feel_one(gate, clock, late)) {
            tracing::error!(number, "a worker's thread is gone before anything was asked of it");
        }
    }
}

async fn feel_one(gate: Gate, clock: Arc<dyn Clock>, late: Gauge) {
    let queue = gate.queue();
    loop {
        let due = clock.now().plus(BEAT);
        actix_rt::time::sleep(BEAT).await;
        let now = clock.now();
        let delay = now.since(due);
        late.set(delay.as_secs_f64());
        gate.feel(now, queue, delay);
    }
}
