//! PINs and account numbers that are not ones, blocks of somebody else, and what is random in a block.
use super::{TestDice, key};
use actors::ports::security_module::{Cipher, Pan, PinFormat};
use adapters::security_module::pin_block::{self, Pin, PinFault};
use adapters::security_module::secret::SecretKey;
use proptest::prelude::*;

const PAN: &[u8] = b"4761739001010119";

fn tdes() -> SecretKey {
    key(Cipher::Tdes, "0123456789ABCDEFFEDCBA9876543210")
}

fn aes() -> SecretKey {
    key(Cipher::Aes128, "2B7E151628AED2A6ABF7158809CF4F3C")
}

fn key_of(format: PinFormat) -> SecretKey {
    if format == PinFormat::Iso4 { aes() } else { tdes() }
}

#[test]
fn a_pin_of_three_or_of_thirteen_digits_is_none() {
    for wrong in ["", "123", "1234567890123", "12a4", "１２３４", "-123", "+123"] {
        assert_eq!(Pin::new(wrong.as_bytes()).unwrap_err(), PinFault::NoPin, "{wrong}");
    }
    for right in ["1234", "123456789012"] {
        assert_eq!(Pin::new(right.as_bytes()).unwrap().expose(), right.as_bytes());
    }
    assert_eq!(format!("{:?}", Pin::new(b"1234").unwrap()), "Pin");
}

#[test]
fn an_account_number_has_twelve_to_nineteen_digits_and_is_not_printed() {
    assert!(Pan::new(b"47617390010").is_none() && Pan::new(b"47617390010101194761").is_none());
    assert!(Pan::new(b"476173900101011D").is_none());
    assert_eq!(format!("{:?}", Pan::new(PAN).unwrap()), "Pan(16 digits)");
}

#[test]
fn a_block_of_a_pin_of_three_or_thirteen_digits_is_not_read() {
    use des::cipher::{BlockEncrypt, KeyInit};
    // Format 0 as a terminal without checks would make it: mixed with the right twelve digits before the check digit.
    let read = |field: u64| {
        let mut block = (field ^ 0x0000_1739_0010_1011).to_be_bytes();
        des::TdesEde2::new_from_slice(tdes().expose()).unwrap().encrypt_block((&mut block).into());
        pin_block::decode(&block, Pan::new(PAN).unwrap(), PinFormat::Iso0, &tdes())
            .map(|pin| pin.expose().to_vec())
    };
    assert_eq!(read(0x0412_34FF_FFFF_FFFF), Ok(b"1234".to_vec()));
    assert_eq!(read(0x0C12_3456_7890_12FF), Ok(b"123456789012".to_vec()));
    let wrong = [
        0x0312_3FFF_FFFF_FFFF,
        0x0D12_3456_7890_123F,
        0x0E12_3456_7890_1234,
        0x0F12_3456_7890_1234,
        0x0012_34FF_FFFF_FFFF,
        // Another format, a letter for a digit, a filler that is none.
        0x1412_34FF_FFFF_FFFF,
        0x0412_3AFF_FFFF_FFFF,
        0x0412_34FF_FFFF_FFF0,
    ];
    for field in wrong {
        assert_eq!(read(field), Err(PinFault::Unreadable), "{field:016X}");
    }
}

#[test]
fn a_block_of_another_account_another_key_or_another_format_is_not_read() {
    let (pan, other) = (Pan::new(PAN).unwrap(), Pan::new(b"5413330089020011").unwrap());
    let dice = TestDice::default();
    for format in [PinFormat::Iso0, PinFormat::Iso3, PinFormat::Iso4] {
        let block =
            pin_block::encode(&Pin::new(b"1234").unwrap(), pan, format, &key_of(format), &dice).unwrap();
        let block = block.as_bytes();
        let unreadable = |pan, format, key: &SecretKey, block: &[u8]| {
            let read = pin_block::decode(block, pan, format, key).map(|_| ());
            assert_eq!(read, Err(PinFault::Unreadable), "{format:?}");
        };
        unreadable(other, format, &key_of(format), block);
        unreadable(pan, format, &key_of(format), &block[1..]);
        unreadable(pan, format, &key_of(format), &[block, &[0]].concat());
        let other_format = if format == PinFormat::Iso0 { PinFormat::Iso3 } else { PinFormat::Iso0 };
        unreadable(pan, other_format, &tdes(), block);
        let wrong = key(key_of(format).cipher(), "00112233445566778899AABBCCDDEEFF");
        unreadable(pan, format, &wrong, block);
    }
}

