//! The operator's door: health, metrics, the overview, the history, a payment's trace, what is owed.
//!
//! It only shows. Without a token it is for this machine alone, and for browsers that were really sent here (a page
//! elsewhere whose name was made to point at this machine is refused).
use super::doorman::{Table, get};
use super::doors::{Doors, Readiness};
use super::extract::{PaymentInPath, Query, authorization, doors_of};
use super::openapi::PaymentParam;
use super::overview::{Overlook, OwedItem};
use super::problem::{Kind, Problem};
use super::terminal_keys::sha256;
use super::trace::{Trace, trace};
use super::views::{HistoryPayment, Payments};
use super::{lines, openapi, pages, sse};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use actors::domain::identity::{PayerId, TerminalId};
use actors::domain::journal::{Entry, Recorded, Subject};
use actors::domain::payment::Stamped;
use actors::domain::payment::status::Status;
use actors::domain::time::Timestamp;
use actors::ports::history::Wanted;
use adapters::rfc3339::format as rfc3339;
use futures_util::future::{Ready, ready};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use utoipa::{IntoParams, ToSchema};

/// Who may look.
#[derive(Clone)]
pub enum AdminAccess {
    /// Whoever is on this machine.
    Loopback,
    /// Whoever has the token; only its digest is kept.
    Token([u8; 32]),
}

impl AdminAccess {
    /// Whoever has `token`.
    pub fn by_token(token: &str) -> Self {
        Self::Token(sha256(token.as_bytes()))
    }
}

impl std::fmt::Debug for AdminAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Loopback => "Loopback",
            Self::Token(_) => "Token",
        })
    }
}

/// The admin listener, for `App::configure`.
pub fn admin(doors: &Arc<Doors>) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let doors = web::Data::from(Arc::clone(doors));
    move |config| {
        let mut table = Table::new(config, doors, "admin");
        table
            .serve("/livez", "livez", [get(web::to(live))])
            .serve("/readyz", "readyz", [get(web::to(is_ready))])
            .serve("/metrics", "metrics", [get(web::to(metrics))])
            .serve("/v1/overview", "overview", [get(web::to(overview))])
            .serve("/v1/overview/events", "overview_events", [get(web::to(follow_overview))])
            .serve("/v1/payments", "payments", [get(web::to(search))])
            .serve("/v1/payments/{id}/trace", "trace", [get(web::to(trace_payment))])
            .serve("/v1/outbox", "outbox", [get(web::to(outbox))])
            .serve("/v1/lines", "lines", [get(web::to(lines::list_lines))])
            .serve("/v1/terminals", "terminals_seen", [get(web::to(lines::list_terminals))]);
        openapi::serve(&mut table, openapi::admin_document());
        pages::serve(&mut table, "live.html");
    }
}

/// An operator.
pub struct Operator;

impl FromRequest for Operator {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(operator(request))
    }
}

fn operator(request: &HttpRequest) -> Result<Operator, Problem> {
    match &doors_of(request)?.settings.admin {
        AdminAccess::Loopback if is_here(request) => Ok(Operator),
        AdminAccess::Loopback => Err(Problem::new(
            Kind::Forbidden,
            "only from this machine: configure a token to look from elsewhere",
        )),
        AdminAccess::Token(expected) => {
            let token = authorization(request.headers(), "bearer").unwrap_or_default();
            if bool::from(expected.ct_eq(&sha256(token.as_bytes()))) {
                return Ok(Operator);
            }
            Err(Problem::unauthenticated(
                "Bearer realm=\"turnout admin\"",
                "send the configured token as Bearer",
            ))
        }
    }
}

fn is_here(request: &HttpRequest) -> bool {
    let from_here = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    let info = request.connection_info();
    let host = info.host();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    from_here
        && (name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback()))
}

/// Whether the process lives.
#[utoipa::path(get, path = "/livez", tag = "health", operation_id = "isLive",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("live\n")
}

/// Whether this node wants traffic.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "isReady",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain")))]
pub async fn is_ready(doors: web::Data<Doors>) -> Result<HttpResponse, Problem> {
    match (doors.ports.readiness)() {
        Readiness::Ready => Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n")),
        Readiness::NotReady(why) => {
            Err(Problem::new(Kind::Unavailable, why).retry_after(Duration::from_secs(1)))
        }
    }
}

/// What Prometheus scrapes.
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "metrics", security((), ("operator" = [])),
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain")))]
pub async fn metrics(_: Operator, doors: web::Data<Doors>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body((doors.ports.metrics)())
}

/// What the switch is doing.
#[utoipa::path(get, path = "/v1/overview", tag = "overview", operation_id = "overview", security((), ("operator" = [])),
    responses((status = 200, description = "How things stand", body = Overlook)))]
pub async fn overview(_: Operator, doors: web::Data<Doors>) -> HttpResponse {
    HttpResponse::Ok().json(doors.ports.overview.look().await)
}

/// The overview, every second, as Server-Sent Events named `overview`.
#[utoipa::path(get, path = "/v1/overview/events", tag = "overview", operation_id = "followOverview", security((), ("operator" = [])),
    responses((status = 200, description = "The stream", body = String, content_type = "text/event-stream")))]
