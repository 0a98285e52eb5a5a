//! Four cards, one for each way of writing messages, and the messages that carry all that is on them; sound, and spoiled.
//!
//! The numbers are test numbers that no bank issues. What is behind them (names, tracks, PIN blocks) was made up to be
//! found again. Nothing here looks for anything.
use crate::house::hex;
use crate::secrets::search::Secret;
use adapters::iso8583::builder::{BuildFault, Builder};
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::message::Message;
use adapters::iso8583::mti::Mti;
use bytes::{Bytes, BytesMut};

/// How often a bit is flipped: the step is a prime, so that each place within a byte has its turn.
const FLIPS: usize = 13;

/// A card, and the line at whose terminals it is used.
pub struct Card {
    pub dialect: &'static str,
    pub framing: &'static str,
    pub terminal: &'static str,
    number: &'static str,
    /// What tracks hold behind the service code: digits that only this card has.
    discretionary: &'static str,
    holder: &'static str,
    pin_block: &'static str,
    /// Field 48.
    private: &'static str,
}

pub const CARDS: [Card; 4] = [
    Card {
        dialect: "iso87-ascii",
        framing: "len2",
        terminal: "T0",
        number: "4761739001010119",
        discretionary: "9074416283559",
        holder: "CANARY/CARLA COLUMBA",
        pin_block: "A7C93F5E6BB2D4F8",
        private: "canary-private CVV2 of 4761739001010119",
    },
    Card {
        dialect: "iso87-ascii-bin",
        framing: "ascii4",
        terminal: "T1",
        number: "4012345678909",
        discretionary: "8163550942781",
        holder: "CANARY/CASPAR CORVUS",
        pin_block: "9E81D27AC4F35BB6",
        private: "canary-private CVV2 of 4012345678909",
    },
    Card {
        dialect: "iso87-bcd",
        framing: "len2+tpdu",
        terminal: "T2",
        number: "4111111111111111",
        discretionary: "7295183360478",
        holder: "CANARY/CELIA COTURNIX",
        pin_block: "C2F49DE8A17B8E93",
        private: "canary-private CVV2 of 4111111111111111",
    },
    Card {
        dialect: "cup-pos",
        framing: "len2+tpdu+cup6",
        terminal: "T3",
        number: "5413330089020011",
        discretionary: "6384927710559",
        holder: "CANARY/COSIMA CYGNUS",
        pin_block: "F1A98C6DE3B5D7A2",
        private: "541333008902001163849277105598",
    },
];

/// What may be found nowhere.
pub fn secrets() -> Vec<Secret> {
    let of_card = |card: &Card| {
        vec![
            Secret::new("a card's number", card.number),
            Secret::packed("a card's number, packed", &packed(card.number)),
            Secret::new("a track", card.discretionary),
            Secret::packed("a track, packed", &packed(&card.track_2())),
            Secret::new("a card's holder", card.holder),
            Secret::new("a PIN block, written", card.pin_block),
            Secret::packed("a PIN block", &packed(card.pin_block)),
            Secret::new("a private field", card.private),
        ]
    };
    CARDS.iter().flat_map(of_card).collect()
}

/// The same as bytes, in the order of `secrets`: for the search's control.
pub fn bare_secrets() -> Vec<Vec<u8>> {
    let of_card = |card: &Card| {
        [
            card.number.into(),
            packed(card.number),
            card.discretionary.into(),
            packed(&card.track_2()),
            card.holder.into(),
            card.pin_block.into(),
            packed(card.pin_block),
            card.private.into(),
        ]
    };
    CARDS.iter().flat_map(of_card).collect()
}

