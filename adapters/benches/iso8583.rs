//! Reading and writing the 15-field 0200 of 165 bytes, in characters and packed; and that reading allocates nothing.
//!
//! `cargo bench -p adapters --bench iso8583`. The aims: 300 ns each, a million round trips a second on one core. The
//! figures to compare with are in `docs/performance.md`.
#![allow(missing_docs, clippy::expect_used)]

use adapters::iso8583::builder::Builder;
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::message::Message;
use adapters::iso8583::mti::Mti;
use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

/// With 15 fields, as ISO8583's aim has it: the private field makes it 165 bytes in profile B.
const FIELDS: [(u8, &str); 15] = [
    (2, "4761739001010119"),
    (3, "000000"),
    (4, "000000012345"),
    (7, "1122101530"),
    (11, "000123"),
    (12, "101530"),
    (13, "1122"),
    (14, "2712"),
    (22, "051"),
    (25, "00"),
    (37, "632610000123"),
    (41, "TERM0001"),
    (42, "MERCHANT0000001"),
    (49, "978"),
    (60, "till 3, receipt 77, shift 2, corner kiosk"),
];

fn sale() -> Mti {
    "0200".parse().expect("a message type")
}

fn write(builder: &mut Builder<'_>, out: &mut BytesMut) {
    builder.restart(sale());
    for (n, text) in FIELDS {
        builder.set(n, text).expect("a value that fits");
    }
    out.clear();
    builder.finish(out).expect("a message");
}

fn messages(c: &mut Criterion) {
    for name in ["iso87-ascii-bin", "iso87-ascii", "iso87-bcd"] {
        let dialect = Dialect::named(name).expect("a dialect");
        let mut builder = Builder::new(dialect, sale());
        let mut out = BytesMut::with_capacity(1024);
        write(&mut builder, &mut out);
        let frame = out.to_vec();
        assert!(name != "iso87-ascii-bin" || frame.len() == 165, "{} bytes", frame.len());
        let mut group = c.benchmark_group(format!("iso8583/{name}/{} bytes", frame.len()));
        group.throughput(Throughput::Elements(1));
        group.bench_function("parse", |b| {
            b.iter(|| black_box(Message::parse(dialect, black_box(&frame)).expect("a message").has(4)));
        });
        group.bench_function("build", |b| b.iter(|| write(black_box(&mut builder), &mut out)));
        group.bench_function("parse, answer with twelve echoes", |b| {
            b.iter(|| answer(dialect, &frame, &mut out));
        });
        group.finish();
    }
}

/// A round trip: what a line does with a request whose answer is known.
fn answer(dialect: &Dialect, frame: &[u8], out: &mut BytesMut) {
    let asked = Message::parse(dialect, black_box(frame)).expect("a message");
    let mut builder = Builder::new(dialect, asked.mti().response().expect("a request"));
    for n in [2, 3, 4, 7, 11, 12, 13, 25, 37, 41, 42, 49] {
        builder.echo(&asked, n).expect("what was read can be written");
    }
    builder.set(39, "00").expect("a value that fits");
    out.clear();
    builder.finish(out).expect("a message");
}

criterion_group!(benches, messages);
criterion_main!(benches);
