#!/bin/bash
# iperf3 between two nodes, both ways, both virtual families, TCP and UDP.
. "${0%/*}/lib.sh"

pair
seconds=$((SCALE > 1 ? SCALE : 1))
start iperf b iperf3 -s --forceflush
eventually 5 grep -q listening "$W/iperf.log" || bail "iperf3 starts"

# iperf TITLE ARGUMENTS...: must carry something
iperf() {
	local title=$1

	shift
	check "$title" on a iperf3 -c bob-box.$domain -t $seconds "$@"
	diag "$(grep -E 'sender|receiver' "$W/check")"
}
iperf "TCP to the other node over virtual IPv4" -4
iperf "TCP from the other node over virtual IPv4" -4 -R
iperf "TCP to the other node over virtual IPv6" -6
iperf "TCP from the other node over virtual IPv6" -6 -R
iperf "eight TCP streams both ways at once" -4 -P 4 --bidir
iperf "UDP at 20 Mbit/s" -u -b 20M -l 1300
check "of which less than one percent is lost" \
	awk '/receiver/ { exit !match($0, /\((0|0\.[0-9]+)%\)/) }' "$W/check"
ends_well a b cloud
tap_done
