//! `turnout serve`: the house, open until somebody asks it to close.
use super::keep_clean;
use crate::config::Config;
use crate::house::House;
use crate::telemetry;
use actix_rt::signal::unix::{SignalKind, signal};
use anyhow::Context;
use std::path::Path;

pub(super) async fn run(config: &Path) -> anyhow::Result<()> {
    let checked = Config::read(config)?.checked()?;
    keep_clean()?;
    let metrics = telemetry::install_metrics().context("metrics")?;
    telemetry::keep_up(metrics.clone());
    let house = House::open(checked, metrics).await?;
    let (found, doors) = (house.recovery, house.addresses);
    tracing::info!(
        phones = %doors.phones,
        terminals = %doors.terminals,
        admin = %doors.admin,
        lines = ?house.line_addresses,
        records = found.last.0,
        replayed = found.replayed,
        torn_bytes = found.torn,
        open_payments = found.open_payments,
        woken = house.woken,
        "open"
    );
    asked_to_close().await?;
    tracing::info!("closing: nothing new begins, what is begun is finished");
    house.close().await;
    tracing::info!("closed");
    Ok(())
}

async fn asked_to_close() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
