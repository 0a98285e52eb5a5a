// Amounts as people type and read them: exact decimal strings, never a float.
//
// The switch speaks decimal strings with an ISO 4217 currency; a till's keypad speaks digits of the smallest
// unit. This module turns one into the other and sets thousands apart. It knows no page and no server.

const DECIMALS = new Map([
  ..."BIF CLP DJF GNF ISK JPY KRW PYG RWF UGX VND VUV XAF XOF XPF".split(" ").map((code) => [code, 0]),
  ..."BHD IQD JOD KWD LYD OMR TND".split(" ").map((code) => [code, 3]),
]);

/** Twelve digits of the smallest unit: what ISO 8583 DE 4 carries. */
export const MINOR_DIGITS_MAX = 12;

/** How many digits stand behind the decimal point. */
export function decimalsOf(currency) {
  return DECIMALS.get(currency) ?? 2;
}

/** `"1250"` cents are `"12.50"`. */
export function decimalOf(minor, currency) {
  const decimals = decimalsOf(currency);
  const digits = String(minor).padStart(decimals + 1, "0");
  if (decimals === 0) return digits;
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** `"12.5"` are 1250n cents; `null` for what is no amount in this currency. A decimal comma is understood. */
export function minorOf(text, currency) {
  const decimals = decimalsOf(currency);
  const found = /^(\d{1,12})(?:[.,](\d{0,3}))?$/.exec(text.trim());
  if (!found || (found[2] ?? "").length > decimals) return null;
  const digits = found[1] + (found[2] ?? "").padEnd(decimals, "0");
  const minor = BigInt(digits);
  return minor.toString().length > MINOR_DIGITS_MAX ? null : minor;
}

/** The amount with its thousands set apart by thin spaces; what it cannot read it shows as it is. */
export function grouped(amount) {
  const found = /^(\d+)(\.\d+)?$/.exec(amount);
  if (!found) return amount;
  return found[1].replace(/\B(?=(\d{3})+$)/g, "\u202f") + (found[2] ?? "");
}

/** `"12.50 EUR"`, kept together on one line. */
export function money(amount, currency) {
  return `${grouped(amount)}\u00a0${currency}`;
}
