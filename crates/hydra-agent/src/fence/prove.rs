//! Proves the fence from inside: packets to addresses that no policy holds are refused by the kernel itself, loopback works.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

/// Addresses that are set aside for documentation: nobody has them.
const CANARY_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CANARY_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
/// The discard port.
const PORT: u16 = 9;

/// How a canary fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// A rule refused it.
    Refused,
    /// There is no way there at all.
    NoRoute,
    /// It went out.
    Sent,
}

/// One line that says what was seen.
pub(super) fn prove() -> Result<String, String> {
    loopback()?;
    let interfaces = interfaces()?;
    let mut fates = vec![
        ("192.0.2.1".to_owned(), send(CANARY_V4.into(), 0)?),
        ("2001:db8::1".to_owned(), send(CANARY_V6.into(), 0)?),
    ];
    let route = fs::read_to_string("/proc/net/route").map_err(|error| format!("/proc/net/route: {error}"))?;
    for neighbour in neighbours(&route) {
        fates.push((neighbour.to_string(), send(neighbour.into(), 0)?));
    }
    for (name, index) in &interfaces {
        fates.push((format!("fe80::1%{name}"), send("fe80::1".parse().map_err(|_| "no address")?, *index)?));
    }
    judge(&fates, interfaces.is_empty())
}

/// The same where there must be no interface but loopback.
pub(super) fn alone() -> Result<String, String> {
    match other_interface()? {
        Some(name) => Err(format!("the container has the interface {name}: it does not stand behind a gate")),
        None => prove(),
    }
}

/// An interface besides loopback that is up. Tunnel devices that the kernel makes in every namespace are down.
pub(super) fn other_interface() -> Result<Option<String>, String> {
    let is_up = |name: &str| {
        let flags = fs::read_to_string(format!("/sys/class/net/{name}/flags")).unwrap_or_default();
        u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).is_ok_and(|flags| flags & 1 == 1)
    };
    Ok(interfaces()?.into_iter().map(|(name, _)| name).find(|name| is_up(name)))
}

fn judge(fates: &[(String, Fate)], alone: bool) -> Result<String, String> {
    if let Some((to, _)) = fates.iter().find(|(_, fate)| *fate == Fate::Sent) {
        return Err(format!("a packet to {to} was let out"));
    }
    let refused = fates.iter().filter(|(_, fate)| *fate == Fate::Refused).count();
    if refused == 0 && !alone {
        return Err("no rule refused any of the test packets, so nothing shows that there are rules".into());
    }
    Ok(format!("loopback works; {refused} of {} test packets were refused, the others have no route", fates.len()))
}

/// Sends one datagram of one byte.
fn send(to: IpAddr, scope: u32) -> Result<Fate, String> {
    let (bind, to): (SocketAddr, SocketAddr) = match to {
        IpAddr::V4(ip) => ((Ipv4Addr::UNSPECIFIED, 0).into(), (ip, PORT).into()),
        IpAddr::V6(ip) => ((Ipv6Addr::UNSPECIFIED, 0).into(), SocketAddrV6::new(ip, PORT, 0, scope).into()),
    };
    let sent = UdpSocket::bind(bind).and_then(|socket| socket.send_to(b"x", to));
    match sent {
        Ok(_) => Ok(Fate::Sent),
        Err(error) => match error.kind() {
            ErrorKind::PermissionDenied => Ok(Fate::Refused),
            ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::NetworkDown => Ok(Fate::NoRoute),
            // The kernel has no IPv6: EAFNOSUPPORT.
            _ if error.raw_os_error() == Some(97) => Ok(Fate::NoRoute),
            // A device that is down or gone: ENODEV, ENXIO, EINVAL for a scope without IPv6.
            _ if matches!(error.raw_os_error(), Some(6 | 19 | 22)) && to.is_ipv6() => Ok(Fate::NoRoute),
            _ => Err(format!("a test packet to {to} failed in a way that proves nothing: {error}")),
        },
    }
}

/// Name and index of every interface but loopback.
fn interfaces() -> Result<Vec<(String, u32)>, String> {
    let mut found = Vec::new();
    let folder = "/sys/class/net";
    for entry in fs::read_dir(folder).map_err(|error| format!("{folder}: {error}"))? {
        let entry = entry.map_err(|error| format!("{folder}: {error}"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "lo" {
            continue;
        }
        let index = fs::read_to_string(entry.path().join("ifindex")).map_err(|error| format!("{name}: {error}"))?;
        let index = index.trim().parse().map_err(|error| format!("{name}: {error}"))?;
        found.push((name, index));
    }
    found.sort();
    Ok(found)
}

/// The last host address of each network that is reached without a gateway: where no default route exists, the neighbours are
/// what must be out of reach.
fn neighbours(route: &str) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    for line in route.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // The kernel prints addresses as numbers in this machine's byte order.
        let number = |at: usize| {
            fields
                .get(at)
                .and_then(|text| u32::from_str_radix(text, 16).ok())
                .map(|n| u32::from_be_bytes(n.to_ne_bytes()))
        };
        let (Some(network), Some(gateway), Some(mask)) = (number(1), number(2), number(7)) else { continue };
        if gateway == 0 && mask != 0 && mask.count_ones() < 31 {
            found.push(Ipv4Addr::from((network | !mask) - 1));
        }
    }
    found
}

/// Whether a connection over loopback carries a byte.
pub(crate) fn loopback() -> Result<(), String> {
    let carry = || -> std::io::Result<[u8; 1]> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut client = TcpStream::connect_timeout(&listener.local_addr()?, Duration::from_secs(5))?;
        let (mut server, _) = listener.accept()?;
        server.set_read_timeout(Some(Duration::from_secs(5)))?;
        client.write_all(b"h")?;
        let mut byte = [0];
        server.read_exact(&mut byte)?;
        Ok(byte)
    };
    match carry() {
        Ok(byte) if byte == *b"h" => Ok(()),
        Ok(_) => Err("loopback carries something else than was sent".into()),
        Err(error) => Err(format!("loopback does not work: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_packet_that_left_is_enough_and_none_refused_is_no_proof() {
        let fate = |name: &str, fate| (name.to_owned(), fate);
        assert!(judge(&[fate("a", Fate::Refused), fate("b", Fate::NoRoute)], false).is_ok());
        assert!(judge(&[fate("a", Fate::Refused), fate("b", Fate::Sent)], false).unwrap_err().contains("to b"));
        assert!(judge(&[fate("a", Fate::NoRoute)], false).is_err());
        assert!(judge(&[fate("a", Fate::NoRoute)], true).is_ok(), "with no interface but loopback there is no way out");
    }

    #[test]
    fn neighbours_are_read_from_the_routes() {
        let route = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t010012AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     eth0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        assert_eq!(neighbours(route), [Ipv4Addr::new(172, 18, 255, 254)]);
    }

    #[test]
    fn loopback_works_here() {
        assert_eq!(loopback(), Ok(()));
    }
}
