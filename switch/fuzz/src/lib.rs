//! What the targets share: bytes drawn off an input, checksums made right again, and a small journal to be damaged.
//!
//! A target is a function from any bytes to nothing that must not panic, hang or grow. Where checksums would turn
//! every input away at the door, they are made right on purpose, so that what lies behind is tried too.
use std::sync::LazyLock;

pub mod disk;
pub mod draw;
pub mod reseal;
pub mod wire;

/// Whether the targets are to be caught: `FUZZ_CONTROL` is set.
static IS_CONTROL: LazyLock<bool> = LazyLock::new(|| std::env::var_os("FUZZ_CONTROL").is_some());

/// The control: where it is asked for, a target that gets here with `reached` panics, and has to be caught at it.
pub fn control(reached: bool) {
    assert!(!(reached && *IS_CONTROL), "the control was reached, as it should be");
}