impl Card {
    pub fn dialect(&self) -> &'static Dialect {
        Dialect::named(self.dialect).unwrap()
    }

    fn track_2(&self) -> String {
        format!("{}D3012201{}", self.number, self.discretionary)
    }

    /// Everything that a terminal may have read from it.
    fn read(&self) -> Vec<(u8, String)> {
        let Self { number, discretionary, holder, .. } = self;
        let track_2 = self.track_2();
        let even = |digits: &str| format!("{digits}{}", if digits.len() % 2 == 1 { "F" } else { "" });
        let item = |tag: &str, value: String| format!("{tag}{:02X}{value}", value.len() / 2);
        let chip = [
            item("5A", even(number)),
            item("57", even(&track_2)),
            item("5F20", hex(holder.as_bytes()).to_uppercase()),
            item("9F36", "0042".to_owned()),
        ];
        vec![
            (2, (*number).to_owned()),
            (14, "3012".to_owned()),
            (35, track_2.replace('D', "=")),
            (36, format!("01{number}={discretionary}{}", "7".repeat(40))),
            (45, format!("B{number}^{holder}^3012201{discretionary}")),
            (48, self.private.to_owned()),
            (52, self.pin_block.to_owned()),
            (55, chip.concat()),
        ]
    }

    /// A message about this card. `stan` is its trace number and the original's that it may be about.
    pub fn message(&self, mti: &str, amount: &str, stan: u32) -> Bytes {
        let mut fields = self.read();
        let own = if mti.starts_with("02") { stan } else { stan + 500_000 };
        let text = |text: &str| text.to_owned();
        fields.extend([
            (3, text("000000")),
            (4, format!("{amount:0>12}")),
            (11, format!("{own:06}")),
            (12, text("111530")),
            (13, text("1122")),
            (22, text("051")),
            (25, text("00")),
            (41, text(self.terminal)),
            (42, text("M")),
            (49, text("978")),
        ]);
        fields.extend(if self.dialect == "cup-pos" {
            vec![(60, text("22000007000")), (61, format!("000007{stan:06}"))]
        } else {
            vec![(7, text("1122101530")), (90, format!("0200{stan:06}1122101530{:022}", 0))]
        });
        self.built(mti, &fields)
    }

    /// A sign-on that carries a card where none belongs.
    pub fn sign_on(&self) -> Bytes {
        let mut fields = self.read();
        fields.extend([(11, "000999".to_owned()), (41, self.terminal.to_owned())]);
        fields.push(if self.dialect == "cup-pos" {
            (60, "00000007002".to_owned())
        } else {
            (70, "001".to_owned())
        });
        self.built("0800", &fields)
    }

    fn built(&self, mti: &str, fields: &[(u8, String)]) -> Bytes {
        let mut builder = Builder::new(self.dialect(), Mti::parse(mti.as_bytes()).unwrap());
        for (n, value) in fields {
            builder.set(*n, value).unwrap_or_else(|fault| panic!("{} {fault}", self.dialect));
        }
        let mut out = BytesMut::new();
        builder.finish(&mut out).unwrap();
        out.freeze()
    }

    /// The same message with a MAC that nobody made.
    pub fn with_a_wrong_mac(&self) -> Bytes {
        let mut builder = Builder::new(self.dialect(), Mti::parse(b"0200").unwrap());
        let message = self.message("0200", "950000", 700);
        let read = Message::parse(self.dialect(), &message).unwrap();
        for n in read.fields() {
            builder.echo(&read, n).unwrap();
        }
        let mut out = BytesMut::new();
        builder.finish_with_mac(&mut out, |_| Ok::<_, BuildFault>([0xAB; 8])).unwrap();
        out.freeze()
    }

    /// Messages that go wrong in every way: cut at every length, bits flipped, too long, of types that nobody serves.
    pub fn spoiled(&self) -> Vec<Bytes> {
        // Beyond the merchant's limit: nobody waits for a phone.
        let sale = self.message("0200", "950000", 600);
        let cuts = (1..sale.len()).map(|length| sale.slice(..length));
        let flips = (0..sale.len() * 8).step_by(FLIPS).map(|bit| {
            let mut flipped = sale.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped.into()
        });
        let more = [&sale[..], b"0"].concat().into();
        let twice = [&sale[..], &sale[..]].concat().into();
        let types = ["0210", "0299", "0300", "0620", "1200", "9999"].map(|mti| self.retyped(&sale, mti));
        cuts.chain(flips).chain([more, twice]).chain(types).collect()
    }

    fn retyped(&self, message: &[u8], mti: &str) -> Bytes {
        let is_packed = self.dialect.ends_with("bcd") || self.dialect == "cup-pos";
        let (mti, rest) =
            if is_packed { (packed(mti), &message[2..]) } else { (mti.as_bytes().to_vec(), &message[4..]) };
        [&mti[..], rest].concat().into()
    }
}

/// Two hexadecimal digits a byte; what is odd is left out, for every packing fills up with something else.
fn packed(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
