#!/bin/bash
# What a resolver of the system gets to hear from the node: its own names from the directory,
# all others from an ordinary resolver (one on host cloud that answers 192.0.2.80 to all).
. "${0%/*}/lib.sh"

node_lines="  upstream: [10.0.0.1]"
pair
start resolver cloud python3 t/net/resolver.py 10.0.0.1
eventually 5 grep -q ready "$W/resolver.log" || bail "the ordinary resolver starts"

ask() { on a dig @127.0.0.45 +tries=1 +time=2 "$@"; }
short() { ask +short "$@"; }
code() { ask "$@" | sed -n 's/.*status: \([A-Z]*\),.*/\1/p'; }
# how many answers, how many of authority
counts() { ask "$@" | sed -n 's/.*ANSWER: \([0-9]*\), AUTHORITY: \([0-9]*\).*/\1 \2/p'; }

v4=$(ip -n "$P-b" -4 -o addr show cyphonic0 | awk '{ sub("/.*", "", $4); print $4 }')
v6=$(ip -n "$P-b" -6 -o addr show cyphonic0 scope global | awk '{ sub("/.*", "", $4); print $4 }')
name=bob-box.$domain
for proto in +notcp +tcp; do
	diag "dig $proto"
	is "A is the virtual IPv4 address" "$(short $proto $name A)" "$v4"
	is "AAAA is the virtual IPv6 address" "$(short $proto $name AAAA)" "$v6"
	is "PTR of the IPv4 address is the name" "$(short $proto -x "$v4")" "$name."
	is "PTR of the IPv6 address is the name" "$(short $proto -x "$v6")" "$name."
	is "MX of a name that is there: no error" "$(code $proto $name MX)" NOERROR
	is "and no data, with the SOA in authority" "$(counts $proto $name MX)" "0 1"
	is "a name that is not there: NXDOMAIN" "$(code $proto nobody.$domain A)" NXDOMAIN
	is "with the SOA in authority" "$(counts $proto nobody.$domain A)" "0 1"
	is "SOA of the domain" "$(short $proto $domain SOA | wc -l)" 1
	is "an address of the range nobody has: NXDOMAIN" "$(code $proto -x 198.19.255.254)" NXDOMAIN
	is "another name is asked of the ordinary resolver" "$(short $proto www.example.com A)" 192.0.2.80
	is "also for what it has no data of" "$(code $proto www.example.com AAAA)" NOERROR
done
is "the node knows its own name without a path" "$(short laptop.$domain A | wc -l)" 1
is "answers are authoritative" "$(ask $name A | grep -c 'flags:.* aa')" 1
is "TTL of an answer is at most 30 s" "$(ask +noall +answer $name A | awk '{ print ($2 <= 30) }')" 1
is "EDNS is answered" "$(ask +edns $name A | grep -c 'EDNS: version: 0')" 1
is "an unknown type is no error" "$(code $name TYPE65280)" NOERROR
check "the system's resolver finds the name too" \
	sh -c "ip netns exec $P-a getent ahostsv4 $name | grep -wF '$v4'"
check "and in IPv6" sh -c "ip netns exec $P-a getent ahostsv6 $name | grep -wF '$v6'"
stop resolver
is "without the ordinary resolver: SERVFAIL, not silence" \
	"$(on a dig @127.0.0.45 +tries=1 +time=8 www.example.org A |
		sed -n 's/.*status: \([A-Z]*\),.*/\1/p')" SERVFAIL
is "and the overlay's names go on" "$(short $name A)" "$v4"
ends_well a b cloud
tap_done
