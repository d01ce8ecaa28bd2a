//! How containers reach what listens on this machine's loopback: a Docker network, and a relay on the bridge's own address.

use super::{docker, docker_output};
use std::net::{IpAddr, SocketAddr};
use tokio::{io::copy_bidirectional, net::TcpListener, net::TcpStream, task::JoinSet};

/// A Docker network.
pub(crate) struct Bridge {
    pub(crate) name: String,
}

impl Bridge {
    /// The one that the documented command line names; it stays, as others may be using it.
    pub(crate) fn documented() -> Self {
        let name = "hydra-net".to_owned();
        if !docker_output(&["network", "inspect", &name]).status.success() {
            // Another test may have been quicker.
            docker_output(&["network", "create", &name]);
        }
        Self { name }
    }

    /// This machine's address on it.
    pub(crate) fn gateway(&self) -> IpAddr {
        let format = "{{(index .IPAM.Config 0).Gateway}}";
        docker(&["network", "inspect", "--format", format, &self.name]).parse().expect("an address")
    }
}

/// Hands connections to an address of the bridge on to loopback, until it is dropped.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Relay {
    pub(crate) async fn start(at: IpAddr, to: SocketAddr) -> Self {
        let listener = TcpListener::bind((at, 0)).await.expect("an address of the bridge");
        let address = listener.local_addr().expect("an address");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut from, _)) = listener.accept().await {
                open.spawn(async move {
                    if let Ok(mut there) = TcpStream::connect(to).await {
                        drop(copy_bidirectional(&mut from, &mut there).await);
                    }
                });
            }
        });
        Self { address, _tasks: tasks }
    }
}
