//! What the kernel refused, read from an NFLOG socket that somebody with the right to it has made.

use crate::{events::Refused, gate::Gate};
use hydra_core::egress::DenyReason;
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_netfilter::{
    NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily,
    nflog::{ConfigCmd, ConfigMode, ConfigNla, PacketNla, Timeout, ULogMessage, config_request},
};
use rustix::{
    fd::OwnedFd,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind,
        netlink::{self, SocketAddrNetlink},
        recv, send, socket_with,
    },
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

/// Messages are gathered for so long, at most: a refusal is told at once.
const GATHER: Duration = Duration::from_millis(10);
/// Bytes of messages that are read at a time.
const ROOM: usize = 128 * 1024;

/// A socket of this network namespace that hears what the group is told. Needs `NET_ADMIN`; whoever gets it passed on needs nothing.
pub(crate) fn listen(group: u16) -> io::Result<OwnedFd> {
    let made = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::NETFILTER))?;
    bind(&made, &SocketAddrNetlink::new(0, 0))?;
    for family in [NetfilterProtoFamily::IPv4, NetfilterProtoFamily::IPv6] {
        ask(&made, family, 0, vec![ConfigCmd::PfBind.into()])?;
    }
    ask(&made, NetfilterProtoFamily::Unspec, group, vec![ConfigCmd::Bind.into()])?;
    let how: Vec<ConfigNla> = vec![
        ConfigMode::new_packet(u32::from(hydra_egress::nft::LOG_BYTES)).into(),
        Timeout::from(GATHER).into(),
        ConfigNla::QThresh(1),
    ];
    ask(&made, NetfilterProtoFamily::Unspec, group, how)?;
    Ok(made)
}

/// One request, and the kernel's word that it was done.
fn ask(socket: &OwnedFd, family: NetfilterProtoFamily, group: u16, what: Vec<ConfigNla>) -> io::Result<()> {
    let mut message = config_request(family, group, what);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    send(socket, &bytes, SendFlags::empty())?;
    let mut room = vec![0; 4096];
    let (length, _) = recv(socket, &mut room, RecvFlags::empty())?;
    let said = NetlinkMessage::<NetfilterMessage>::deserialize(room.get(..length).unwrap_or_default());
    match said.map_err(io::Error::other)?.payload {
        NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(io::Error::other("the kernel does not confirm it")),
    }
}

/// Tells every refusal.
pub(crate) async fn serve(gate: Arc<Gate>, socket: OwnedFd) -> io::Result<()> {
    // A socket of messages is read alike whatever its family; tokio has a type for this one.
    let socket = std::os::unix::net::UnixDatagram::from(socket);
    socket.set_nonblocking(true)?;
    let socket = tokio::net::UnixDatagram::from_std(socket)?;
    let mut room = vec![0; ROOM];
    loop {
        match socket.recv(&mut room).await {
            Ok(length) => {
                for (reason, refused) in refusals(room.get(..length).unwrap_or_default()) {
                    gate.events.denied(reason, refused);
                }
            }
            // More was refused than could be told: the counters of the table have the number.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The refusals of one read.
fn refusals(mut bytes: &[u8]) -> Vec<(DenyReason, Refused)> {
    let mut found = Vec::new();
    while let Ok(message) = NetlinkMessage::<NetfilterMessage>::deserialize(bytes) {
        let length = (message.header.length as usize).next_multiple_of(4);
        if let NetlinkPayload::InnerMessage(NetfilterMessage {
            inner: NetfilterMessageInner::ULog(ULogMessage::Packet(facts)),
            ..
        }) = &message.payload
        {
            found.extend(refusal(facts));
        }
        match bytes.get(length..) {
            Some(rest) if !rest.is_empty() && length > 0 => bytes = rest,
            _ => break,
        }
    }
    found
}

fn refusal(facts: &[PacketNla]) -> Option<(DenyReason, Refused)> {
    let payload =
        facts.iter().find_map(|fact| if let PacketNla::Payload(bytes) = fact { Some(bytes) } else { None })?;
    let uid = facts.iter().find_map(|fact| if let PacketNla::Uid(uid) = fact { Some(*uid) } else { None });
    let (dst, proto, port) = destination(payload)?;
    let (reason, name) = match proto {
        6 => (DenyReason::PacketTcp, "tcp"),
        17 => (DenyReason::PacketUdp, "udp"),
        1 | 58 => (DenyReason::PacketOther, "icmp"),
        _ => (DenyReason::PacketOther, "other"),
    };
    Some((reason, Refused { dst: Some(dst), dport: port, proto: Some(name), uid, ..Refused::default() }))
}

/// Where a packet was to go: its address, its protocol, and its port where it has one.
fn destination(packet: &[u8]) -> Option<(IpAddr, u8, Option<u16>)> {
    let (dst, proto, header): (IpAddr, u8, usize) = match packet.first()? >> 4 {
        4 => {
            let octets: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
            (Ipv4Addr::from(octets).into(), *packet.get(9)?, usize::from(packet.first()? & 15) * 4)
        }
        6 => {
            let octets: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
            (Ipv6Addr::from(octets).into(), *packet.get(6)?, 40)
        }
        _ => return None,
    };
    let port = || Some(u16::from_be_bytes(packet.get(header + 2..header + 4)?.try_into().ok()?));
    Some((dst, proto, if matches!(proto, 6 | 17) { port() } else { None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_says_where_it_was_to_go() {
        let mut v4 = vec![0x45; 28];
        v4[9] = 17;
        v4[16..20].copy_from_slice(&[169, 254, 169, 254]);
        v4[22..24].copy_from_slice(&443_u16.to_be_bytes());
        assert_eq!(destination(&v4), Some(("169.254.169.254".parse().unwrap(), 17, Some(443))));
        let mut v6 = vec![0x60; 44];
        v6[6] = 58;
        v6[24..40].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(destination(&v6), Some(("2001:db8::7".parse().unwrap(), 58, None)));
        for cut in 0..20 {
            assert_eq!(destination(&v4[..cut]), None, "{cut}");
        }
    }
}