#[test]
fn a_flipped_bit_of_a_block_never_gives_the_same_pin() {
    let (pan, dice) = (Pan::new(PAN).unwrap(), TestDice::default());
    for format in [PinFormat::Iso0, PinFormat::Iso3, PinFormat::Iso4] {
        let block =
            pin_block::encode(&Pin::new(b"1234").unwrap(), pan, format, &key_of(format), &dice).unwrap();
        for bit in 0..format.block_len() * 8 {
            let mut flipped = block.as_bytes().to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = pin_block::decode(&flipped, pan, format, &key_of(format));
            assert!(read.map_or(true, |pin| pin.expose() != b"1234"), "{format:?}, bit {bit}");
        }
    }
}

#[test]
fn formats_three_and_four_are_never_the_same_twice_and_format_zero_always() {
    let (pin, pan, dice) = (Pin::new(b"1234").unwrap(), Pan::new(PAN).unwrap(), TestDice::default());
    let encode = |format| pin_block::encode(&pin, pan, format, &key_of(format), &dice).unwrap();
    assert!(encode(PinFormat::Iso0) == encode(PinFormat::Iso0));
    assert!(encode(PinFormat::Iso3) != encode(PinFormat::Iso3));
    assert!(encode(PinFormat::Iso4) != encode(PinFormat::Iso4));
    assert_eq!(format!("{:?}", encode(PinFormat::Iso3)), "PinBlock(Iso3)");
}

#[test]
fn a_format_takes_keys_of_its_own_cipher_only() {
    let (pin, pan, dice) = (Pin::new(b"1234").unwrap(), Pan::new(PAN).unwrap(), TestDice::default());
    let wrong = [
        (PinFormat::Iso0, aes()),
        (PinFormat::Iso3, key(Cipher::Des, "0123456789ABCDEF")),
        (PinFormat::Iso4, tdes()),
    ];
    for (format, key) in wrong {
        let fault = PinFault::Cipher { cipher: key.cipher(), format };
        assert_eq!(pin_block::encode(&pin, pan, format, &key, &dice).map(|_| ()), Err(fault));
        assert_eq!(pin_block::decode(&[0; 8], pan, format, &key).unwrap_err(), fault);
    }
}

proptest! {
    #[test]
    fn every_pin_of_every_account_comes_back_through_every_format(
        pin in "[0-9]{4,12}",
        pan in "[0-9]{12,19}",
        seed: u64,
    ) {
        let dice = TestDice(seed.into());
        let pan = Pan::new(pan.as_bytes()).unwrap();
        let clear = Pin::new(pin.as_bytes()).unwrap();
        let formats = [PinFormat::Iso0, PinFormat::Iso4, PinFormat::Iso3, PinFormat::Iso0];
        let mut block = pin_block::encode(&clear, pan, PinFormat::Iso0, &tdes(), &dice).unwrap();
        for pair in formats.windows(2) {
            let (from, to) = ((pair[0], &key_of(pair[0])), (pair[1], &key_of(pair[1])));
            block = pin_block::translate(block.as_bytes(), pan, from, to, &dice).unwrap();
            let back = pin_block::decode(block.as_bytes(), pan, pair[1], to.1).unwrap();
            prop_assert_eq!(back.expose(), pin.as_bytes());
        }
    }

    #[test]
    fn no_bytes_make_a_block_that_breaks_the_reader(
        block in proptest::collection::vec(any::<u8>(), 0..20),
        format in prop_oneof![Just(PinFormat::Iso0), Just(PinFormat::Iso3), Just(PinFormat::Iso4)],
    ) {
        if let Ok(pin) = pin_block::decode(&block, Pan::new(PAN).unwrap(), format, &key_of(format)) {
            prop_assert!(pin_block::PIN_DIGITS.contains(&pin.expose().len()));
        }
    }
}
