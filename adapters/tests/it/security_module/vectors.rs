//! Every value of the two vector files, computed anew. A name that is not computed here fails.
use super::{hex, key, upper};
use actors::ports::clock::Dice;
use actors::ports::security_module::{Cipher, Ksn, MacAlgorithm, Pan, PinFormat, Purpose, Way};
use adapters::security_module::dukpt::{aes, tdes};
use adapters::security_module::mac::MacKey;
use adapters::security_module::pin_block::{self, Pin};
use adapters::security_module::secret::SecretKey;
use des::cipher::{BlockEncrypt, KeyInit};
use serde_json::Value;

const PAYMENT_CRYPTO: &str = include_str!("../../vectors/payment_crypto.json");
const MACS: &str = include_str!("../../vectors/iso8583_macs.json");

const BASE: &str = "0123456789ABCDEFFEDCBA9876543210";
const TEXT: &[u8] = b"4012345678909D987";
const CMAC_TEXT: &str = "6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E5130C81C46A35CE411E5FBC1191A0A52EFF69F2445DF4F9B17AD2B417BE66C3710";
const UNION_PAY_TEXT: &str = "0200302004C020C0981100000000000000000101386702100006379001100000000027D00000000000000000000031313131353030373132333435363738393131313131353135363D87C8B8FA17C67C26000000000000000011220014370000";

/// The filler of the published block of format 4.
struct Filler;

impl Dice for Filler {
    fn fill(&self, bytes: &mut [u8]) {
        let filler = hex("00000000000000002F69ADDE2E9E7ACE");
        bytes.copy_from_slice(&filler[..bytes.len()]);
    }
}

#[test]
fn every_published_value_comes_out() {
    let values: serde_json::Map<String, Value> = serde_json::from_str(PAYMENT_CRYPTO).unwrap();
    assert_eq!(values.len(), 114, "the file and its values");
    let wrong: Vec<_> =
        values.iter().filter(|(name, value)| value.as_str() != Some(&computed(name))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_changed_value_does_not_come_out() {
    assert_ne!(computed("dukpt.tdes.ipek"), "6AC292FAA1315B4D858AB3A3D7D5933B");
}

#[test]
fn every_message_of_the_file_has_its_macs() {
    let messages: Vec<Value> = serde_json::from_str(MACS).unwrap();
    assert_eq!(messages.len(), 6);
    for message in messages {
        let text = |name: &str| message[name].as_str().unwrap().to_owned();
        let bytes = hex(&text("macced_hex"));
        let tdes = key(Cipher::Tdes, &text("key_tdes"));
        let aes = key(Cipher::Aes128, &text("key_aes"));
        assert_eq!(mac(MacAlgorithm::X919, &tdes, &bytes), text("retail_mac_alg3_pad1"));
        assert_eq!(mac(MacAlgorithm::AesCmac, &aes, &bytes), text("de64_or_128_cmac"));
        assert_eq!(text("de64_or_128_cmac"), text("aes_cmac")[..16], "the left eight bytes");
        let right = hex(&text("retail_mac_alg3_pad1"));
        let verifies = |bytes: &[u8]| MacKey::new(MacAlgorithm::X919, &tdes).unwrap().verifies(bytes, &right);
        assert!(verifies(&bytes));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!verifies(&flipped), "bit {bit}");
        }
    }
}

/// What we say that the value of this name is.
fn computed(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        ["dukpt", "tdes", "ipek"] => upper(tdes::initial_key(&base(), &tdes_ksn("E00001")).expose()),
        ["dukpt", "tdes", counter, what @ ..] => tdes_value(counter, &what.join(".")),
        ["dukpt", "aes128", "ik"] => upper(aes::initial_key(&aes_base(Cipher::Aes128), &aes_ksn(1)).expose()),
        ["dukpt", "aes256", "ik"] => upper(aes::initial_key(&aes_base(Cipher::Aes256), &aes_ksn(1)).expose()),
        ["dukpt", "aes128", counter, what] => aes_value(Cipher::Aes128, counter, what, Cipher::Aes128),
        ["dukpt", "aes256", counter, "pin(256)"] => aes_value(Cipher::Aes256, counter, "pin", Cipher::Aes256),
        ["dukpt", "aes256", counter, "pin(128)"] => aes_value(Cipher::Aes256, counter, "pin", Cipher::Aes128),
        ["cmac", cipher, length] => cmac(cipher, length.trim_start_matches("len").parse().unwrap()),
        _ => other(name),
    }
}

