//! A terminal that speaks ISO 8583 over TCP: asks, repeats on a new connection, and takes back what it cannot learn.
//!
//! It plays by docs/lines.md and knows of the switch only what comes back over its line. `sell` is what a conforming
//! terminal does from the amount to the receipt; single messages are there for whoever wants to misbehave.
use super::till::Sale;
use super::{PlayFault, Silence, Surroundings};
use crate::http_client::Link;
use crate::iso8583::builder::{BuildFault, Builder};
use crate::iso8583::dialect::Dialect;
use crate::iso8583::fields as field;
use crate::iso8583::framing::{Deframer, Frame, Framing, Header};
use crate::iso8583::message::Message;
use crate::iso8583::mti::Mti;
use crate::rfc3339;
use crate::security_module::mac::MacKey;
use actors::domain::backoff::Backoff;
use actors::domain::identity::{MerchantId, TerminalId};
use actors::domain::money::Money;
use actors::domain::time::Deadline;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// An answer to a message that does not wait for people comes within this, or counts as lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const REPEAT: Backoff = Backoff { first: Duration::from_millis(200), cap: Duration::from_secs(2) };
const REVERSE: Backoff = Backoff { first: Duration::from_millis(200), cap: Duration::from_secs(30) };
/// Contactless, with no PIN; nobody's card is read.
const PURCHASE: &str = "000000";
const REFUND: &str = "200000";
const BALANCE: &str = "310000";
const STAN_MAX: u32 = 999_999;

/// Where a terminal connects, and how it speaks there.
#[derive(Clone)]
pub struct PosLine {
    /// The listener's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How messages are framed.
    pub framing: Framing,
    /// What stands before each message.
    pub header: Header,
    /// How messages are written.
    pub dialect: Arc<Dialect>,
    /// What messages are sealed with, and answers have to be, on a line that wants a MAC.
    pub sealer: Option<Arc<MacKey>>,
}

/// A terminal.
pub struct Pos {
    surroundings: Surroundings,
    line: PosLine,
    terminal: TerminalId,
    merchant: MerchantId,
    stan: u32,
    link: Option<(Link, Deframer)>,
    repeats: u64,
}

/// A sale as its message names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PosOrder {
    /// How much.
    pub money: Money,
    /// DE 11.
    pub stan: u32,
    /// DE 7: MMDDhhmmss.
    pub sent: String,
    /// How long the terminal waits.
    pub patience: Duration,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PosAnswer {
    /// Its type.
    pub mti: Mti,
    /// DE 39.
    pub code: String,
    /// DE 37.
    pub reference: Option<String>,
    /// DE 38.
    pub approval: Option<String>,
    /// All of it, as it came.
    pub frame: Bytes,
}

impl Pos {
    /// A terminal on a line, whose messages are counted from `stan` on.
    pub const fn new(
        surroundings: Surroundings,
        line: PosLine,
        terminal: TerminalId,
        merchant: MerchantId,
        stan: u32,
    ) -> Self {
        Self { surroundings, line, terminal, merchant, stan, link: None, repeats: 0 }
    }

    /// How often it has repeated a message so far.
    pub const fn repeats(&self) -> u64 {
        self.repeats
    }

    /// An order under the next trace number.
    pub fn order(&mut self, money: Money, patience: Duration) -> PosOrder {
        PosOrder { money, stan: self.next_stan(), sent: self.sent(), patience }
    }

    /// A whole sale as a conforming terminal makes it.
    pub async fn sell(&mut self, order: &PosOrder) -> Result<Sale, PlayFault> {
        let give_up = Deadline::after(self.surroundings.clock.now(), order.patience);
        let mut failures = 0;
        loop {
            let left = give_up.left(self.surroundings.clock.now());
            if left.is_zero() {
                return self.take_back(order).await;
            }
            match self.place(order, failures > 0, left).await {
                Ok(answer) => return Ok(held(answer)),
                Err(fault) if fault.is_passing() => {}
                Err(fault) => return Err(fault),
            }
            failures += 1;
            self.repeats = self.repeats.saturating_add(1);
            let left = give_up.left(self.surroundings.clock.now());
            tokio::time::sleep(REPEAT.wait(failures).min(left)).await;
        }
    }

    /// 0200, or 0201 where it is a repeat.
    pub async fn place(
        &mut self,
        order: &PosOrder,
        is_repeat: bool,
        within: Duration,
    ) -> Result<PosAnswer, PlayFault> {
        let mti = if is_repeat { "0201" } else { "0200" };
        self.exchange(mti, self.about(PURCHASE, order, order.stan), within).await
    }

