//! A fake internet in a namespace: a resolver that writes down every question, TLS servers that write down who called, and a counter of
//! everything that arrives.

use crate::world::{Process, inside, namespace, run};
use hickory_proto::{
    op::Message,
    rr::{RData, Record, RecordType, rdata::A},
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{Arc, Mutex},
    time::Duration,
};

/// The resolver and the hosts. The addresses are public ones; in this namespace they are ours.
pub(crate) const RESOLVER: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 53);
pub(crate) const API: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 10);
pub(crate) const ATTACKER: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 66);

#[derive(Default)]
struct Seen {
    questions: Vec<String>,
    /// Address and name of every handshake.
    calls: Vec<(IpAddr, String)>,
}

/// The internet of one test.
pub(crate) struct Internet {
    place: Process,
    seen: Arc<Mutex<Seen>>,
    hosts: Arc<Mutex<BTreeMap<String, Vec<Ipv4Addr>>>>,
}

impl Internet {
    /// Joined to the gate's namespace by one wire.
    pub(crate) fn new(gate: u32) -> Self {
        let place = namespace();
        let id = place.id();
        run(id, &format!("ip link add world type veth peer name out netns {gate}"));
        for address in [RESOLVER, API, ATTACKER] {
            run(id, &format!("ip addr add {address}/8 dev world"));
        }
        run(id, "ip link set lo up");
        run(id, "ip link set world up");
        run(gate, "ip addr add 11.0.0.2/8 dev out");
        run(gate, "ip link set out up");
        run(gate, "ip link set lo up");
        let hosts = BTreeMap::from([
            ("api.example.org".to_owned(), vec![API]),
            ("a.files.example.org".to_owned(), vec![API]),
            ("inside.example.org".to_owned(), vec![API, Ipv4Addr::new(169, 254, 169, 254)]),
        ]);
        let internet = Self { place, seen: Arc::default(), hosts: Arc::new(Mutex::new(hosts)) };
        internet.resolve();
        for address in [API, ATTACKER] {
            internet.serve(address);
        }
        internet
    }
    pub(crate) fn resolver(&self) -> SocketAddr {
        (RESOLVER, 53).into()
    }
    /// Another address for a name.
    pub(crate) fn moves(&self, name: &str, to: Ipv4Addr) {
        self.hosts.lock().unwrap().insert(name.to_owned(), vec![to]);
    }
    pub(crate) fn forget(&self) {
        *self.seen.lock().unwrap() = Seen::default();
    }
    pub(crate) fn questions(&self) -> Vec<String> {
        self.seen.lock().unwrap().questions.clone()
    }
    pub(crate) fn calls(&self) -> Vec<(IpAddr, String)> {
        self.seen.lock().unwrap().calls.clone()
    }
    /// Nobody was asked or called.
    #[track_caller]
    pub(crate) fn saw_nothing(&self) {
        assert_eq!((self.questions(), self.calls()), (Vec::new(), Vec::new()));
    }

    /// One more address out there.
    pub(crate) fn address(&self, address: Ipv4Addr) {
        run(self.place.id(), &format!("ip addr add {address}/8 dev world"));
    }
    /// A socket of the internet's namespace. It is made by a thread that has gone there and comes back no more.
    pub(crate) fn there<T: Send + 'static>(&self, make: impl FnOnce() -> T + Send + 'static) -> T {
        crate::agent::in_namespace(self.place.id(), make)
    }
    fn resolve(&self) {
        let socket = self.there(|| UdpSocket::bind((RESOLVER, 53)).unwrap());
        let (seen, hosts) = (Arc::clone(&self.seen), Arc::clone(&self.hosts));
        // It ends with the test's process.
        std::thread::spawn(move || {
            let mut room = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut room) {
                let asked = Message::from_vec(&room[..length]).unwrap();
                let query = asked.queries[0].clone();
                let name = query.name().to_ascii().trim_end_matches('.').to_lowercase();
                seen.lock().unwrap().questions.push(name.clone());
                let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
                answer.add_query(query.clone());
                for address in hosts.lock().unwrap().get(&name).into_iter().flatten() {
                    if query.query_type() == RecordType::A {
                        answer.add_answer(Record::from_rdata(query.name().clone(), 0, RData::A(A(*address))));
                    }
                }
                socket.send_to(&answer.to_vec().unwrap(), from).unwrap();
            }
        });
    }
    fn serve(&self, address: Ipv4Addr) {
        let listener = self.there(move || TcpListener::bind((address, 443)).unwrap());
        let names = ["api.example.org", "a.files.example.org", "evil.test"].map(str::to_owned);
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .unwrap();
        let (config, seen) = (Arc::new(config), Arc::clone(&self.seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, seen) = (Arc::clone(&config), Arc::clone(&seen));
                std::thread::spawn(move || answer(stream.unwrap(), config, &seen));
            }
        });
    }
}

/// Says back what it is told, line by line; `SEND n` sends n bytes.
fn answer(stream: TcpStream, config: Arc<ServerConfig>, seen: &Mutex<Seen>) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let at = stream.local_addr().unwrap().ip();
    let mut connection = ServerConnection::new(config).unwrap();
    let mut raw = stream;
    while connection.is_handshaking() {
        connection.complete_io(&mut raw).ok()?;
    }
    seen.lock().unwrap().calls.push((at, connection.server_name().unwrap_or_default().to_owned()));
    let mut stream = StreamOwned::new(connection, raw);
    let mut room = [0; 16 * 1024];
    loop {
        let length = stream.read(&mut room).ok().filter(|length| *length > 0)?;
        let text = String::from_utf8_lossy(&room[..length]).into_owned();
        match text.strip_prefix("SEND ") {
            Some(count) => stream.write_all(&vec![b'x'; count.trim().parse().unwrap()]).ok()?,
            None => stream.write_all(&room[..length]).ok()?,
        }
    }
}

/// What a namespace's kernel says of it.
pub(crate) fn output(pid: u32, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    String::from_utf8(inside(pid, words[0], &words[1..]).output().unwrap().stdout).unwrap()
}
