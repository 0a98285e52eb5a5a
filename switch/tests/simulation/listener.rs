//! A listener over the simulated network that serves a real actix-web `App`.
use actix_http::h1::Payload;
use actix_http::{HttpService, Request};
use actix_rt::net::{ActixStream, Ready};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, map_config};
use actix_web::App;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{Bytes, ServiceConfig};
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

/// As production has it.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What passes by a door: a request as it comes in, or how it was answered.
pub struct Overheard<'a> {
    pub path: &'a str,
    /// The body, where somebody listens for it.
    pub body: &'a [u8],
    /// `None` while it is unanswered.
    pub status: Option<u16>,
}

/// Whoever listens at a door.
pub trait Ear: Clone + 'static {
    /// Whether this path's bodies are wanted.
    fn wants_body(&self, path: &str) -> bool;
    fn hear(&self, overheard: &Overheard<'_>);
}

/// The door that `configure` makes, with somebody who listens at it.
pub fn overheard(
    configure: impl FnOnce(&mut ServiceConfig),
    ear: impl Ear,
) -> impl ServiceFactory<
    Request,
    Config = AppConfig,
    Response = ServiceResponse<BoxBody>,
    Error = actix_web::Error,
    InitError = (),
    Service: 'static,
    Future: 'static,
> {
    App::new()
        .configure(configure)
        .wrap(from_fn(move |request, next| listen(ear.clone(), request, next)))
        .into_factory()
}

/// Serves a door at `port` of this host until the host ends.
pub async fn serve<S>(port: u16, door: S) -> turmoil::Result
where
    S: ServiceFactory<Request, Config = AppConfig, Error = actix_web::Error, InitError = (), Future: 'static>
        + 'static,
    S::Response: Into<actix_http::Response<BoxBody>>,
    S::Service: 'static,
    <S::Service as Service<Request>>::Future: 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    let app = map_config(door, |()| AppConfig::default());
    let service = HttpService::build().client_request_timeout(HEAD_WITHIN).keep_alive(KEEP_ALIVE).h1(app);
    let service = Rc::new(service.new_service(()).await.map_err(|()| "the app cannot be made")?);
    loop {
        let (stream, peer) = listener.accept().await?;
        let service = Rc::clone(&service);
        tokio::task::spawn_local(async move {
            // A connection that breaks is its client's to notice.
            drop(service.call((Socket(stream), Some(peer))).await);
        });
    }
}

async fn listen(
    ear: impl Ear,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let path = request.path().to_owned();
    let body = if ear.wants_body(&path) { request.extract::<Bytes>().await? } else { Bytes::new() };
    if !body.is_empty() {
        let (_, mut payload) = Payload::create(true);
        payload.unread_data(body.clone());
        request.set_payload(payload.into());
    }
    ear.hear(&Overheard { path: &path, body: &body, status: None });
    let response = next.call(request).await?;
    ear.hear(&Overheard { path: &path, body: &body, status: Some(response.status().as_u16()) });
    Ok(response.map_into_boxed_body())
}

/// What actix-http wants of a stream.
struct Socket(TcpStream);

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl ActixStream for Socket {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::READABLE))
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::WRITABLE))
    }
}