    /// 0400 and 0401 until they are answered.
    pub async fn take_back(&mut self, order: &PosOrder) -> Result<Sale, PlayFault> {
        let (stan, mut failures) = (self.next_stan(), 0);
        loop {
            let mti = if failures == 0 { "0400" } else { "0401" };
            match self.reverse(mti, order, stan).await {
                Ok(answer) if answer.code == "00" => return Ok(Sale::Reversed),
                // The switch could not do it now.
                Ok(answer) if ["91", "96"].contains(&answer.code.as_str()) => {}
                Ok(answer) => {
                    return Err(PlayFault::OffContract(format!(
                        "a reversal was answered with {}",
                        answer.code
                    )));
                }
                Err(fault) if fault.is_passing() => {}
                Err(fault) => return Err(fault),
            }
            failures += 1;
            self.repeats = self.repeats.saturating_add(1);
            tokio::time::sleep(REVERSE.wait(failures)).await;
        }
    }

    /// One reversal of `order`, under a trace number of its own.
    pub async fn reverse(&mut self, mti: &str, order: &PosOrder, stan: u32) -> Result<PosAnswer, PlayFault> {
        let mut fields = self.about(PURCHASE, order, stan);
        fields.push((field::ORIGINAL, original(order)));
        fields.push((field::RESPONSE_CODE, "68".to_owned()));
        self.exchange(mti, fields, ANSWER_WITHIN).await
    }

    /// Gives back `money` of `order`, under the next trace number.
    pub async fn refund(&mut self, order: &PosOrder, money: Money) -> Result<PosAnswer, PlayFault> {
        let refund = self.order(money, order.patience);
        self.give_back(order, &refund, false).await
    }

    /// Gives back of `order` what `refund` says, or repeats that.
    pub async fn give_back(
        &mut self,
        order: &PosOrder,
        refund: &PosOrder,
        is_repeat: bool,
    ) -> Result<PosAnswer, PlayFault> {
        let mut fields = self.about(REFUND, refund, refund.stan);
        fields.push((field::ORIGINAL, original(order)));
        self.exchange(if is_repeat { "0201" } else { "0200" }, fields, ANSWER_WITHIN).await
    }

    /// 0100 for a balance, which no platform tells: refused with 40 by a line that believes the terminal (docs/lines.md).
    pub async fn ask_balance(&mut self, order: &PosOrder) -> Result<PosAnswer, PlayFault> {
        self.exchange("0100", self.about(BALANCE, order, order.stan), ANSWER_WITHIN).await
    }

    /// 0800 with this network management code: 001 on, 002 off, 301 echo.
    pub async fn manage(&mut self, code: &str) -> Result<PosAnswer, PlayFault> {
        let (stan, sent) = (self.next_stan(), self.sent());
        let mut fields = self.named(stan, &sent);
        fields.push((field::NETWORK_CODE, code.to_owned()));
        self.exchange("0800", fields, ANSWER_WITHIN).await
    }

    /// Hangs up.
    pub fn hang_up(&mut self) {
        self.link = None;
    }

    fn next_stan(&mut self) -> u32 {
        let stan = self.stan;
        self.stan = if stan >= STAN_MAX { 1 } else { stan + 1 };
        stan
    }

    /// Now, as DE 7 has it.
    fn sent(&self) -> String {
        let digits: String =
            rfc3339::format(self.surroundings.clock.now()).chars().filter(char::is_ascii_digit).collect();
        digits.get(4..14).unwrap_or_default().to_owned()
    }

    /// What every message has.
    fn named(&self, stan: u32, sent: &str) -> Fields {
        vec![
            (field::TRANSMISSION, sent.to_owned()),
            (field::STAN, format!("{stan:06}")),
            (field::TERMINAL, format!("{:<8}", self.terminal.as_str())),
        ]
    }

    /// What every message about money has.
    fn about(&self, kind: &str, order: &PosOrder, stan: u32) -> Fields {
        let part = |place: std::ops::Range<usize>| order.sent.get(place).unwrap_or_default().to_owned();
        let mut fields = self.named(stan, &order.sent);
        fields.extend([
            (field::PROCESSING_CODE, kind.to_owned()),
            (field::AMOUNT, format!("{:012}", order.money.amount().minor_units())),
            (field::LOCAL_TIME, part(4..10)),
            (field::LOCAL_DATE, part(0..4)),
            (field::CONDITION, "00".to_owned()),
            (field::MERCHANT, format!("{:<15}", self.merchant.as_str())),
            (field::CURRENCY, format!("{:03}", order.money.currency().number())),
        ]);
        fields
    }

    /// One message and its answer. Whatever else comes meanwhile is an answer to something earlier, and is let pass.
    async fn exchange(
        &mut self,
        mti: &str,
        fields: Fields,
        within: Duration,
    ) -> Result<PosAnswer, PlayFault> {
        let stan = fields.iter().find(|(n, _)| *n == field::STAN).map(|(_, stan)| stan.clone());
        let request = self.written(mti, &fields)?;
        let answered = async {
            self.say(&request).await?;
            loop {
                let answer = self.hear().await?;
                let is_ours = stan.is_some() && answer.stan == stan;
                if is_ours && is_answer(mti, answer.seen.mti) {
                    return Ok(answer.seen);
                }
            }
        };
        let answer = tokio::time::timeout(within, answered).await;
        let answer = answer.unwrap_or(Err(PlayFault::Unanswered(Silence::Late)));
        if answer.is_err() {
            self.hang_up();
        }
        answer
    }