fn other(name: &str) -> String {
    match name {
        "pinblock.iso0.clear pin1234 pan4012345678909" | "psec cross: iso0" => clear_block("1234"),
        "pinblock.iso4.enc pin1234 pan4111111111111111 fill2F69ADDE2E9E7ACE key=aes128.1.pin" => {
            let key = key(Cipher::Aes128, &aes_value(Cipher::Aes128, "1", "pin", Cipher::Aes128));
            let (pin, pan) = (Pin::new(b"1234").unwrap(), Pan::new(b"4111111111111111").unwrap());
            upper(pin_block::encode(&pin, pan, PinFormat::Iso4, &key, &Filler).unwrap().as_bytes())
        }
        "pinblock.iso4.decode pan43219876543210987" => {
            let key = key(Cipher::Aes128, "0123456789ABCDEF0123456789ABCDEF");
            let (block, pan) =
                (hex("D3B650140FE182DA3D814D7F52615064"), Pan::new(b"43219876543210987").unwrap());
            let pin = pin_block::decode(&block, pan, PinFormat::Iso4, &key).unwrap();
            format!("4{:X}{}", pin.expose().len(), std::str::from_utf8(pin.expose()).unwrap())
        }
        "x9.9/fips113 DES-CBC-MAC" => {
            mac(MacAlgorithm::X99, &key(Cipher::Des, "0123456789ABCDEF"), b"7654321 Now is the time for ")
        }
        "psec cross: retail mac alg3 pad1" | "iso8583sim cross: retail mac" => {
            tdes_value("E00001", "mac.request")
        }
        "cup_ecb_mac sdes key=0123456789ABCDEF data=chfenix macData" => {
            union_pay(&key(Cipher::Des, "0123456789ABCDEF"))
        }
        "cup_ecb_mac tdes key=0123456789ABCDEFFEDCBA9876543210 same data" => union_pay(&base()),
        unknown => panic!("nothing computes {unknown}"),
    }
}

fn tdes_value(counter: &str, what: &str) -> String {
    let message_key = tdes::message_key(&base(), &tdes_ksn(counter)).unwrap();
    let variant = |purpose, way| message_key.variant(purpose, way);
    match what {
        "txkey" => upper(message_key.as_key().expose()),
        "pin" | "pin(iso0 1234/4012345678909)" => {
            let (pin, pan) = (Pin::new(b"1234").unwrap(), Pan::new(b"4012345678909").unwrap());
            let key = variant(Purpose::Pin, Way::FromTerminal);
            upper(pin_block::encode(&pin, pan, PinFormat::Iso0, &key, &Filler).unwrap().as_bytes())
        }
        "mac.request" => mac(MacAlgorithm::X919, &variant(Purpose::Mac, Way::FromTerminal), TEXT),
        "mac.response" => mac(MacAlgorithm::X919, &variant(Purpose::Mac, Way::ToTerminal), TEXT),
        "data.request" => chained(&variant(Purpose::Data, Way::FromTerminal)),
        "data.response" => chained(&variant(Purpose::Data, Way::ToTerminal)),
        unknown => panic!("nothing computes {unknown}"),
    }
}

