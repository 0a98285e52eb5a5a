//! What a terminal takes back: by name, seen or not; and what it was not told of, unless that is decided.
//!
//! A question that failed on its way may have begun something, may have begun nothing, or may be the repeat of one that was answered
//! long ago. Only whoever keeps the payment can tell these apart, at once with what it does about it: asked first and undone
//! afterwards, an approval that a terminal holds would be taken from under it.
use super::{Keeping, KeepingAsk};
use crate::answer::Reply;
use crate::domain::identity::PaymentId;
use crate::domain::order::Order;
use crate::domain::payment::Payment;
use crate::domain::payment::command::Verdict;
use crate::domain::payment::event::Event;
use crate::domain::time::Timestamp;
use crate::planted::{Bug, is_planted};
use crate::report::{Report, Told, Until};
use crate::resident::{Desk, Resident};
use crate::world::World;

use super::kept::Kept;

impl Keeping {
    /// The terminal takes back what was never seen: it is remembered under its id.
    pub fn reverse<R>(&mut self, now: Timestamp, id: PaymentId, reply: Reply<Option<Report>>, desk: &Desk<R>)
    where
        R: Resident<World = World>,
        R::Ask: From<KeepingAsk>,
    {
        if self.kept.contains_key(&id) || desk.world().journal.knows(id) {
            let told = Told {
                payment: id,
                event: Some(Event::ReversalAsked),
                until: Until::Recorded,
                reply: Some(reply),
            };
            self.tell(now, told, desk);
        } else {
            let (payment, commands) = Payment::reverse_unseen(id, self.owner);
            if is_planted(Bug::UnseenReversalForgotten) {
                return reply.send(Some(Report { payment, verdict: commands.verdict, last_failure: None }));
            }
            self.kept.insert(id, Box::new(Kept::new(payment, now)));
            self.wait_for(id, Until::Recorded, commands.verdict, reply);
            self.draw_up(id, commands);
        }
    }

    /// Whoever asked `order` could not be answered: nothing undecided of it is to stay. What is decided, and what was asked under
    /// this key with other data, stays as it is.
    pub fn give_up<R>(&mut self, now: Timestamp, order: Order, reply: Reply<Option<Report>>, desk: &Desk<R>)
    where
        R: Resident<World = World>,
        R::Ask: From<KeepingAsk>,
    {
        let id = order.payment();
        let is_open = self.payment(id).is_some_and(|payment| !payment.is_decided());
        let is_known = self.payment(id).is_some() || desk.world().journal.knows(id);
        let is_undone = !is_known || is_planted(Bug::FaultTakesBackDecided);
        if is_undone || (is_open && self.step(now, id, Event::Repeated(order.clone())).is_none_or(is_same)) {
            return self.reverse(now, id, reply, desk);
        }
        let event = Some(Event::Repeated(order));
        self.tell(now, Told { payment: id, event, until: Until::Recorded, reply: Some(reply) }, desk);
    }
}

const fn is_same(verdict: Verdict) -> bool {
    !matches!(verdict, Verdict::Misfit(_))
}
