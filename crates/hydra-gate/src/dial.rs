//! The gate's own way out: it looks an allowed name up itself, refuses every address that is nobody's outside, and dials that very address.

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
};
use hydra_core::egress::{DenyReason, Endpoint, HostName, gate::GateConfig, is_public};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};

/// The port of everything that may be reached.
pub(crate) const HTTPS: u16 = 443;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoWay {
    /// It may not be.
    Refused(DenyReason),
    /// Nobody takes it.
    Unreachable,
}

/// Looks up and dials.
pub(crate) struct Dialer {
    resolver: TokioResolver,
    /// For a place of the configuration: where it has an address of IPv4, which the runtime may have written down, nobody is asked for another.
    places: TokioResolver,
    patience: Duration,
}

fn resolver(config: &GateConfig, strategy: LookupIpStrategy, patience: Duration) -> Result<TokioResolver, String> {
    let mut builder = if config.resolvers.is_empty() {
        TokioResolver::builder_tokio().map_err(|error| format!("/etc/resolv.conf: {error}"))?
    } else {
        let servers = config.resolvers.iter().map(|at| {
            let on_port = |mut connection: ConnectionConfig| {
                connection.port = at.port();
                connection
            };
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(on_port).into();
            NameServerConfig::new(at.ip(), true, connections)
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.ip_strategy = strategy;
    options.use_hosts_file = ResolveHosts::Always;
    options.attempts = 2;
    options.timeout = patience / 3;
    builder.build().map_err(|error| format!("the resolver cannot be made: {error}"))
}

impl Dialer {
    pub(crate) fn new(config: &GateConfig) -> Result<Self, String> {
        let patience = Duration::from_millis(config.limits.connect_millis.into());
        let resolver = resolver(config, LookupIpStrategy::Ipv4AndIpv6, patience)?;
        Ok(Self { resolver, places: self::resolver(config, LookupIpStrategy::Ipv4thenIpv6, patience)?, patience })
    }

    /// A connection to the name, or why there is none.
    pub(crate) async fn dial(&self, name: &HostName) -> Result<TcpStream, NoWay> {
        let Some(addresses) = self.addresses(name).await else { return Err(NoWay::Refused(DenyReason::ResolveFailed)) };
        if !addresses.iter().all(|address| is_public(*address)) {
            return Err(NoWay::Refused(DenyReason::ResolvePrivate));
        }
        for address in addresses {
            if let Ok(stream) = self.connect(SocketAddr::new(address, HTTPS)).await {
                return Ok(stream);
            }
        }
        Err(NoWay::Unreachable)
    }

    /// A connection to a place that the configuration names, whatever its address; a short name means what the container's resolver says.
    pub(crate) async fn place(&self, at: &Endpoint) -> io::Result<TcpStream> {
        let addresses: Vec<IpAddr> = match at.host().parse() {
            Ok(address) => vec![address],
            Err(_) => {
                let asked = timeout(self.patience, self.places.lookup_ip(at.host())).await;
                asked.map_err(|_| io::ErrorKind::TimedOut)?.map_err(io::Error::other)?.iter().collect()
            }
        };
        let mut last = io::Error::other("its name has no address");
        for address in addresses {
            match self.connect(SocketAddr::new(address, at.port())).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Every address of the name, at least one.
    async fn addresses(&self, name: &HostName) -> Option<Vec<IpAddr>> {
        // With the dot at its end no search list has a say.
        let asked = timeout(self.patience, self.resolver.lookup_ip(format!("{name}."))).await;
        let found: Vec<IpAddr> = asked.ok()?.ok()?.iter().collect();
        (!found.is_empty()).then_some(found)
    }

    async fn connect(&self, at: SocketAddr) -> io::Result<TcpStream> {
        let stream = timeout(self.patience, TcpStream::connect(at)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
