//! What can be done is known from when somebody waited: what that is good for, and what it does where it is not true.
use super::{Customer, SECONDS, at, counter, merchant};
use actors::domain::time::Timestamp;
use actors::gate::STANDING;
use actors::gate::pace::Pace;
use std::time::Duration;

/// A pace that has seen so many payments a second being done while others waited, until [`at`] begins.
fn that_knows(a_second: u32) -> Pace {
    let mut pace = Pace::new(STANDING);
    for tenth in 0..100 {
        let now = Timestamp::from_micros(tenth * 100_000);
        pace.done(now, a_second / 10);
        pace.feel(now, 0, STANDING * 2);
    }
    pace
}

#[test]
fn a_switch_that_knows_what_it_can_do_does_it_again_at_once() {
    for (knows, within) in [(0, 5_000_000), (1_000, 1_500_000)] {
        let mut pace = that_knows(knows);
        let (mut let_in, mut asked) = (0, 0);
        for now in (0..12_000_000).step_by(2_500) {
            // Everybody logs in.
            pace.feel(at(now), 0, Duration::from_millis(if now < 3_000_000 { 80 } else { 0 }));
            if now >= 3_000_000 {
                let is_let_in = pace.admits(at(now), merchant(1));
                let is_later = now >= 3_000_000 + within;
                (let_in, asked) = (let_in + u32::from(is_later && is_let_in), asked + u32::from(is_later));
            }
        }
        assert!(let_in * 100 >= asked * 95, "knows {knows}: {let_in} of {asked}");
    }
}

#[test]
fn what_was_known_does_no_harm_where_it_is_true_no_more() {
    for rate in [2, 10] {
        let unknown = counter(rate, Customer::Comes, Some(Pace::new(STANDING))).a_second();
        let mut day = counter(rate, Customer::Comes, Some(that_knows(3_000)));
        let known = day.a_second();
        assert!(known * 100 >= unknown * 95, "{rate} times: {known} of 1,000, and {unknown}");
        for second in 15..SECONDS - 1 {
            let median = day.median(second);
            assert!(median < Duration::from_millis(400), "{rate} times, second {second}: {median:?}");
        }
    }
}

#[test]
fn what_was_known_of_a_bad_moment_holds_nobody_back_for_long() {
    for rate in [2, 10] {
        let of = |knows| counter(rate, Customer::Comes, Some(that_knows(knows))).served_in(8..20);
        let (unknown, too_little) = (of(0), of(50));
        assert!(too_little * 100 >= unknown * 95, "{rate} times: {too_little}, and {unknown}");
    }
}

#[test]
fn a_thread_that_does_not_come_round_is_no_sign_that_nobody_waits() {
    let mut pace = that_knows(0);
    for now in (0..5_000_000).step_by(1_000) {
        pace.admits(at(now), merchant(1));
    }
    let rate = pace.rate().unwrap();
    assert!(rate <= 10.0, "{rate} a second, and nothing was felt for five");
}
