//! Field numbers by their names in the standard (ISO 8583:1987, 4.3), for `translate` and for players; what they mean is not said here.

/// What kind of transaction, from and to which account.
pub const PROCESSING_CODE: u8 = 3;
/// Amount, transaction: minor units.
pub const AMOUNT: u8 = 4;
/// Transmission date and time, MMDDhhmmss in UTC.
pub const TRANSMISSION: u8 = 7;
/// System trace audit number.
pub const STAN: u8 = 11;
/// The terminal's own time, hhmmss.
pub const LOCAL_TIME: u8 = 12;
/// The terminal's own day, MMDD.
pub const LOCAL_DATE: u8 = 13;
/// Point of service condition code.
pub const CONDITION: u8 = 25;
/// Acquiring institution.
pub const ACQUIRER: u8 = 32;
/// Forwarding institution.
pub const FORWARDER: u8 = 33;
/// Retrieval reference number.
pub const REFERENCE: u8 = 37;
/// Authorization identification response.
pub const APPROVAL: u8 = 38;
/// Response code.
pub const RESPONSE_CODE: u8 = 39;
/// Card acceptor terminal.
pub const TERMINAL: u8 = 41;
/// Card acceptor.
pub const MERCHANT: u8 = 42;
/// Additional data, private; working keys.
pub const ADDITIONAL: u8 = 48;
/// Currency of the transaction.
pub const CURRENCY: u8 = 49;
/// Currency of the settlement.
pub const SETTLEMENT_CURRENCY: u8 = 50;
/// Private; UnionPay: type, batch, network code.
pub const PRIVATE_60: u8 = 60;
/// Private; UnionPay: the original's batch, trace number and day.
pub const PRIVATE_61: u8 = 61;
/// Private; UnionPay: working keys.
pub const PRIVATE_62: u8 = 62;
/// Private: in 1987 there is room for a KSN.
pub const PRIVATE_63: u8 = 63;
/// 1 in balance, 2 out of balance.
pub const SETTLEMENT_CODE: u8 = 66;
/// Network management information code.
pub const NETWORK_CODE: u8 = 70;
/// How many refunds.
pub const CREDITS: u8 = 74;
/// How many refunds that were taken back.
pub const CREDIT_REVERSALS: u8 = 75;
/// How many sales.
pub const DEBITS: u8 = 76;
/// How many sales that were taken back.
pub const DEBIT_REVERSALS: u8 = 77;
/// Refunds together.
pub const CREDITS_AMOUNT: u8 = 86;
/// Refunds that were taken back, together.
pub const CREDIT_REVERSALS_AMOUNT: u8 = 87;
/// Sales together.
pub const DEBITS_AMOUNT: u8 = 88;
/// Sales that were taken back, together.
pub const DEBIT_REVERSALS_AMOUNT: u8 = 89;
/// Original data elements: type, trace number, time, acquirer, forwarder.
pub const ORIGINAL: u8 = 90;
/// Replacement amounts.
pub const REPLACEMENT: u8 = 95;
/// Amount, net settlement.
pub const NET_SETTLEMENT: u8 = 97;
