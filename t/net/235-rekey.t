#!/bin/bash
# New keys while data flows, with each of the ciphers: nothing is lost.
. "${0%/*}/lib.sh"

# how often a's tunnel got new keys, and its suite
rekeys() { status a --json | sed -n 's/.*"rekeys": \([0-9]*\).*/\1/p' | head -n 1; }
suite() { status a --json | sed -n 's/.*"suite": \([0-9]*\).*/\1/p' | head -n 1; }

network
host cloud 1
host a 2
host b 3
cloud
device alice laptop
device bob bob-box
number=0
for cipher in aes-128-gcm chacha20-poly1305 aes-256-gcm; do
	number=$((number + 1))
	node_lines="  rekey: 200ms
  cipher: $cipher"
	node a alice laptop "$node_lines"
	node b bob bob-box "$node_lines"
	nodes_ready a b
	on a ping -c 1 -W 3 bob-box >/dev/null || bail "$cipher: the two nodes meet"
	on a ping -i 0.002 -c $((750 * SCALE)) -s 1000 -W 2 bob-box >"$W/pings" 2>&1
	check "$cipher: no packet is lost" grep -q " 0% packet loss" "$W/pings"
	is "$cipher: it is the cipher in use" "$(suite)" $number
	[ "$(rekeys)" -ge 4 ]
	ok $? "$cipher: the keys were renewed meanwhile" || diag "$(rekeys) times"
	ends_well a b
done
node a alice laptop "  cipher: aes-128-gcm"
node b bob bob-box "  cipher: aes-256-gcm"
nodes_ready a b
"$CY" -c "$W/a.yaml" ping bob-box >"$W/said" 2>&1
is "two nodes without a cipher in common do not meet" "$?" 1
tap_done
