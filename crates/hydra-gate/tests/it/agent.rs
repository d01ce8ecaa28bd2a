//! What an agent does, from inside its namespace.

use crate::{
    internet::{ATTACKER, RESOLVER},
    world::World,
};
use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use nix::sched::{CloneFlags, setns};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket},
    sync::Arc,
    time::Duration,
};

/// Runs something in somebody's network namespace.
pub(crate) fn in_namespace<T: Send + 'static>(pid: u32, work: impl FnOnce() -> T + Send + 'static) -> T {
    let there = File::open(format!("/proc/{pid}/ns/net")).unwrap();
    let thread = std::thread::spawn(move || {
        setns(there, CloneFlags::CLONE_NEWNET).unwrap();
        work()
    });
    thread.join().unwrap()
}

pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

impl World {
    /// Runs something where the agent is.
    pub(crate) fn agent<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        in_namespace(self.holder.id(), work)
    }
    pub(crate) fn look_up(&self, name: &str, kind: RecordType) -> (ResponseCode, Option<Ipv4Addr>) {
        let name = name.to_owned();
        self.agent(move || look_up(&name, kind))
    }
    /// Tries an attack where no fence is, and there it must arrive; then where the agent is.
    #[track_caller]
    pub(crate) fn attack<T: Send + 'static>(&self, work: impl Fn() -> T + Clone + Send + 'static) -> T {
        self.internet.arrives(work.clone());
        self.agent(work)
    }
    /// An attack: asks for a name.
    #[track_caller]
    pub(crate) fn ask(&self, name: &str, kind: RecordType) -> (ResponseCode, Option<Ipv4Addr>) {
        let name = name.to_owned();
        self.attack(move || look_up(&name, kind))
    }
    /// An attack: dials an address of the attacker's and shakes hands for a name.
    #[track_caller]
    pub(crate) fn shake(&self, at: impl Into<IpAddr>, name: &str) -> io::Result<Tls> {
        let (at, name) = (at.into(), name.to_owned());
        self.attack(move || shake(dial((at, 443))?, &name))
    }
    /// As a program does: looks a name up, dials, shakes hands.
    pub(crate) fn reach(&self, name: &str) -> io::Result<Tls> {
        let (code, address) = self.look_up(name, RecordType::A);
        let (at, name) = (address.unwrap_or_else(|| panic!("{name}: {code}")), name.to_owned());
        self.agent(move || shake(dial((at, 443))?, &name))
    }
    /// An attack: sends bytes to port 443 of the attacker and reads what comes back.
    #[track_caller]
    pub(crate) fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let bytes = bytes.to_vec();
        let send = move |ends: bool| {
            let mut stream = dial((ATTACKER, 443)).unwrap();
            let mut got = Vec::new();
            // What was closed with a reset has said what it had to say.
            _ = stream.write_all(&bytes);
            if ends {
                _ = stream.shutdown(Shutdown::Write);
            }
            _ = stream.read_to_end(&mut got);
            got
        };
        let unfenced = send.clone();
        self.internet.arrives(move || unfenced(true));
        self.agent(move || send(false))
    }
}

pub(crate) fn dial(at: impl Into<SocketAddr>) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&at.into(), Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

pub(crate) fn look_up(name: &str, kind: RecordType) -> (ResponseCode, Option<Ipv4Addr>) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // Whatever resolver a program believes in, it is the gate that answers.
    socket.connect((RESOLVER, 53)).unwrap();
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(format!("{name}.")).unwrap(), kind));
    socket.send(&message.to_vec().unwrap()).unwrap();
    let mut room = [0; 2048];
    let length = socket.recv(&mut room).unwrap();
    let answer = Message::from_vec(&room[..length]).unwrap();
    let address =
        answer.answers.iter().find_map(|record| if let RData::A(a) = &record.data { Some(a.0) } else { None });
    (answer.metadata.response_code, address)
}

/// Takes every certificate: who is there is not what is tested.
#[derive(Debug)]
struct Anyone;
impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

pub(crate) fn shake(mut stream: TcpStream, name: &str) -> io::Result<Tls> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), name.to_owned().try_into().unwrap()).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// Says something and reads it back.
pub(crate) fn echo(stream: &mut Tls, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back)?;
    if back == text.as_bytes() { Ok(()) } else { Err(io::Error::other("something else came back")) }
}
