//! The adapter against the running sandbox: the happy way, and each trouble with what must be concluded from it.
use super::bench::{Bench, PASSWORD, adapter, eur, world};
use actors::domain::identity::{PaymentId, RefundId};
use actors::domain::money::Money;
use actors::domain::payment::outcome::{
    Effect, Failure, InquiryOutcome, PaymentOutcome, PermitOutcome, RefundOutcome, ReversalOutcome,
};
use actors::domain::payment::phase::Attempt;
use actors::domain::response_code::Refusal;
use actors::ports::platform::Platform;
use switch::sandbox::trouble::{Operation, Trouble};

const PAYMENT: PaymentId = PaymentId::from_bits(42);

fn receipt_money(outcome: &PaymentOutcome) -> Option<Money> {
    if let PaymentOutcome::Approved(receipt) = outcome { Some(receipt.money) } else { None }
}

#[actix_web::test]
async fn os5_to_os8_a_permit_is_granted_used_and_seen_by_an_inquiry() {
    let bench = Bench::new();
    assert_eq!(bench.platform.inquire(bench.ask(PAYMENT, 2_000)).await, InquiryOutcome::NeverSeen);
    let interface = bench.granted(PAYMENT).await;
    assert_eq!(bench.platform.inquire(bench.ask(PAYMENT, 2_000)).await, InquiryOutcome::Pending);
    let paid = bench.pay(PAYMENT, &interface, PASSWORD, 2_000).await;
    assert_eq!(receipt_money(&paid), Some(eur("12.50")));
    assert!(matches!(bench.platform.inquire(bench.ask(PAYMENT, 2_000)).await, InquiryOutcome::Paid(_)));
    assert_eq!(bench.balance(), "87.50");
}

#[actix_web::test]
async fn os9_a_wrong_password_fails_the_attempt_and_a_new_permit_succeeds() {
    let bench = Bench::new();
    let first = bench.granted(PAYMENT).await;
    let wrong = bench.pay(PAYMENT, &first, "wrong", 2_000).await;
    assert_eq!(wrong, PaymentOutcome::Failed(Failure::WrongCredentials));
    let second = Attempt::FIRST.next(3).unwrap();
    let PermitOutcome::Granted(interface) = bench.permit(PAYMENT, second).await else { panic!("no permit") };
    let sealed = bench.seal(PAYMENT, &interface, PASSWORD);
    let mut presentation = bench.presentation(PAYMENT, &interface, sealed, 2_000);
    presentation.attempt = second;
    assert!(receipt_money(&bench.platform.pay(presentation).await).is_some());
}

#[actix_web::test]
async fn a_permit_used_twice_gives_the_same_answer_and_one_debit() {
    let bench = Bench::new();
    let interface = bench.granted(PAYMENT).await;
    let first = bench.pay(PAYMENT, &interface, PASSWORD, 2_000).await;
    let again = bench.pay(PAYMENT, &interface, PASSWORD, 2_000).await;
    assert_eq!(first, again);
    assert_eq!(bench.balance(), "87.50");
}

#[actix_web::test]
async fn a_platform_that_is_not_there_was_not_sent_anything() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (bench, world) = (Bench::new(), world());
    let nobody = adapter(&format!("http://{free}"), None, &world);
    let ask = bench.permit_ask(PAYMENT, Attempt::FIRST, "ada", 2_000);
    assert_eq!(nobody.permit(ask).await, PermitOutcome::NotSent);
    assert_eq!(nobody.reverse(bench.ask(PAYMENT, 2_000)).await, ReversalOutcome::Unknown);
}

#[actix_web::test]
async fn a_silent_platform_is_unknown_at_the_deadline_and_the_money_moved() {
    let bench = Bench::new();
    let interface = bench.granted(PAYMENT).await;
    bench.trouble(Operation::Pay, Trouble::Silent);
    assert_eq!(bench.pay(PAYMENT, &interface, PASSWORD, 600).await, PaymentOutcome::Unknown);
    assert_eq!(bench.balance(), "87.50");
    assert!(matches!(bench.platform.inquire(bench.ask(PAYMENT, 2_000)).await, InquiryOutcome::Paid(_)));
}

#[actix_web::test]
async fn a_lost_request_is_unknown_and_an_inquiry_shows_that_nothing_moved() {
    let bench = Bench::new();
    let interface = bench.granted(PAYMENT).await;
    bench.trouble(Operation::Pay, Trouble::Lost);
    assert_eq!(bench.pay(PAYMENT, &interface, PASSWORD, 300).await, PaymentOutcome::Unknown);
    assert_eq!(bench.platform.inquire(bench.ask(PAYMENT, 2_000)).await, InquiryOutcome::Pending);
    assert_eq!(bench.balance(), "100.00");
}