    fn written(&self, mti: &str, fields: &Fields) -> Result<BytesMut, PlayFault> {
        let mti = Mti::parse(mti.as_bytes()).map_err(|fault| PlayFault::OffContract(fault.to_string()))?;
        let mut builder = Builder::new(&self.line.dialect, mti);
        for (n, value) in fields {
            builder.set(*n, value).map_err(unbuilt)?;
        }
        let (mut body, mut frame) = (BytesMut::new(), BytesMut::new());
        match &self.line.sealer {
            Some(key) => {
                builder.finish_with_mac(&mut body, |covered| Ok::<_, BuildFault>(key.mac(covered).0))
            }
            None => builder.finish(&mut body),
        }
        .map_err(unbuilt)?;
        let wrapped = self.line.framing.wrap(&self.line.header, &body, &mut frame);
        wrapped.map_err(|fault| PlayFault::OffContract(fault.to_string()))?;
        Ok(frame)
    }

    async fn say(&mut self, frame: &[u8]) -> Result<(), PlayFault> {
        let mut link = if let Some(link) = self.link.take() {
            link
        } else {
            let connecting = self.surroundings.network.connect(self.line.host.clone(), self.line.port);
            let stream = connecting.await.map_err(|_| PlayFault::Unanswered(Silence::NoConnection))?;
            (stream, Deframer::new(self.line.framing))
        };
        link.0.write_all(frame).await.map_err(|_| PlayFault::Unanswered(Silence::Broken))?;
        link.0.flush().await.map_err(|_| PlayFault::Unanswered(Silence::Broken))?;
        self.link = Some(link);
        Ok(())
    }

    async fn hear(&mut self) -> Result<Heard, PlayFault> {
        let Some((stream, deframer)) = &mut self.link else {
            return Err(PlayFault::Unanswered(Silence::NoConnection));
        };
        let mut bytes = [0; 1024];
        loop {
            let frame = deframer.next_frame().map_err(|fault| PlayFault::OffContract(fault.to_string()))?;
            match frame {
                Some(Frame::Message { body, .. }) => return Heard::read(&self.line, body),
                Some(Frame::KeepAlive(_)) => {}
                None => match stream.read(&mut bytes).await {
                    Ok(read) if read > 0 => deframer.push(bytes.get(..read).unwrap_or_default()),
                    _ => return Err(PlayFault::Unanswered(Silence::Broken)),
                },
            }
        }
    }
}

/// What a message is made of.
type Fields = Vec<(u8, String)>;

struct Heard {
    seen: PosAnswer,
    stan: Option<String>,
}

impl Heard {
    fn read(line: &PosLine, frame: Bytes) -> Result<Self, PlayFault> {
        let message = Message::parse(&line.dialect, &frame)
            .map_err(|broken| PlayFault::OffContract(broken.to_string()))?;
        let text = |n| message.text(n).map(|text| text.to_string());
        let code = text(field::RESPONSE_CODE);
        let code = code.ok_or_else(|| PlayFault::OffContract("an answer without field 39".into()))?;
        let (reference, approval, stan) = (text(field::REFERENCE), text(field::APPROVAL), text(field::STAN));
        let mti = message.mti();
        if let Some(key) = &line.sealer {
            proven(key, &message, &code)?;
        }
        Ok(Self { seen: PosAnswer { mti, code, reference, approval, frame: frame.clone() }, stan })
    }
}

/// That an answer bears the line's MAC. A no may come without one: what was not proven is refused without.
fn proven(key: &MacKey, message: &Message<'_>, code: &str) -> Result<(), PlayFault> {
    let is_right = message.mac_scope().map(|scope| key.verifies(scope.covered, &scope.mac));
    match is_right {
        Some(false) => Err(PlayFault::OffContract("an answer's MAC is wrong".into())),
        None if code == "00" => Err(PlayFault::OffContract("an approval came without a MAC".into())),
        Some(true) | None => Ok(()),
    }
}

/// Whether a message of this type answers one of that.
fn is_answer(request: &str, answer: Mti) -> bool {
    Mti::parse(request.as_bytes()).ok().and_then(Mti::response).is_some_and(|expected| expected == answer)
}

/// DE 90 of what takes `order` back.
fn original(order: &PosOrder) -> String {
    format!("0200{:06}{}{:022}", order.stan, order.sent, 0)
}

fn held(answer: PosAnswer) -> Sale {
    if answer.code == "00" {
        Sale::Approved { id: answer.reference.unwrap_or_default(), reference: answer.approval }
    } else {
        Sale::Declined { code: answer.code }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unbuilt(fault: BuildFault) -> PlayFault {
    PlayFault::OffContract(fault.to_string())
}
