//! The binary. The composition root is still to come; what it composes is in the library.
fn main() {}
