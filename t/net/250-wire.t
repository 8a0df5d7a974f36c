#!/bin/bash
# What is seen on the wire between two nodes: nothing that could be read, and 48 octets more.
. "${0%/*}/lib.sh"

pattern="PLAINTEXT-INSIDE"
hex=$(printf %s "$pattern" | od -An -tx1 | tr -d ' \n')

# capture NAME HOST INTERFACE
capture() {
	start "$1" "$2" tcpdump -i "$3" -Z root --immediate-mode -U -s 0 -w "$W/$1.pcap"
	eventually 5 grep -q "listening on" "$W/$1.log" || bail "tcpdump starts"
}

network
host cloud 1 4
host a 2 4
host b 3 4
cloud_at=10.0.0.1
cloud
device alice laptop
device bob bob-box
capture wire net br
node a alice laptop
node b bob bob-box
nodes_ready a b
on a ping -c 1 -W 3 bob-box >/dev/null || bail "the two nodes meet"
capture tun b cyphonic0

sizes="60 100 576 1280 1404"
for n in $sizes; do
	check "ping with IPv4 packets of $n octets" \
		on a ping -4 -c 3 -i 0.2 -W 2 -p "$hex" -s $((n - 28)) bob-box.$domain
done
check "ping with IPv6 packets of 300 octets" \
	on a ping -6 -c 3 -i 0.2 -W 2 -p "$hex" -s $((300 - 48)) bob-box.$domain
stop tun INT
stop wire INT

check "the pattern is seen on the TUN device" grep -qaF "$pattern" "$W/tun.pcap"
grep -qaF "$pattern" "$W/wire.pcap"
is "and nowhere on the wire" "$?" 1
for word in bob-box laptop "${secret%% *}"; do
	grep -qaF "$word" "$W/wire.pcap"
	is "nor is '$word', from the first packet on" "$?" 1
done

# how many datagrams from a to b (or back) have a payload of so many octets
carried() {
	tcpdump -r "$W/wire.pcap" -nn "udp and src host $1 and dst host $2" 2>/dev/null |
		grep -c "length $3\$"
}
for n in $sizes 300; do
	is "packets of $n octets travel in datagrams of $((n + 48))" \
		"$(carried 10.0.0.2 10.0.0.3 $((n + 48))) $(carried 10.0.0.3 10.0.0.2 $((n + 48)))" "3 3"
done
ends_well a b cloud
tap_done