pub async fn follow_overview(_: Operator, doors: web::Data<Doors>) -> Result<HttpResponse, Problem> {
    let place = doors.streams.place()?;
    let overview = Arc::clone(&doors.ports.overview);
    let look = move || {
        let looked = overview.look();
        async move { serde_json::to_string(&looked.await).ok().map(|json| sse::event("overview", &json)) }
    };
    Ok(sse::every_second(look, place))
}

/// What is searched for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// At this terminal.
    #[param(nullable = false, pattern = "^[A-Za-z0-9_.:+-]{1,31}$")]
    terminal: Option<String>,
    /// By this payer.
    #[param(nullable = false, pattern = "^[A-Za-z0-9_.:+-]{1,31}$")]
    payer: Option<String>,
    /// In this standing.
    #[param(nullable = false, value_type = Option<super::views::StatusName>, inline)]
    status: Option<String>,
    /// At most so many, the newest first; 50 where it is left out.
    #[param(minimum = 1, maximum = 500, nullable = false)]
    limit: Option<u16>,
}

/// Payments from the read model.
#[utoipa::path(get, path = "/v1/payments", tag = "payments", operation_id = "search", params(Search), security((), ("operator" = [])),
    responses((status = 200, description = "The payments, newest first", body = Payments<HistoryPayment>)))]
pub async fn search(
    _: Operator,
    doors: web::Data<Doors>,
    Query(search): Query<Search>,
) -> Result<HttpResponse, Problem> {
    let most = search.limit.unwrap_or(50);
    if !(1..=500).contains(&most) {
        return Err(Problem::field("limit", "a limit is 1 to 500"));
    }
    let id = |field, error: actors::domain::identity::IdError| Problem::field(field, error.to_string());
    let terminal =
        search.terminal.as_deref().map(TerminalId::new).transpose().map_err(|e| id("terminal", e))?;
    let payer = search.payer.as_deref().map(PayerId::new).transpose().map_err(|e| id("payer", e))?;
    let status = search.status.as_deref().map(status).transpose()?;
    let rows = doors.ports.history.search(Wanted { terminal, payer, status, most }).await?;
    let payments = rows.into_iter().map(|row| HistoryPayment::for_operator(row, doors.roster())).collect();
    Ok(HttpResponse::Ok().json(Payments { payments }))
}

fn status(name: &str) -> Result<Status, Problem> {
    Status::named(name).ok_or_else(|| {
        let names: Vec<&str> = Status::ALL.iter().map(|status| status.name()).collect();
        Problem::field("status", format!("a status is one of {}", names.join(", ")))
    })
}

/// A payment's whole life, from the journal.
#[utoipa::path(get, path = "/v1/payments/{id}/trace", tag = "payments", operation_id = "tracePayment",
    params(PaymentParam), security((), ("operator" = [])),
    responses((status = 200, description = "The steps", body = Trace)))]
pub async fn trace_payment(
    _: Operator,
    doors: web::Data<Doors>,
    PaymentInPath(id): PaymentInPath,
) -> Result<HttpResponse, Problem> {
    let life = doors.board().world().journal.life(Subject::Payment(id));
    let late = || Problem::new(Kind::Late, "the journal did not answer in time");
    let life = tokio::time::timeout(doors.settings.patience, life).await.map_err(|_| late())?;
    let life =
        life.map_err(|_| Problem::new(Kind::Unavailable, "the journal cannot be read: see its own alarms"))?;
    let life: Vec<Stamped> = life.into_iter().filter_map(stamped).collect();
    let trace =
        trace(id, &life).ok_or_else(|| Problem::new(Kind::NotFound, "there is no such payment here"))?;
    Ok(HttpResponse::Ok().json(trace))
}

fn stamped(recorded: Recorded) -> Option<Stamped> {
    match recorded.entry {
        Entry::Payment(_, fact) => Some(Stamped { at: recorded.at, fact }),
        Entry::Binding(..) | Entry::Till(..) => None,
    }
}

/// What is owed to platforms.
#[derive(Serialize, ToSchema)]
pub struct OutboxView {
    #[schema(format = DateTime)]
    at: String,
    /// Oldest first.
    items: Vec<OwedItem>,
}

/// What is owed to platforms, whichever it is.
#[utoipa::path(get, path = "/v1/outbox", tag = "overview", operation_id = "outbox", security((), ("operator" = [])),
    responses((status = 200, description = "The debts, oldest first", body = OutboxView)))]
pub async fn outbox(_: Operator, doors: web::Data<Doors>) -> Result<HttpResponse, Problem> {
    let now = doors.now();
    let mut owed = Vec::new();
    for platform in doors.board().world().platforms.keys() {
        owed.extend(doors.board().owed(*platform, doors.soon()).await?);
    }
    owed.sort_by_key(|standing| standing.since);
    let items = owed.iter().map(|standing| owed_item(now, standing)).collect();
    Ok(HttpResponse::Ok().json(OutboxView { at: rfc3339(now), items }))
}

fn owed_item(now: Timestamp, standing: &actors::domain::outbox::Standing) -> OwedItem {
    let debt = &standing.debt;
    OwedItem {
        payment: debt.payment.to_string(),
        kind: debt.kind.name(),
        platform: debt.platform.to_string(),
        amount: debt.money.decimal(),
        currency: debt.money.currency().code(),
        age_seconds: now.since(standing.since).as_secs_f64(),
        failures: standing.failures,
    }
}
