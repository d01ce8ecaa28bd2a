//! The class of an address: whether it is somebody's outside, or leads back to this machine, this network, or nowhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks that are nobody's outside: private, shared, link-local, loopback, reserved, documentation, multicast.
/// IANA's special-purpose registry, IPv4. In the text form that nft reads; none overlaps another.
pub const NOT_PUBLIC_V4: [&str; 14] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
];

/// The same of IPv6: everything outside the global unicast block `2000::/3` (loopback, IPv4-mapped and NAT64 forms, unique local and
/// link-local addresses, multicast), and in it Teredo and other protocols' own, documentation, and 6to4, which hides an IPv4 address.
pub const NOT_PUBLIC_V6: [&str; 10] = [
    "::/3",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "4000::/2",
    "8000::/2",
    "c000::/3",
    "e000::/4",
    "f000::/4",
];

/// Whether an address is a host's own outside this machine and its networks.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => !NOT_PUBLIC_V4.iter().any(|network| holds_v4(network, ip)),
        IpAddr::V6(ip) => !NOT_PUBLIC_V6.iter().any(|network| holds_v6(network, ip)),
    }
}

/// A network that cannot be read holds every address: a misspelt line closes, it never opens.
fn holds_v4(network: &str, ip: Ipv4Addr) -> bool {
    let Some((base, length)) = network.split_once('/') else { return true };
    let (Ok(base), Ok(length)) = (base.parse::<Ipv4Addr>(), length.parse::<u32>()) else { return true };
    let mask = u32::MAX.checked_shl(32 - length.min(32)).unwrap_or(0);
    (u32::from(base) ^ u32::from(ip)) & mask == 0
}

fn holds_v6(network: &str, ip: Ipv6Addr) -> bool {
    let Some((base, length)) = network.split_once('/') else { return true };
    let (Ok(base), Ok(length)) = (base.parse::<Ipv6Addr>(), length.parse::<u32>()) else { return true };
    let mask = u128::MAX.checked_shl(128 - length.min(128)).unwrap_or(0);
    (u128::from(base) ^ u128::from(ip)) & mask == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_network_that_begins_where_it_says() {
        for line in NOT_PUBLIC_V4 {
            let (base, length) = line.split_once('/').unwrap();
            let (base, length) = (u32::from(base.parse::<Ipv4Addr>().unwrap()), length.parse::<u32>().unwrap());
            assert_eq!(base & u32::MAX.checked_shl(32 - length).unwrap(), base, "{line}");
        }
        for line in NOT_PUBLIC_V6 {
            let (base, length) = line.split_once('/').unwrap();
            let (base, length) = (u128::from(base.parse::<Ipv6Addr>().unwrap()), length.parse::<u32>().unwrap());
            assert_eq!(base & u128::MAX.checked_shl(128 - length).unwrap(), base, "{line}");
        }
    }

    #[test]
    fn what_leads_back_to_us_is_not_public_in_any_form() {
        let closed = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.17.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.7",
            "224.0.0.251",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::fb",
        ];
        for address in closed {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "223.255.255.255",
            "2606:4700::1",
            "2a00::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_cannot_be_read_holds_everything() {
        assert!(holds_v4("10.0.0.0", Ipv4Addr::LOCALHOST) && holds_v4("x/8", Ipv4Addr::LOCALHOST));
        assert!(holds_v6("::1", Ipv6Addr::LOCALHOST) && holds_v6("::/x", Ipv6Addr::LOCALHOST));
    }
}
