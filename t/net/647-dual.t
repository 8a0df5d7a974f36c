#!/bin/bash
# Nodes whose IPv4 is behind symmetric NAPTs and who have IPv6 of their own meet over that, through
# stateful firewalls too.
. "${0%/*}/lib.sh"
. t/net/cells.sh

services
site a 11 symmetric ipv6
site b 12 symmetric ipv6
site c 13 symmetric ipv6-open
at="10.0.0.1, fd00::1"
for site in a b c; do enter $site box$site 2; done
families=2
know a b c
meets a b "direct6 direct_ipv6" "a firewall on both sides"
meets a c "direct6 direct_ipv6" "a firewall here"
meets c b "direct6 direct_ipv6" "a firewall there"
before=$(carried)
for pair in "a b" "a c" "c b"; do
	check "pings both ways: $pair" on ${pair% *} ping -n -c 2 -i 0.2 -W 2 ${pair#* }.$domain
done
is "nothing of that by the relay" "$(carried)" "$before"
ends_well a b c trs cloud
tap_done
