//! The way to the model API: by name through the gate's own judgement, or to the self-hosted place that the configuration names.

use crate::dial::{Dialer, NoWay};
use hydra_core::egress::{DenyReason, Endpoint, HostName, gate::Upstream};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A connection to the API.
pub(crate) enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

/// A client that keeps a few connections for the next request.
pub(crate) type Pooled<B> = Client<Connector, B>;

/// Makes one.
pub(crate) fn pooled<B>(connector: Connector) -> Pooled<B>
where
    B: hyper::body::Body + Send,
    B::Data: Send,
{
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(8)
        .build(connector)
}

/// Why there is no answer, in words for an agent: nothing that was sent stands in it.
pub(crate) fn no_answer(why: &hyper_util::client::legacy::Error) -> String {
    let (mut hyper, mut last) = (None, None);
    let mut next = std::error::Error::source(why);
    while let Some(cause) = next {
        hyper = hyper.or_else(|| cause.downcast_ref::<hyper::Error>());
        last = Some(cause);
        next = cause.source();
    }
    let last = last.map_or_else(|| why.to_string(), ToString::to_string);
    match hyper {
        _ if why.is_connect() => format!("cannot be reached ({last})"),
        Some(hyper) if hyper.is_parse_too_large() => {
            "gave no answer that can be read: its head is too large".to_owned()
        }
        Some(hyper) if hyper.is_parse() => "gave no answer that can be read: it is no HTTP".to_owned(),
        _ => format!("broke off before it answered ({last})"),
    }
}

/// The dialler's own no, where that is what stood behind a failure.
pub(crate) fn denied(error: &(dyn std::error::Error + 'static)) -> Option<DenyReason> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if let Some(io) = io.filter(|io| io.kind() == io::ErrorKind::PermissionDenied) {
            return io.get_ref()?.to_string().parse().ok();
        }
        cause = error.source();
    }
    None
}

/// Makes connections for hyper's client.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Way>);

struct Way {
    dialer: Dialer,
    to: To,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
}

enum To {
    /// On port 443, judged like every name.
    Name(HostName),
    /// Where the configuration says, whatever its address.
    Place(Endpoint),
}

impl Connector {
    pub(crate) fn new(upstream: &Upstream, dialer: Dialer, patience: Duration) -> Result<Self, String> {
        let to = match (&upstream.endpoint, upstream.tls) {
            (endpoint, true)
                if endpoint.port() == 443
                    && endpoint.host().parse::<HostName>().is_ok_and(|name| name.as_str().contains('.'))
                    && !upstream.private =>
            {
                To::Name(endpoint.host().parse().map_err(|error| format!("{error}"))?)
            }
            (endpoint, _) => To::Place(endpoint.clone()),
        };
        let tls = if upstream.tls { Some(tls(upstream)?) } else { None };
        Ok(Self(Arc::new(Way { dialer, to, tls, patience })))
    }
}

fn tls(upstream: &Upstream) -> Result<(TlsConnector, ServerName<'static>), String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = &upstream.authority {
        roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|error| format!("the model API's authority: {error}"))?;
            roots.add(certificate).map_err(|error| format!("the model API's authority: {error}"))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(upstream.endpoint.host().to_owned()).map_err(|error| error.to_string())?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

impl tower::Service<http::Uri> for Connector {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, _: http::Uri) -> Self::Future {
        let way = Arc::clone(&self.0);
        Box::pin(async move { way.connect().await })
    }
}

impl Way {
    async fn connect(&self) -> io::Result<Stream> {
        let stream = match &self.to {
            To::Name(name) => self.dialer.dial(name).await.map_err(|no| match no {
                NoWay::Refused(reason) => io::Error::new(io::ErrorKind::PermissionDenied, reason.as_str()),
                NoWay::Unreachable => io::Error::from(io::ErrorKind::HostUnreachable),
            })?,
            To::Place(at) => self.dialer.place(at).await?,
        };
        Ok(match &self.tls {
            None => Stream::Plain(TokioIo::new(stream)),
            Some((connector, name)) => {
                let shaken = timeout(self.patience, connector.connect(name.clone(), stream)).await;
                Stream::Tls(Box::new(TokioIo::new(shaken.map_err(|_| io::ErrorKind::TimedOut)??)))
            }
        })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
impl Read for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, room: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, room),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(context, room),
        }
    }
}
impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(context, bytes),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(context),
        }
    }
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(context),
        }
    }
}
