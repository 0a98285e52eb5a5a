//! Figures as people read them: shares, rates and times, from counts that are whole.

use std::time::Duration;

/// A count, for arithmetic that ends in a figure. Above four thousand million it is that many.
pub fn real(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Of a hundred; nothing of nothing is nothing.
pub fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { real(part) / real(whole) * 100.0 }
}

/// So many a second.
pub fn rate(count: u64, within: Duration) -> f64 {
    if within.is_zero() { 0.0 } else { real(count) / within.as_secs_f64() }
}

/// With so many decimals and no more.
pub fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (value * scale).round() / scale
}

/// Microseconds as milliseconds, with as many decimals as are worth reading.
pub fn ms(us: u64) -> String {
    if us < 100_000 { format!("{:.2}", real(us) / 1_000.0) } else { format!("{:.0}", real(us) / 1_000.0) }
}

pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