#[actix_web::test]
async fn whatever_cannot_be_believed_is_unknown() {
    let troubles = [
        Trouble::LyingAnswer,
        Trouble::Garbage,
        Trouble::Oversize,
        Trouble::Redirect,
        Trouble::ServerError,
        Trouble::CutOff,
    ];
    for (trouble, bits) in troubles.into_iter().zip(1..) {
        let (bench, payment) = (Bench::new(), PaymentId::from_bits(bits));
        let interface = bench.granted(payment).await;
        for operation in [Operation::Permit, Operation::Pay, Operation::Query, Operation::Reversal] {
            bench.trouble(operation, trouble);
            match operation {
                Operation::Permit => {
                    assert_eq!(
                        bench.permit(payment, Attempt::FIRST).await,
                        PermitOutcome::Unknown,
                        "{trouble:?}"
                    );
                }
                Operation::Pay => {
                    let outcome = bench.pay(payment, &interface, PASSWORD, 2_000).await;
                    assert_eq!(outcome, PaymentOutcome::Unknown, "{trouble:?}");
                }
                Operation::Query => {
                    let outcome = bench.platform.inquire(bench.ask(payment, 2_000)).await;
                    assert_eq!(outcome, InquiryOutcome::Unknown, "{trouble:?}");
                }
                _ => {
                    let outcome = bench.platform.reverse(bench.ask(payment, 2_000)).await;
                    assert_eq!(outcome, ReversalOutcome::Unknown, "{trouble:?}");
                }
            }
        }
    }
}

#[actix_web::test]
async fn a_refusing_platform_gives_no_permit() {
    let bench = Bench::new();
    bench.trouble(Operation::Permit, Trouble::Refuse);
    assert_eq!(bench.permit(PAYMENT, Attempt::FIRST).await, PermitOutcome::Refused(Refusal::NotPermitted));
}

#[actix_web::test]
async fn a_reversal_that_comes_too_late_can_be_refunded_instead() {
    let bench = Bench::new();
    let interface = bench.granted(PAYMENT).await;
    bench.pay(PAYMENT, &interface, PASSWORD, 2_000).await;
    bench.trouble(Operation::Reversal, Trouble::TooLate);
    assert_eq!(bench.platform.reverse(bench.ask(PAYMENT, 2_000)).await, ReversalOutcome::TooLate);
    let refund =
        || bench.platform.refund(bench.ask(PAYMENT, 2_000), RefundId::new("r1").unwrap(), eur("12.50"));
    assert_eq!(refund().await, RefundOutcome::Done);
    assert_eq!(refund().await, RefundOutcome::Done);
    assert_eq!(bench.balance(), "100.00");
}

#[actix_web::test]
async fn a_refund_of_more_than_was_paid_is_refused() {
    let bench = Bench::new();
    let interface = bench.granted(PAYMENT).await;
    bench.pay(PAYMENT, &interface, PASSWORD, 2_000).await;
    let refund = bench.platform.refund(bench.ask(PAYMENT, 2_000), RefundId::new("r1").unwrap(), eur("12.51"));
    assert_eq!(refund.await, RefundOutcome::Refused);
}

/// Or a payment that the platform called "too late" by mistake would be given back for ever, and never be.
#[actix_web::test]
async fn giving_back_what_was_never_paid_is_refused_for_good() {
    let bench = Bench::new();
    let refund =
        || bench.platform.refund(bench.ask(PAYMENT, 2_000), RefundId::new("r1").unwrap(), eur("12.50"));
    assert_eq!(refund().await, RefundOutcome::Refused, "never heard of");
    bench.granted(PAYMENT).await;
    assert_eq!(refund().await, RefundOutcome::Refused, "permitted, not paid");
}

#[actix_web::test]
async fn a_tombstone_stops_a_permit_and_a_payment_that_come_late() {
    let bench = Bench::new();
    let nothing = ReversalOutcome::Acknowledged(Effect::NothingToUndo);
    assert_eq!(bench.platform.reverse(bench.ask(PAYMENT, 2_000)).await, nothing);
    assert_eq!(bench.permit(PAYMENT, Attempt::FIRST).await, PermitOutcome::Refused(Refusal::NotPermitted));
    assert_eq!(bench.platform.inquire(bench.ask(PAYMENT, 2_000)).await, InquiryOutcome::Undone);

    let permitted = PaymentId::from_bits(43);
    let interface = bench.granted(permitted).await;
    assert_eq!(bench.platform.reverse(bench.ask(permitted, 2_000)).await, nothing);
    let late = bench.pay(permitted, &interface, PASSWORD, 2_000).await;
    assert_eq!(late, PaymentOutcome::Failed(Failure::PermitExpired));
    assert_eq!(bench.balance(), "100.00");
}

