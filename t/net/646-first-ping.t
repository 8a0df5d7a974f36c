#!/bin/bash
# What the first ping between two nodes behind symmetric NAPTs takes, and what it must.
#
# The least there is by the protocol, in datagrams one after the other; those between cloud and
# relay, which are beside each other here, take no time.  A site is 20 ms from the Internet.
#	1	Direction Request to the NMS
#	3	Route Direction to the responder, its confirmation, Route Direction to the initiator
#	2	Hole Punching to the TRS, ACK with its challenge
#	2	the echo, and the Tunnel Request behind it, by the TRS to the responder
#	2	Tunnel Response
#	4	the ping and its answer
. "${0%/*}/lib.sh"
. t/net/cells.sh
legs=14
pairs=5

# median NUMBER...
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
# rtt HOST ADDRESS: ms, the least of some
rtt() { on "$1" ping -n -c 5 -i 0.05 -W 2 "$2" | sed -n 's|^rtt min/[^=]*= \([0-9.]*\)/.*|\1|p'; }

services
site a 11 symmetric
site b 12 symmetric
enter a boxa 2
others=()
for ((i = 1; i <= pairs; i++)); do
	enter b$i boxb $((i + 1))
	others+=(b$i)
done
know a "${others[@]}"
bare=$(rtt boxa 10.0.0.12)
took=()
for h in "${others[@]}"; do
	took+=("$(first_ping a $h)") || bail "$h answers"
done
middle=$(median "${took[@]}")
after=$(rtt a b1.$domain)
check "they go by the relay" both_say a b1 "$(wanted symmetric symmetric)"
diag "first pings: ${took[*]} ms; later ones by the relay: $after ms"
awk -v m="$middle" -v bare="$bare" -v legs=$legs 'BEGIN {
	printf "# median %.1f ms; between the sites %.1f ms there and back, bare\n", m, bare
	printf "# that is %.1f legs of %.1f ms, %.2f round trips; ", m / (bare / 4), bare / 4, m / bare
	printf "it must take %d legs, %.2f round trips\n", legs, legs / 4
}'
check "the first ping takes less than one round trip more than it must" \
	awk "BEGIN { exit !($middle < ($legs + 4) * $bare / 4) }"
ends_well a "${others[@]}" trs cloud
tap_done
