//! Hosts for which a name is too little: TLS ends here, under a certificate of this job alone, and each request is judged by the host
//! that it names, its method and its path before anything of it goes on. A private registry's credential is added here.

mod body;
mod judge;
mod proxy;

use crate::{
    dial::Dialer,
    gate::Gate,
    model::{Connector, Pooled, pooled},
};
use body::Sent;
use http::HeaderValue;
use hydra_core::egress::{
    Endpoint, HostName, InspectRule,
    gate::{GateConfig, Upstream},
};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use proxy::Passage;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    io,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{io::AsyncReadExt as _, net::TcpStream, sync::Semaphore, time::timeout};
use tokio_rustls::TlsAcceptor;

/// The certificate of all inspected hosts with its key, in the folder that no agent sees.
const CERTIFICATE: &str = "inspect.pem";
/// The credentials of private registries: by name, each a whole `Authorization`.
const REGISTRIES: &str = "registries.json";
/// Time for a request's head, and for a handshake.
const HEAD: Duration = Duration::from_secs(15);
/// Bytes of a request's head, at most.
const MOST_HEAD: u32 = 64 * 1024;
/// The same over HTTP/2, where many come at a time.
const MOST_FIELDS: u32 = 16 * 1024;
/// Requests of one HTTP/2 connection at a time.
const STREAMS: u32 = 16;
/// Requests to one host at a time, all connections together.
const AT_ONCE: usize = 64;

/// What is looked into.
pub(crate) struct Inspector {
    acceptor: TlsAcceptor,
    hosts: HashMap<HostName, Arc<Host>>,
}

/// One inspected host.
pub(crate) struct Host {
    pub(crate) name: HostName,
    pub(crate) rule: InspectRule,
    /// Sent as `Authorization` in the place of what the agent sends.
    pub(crate) credential: Option<HeaderValue>,
    /// For requests that are under way.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) client: Pooled<Sent>,
}

impl Inspector {
    /// From the files that the runtime has written; `None` where nothing is to be looked into.
    pub(crate) fn new(folder: Option<&Path>, config: &GateConfig) -> Result<Option<Self>, String> {
        if config.inspect.is_empty() {
            return Ok(None);
        }
        let folder = folder.ok_or("inspected hosts need a folder with their certificate")?;
        let registries: BTreeMap<String, String> = match std::fs::read(folder.join(REGISTRIES)) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| format!("{REGISTRIES} cannot be read"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(format!("{REGISTRIES}: {error}")),
        };
        let host = |(name, rule): (&HostName, &InspectRule)| {
            let host = Host::new(name, rule, &registries, config).map_err(|why| format!("{name}: {why}"))?;
            Ok::<_, String>((name.clone(), Arc::new(host)))
        };
        let hosts = config.inspect.iter().map(host).collect::<Result<_, _>>()?;
        let acceptor = acceptor(&folder.join(CERTIFICATE))?;
        Ok(Some(Self { acceptor, hosts }))
    }
    /// The host, where it is an inspected one.
    pub(crate) fn host(&self, name: &HostName) -> Option<&Arc<Host>> {
        self.hosts.get(name)
    }
}

impl Host {
    fn new(
        name: &HostName,
        rule: &InspectRule,
        registries: &BTreeMap<String, String>,
        config: &GateConfig,
    ) -> Result<Self, String> {
        let credential = rule.credential.as_ref().map(|credential| {
            let value = registries.get(credential).ok_or_else(|| format!("there is no credential {credential}"))?;
            let mut value = HeaderValue::from_str(value).map_err(|_| format!("the credential {credential} is none"))?;
            value.set_sensitive(true);
            Ok::<_, String>(value)
        });
        let endpoint: Endpoint = format!("{name}:443").parse().map_err(|error| format!("{error}"))?;
        let upstream = Upstream { endpoint, tls: true, private: false, authority: rule.authority.clone() };
        let patience = Duration::from_millis(config.limits.connect_millis.into());
        let connector = Connector::new(&upstream, Dialer::new(config)?, patience)?;
        let client = pooled(connector);
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Ok(Self { name: name.clone(), rule: rule.clone(), credential: credential.transpose()?, places, client })
    }
}

fn acceptor(path: &Path) -> Result<TlsAcceptor, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(|error| wrong(&error))?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| wrong(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| wrong(&error))?.with_no_client_auth();
    let mut config = config.with_single_cert(chain, key).map_err(|error| wrong(&error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// One connection to an inspected host. Its hello has been judged already.
pub(crate) async fn serve(
    gate: &Arc<Gate>,
    inspector: &Inspector,
    host: &Arc<Host>,
    agent: TcpStream,
    hello: Vec<u8>,
    dialled: SocketAddr,
) -> io::Result<()> {
    let (reader, writer) = agent.into_split();
    let stream = tokio::io::join(io::Cursor::new(hello).chain(reader), writer);
    let stream = timeout(HEAD, inspector.acceptor.accept(stream)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let second = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let passage = Arc::new(Passage::new(gate, host, dialled));
    let service = {
        let passage = Arc::clone(&passage);
        service_fn(move |request| {
            let passage = Arc::clone(&passage);
            async move { Ok::<_, Infallible>(passage.answer(request).await) }
        })
    };
    let stream = TokioIo::new(stream);
    let done = if second {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(MOST_FIELDS)
            .serve_connection(stream, service)
            .await
    } else {
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(MOST_HEAD as usize)
            .serve_connection(stream, service)
            .await
    };
    passage.end();
    done.map_err(io::Error::other)
}
