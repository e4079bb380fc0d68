//! Which addresses a receiver may have: those of the public Internet, unless it is allowed others.
//!
//! Invariant: an IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4) is judged by that one, too. It does not
//! resolve names: `transport` does, and connects to the address that was judged here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why this address is none of the public Internet; none if it is.
pub(super) fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    let ranges = [
        (a == 0, "this network"),
        (address.is_loopback(), "loopback"),
        (address.is_private(), "private"),
        (a == 100 && (64..128).contains(&b), "shared by a carrier (CGNAT)"),
        (address.is_link_local(), "link-local, where clouds serve their metadata"),
        (a == 192 && b == 0 && c == 0, "reserved for protocols"),
        (a == 192 && b == 88 && c == 99, "a 6to4 relay"),
        (address.is_documentation(), "for documentation"),
        (a == 198 && (b == 18 || b == 19), "for benchmarks"),
        (address.is_multicast(), "multicast"),
        (a >= 240, "reserved"),
    ];
    ranges.into_iter().find_map(|(is, name)| is.then_some(name))
}

fn v6(address: Ipv6Addr) -> Option<&'static str> {
    let parts = address.segments();
    let low = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        v4(Ipv4Addr::new(a, b, c, d))
    };
    if address.is_loopback() {
        return Some("loopback");
    }
    if let Some(mapped) = address.to_ipv4() {
        return v4(mapped);
    }
    let ranges = [
        (parts[0] & 0xffc0 == 0xfe80, "link-local"),
        (parts[0] & 0xfe00 == 0xfc00, "unique local"),
        (parts[0] & 0xffc0 == 0xfec0, "site-local"),
        (address.is_multicast(), "multicast"),
        (parts[0] == 0x2001 && parts[1] == 0xdb8, "for documentation"),
        (parts[0] == 0x2001 && parts[1] < 0x200, "reserved for protocols"),
        (parts[0] == 0x64 && parts[1] == 0xff9b && parts[2] == 1, "for local NAT64"),
        (parts[0] == 0x100 && parts[1..4] == [0, 0, 0], "discarded"),
    ];
    if let Some(name) = ranges.into_iter().find_map(|(is, name)| is.then_some(name)) {
        return Some(name);
    }
    match parts {
        [0x64, 0xff9b, 0, 0, 0, 0, high, below] => low(high, below),
        [0x2002, high, below, ..] => low(high, below),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_pass() {
        let refused = [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "64:ff9b:1::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
        ];
        for text in refused {
            assert!(refusal(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
        {
            assert_eq!(refusal(text.parse().unwrap()), None, "{text}");
        }
    }
}
