//! What surrounds every route of every door: a panic becomes an answer, a 503 is held back, headers guard, RED is counted.
//!
//! A table is filled by a door's factory; each of its resources knows its route's name, so the metrics' labels are a
//! closed set. Nothing of what the routes mean is known here.
use super::doors::Doors;
use super::problem::Problem;
use actix_web::body::BoxBody;
use actix_web::dev::{RequestHead, ServiceRequest, ServiceResponse, Url, fn_service};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpResponse, ResponseError, Route, web};
use actors::gate;
use futures_util::FutureExt;
use futures_util::future::ready;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

/// What an answer of the API may do in a browser: nothing.
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// The routes of a door.
pub struct Table<'a> {
    config: &'a mut web::ServiceConfig,
    doors: web::Data<Doors>,
    door: &'static str,
}

/// One method of a resource.
pub type On = (Method, Route);

impl<'a> Table<'a> {
    /// An empty table for the door of this name; whatever it does not list is a problem 404.
    pub fn new(config: &'a mut web::ServiceConfig, doors: web::Data<Doors>, door: &'static str) -> Self {
        config.app_data(doors.clone());
        let tally = Rc::new(Tally::of(door, "unmatched"));
        config.default_service(fn_service(move |request: ServiceRequest| {
            tally.count(StatusCode::NOT_FOUND);
            let answer = Problem::no_such_address().error_response();
            ready(Ok::<_, Error>(forgotten(request.into_response(answer))))
        }));
        Self { config, doors, door }
    }

    /// Serves `path` under the metrics' name `route`; methods that are not listed are a problem 405.
    pub fn serve<const N: usize>(&mut self, path: &str, route: &'static str, on: [On; N]) -> &mut Self {
        let allow: Vec<&str> = on.iter().map(|(method, _)| method.as_str()).collect();
        let allow = allow.join(", ");
        let refuse = move || {
            let problem = Problem::method_not_allowed(&allow);
            async { Err::<HttpResponse, _>(problem) }
        };
        let resource = web::resource(path.to_owned()).default_service(web::to(refuse));
        let resource = on.into_iter().fold(resource, |resource, (method, served)| {
            resource.route(served.guard(actix_web::guard::Method(method)))
        });
        let (tally, doors) = (Rc::new(Tally::of(self.door, route)), self.doors.clone());
        let surround = from_fn(move |request, next| around(Rc::clone(&tally), doors.clone(), request, next));
        self.config.service(resource.wrap(surround));
        self
    }
}

/// `handler` on GET.
pub fn get(handler: Route) -> On {
    (Method::GET, handler)
}

/// `handler` on HEAD.
pub fn head(handler: Route) -> On {
    (Method::HEAD, handler)
}

/// `handler` on POST.
pub fn post(handler: Route) -> On {
    (Method::POST, handler)
}

/// `handler` on PUT.
pub fn put(handler: Route) -> On {
    (Method::PUT, handler)
}

/// `handler` on DELETE.
pub fn delete(handler: Route) -> On {
    (Method::DELETE, handler)
}

async fn around(
    tally: Rc<Tally>,
    doors: web::Data<Doors>,
    asked: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = doors.now();
    let _inside = tally.enter();
    let mut response = answered(asked, next).await;
    let status = response.status();
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        tokio::time::sleep(held_back(&doors)).await;
    }
    guard_headers(response.headers_mut());
    tally.answered(status, doors.now().since(began));
    Ok(forgotten(response))
}

/// How long a no is held back.
pub(super) fn held_back(doors: &Doors) -> Duration {
    gate::held_back(doors.now(), doors.settings.hold_back)
}

async fn answered(asked: ServiceRequest, next: Next<BoxBody>) -> ServiceResponse<BoxBody> {
    let request = asked.request().clone();
    match AssertUnwindSafe(async { next.call(asked).await }).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => ServiceResponse::new(request, error.error_response()),
        Err(_) => ServiceResponse::new(request, HttpResponse::from_error(Problem::crashed())),
    }
}

/// The answer, with a request that says nothing any more: actix keeps finished requests to use their memory again, and
/// with them the headers, tokens included, and what buffers these are in.
fn forgotten(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let (request, response) = response.into_parts();
    let mut request = ServiceRequest::from_request(request);
    request.match_info_mut().set(Url::new(Uri::default()));
    unsay(request.head_mut());
    request.into_response(response)
}

/// Lets go of what a request said.
pub(super) fn unsay(head: &mut RequestHead) {
    head.headers.clear();
    head.uri = Uri::default();
}

/// Adds what guards an answer in a browser and in caches, unless the answer says otherwise itself.
pub fn guard_headers(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, API_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

/// Rate, errors, duration of one route.
pub(super) struct Tally {
    answers: [Counter; 4],
    seconds: Histogram,
    in_flight: Gauge,
}

impl Tally {
    /// The handles of a route.
    pub fn of(door: &'static str, route: &'static str) -> Self {
        let answers = |class: &'static str| counter!("turnout_http_requests_total", "door" => door, "route" => route, "class" => class);
        Self {
            answers: ["2xx", "3xx", "4xx", "5xx"].map(answers),
            seconds: histogram!("turnout_http_request_seconds", "door" => door, "route" => route),
            in_flight: gauge!("turnout_http_in_flight", "door" => door),
        }
    }

    /// A request came in.
    pub fn enter(&self) -> Inside {
        self.in_flight.increment(1.0);
        Inside(self.in_flight.clone())
    }

    /// A request had an answer of this status after so long.
    pub fn answered(&self, status: StatusCode, after: Duration) {
        self.count(status);
        self.seconds.record(after.as_secs_f64());
    }

    fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(2);
        if let Some(counter) = self.answers.get(class) {
            counter.increment(1);
        }
    }
}

/// A request that is inside; it leaves however it ends.
pub(super) struct Inside(Gauge);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
