//! Ordeals: a real `turnout serve` under fault injection, judged by what tills, phones and the platform's books say.
//!
//! `cargo test -p switch --test ordeal -- --nocapture --test-threads 1` runs them all, each as short as CI wants it;
//! docs/proof.md has the long forms. `ORDEAL_POINTS` sets how many kill points of each story are tried ("all" for all),
//! `ORDEAL_SEED` which. What cannot be done here says `SKIPPED:` and why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    missing_docs
)]

#[path = "../it/auditor.rs"]
mod auditor;
mod brim;
mod full_disk;
#[allow(dead_code, reason = "shared with the other stories, which use the rest")]
#[path = "../it/house.rs"]
mod house;
mod kill_points;
mod moved_clocks;
mod pauses;
mod stage;
mod story;
mod strace;
mod sync_faults;

/// A setting of this run.
fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a whole number"))
}
