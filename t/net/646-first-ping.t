#!/bin/bash
# What the first ping between two nodes behind symmetric NAPTs takes, and what it must.
#
# The least there is by the protocol, in datagrams one after the other; what happens beside it is
# not counted:
#	1	Direction Request to the NMS
#	1	Route Direction to both ends
#	2	Hole Punching to the TRS, ACK with its challenge
#	2	the echo, and the Tunnel Request behind it, by the TRS to the responder
#	2	Tunnel Response
#	4	the ping and its answer
# Cloud and TRS are beside each other first, then 20 ms from the Internet like the sites.
. "${0%/*}/lib.sh"
. t/net/cells.sh

# median NUMBER...
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
# rtt HOST ADDRESS: there and back, ms, the least of some
rtt() { on "$1" ping -n -c 5 -i 0.05 -W 2 "$2" | sed -n 's|^rtt min/[^=]*= \([0-9.]*\)/.*|\1|p'; }

# measure TITLE PARTS LEGS NODE...: a pings each for the first time; a leg is a datagram from a site
# to cloud or relay, so many of which are as long as from site to site and back
measure() {
	local h took=() middle

	for h in "${@:4}"; do took+=("$(first_ping a $h)") || bail "$h answers"; done
	middle=$(median "${took[@]}")
	diag "$1: ${took[*]} ms"
	awk -v m="$middle" -v bare="$bare" -v parts="$2" -v legs="$3" 'BEGIN {
		printf "median %.1f ms is %.2f legs of %.1f ms, it must be %d; ", m,
			m / bare * parts, bare / parts, legs
		printf "%.2f round trips between the sites, it must be %.2f\n", m / bare, legs / parts
		exit !(m < (legs + 4) * bare / parts)
	}' >"$W/measure"
	ok $? "$1: the first ping takes less than four legs more than it must"
	diag "$(<"$W/measure")"
}

services
site a 11 symmetric
site b 12 symmetric
enter a boxa 2
for i in 1 2 3 4 5 6 7 8 9 10; do enter b$i boxb $((i + 1)); done
know a b{1..10}
bare=$(rtt boxa 10.0.0.12)
diag "from site to site and back, bare: $bare ms"
measure "cloud and relay beside each other" 4 12 b{1..5}
check "they go by the relay" both_say a b1 "$(wanted symmetric symmetric)"
diag "a later ping: $(rtt a b1.$domain) ms"
line cloud --delay 20
line trs --delay 20
measure "cloud and relay 20 ms away too" 2 12 b{6..10}
check "they go by the relay too" both_say a b6 "$(wanted symmetric symmetric)"
diag "a later ping: $(rtt a b6.$domain) ms"
ends_well a b{1..10} trs cloud
tap_done
