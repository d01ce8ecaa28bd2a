//! The names of a gate: out of the engine's own resolver, which asks the name servers that the gate's namespace may ask, and nobody else.

use super::Scene;
use hickory_proto::{
    op::Message,
    rr::{RData, Record, rdata::A},
};
use hydra_core::job::Gated;
use std::{
    net::{IpAddr, Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A name that no container of the network has.
const OUTSIDE: &str = "outside.example.org";

/// A name server of this machine on the network of the host with this address, which is its one answer for everything. It ends with the test's process.
fn name_server(answer: Ipv4Addr) -> (IpAddr, Arc<AtomicUsize>) {
    // The first address of a network is the machine's.
    let [a, b, c, _] = answer.octets();
    let at = IpAddr::from([a, b, c, 1]);
    let socket = UdpSocket::bind((at, 53)).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut room = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut room) {
            let question = Message::from_vec(&room[..length]).unwrap();
            let mut said = Message::response(question.metadata.id, question.metadata.op_code);
            for query in &question.queries {
                count.fetch_add(1, Ordering::Relaxed);
                if query.query_type() == hickory_proto::rr::RecordType::A {
                    said.add_answer(Record::from_rdata(query.name().clone(), 60, RData::A(A(answer))));
                }
                said.add_query(query.clone());
            }
            socket.send_to(&said.to_vec().unwrap(), from).unwrap();
        }
    });
    (at, asked)
}

#[tokio::test]
#[ignore = "needs images"]
async fn a_name_of_the_policy_is_asked_for_where_the_configuration_says_and_nowhere_else() {
    let mut scene = Scene::new();
    let (server, asked) = name_server(scene.internet.address.parse().unwrap());
    // It has no certificate of this name: that it is reached at all is what counts.
    let tries = [("named", format!("curl -sSk https://{OUTSIDE}/"))];
    let behind = |gate: &mut Gated, servers: &[IpAddr]| {
        gate.config.allow = [OUTSIDE.parse().unwrap()].into();
        gate.name_servers = Some(servers.to_vec());
    };
    let without = scene.behind("web.pem", &tries, |gate| behind(gate, &[])).await;
    assert_eq!((without.said[0].code == 0, asked.load(Ordering::Relaxed)), (false, 0), "{}", without.said[0].text);
    assert_eq!(without.told.denied[0].reason.as_str(), "resolve.failed", "{:?}", without.told.denied);
    let with = scene.behind("web.pem", &tries, |gate| behind(gate, &[server])).await;
    assert!(with.said[0].code == 0 && with.said[0].text.contains(OUTSIDE), "{}", with.said[0].text);
    assert!(asked.load(Ordering::Relaxed) > 0);
    assert_eq!(with.told.reached.len(), 1, "{:?}", with.told.reached);
    scene.clear().await;
}