#[actix_web::test]
async fn a_paid_payment_is_undone_once_however_often_it_is_asked() {
    let bench = Bench::new();
    let interface = bench.granted(PAYMENT).await;
    bench.pay(PAYMENT, &interface, PASSWORD, 2_000).await;
    for _ in 0..2 {
        let undone = bench.platform.reverse(bench.ask(PAYMENT, 2_000)).await;
        assert_eq!(undone, ReversalOutcome::Acknowledged(Effect::Undone));
    }
    assert_eq!(bench.balance(), "100.00");
}

#[actix_web::test]
async fn an_expired_deadline_sends_nothing() {
    let bench = Bench::new();
    assert_eq!(
        bench.platform.permit(bench.permit_ask(PAYMENT, Attempt::FIRST, "ada", 0)).await,
        PermitOutcome::NotSent
    );
    assert_eq!(bench.page(PAYMENT), None);
}

#[actix_web::test]
async fn more_than_the_limit_in_flight_is_not_sent_and_leaves_room_for_reversals() {
    let bench = Bench::new();
    bench.trouble(Operation::Permit, Trouble::Lost);
    let asks = (0..9).map(|bits| {
        bench.platform.permit(bench.permit_ask(PaymentId::from_bits(bits), Attempt::FIRST, "ada", 500))
    });
    let (outcomes, reversal) = futures_util::future::join(
        futures_util::future::join_all(asks),
        bench.platform.reverse(bench.ask(PAYMENT, 400)),
    )
    .await;
    let not_sent = outcomes.iter().filter(|outcome| **outcome == PermitOutcome::NotSent).count();
    assert_eq!(not_sent, 1);
    assert_eq!(reversal, ReversalOutcome::Acknowledged(Effect::NothingToUndo));
}

#[actix_web::test]
async fn the_magic_numbers_play_their_parts() {
    let bench = Bench::new();
    let ask = |bits, payer| bench.permit_ask(PaymentId::from_bits(bits), Attempt::FIRST, payer, 2_000);
    assert_eq!(
        bench.platform.permit(ask(451, "100451")).await,
        PermitOutcome::Refused(Refusal::NotPermitted)
    );
    let expected = [
        (452, "100452", 2_000, PaymentOutcome::Failed(Failure::PermitExpired)),
        (453, "100453", 2_000, PaymentOutcome::Unknown),
        (454, "100454", 250, PaymentOutcome::Unknown),
        (455, "100455", 500, PaymentOutcome::Unknown),
    ];
    for (bits, payer, ms, outcome) in expected {
        let payment = PaymentId::from_bits(bits);
        let PermitOutcome::Granted(interface) = bench.platform.permit(ask(bits, payer)).await else {
            panic!("no permit for {payer}")
        };
        assert_eq!(bench.pay(payment, &interface, PASSWORD, ms).await, outcome, "{payer}");
    }
    let inquire = |bits, ms| bench.platform.inquire(bench.ask(PaymentId::from_bits(bits), ms));
    assert_eq!(inquire(453, 2_000).await, InquiryOutcome::Pending);
    assert!(matches!(inquire(454, 2_000).await, InquiryOutcome::Paid(_)));
    assert_eq!(inquire(455, 200).await, InquiryOutcome::Unknown);
    let undone = bench.platform.reverse(bench.ask(PaymentId::from_bits(455), 2_000)).await;
    assert_eq!(undone, ReversalOutcome::Acknowledged(Effect::Undone));
}

#[actix_web::test]
async fn work_goes_on_when_the_switch_stops_waiting() {
    let bench = Bench::new();
    let interface = bench.granted(PAYMENT).await;
    let slow = switch::sandbox::trouble::Troubles { latency_ms: 150, rules: Vec::new() };
    bench.sandbox.set_troubles(slow).unwrap();
    assert_eq!(bench.pay(PAYMENT, &interface, PASSWORD, 50).await, PaymentOutcome::Unknown);
    bench.no_trouble();
    let mut inquiry = bench.platform.inquire(bench.ask(PAYMENT, 2_000)).await;
    while inquiry == InquiryOutcome::Pending {
        inquiry = bench.platform.inquire(bench.ask(PAYMENT, 2_000)).await;
    }
    assert!(matches!(inquiry, InquiryOutcome::Paid(_)));
}

#[actix_web::test]
async fn a_lie_is_counted_beside_the_requests() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let (handle, _guard) = (recorder.handle(), metrics::set_default_local_recorder(&recorder));
    let bench = Bench::new();
    bench.trouble(Operation::Permit, Trouble::LyingAnswer);
    assert_eq!(bench.permit(PAYMENT, Attempt::FIRST).await, PermitOutcome::Unknown);
    let page = handle.render();
    assert!(page.contains("turnout_platform_lies_total{platform=\"sandbox\"} 1"), "{page}");
    let requests =
        "turnout_platform_requests_total{platform=\"sandbox\",operation=\"permit\",outcome=\"unknown\"} 1";
    assert!(page.contains(requests), "{page}");
    assert!(page.contains("turnout_platform_request_seconds"), "{page}");
}