fn aes_value(base: Cipher, counter: &str, what: &str, cipher: Cipher) -> String {
    let counter = match counter.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).unwrap(),
        None => counter.parse().unwrap(),
    };
    let message_key = aes::message_key(&aes_base(base), &aes_ksn(counter)).unwrap();
    let usage = match what {
        "derivation_key" => return upper(message_key.as_key().expose()),
        "kek" => aes::Usage::KeyEncryption,
        "kd" => aes::Usage::Derivation,
        "pin" => aes::usage(Purpose::Pin, Way::FromTerminal),
        "mac_gen" => aes::usage(Purpose::Mac, Way::FromTerminal),
        "mac_ver" => aes::usage(Purpose::Mac, Way::ToTerminal),
        "mac_both" => aes::usage(Purpose::Mac, Way::BothWays),
        "data_enc" => aes::usage(Purpose::Data, Way::FromTerminal),
        "data_dec" => aes::usage(Purpose::Data, Way::ToTerminal),
        "data_both" => aes::usage(Purpose::Data, Way::BothWays),
        unknown => panic!("nothing computes {unknown}"),
    };
    upper(message_key.working(usage, cipher).expose())
}

fn base() -> SecretKey {
    key(Cipher::Tdes, BASE)
}

fn aes_base(cipher: Cipher) -> SecretKey {
    key(cipher, &"FEDCBA9876543210F1F1F1F1F1F1F1F1".repeat(cipher.key_len() / 16))
}

fn tdes_ksn(counter: &str) -> [u8; 10] {
    hex(&format!("FFFF9876543210{counter}")).try_into().unwrap()
}

fn aes_ksn(counter: u32) -> [u8; 12] {
    let Some(Ksn::Aes(ksn)) = Ksn::new(&hex(&format!("1234567890123456{counter:08X}"))) else { panic!() };
    ksn
}

fn mac(algorithm: MacAlgorithm, key: &SecretKey, message: &[u8]) -> String {
    upper(&MacKey::new(algorithm, key).unwrap().mac(message).0)
}

/// Eight ASCII characters, as they are sent.
fn union_pay(key: &SecretKey) -> String {
    let mac = MacKey::new(MacAlgorithm::CupEcb, key).unwrap().mac(&hex(UNION_PAY_TEXT));
    String::from_utf8(mac.0.to_vec()).unwrap()
}

/// The whole CMAC by the bare crate; of ours, which a message carries, its left half.
fn cmac(cipher: &str, length: usize) -> String {
    use ::aes::{Aes128, Aes256};
    let long = "603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4";
    let text = &hex(CMAC_TEXT)[..length];
    let (cipher, digits, whole): (_, _, fn(&str, &[u8]) -> String) = match cipher {
        "aes128" => (Cipher::Aes128, "2B7E151628AED2A6ABF7158809CF4F3C", whole_cmac::<cmac::Cmac<Aes128>>),
        _ => (Cipher::Aes256, long, whole_cmac::<cmac::Cmac<Aes256>>),
    };
    let whole = whole(digits, text);
    assert_eq!(mac(MacAlgorithm::AesCmac, &key(cipher, digits), text), whole[..16]);
    whole
}

fn whole_cmac<M: cmac::Mac + KeyInit>(digits: &str, text: &[u8]) -> String {
    let bare = <M as KeyInit>::new_from_slice(&hex(digits)).unwrap();
    upper(&bare.chain_update(text).finalize().into_bytes())
}

/// Format 0 before it is encrypted: what the decrypted block is.
fn clear_block(pin: &str) -> String {
    use des::cipher::BlockDecrypt;
    let (pin, pan) = (Pin::new(pin.as_bytes()).unwrap(), Pan::new(b"4012345678909").unwrap());
    let block = pin_block::encode(&pin, pan, PinFormat::Iso0, &base(), &Filler).unwrap();
    let mut clear: [u8; 8] = block.as_bytes().try_into().unwrap();
    des::TdesEde2::new_from_slice(&hex(BASE)).unwrap().decrypt_block((&mut clear).into());
    upper(&clear)
}

/// The published text under a data key: TDES in CBC from zeros.
fn chained(key: &SecretKey) -> String {
    let cipher = des::TdesEde2::new_from_slice(key.expose()).unwrap();
    let mut text = TEXT.to_vec();
    text.resize(24, 0);
    let mut state = [0; 8];
    let mut out = String::new();
    for block in text.chunks(8) {
        state.iter_mut().zip(block).for_each(|(state, byte)| *state ^= byte);
        cipher.encrypt_block((&mut state).into());
        out += &upper(&state);
    }
    out
}
