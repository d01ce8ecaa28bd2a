//! Which synthetic address stands for which allowed name: what an agent dials says what it asked for.

use hydra_core::egress::HostName;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

/// The benchmarking network, 198.18.0.0/15: no host outside has an address of it.
const BASE: u32 = 0xC612_0000;
/// Addresses that are given out; after that the oldest is given to another name.
const ROOM: u32 = 0x0001_FF00;

/// The names that were asked for, and their addresses.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_name: HashMap<HostName, u32>,
    by_number: HashMap<u32, HostName>,
    next: u32,
}

impl Names {
    /// The address of a name, the same for as long as there is room.
    pub(crate) fn address(&mut self, name: &HostName) -> Ipv4Addr {
        if let Some(number) = self.by_name.get(name) {
            return Ipv4Addr::from(BASE + number);
        }
        // .0.0 is left out: some programs take it for a network.
        let number = 1 + self.next % ROOM;
        self.next = self.next.wrapping_add(1);
        if let Some(old) = self.by_number.insert(number, name.clone()) {
            self.by_name.remove(&old);
        }
        self.by_name.insert(name.clone(), number);
        Ipv4Addr::from(BASE + number)
    }
    /// The name that an address stands for.
    pub(crate) fn of(&self, address: IpAddr) -> Option<&HostName> {
        let IpAddr::V4(address) = address.to_canonical() else { return None };
        self.by_number.get(&u32::from(address).wrapping_sub(BASE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydra_core::egress::is_public;

    #[test]
    fn a_name_keeps_its_address_and_nobody_outside_has_it() {
        let mut names = Names::default();
        let (one, two) = ("a.example.org".parse().unwrap(), "b.example.org".parse().unwrap());
        let (first, second) = (names.address(&one), names.address(&two));
        assert_eq!((first, names.address(&one)), (Ipv4Addr::new(198, 18, 0, 1), first));
        assert_ne!(first, second);
        assert!(!is_public(first.into()) && !is_public(second.into()));
        assert_eq!(names.of(first.into()), Some(&one));
        assert_eq!(names.of(first.to_ipv6_mapped().into()), Some(&one));
        assert_eq!((names.of("198.18.0.0".parse().unwrap()), names.of("1.1.1.1".parse().unwrap())), (None, None));
    }

    #[test]
    fn when_there_is_no_room_the_oldest_goes() {
        let mut names = Names::default();
        let name = |n: u32| format!("n{n}.example.org").parse::<HostName>().unwrap();
        for n in 0..=ROOM {
            names.address(&name(n));
        }
        assert_eq!((names.by_name.len(), names.by_number.len()), (ROOM as usize, ROOM as usize));
        assert_eq!(names.of(Ipv4Addr::new(198, 18, 0, 1).into()), Some(&name(ROOM)));
        assert!(!is_public(names.address(&name(ROOM - 1)).into()));
    }
}
