//! Lines and terminals as operators see them: what is connected, who is online, and when each was last seen.
//!
//! It only looks: at counters, and at a picture of who was heard. See docs/http-api.md, "Admin".
use super::admin::Operator;
use super::doors::Doors;
use super::extract::Query;
use super::problem::Problem;
use crate::line::{Line, Lines, TerminalSeen, Wanted, is_line_name};
use actix_web::{HttpResponse, web};
use actors::domain::identity::TerminalId;
use actors::domain::time::Timestamp;
use adapters::rfc3339::format as rfc3339;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The lines, and how many terminals were heard.
#[derive(Serialize, ToSchema)]
pub struct LinesPage {
    /// When this was true.
    #[schema(format = DateTime)]
    at: String,
    /// In the order of the configuration.
    #[schema(max_items = 64)]
    lines: Vec<LineView>,
    terminals: TerminalCounts,
}

/// A line.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Line)]
pub struct LineView {
    /// Its name.
    pub name: String,
    /// How messages are framed.
    pub framing: String,
    /// How messages are written.
    pub dialect: String,
    /// Connections now.
    pub connections: usize,
    /// Connections at most.
    pub connections_max: usize,
    /// Terminals that were heard over these connections.
    pub terminals: usize,
    /// Messages that are being answered.
    pub in_flight: usize,
    /// Messages since the start.
    pub messages: u64,
    /// When the latest came.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    pub last_message_at: Option<String>,
}

/// How many terminals there are.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct TerminalCounts {
    /// Connected now.
    pub online: usize,
    /// Heard since the start.
    pub seen: usize,
}

/// Terminals that were heard.
#[derive(Serialize, ToSchema)]
pub struct TerminalsPage {
    /// When this was true.
    #[schema(format = DateTime)]
    at: String,
    /// The latest seen first.
    #[schema(max_items = 500)]
    terminals: Vec<TerminalView>,
}

/// A terminal that was heard.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenTerminal)]
pub struct TerminalView {
    terminal: String,
    /// The line it was last heard on.
    line: String,
    /// Whether a connection is open over which it was heard.
    online: bool,
    /// How many.
    connections: u32,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    online_since: Option<String>,
    #[schema(format = DateTime)]
    last_seen: String,
}

/// Which terminals are looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// Only this one.
    #[param(nullable = false, pattern = "^[A-Za-z0-9_.:+-]{1,31}$")]
    terminal: Option<String>,
    /// Only those last heard on this line.
    #[param(nullable = false, pattern = "^[A-Za-z0-9_-]{1,31}$")]
    line: Option<String>,
    /// Only those that are, or are not, online.
    #[param(nullable = false)]
    online: Option<bool>,
    /// At most so many, the latest seen first; 50 where it is left out.
    #[param(minimum = 1, maximum = 500, nullable = false)]
    limit: Option<u16>,
}

/// The lines.
#[utoipa::path(get, path = "/v1/lines", tag = "lines", operation_id = "lines", security((), ("operator" = [])),
    responses((status = 200, description = "The lines, as configured", body = LinesPage)))]
pub async fn list_lines(_: Operator, doors: web::Data<Doors>) -> HttpResponse {
    let lines = &doors.ports.lines;
    let page = LinesPage {
        at: rfc3339(doors.now()),
        lines: lines.all().iter().map(|line| LineView::of(line)).collect(),
        terminals: TerminalCounts::of(lines),
    };
    HttpResponse::Ok().json(page)
}

/// The terminals that were heard on the lines.
#[utoipa::path(get, path = "/v1/terminals", tag = "lines", operation_id = "terminals", params(Search), security((), ("operator" = [])),
    responses((status = 200, description = "The terminals, the latest seen first", body = TerminalsPage)))]
pub async fn list_terminals(
    _: Operator,
    doors: web::Data<Doors>,
    Query(search): Query<Search>,
) -> Result<HttpResponse, Problem> {
    let most = search.limit.unwrap_or(50);
    if !(1..=500).contains(&most) {
        return Err(Problem::field("limit", "a limit is 1 to 500"));
    }
    let terminal = search.terminal.as_deref().map(TerminalId::new).transpose();
    let terminal = terminal.map_err(|error| Problem::field("terminal", error.to_string()))?;
    let Search { line, online, .. } = &search;
    if line.as_deref().is_some_and(|name| !is_line_name(name)) {
        return Err(Problem::field("line", "a line's name has 1 to 31 letters, digits, - and _"));
    }
    let wanted = Wanted { terminal, line: line.as_deref(), online: *online, most: usize::from(most) };
    let terminals = doors.ports.lines.terminals_seen(&wanted).into_iter().map(TerminalView::of).collect();
    Ok(HttpResponse::Ok().json(TerminalsPage { at: rfc3339(doors.now()), terminals }))
}

impl LineView {
    /// How a line stands.
    pub fn of(line: &Line) -> Self {
        let settings = line.settings();
        Self {
            name: line.name().to_owned(),
            framing: settings.framing.to_string(),
            dialect: settings.dialect.to_string(),
            connections: line.connections(),
            connections_max: settings.connections_max,
            terminals: line.terminals(),
            in_flight: line.in_flight(),
            messages: line.messages(),
            last_message_at: line.last_message().map(rfc3339),
        }
    }
}

impl TerminalCounts {
    fn of(lines: &Lines) -> Self {
        let (online, seen) = lines.terminals();
        Self { online, seen }
    }
}

impl TerminalView {
    fn of(seen: TerminalSeen) -> Self {
        let at = |instant: Timestamp| rfc3339(instant);
        Self {
            terminal: seen.terminal.to_string(),
            line: seen.line.to_string(),
            online: seen.online_since.is_some(),
            connections: seen.connections,
            online_since: seen.online_since.map(at),
            last_seen: at(seen.last_seen),
        }
    }
}
