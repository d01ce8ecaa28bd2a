//! TLS to the model endpoint, trusting the authorities that the environment names and this machine's own.

use super::options::Options;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use std::{io, path::Path, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Where Debian keeps the authorities that a machine trusts.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Speaks TLS on a connection.
pub(crate) async fn connect(options: &Options, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    let named = options.authorities.iter().map(|path| (path.as_path(), true));
    for (path, required) in named.chain([(Path::new(SYSTEM), false)]) {
        match std::fs::read(path) {
            Ok(pem) => {
                let certificates: Vec<_> =
                    CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(io::Error::other)?;
                roots.add_parsable_certificates(certificates);
            }
            Err(error) if required => return Err(io::Error::other(format!("{}: {error}", path.display()))),
            Err(_) => {}
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}
