//! Instants as RFC 3339 text, `2030-01-31T12:00:00.000Z`: what JSON carries between us and our peers.
//!
//! UTC only, whole milliseconds out; any number of decimals in. No time zones, no leap seconds.
use actors::domain::time::Timestamp;

const SECONDS_PER_DAY: u64 = 86_400;

/// Writes an instant in UTC with milliseconds.
pub fn format(instant: Timestamp) -> String {
    let day_seconds = instant.secs() % SECONDS_PER_DAY;
    let mut text = date(instant);
    let time = [('T', day_seconds / 3_600), (':', day_seconds / 60 % 60), (':', day_seconds % 60)];
    for (mark, number) in time {
        text.push(mark);
        push(&mut text, number, 2);
    }
    text.push('.');
    push(&mut text, instant.millis() % 1_000, 3);
    text.push('Z');
    text
}

/// The UTC date of an instant, `2030-01-31`.
pub fn date(instant: Timestamp) -> String {
    let (year, month, day) = civil(instant.secs() / SECONDS_PER_DAY);
    let mut text = String::with_capacity("2030-01-31T12:00:00.000Z".len());
    push(&mut text, year, if year > 9_999 { 6 } else { 4 });
    for number in [month, day] {
        text.push('-');
        push(&mut text, number, 2);
    }
    text
}

/// Each payment is told with ten instants; the formatter of the standard library takes ten times as long for one.
fn push(text: &mut String, number: u64, digits: u32) {
    for place in (0..digits).rev() {
        let digit =
            u32::try_from(number / 10_u64.pow(place) % 10).ok().and_then(|digit| char::from_digit(digit, 10));
        text.push(digit.unwrap_or('0'));
    }
}

/// Reads an instant in UTC (`Z`) from 1970 on; `None` for anything else.
pub fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, decimals) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    if hour > 23 || minute > 59 || second > 59 || decimals.is_empty() {
        return None;
    }
    let days = days(year, month, day)?;
    let seconds = days.checked_mul(SECONDS_PER_DAY)?.checked_add(hour * 3_600 + minute * 60 + second)?;
    Some(Timestamp::from_micros(seconds.checked_mul(1_000_000)?.checked_add(micros(decimals)?)?))
}

fn micros(decimals: &str) -> Option<u64> {
    if decimals.len() > 9 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{decimals:0<6}").get(..6)?.parse().ok()
}

fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next().filter(|p| p.len() == width && p.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Days since 1970-01-01 of a date that exists.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || day == 0 || day > 31 {
        return None;
    }
    // March-based years put the leap day last.
    let (year_from_march, month_from_march) =
        if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year_from_march / 4 - year_from_march / 100 + year_from_march / 400;
    let days =
        (year_from_march * 365 + leaps + (153 * month_from_march + 2) / 5 + day - 1).checked_sub(719_468)?;
    (civil(days) == (year, month, day)).then_some(days)
}

fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["1970-01-01T00:00:00.000Z", "2000-02-29T23:59:59.999Z", "2100-03-01T00:00:00.000Z"] {
            assert_eq!(parse(text).map(format).as_deref(), Some(text));
        }
        assert_eq!(format(Timestamp::from_micros(u64::MAX)), "586524-01-19T08:01:49.551Z");
        assert_eq!(parse("2009-02-13T23:31:30Z").map(Timestamp::secs), Some(1_234_567_890));
    }

    #[test]
    fn a_date_that_does_not_exist_is_refused() {
        for text in [
            "2100-02-29T00:00:00Z",
            "2030-13-01T00:00:00Z",
            "2030-01-01T24:00:00Z",
            "2030-01-01",
            "1-1-1T1:1:1Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
