//! Who stands before the doors while there is a pace: whoever would begin something new is sent away before much is done for it.
//!
//! He stands before the routes too, since a no is to cost next to nothing: it is held back with no more than a timer and what
//! there is to say, and written when it is due. Only the two requests with which a payment begins are looked at, and only so far as
//! to know at which terminal: neither key nor token is checked, and nothing is let in here. Whoever is not sent away is asked
//! everything as ever. What a merchant may still begin is `actors::gate`'s to say.
use super::doorman::{Tally, held_back, unsay};
use super::doors::Doors;
use super::extract::authorization;
use super::limits::whole_body;
use super::problem::Problem;
use actix_http::{HttpMessage, Request, Response};
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, Payload, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::{Error, ResponseError};
use actors::domain::identity::TerminalId;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures_util::future::{Either, LocalBoxFuture, MapOk, TryFutureExt, ready};
use futures_util::stream::once;
use serde::Deserialize;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What says where a phone is to stand has no more bytes than these; whatever has is looked at later.
const STAND_MAX: usize = 512;

/// Which request begins a payment at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// None.
    Nothing,
    /// A phone's, that is to stand at a terminal.
    Standing,
    /// A terminal's order.
    Order,
}

impl Begins {
    /// The door, its route's name, the method and the path.
    const fn at(self) -> Option<(&'static str, &'static str, Method, &'static str)> {
        match self {
            Self::Nothing => None,
            Self::Standing => Some(("phones", "binding", Method::PUT, "/v1/binding")),
            Self::Order => Some(("terminals", "payments", Method::POST, "/v1/payments")),
        }
    }
}

/// A door's app, with its porter before it.
pub struct Porch<A> {
    app: A,
    porter: Porter,
}

/// Who looks at what begins a payment at one door.
#[derive(Clone)]
pub struct Porter {
    doors: Arc<Doors>,
    begins: Begins,
}

/// As much of what a phone says as has to be known.
#[derive(Deserialize)]
struct Stand<'a> {
    #[serde(borrow)]
    terminal: &'a str,
}

impl Porter {
    /// The porter of a door where payments begin so.
    pub fn new(doors: &Arc<Doors>, begins: Begins) -> Self {
        Self { doors: Arc::clone(doors), begins }
    }

    /// Puts him before a door's app.
    pub fn before<A: ServiceFactory<Request>>(self, app: impl IntoServiceFactory<A, Request>) -> Porch<A> {
        Porch { app: app.into_factory(), porter: self }
    }

    /// Whether this may have to be sent away.
    fn looks_at(&self, asked: &Request) -> bool {
        self.doors.board().world().rooms().sessions.gate().is_paced()
            && self
                .begins
                .at()
                .is_some_and(|(_, _, method, path)| *asked.method() == method && asked.path() == path)
    }

    /// Gives back whoever does not begin anything, or may.
    async fn pass(&self, asked: Request) -> Result<Request, (Request, Problem)> {
        let (asked, terminal) = match self.begins {
            Begins::Standing => self.where_to_stand(asked).await?,
            Begins::Order => {
                let terminal = who_orders(&asked);
                (asked, terminal)
            }
            Begins::Nothing => (asked, None),
        };
        let Some(terminal) = terminal else { return Ok(asked) };
        let Some(merchant) = self.doors.roster().merchant_of(terminal) else { return Ok(asked) };
        let gate = self.doors.board().world().rooms().sessions.gate();
        match gate.turn_away(self.doors.now(), merchant, terminal) {
            Ok(()) => Ok(asked),
            Err(fault) => Err((asked, fault.into())),
        }
    }

    /// The terminal at which a phone is to stand. The body is read, and put back for whoever reads it next.
    async fn where_to_stand(
        &self,
        mut asked: Request,
    ) -> Result<(Request, Option<TerminalId>), (Request, Problem)> {
        let announced = asked.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if announced.and_then(|length| length.parse().ok()).is_none_or(|length: usize| length > STAND_MAX) {
            return Ok((asked, None));
        }
        let payload = asked.take_payload();
        let body = match whole_body(&self.doors, asked.headers(), payload, STAND_MAX).await {
            Ok(body) => body,
            Err(problem) => return Err((asked, problem)),
        };
        let stand: Option<Stand<'_>> = serde_json::from_slice(&body).ok();
        let terminal = stand.and_then(|stand| TerminalId::new(stand.terminal).ok());
        let again: Payload = Payload::Stream { payload: Box::pin(once(ready(Ok(Bytes::from(body))))) };
        Ok((asked.replace_payload(again).0, terminal))
    }
}

/// The terminal that an order says it is of.
fn who_orders(asked: &Request) -> Option<TerminalId> {
    let said = BASE64.decode(authorization(asked.headers(), "basic")?).ok()?;
    let colon = said.iter().position(|byte| *byte == b':')?;
    TerminalId::new(std::str::from_utf8(said.get(..colon)?).ok()?).ok()
}

impl<A, B> ServiceFactory<Request> for Porch<A>
where
    A: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error>,
    A::Service: 'static,
    A::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Config = AppConfig;
    type Service = AtPorch<A::Service>;
    type InitError = A::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, Self::InitError>>;

    fn new_service(&self, config: AppConfig) -> Self::Future {
        let (app, porter) = (self.app.new_service(config), self.porter.clone());
        Box::pin(async move {
            let tally = porter.begins.at().map(|(door, route, ..)| Tally::of(door, route));
            Ok(AtPorch { app: Rc::new(app.await?), post: Rc::new(Post { porter, tally }) })
        })
    }
}

/// A door's app on one thread, with its porter before it.
pub struct AtPorch<S> {
    app: Rc<S>,
    post: Rc<Post>,
}

/// The porter on one thread.
struct Post {
    porter: Porter,
    tally: Option<Tally>,
}

type Served = Result<Response<BoxBody>, Error>;

impl<S, B> Service<Request> for AtPorch<S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Future = Either<
        MapOk<S::Future, fn(ServiceResponse<B>) -> Response<BoxBody>>,
        LocalBoxFuture<'static, Served>,
    >;

    fn poll_ready(&self, task: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.app.poll_ready(task)
    }

    fn call(&self, asked: Request) -> Self::Future {
        if !self.post.porter.looks_at(&asked) {
            return Either::Left(self.app.call(asked).map_ok(boxed));
        }
        let (app, post) = (Rc::clone(&self.app), Rc::clone(&self.post));
        Either::Right(Box::pin(async move {
            match post.porter.pass(asked).await {
                // In a box of its own, so that a no has not to carry the room for it.
                Ok(asked) => Box::pin(app.call(asked)).await.map(boxed),
                Err((asked, no)) => Ok(post.tell_no(asked, &no).await),
            }
        }))
    }
}

impl Post {
    async fn tell_no(&self, mut asked: Request, no: &Problem) -> Response<BoxBody> {
        let began = self.porter.doors.now();
        unsay(asked.head_mut());
        drop(asked);
        let inside = self.tally.as_ref().map(Tally::enter);
        if no.status_code() == StatusCode::SERVICE_UNAVAILABLE {
            tokio::time::sleep(held_back(&self.porter.doors)).await;
        }
        drop(inside);
        if let Some(tally) = &self.tally {
            tally.answered(no.status_code(), self.porter.doors.now().since(began));
        }
        no.error_response().into()
    }
}

fn boxed<B: MessageBody + 'static>(response: ServiceResponse<B>) -> Response<BoxBody> {
    response.map_into_boxed_body().into()
}
