//! Attempts to change the fence itself. Each would change nothing if it were granted: what matters is who says no.

use super::PATIENCE;
use hydra_core::probe::Seen;
use rustix::{
    io::Errno,
    net::{
        AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, sendto, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};

/// It is a request, and an answer is wanted.
const REQUEST_ACK: u16 = 1 | 4;
const ERROR: u16 = 2;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const SET_LINK: u16 = 19;
const NF_TABLES: u8 = 10;

/// An empty transaction of nftables.
pub(super) fn change_rules() -> Seen {
    let head = [0, 0, 0, NF_TABLES];
    let batch = [message(BATCH_BEGIN, &head), message(BATCH_END, &head)].concat();
    ask(Some(netlink::NETFILTER), &batch)
}

/// A change of nothing on loopback. Routes and links are the protocol that has no number.
pub(super) fn change_links() -> Seen {
    let mut link = [0; 16];
    // Its index is 1 in every namespace.
    link.iter_mut().skip(4).zip(1i32.to_ne_bytes()).for_each(|(place, byte)| *place = byte);
    ask(None, &message(SET_LINK, &link))
}

fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap_or(u32::MAX);
    [
        length.to_ne_bytes().as_slice(),
        &kind.to_ne_bytes(),
        &REQUEST_ACK.to_ne_bytes(),
        &1u32.to_ne_bytes(),
        &0u32.to_ne_bytes(),
        body,
    ]
    .concat()
}

fn ask(protocol: Option<Protocol>, message: &[u8]) -> Seen {
    let exchange = || -> Result<Vec<u8>, Errno> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        sendto(&socket, message, SendFlags::empty(), &netlink::SocketAddrNetlink::new(0, 0))?;
        let mut room = [0; 1024];
        let (read, _) = recv(&socket, room.as_mut_slice(), RecvFlags::empty())?;
        Ok(room.get(..read).unwrap_or_default().to_vec())
    };
    match exchange() {
        Ok(bytes) => read(&bytes),
        // A kernel or a filter that gives no such socket refuses as well.
        Err(Errno::PERM | Errno::ACCESS | Errno::AFNOSUPPORT | Errno::PROTONOSUPPORT) => Seen::Refused,
        Err(Errno::AGAIN) => Seen::Silence,
        Err(error) => Seen::Untried(error.to_string()),
    }
}

/// The kernel's answer: an error number, 0 for none.
fn read(bytes: &[u8]) -> Seen {
    let kind = bytes.get(4..6).and_then(|two| Some(u16::from_ne_bytes(two.try_into().ok()?)));
    let code = bytes.get(16..20).and_then(|four| Some(i32::from_ne_bytes(four.try_into().ok()?)));
    match (kind, code) {
        (Some(ERROR), Some(0)) => Seen::Open("the kernel took it".to_owned()),
        (Some(ERROR), Some(code)) if code == -Errno::PERM.raw_os_error() => Seen::Refused,
        (Some(ERROR), Some(code)) => {
            Seen::Open(format!("the kernel looked at it: {}", Errno::from_raw_os_error(code.saturating_neg())))
        }
        _ => Seen::Open("the kernel answered".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernels_own_no_is_a_refusal() {
        let answer = |code: i32| {
            let mut bytes = message(ERROR, &code.to_ne_bytes());
            bytes.extend([0; 20]);
            read(&bytes)
        };
        assert_eq!(answer(-1), Seen::Refused);
        assert_eq!(answer(0), Seen::Open("the kernel took it".into()));
        assert!(matches!(answer(-22), Seen::Open(_)), "it went past the question of who asks");
        assert!(matches!(read(&[]), Seen::Open(_)));
    }
}
