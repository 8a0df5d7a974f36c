#!/usr/bin/env python3
"""places.py - addresses, and whether a single host elsewhere can have them.

Prints t/unit/places.h.  What each is comes from the ipaddress module of the standard library,
and nothing of it from this project: what the two agree on is what net/proto/ip.h says.

    t/unit/places.py >t/unit/places.h
"""
import ipaddress
import random

NAT64 = ipaddress.ip_network("64:ff9b::/96")
SITE_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
COMPATIBLE = ipaddress.ip_network("::/96")
CGN = ipaddress.ip_network("100.64.0.0/10")
PRIVATE = [ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
                                            "100.64.0.0/10", "fc00::/7")]

EDGES = """
0.0.0.0 0.0.0.1 0.255.255.255 1.0.0.0 9.255.255.255 10.0.0.0 10.255.255.255 11.0.0.0
100.63.255.255 100.64.0.0 100.127.255.255 100.128.0.0 126.255.255.255 127.0.0.0 127.0.0.1
127.255.255.255 128.0.0.0 169.253.255.255 169.254.0.0 169.254.255.255 169.255.0.0
172.15.255.255 172.16.0.0 172.31.255.255 172.32.0.0 192.0.2.1 192.167.255.255 192.168.0.0
192.168.255.255 192.169.0.0 198.17.255.255 198.51.100.1 203.0.113.1 223.255.255.255 224.0.0.0
224.0.0.1 239.255.255.255 240.0.0.0 254.1.2.3 255.255.255.254 255.255.255.255
:: ::1 ::2 ::127.0.0.1 ::192.0.2.1 ::ffff:ffff ::1:0:0 ::ffff:0.0.0.0 ::ffff:127.0.0.1
::ffff:192.0.2.1 ::ffff:255.255.255.255 ::fffe:192.0.2.1 ::ffff:0:192.0.2.1
64:ff9b::127.0.0.1 64:ff9b::0.0.0.0 64:ff9b::192.0.2.1 64:ff9b::10.0.0.1 64:ff9b::224.0.0.1
64:ff9b::255.255.255.255 64:ff9b::169.254.1.1 64:ff9b::8.8.8.8 64:ff9b:0:0:0:1:7f00:1
64:ff9b:1::1 64:ff9b:1:ffff:ffff:ffff:ffff:ffff 64:ff9b:2::1 64:ff9a::7f00:1
100::1 2001::1 2001:db8::1 2001:ffff::1 2002:: 2002:7f00:1:: 2002:7f00:1::1 2002:c000:201::1
2002:0:1::1 2002:a9fe:101::1 2002:e000:1::1 2002:ffff:ffff::1 2002:a00:1::1 2003::1
2a00:1450:4001::1 3fff:ffff::1 4000::1 fbff:ffff::1 fc00:: fc00::1 fd12:3456:789a::1
fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe00::1 fe7f:ffff::1 fe80:: fe80::1 fe80:1::1
febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff fec0::1 feff::1 ff00:: ff01::1 ff02::1 ff02::1:ff00:1
ff0e::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
"""


def mapped(a):
    return a.version == 6 and a.ipv4_mapped is not None


def usable(a):
    if a.version == 4:
        return not (a.is_unspecified or a.is_loopback or a.is_link_local or a.is_multicast or
                    a.is_reserved or a in ipaddress.ip_network("0.0.0.0/8"))
    if mapped(a) or a in COMPATIBLE or a in SITE_NAT64:
        return False
    if a.sixtofour is not None:
        return usable(a.sixtofour)
    if a in NAT64:
        return usable(ipaddress.IPv4Address(int(a) & 0xffffffff))
    return not (a.is_unspecified or a.is_loopback or a.is_link_local or a.is_multicast)


def main():
    random.seed(1)
    every = [ipaddress.ip_address(word) for word in EDGES.split()]
    every += [ipaddress.IPv4Address(random.getrandbits(32)) for _ in range(40)]
    for start in ("64:ff9b::", "2002::", "::", "fe80::", "ff00::", "fc00::", "2000::"):
        room = {"64:ff9b::": 32, "2002::": 112, "::": 32, "2000::": 125}.get(start, 118)
        every += [ipaddress.IPv6Address(int(ipaddress.IPv6Address(start)) |
                                        random.getrandbits(room)) for _ in range(8)]
    print("/* places.h - made by t/unit/places.py: change that and run it again. */")
    for a in every:
        private = any(a in n for n in PRIVATE if n.version == a.version)
        print('PLACE("%s", %d, %d, %d)' % (a, usable(a), private,
                                                a.is_loopback and not mapped(a)))


main()
