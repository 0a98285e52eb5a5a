//! MACs over a message of 165 bytes against the bare crates, and what deriving keys for a message costs.
//!
//! `cargo bench -p adapters --bench payment_crypto`. "Bare" is the ciphers' crates with nothing of ours around them; the
//! figures to compare with are in `docs/performance.md`.
#![allow(missing_docs, clippy::expect_used)]

use actors::domain::identity::KeyName;
use actors::ports::clock::Dice;
use actors::ports::contract::security_module::KEYS;
use actors::ports::contract::{complete, samples};
use actors::ports::security_module::{
    Cipher, Generation, HandOverForm, KeyRef, Ksn, MacAlgorithm, Pan, PinFormat, PinSource, PinTarget,
    SecurityModule, Way,
};
use adapters::security_module::dukpt::{aes as dukpt_aes, tdes as dukpt_tdes};
use adapters::security_module::mac::MacKey;
use adapters::security_module::secret::SecretKey;
use adapters::security_module::{ConfiguredKey, SoftwareSecurityModule};
use aes::Aes128;
use cmac::{Cmac, Mac};
use criterion::{Criterion, criterion_group, criterion_main};
use des::Des;
use des::cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use std::hint::black_box;
use std::sync::Arc;

const TDES: &str = "0123456789ABCDEFFEDCBA9876543210";
const AES: &str = "2B7E151628AED2A6ABF7158809CF4F3C";
const MESSAGE: [u8; 165] = [0x37; 165];
const TDES_KSN: [u8; 10] = [0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x03];
/// Ten one bits: the longest way from the initial key.
const FARTHEST_KSN: [u8; 10] = [0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x03, 0xFF];
const AES_KSN: [u8; 12] = [0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0, 0, 0, 3];

struct NoDice;

impl Dice for NoDice {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn key(cipher: Cipher, digits: &str) -> SecretKey {
    SecretKey::from_hex(cipher, digits).expect("a key")
}

fn name(text: &str) -> KeyName {
    KeyName::new(text).expect("a name")
}

fn module() -> SoftwareSecurityModule {
    let keys = KEYS.map(|key| {
        ConfiguredKey::new(name(key.name), key.role, key.cipher, key.digits, None).expect("a key")
    });
    SoftwareSecurityModule::new(keys, Arc::new(NoDice)).expect("a module")
}

/// What the retail MAC is, on the bare cipher.
fn bare_retail(first: &Des, second: &Des, message: &[u8]) -> [u8; 8] {
    let mut state = [0_u8; 8];
    for block in message.chunks(8) {
        state.iter_mut().zip(block).for_each(|(state, byte)| *state ^= byte);
        first.encrypt_block((&mut state).into());
    }
    second.decrypt_block((&mut state).into());
    first.encrypt_block((&mut state).into());
    state
}

fn macs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mac of 165 bytes");
    let halves = [&TDES[..16], &TDES[16..]].map(|half| key(Cipher::Des, half));
    let [first, second] = halves.map(|half| Des::new_from_slice(half.expose()).expect("a key"));
    group.bench_function("x919, bare", |b| b.iter(|| bare_retail(&first, &second, black_box(&MESSAGE))));
    let bare = <Cmac<Aes128> as KeyInit>::new_from_slice(key(Cipher::Aes128, AES).expose()).expect("a key");
    group.bench_function("aes-cmac, bare", |b| {
        b.iter(|| bare.clone().chain_update(black_box(&MESSAGE)).finalize().into_bytes());
    });
    let algorithms = [
        ("x919", MacAlgorithm::X919, Cipher::Tdes, TDES),
        ("aes-cmac", MacAlgorithm::AesCmac, Cipher::Aes128, AES),
        ("iso16609-tdes", MacAlgorithm::Iso16609Tdes, Cipher::Tdes, TDES),
        ("cup-ecb", MacAlgorithm::CupEcb, Cipher::Tdes, TDES),
    ];
    for (label, algorithm, cipher, digits) in algorithms {
        let expanded = MacKey::new(algorithm, &key(cipher, digits)).expect("a key");
        group.bench_function(label, |b| b.iter(|| expanded.mac(black_box(&MESSAGE))));
    }
    let module = module();
    let generation = Generation::from_bits(1);
    let working = |cipher| KeyRef::Working { terminal: samples::terminal_id(1), generation, cipher };
    let dukpt = KeyRef::Dukpt {
        base: name("bdk"),
        ksn: Ksn::Tdes(TDES_KSN),
        way: Way::BothWays,
        cipher: Cipher::Tdes,
    };
    let through = [
        ("x919 through the port, a named key", KeyRef::Named(name("zone-mac")), MacAlgorithm::X919),
        ("aes-cmac through the port, a named key", KeyRef::Named(name("aes-mac")), MacAlgorithm::AesCmac),
        ("x919 through the port, a working key", working(Cipher::Tdes), MacAlgorithm::X919),
        ("aes-cmac through the port, a working key", working(Cipher::Aes128), MacAlgorithm::AesCmac),
        ("x919 through the port, DUKPT", dukpt, MacAlgorithm::X919),
    ];
    for (label, key, algorithm) in through {
        group.bench_function(label, |b| b.iter(|| complete(module.mac(key, algorithm, black_box(&MESSAGE)))));
    }
    group.finish();
}

fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("keys of a message");
    let (tdes, aes) = (key(Cipher::Tdes, TDES), key(Cipher::Aes128, AES));
    group.bench_function("dukpt, tdes, counter 3", |b| {
        b.iter(|| dukpt_tdes::message_key(&tdes, black_box(&TDES_KSN)).is_ok());
    });
    group.bench_function("dukpt, tdes, ten one bits", |b| {
        b.iter(|| dukpt_tdes::message_key(&tdes, black_box(&FARTHEST_KSN)).is_ok());
    });
    group.bench_function("dukpt, aes-128, counter 3", |b| {
        b.iter(|| dukpt_aes::message_key(&aes, black_box(&AES_KSN)).is_ok());
    });
    group.bench_function("expanding a key for x919", |b| {
        b.iter(|| MacKey::new(MacAlgorithm::X919, black_box(&tdes)).is_ok());
    });
    group.bench_function("expanding a key for aes-cmac", |b| {
        b.iter(|| MacKey::new(MacAlgorithm::AesCmac, black_box(&aes)).is_ok());
    });
    group.finish();
}

fn services(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("security module");
    let module = module();
    let (terminal, generation) = (samples::terminal_id(1), Generation::from_bits(1));
    let block = 0x1B9C_1845_EB99_3A7A_u64.to_be_bytes();
    let ksn = Ksn::Tdes([0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x01]);
    let sent = KeyRef::Dukpt { base: name("bdk"), ksn, way: Way::FromTerminal, cipher: Cipher::Tdes };
    let from = PinSource { key: sent, format: PinFormat::Iso0, block: &block };
    let to = PinTarget { key: KeyRef::Named(name("zone-pin")), format: PinFormat::Iso0 };
    let pan = Pan::new(b"4012345678909").expect("an account number");
    group.bench_function("PIN from DUKPT into the zone", |b| {
        b.iter(|| complete(module.translate_pin(pan, black_box(from), to)).is_ok());
    });
    let forms = [
        ("cryptograms", "tmk", HandOverForm::Cryptograms { mac: Cipher::Tdes }),
        (
            "key blocks",
            "tmk-aes",
            HandOverForm::KeyBlocks { cipher: Cipher::Aes128, algorithm: MacAlgorithm::AesCmac },
        ),
    ];
    for (label, under, form) in forms {
        let under = name(under);
        group.bench_function(format!("hand over, {label}"), |b| {
            b.iter(|| complete(module.hand_over(terminal, black_box(generation), under, form)).is_ok());
        });
    }
    group.finish();
}

criterion_group!(benches, macs, keys, services);
criterion_main!(benches);
