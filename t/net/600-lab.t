#!/bin/bash
# The laboratory's lines do what they are told, and their probe notices when they do not.
. "${0%/*}/lib.sh"
. "${0%/*}/topology.sh"

network
host a 2
host b 3
line a
proves_line a
while read -r options; do
	for ((seed = 1; seed <= SCALE; seed++)); do
		line a --seed $seed $options
		proves_line a
	done
done <<END
--delay 20
--delay 20 --jitter 5
--loss 20
--loss 500
--duplicate 50
--reorder 50
--mtu 1280
--rate 10
--rate 2 --delay 5 --loss 30 --duplicate 30 --reorder 30 --jitter 2 --mtu 1400
--up --delay 10 --loss 100 --down --delay 1 --rate 20
END

# lies OPTIONS OPTIONS: a probe that is told the second of a line that is the first says so
lies() {
	line a $1
	! line_probe a $2 >"$W/said" 2>&1
	ok $? "the probe tells \"$1\" from \"$2\"" || diag "$(cat "$W/said")"
}
lies "--delay 20" "--delay 22"
lies "--up --delay 22" "--up --delay 20"
lies "--loss 20" ""
lies "" "--loss 20"
lies "--loss 20 --seed 1" "--loss 20 --seed 2"
lies "--up --loss 20" "--down --loss 20"
lies "--duplicate 20" ""
lies "--reorder 50" ""
lies "" "--reorder 50"
lies "--mtu 1280" "--mtu 1279"
lies "--mtu 1280" "--mtu 1281"
lies "--up --rate 10" "--up --rate 20"
lies "--up --rate 20" "--up --rate 10"

on a timeout 5 "$O/t/net/link" eth0 nothing >"$W/said" 2>&1
is "an interface that is not there ends it with status 1" $? 1
check "and is named" grep -q "no interface nothing" "$W/said"
"$O/t/net/link" lo lo --los 3 >"$W/said" 2>&1
is "an option that is none ends it with status 2" $? 2
check "and is named" grep -q -e '--los' "$W/said"

# tcp TITLE ARGUMENTS...
tcp() {
	check "TCP passes $1" on a iperf3 -c 10.0.0.3 "${@:2}"
	diag "$(grep receiver "$W/check")"
}
start iperf b iperf3 -s --forceflush
eventually 5 grep -q listening "$W/iperf.log" || bail "iperf3 starts"
line a
tcp "a line that does nothing" -n 500M
tcp "it the other way too" -n 500M -R
line a --mtu 1500
tcp "a line that looks at each packet" -n 25M
line a --loss 10 --delay 2
tcp "a line that loses some" -n 10M

# dropped: frames that the rate of the line of a had no room for
dropped() {
	line_says a | sed -n 's/^up .* full \([0-9]*\) .*/\1/p'
}
line a --rate 10 --queue 16
is "a queue has dropped nothing so far" "$(dropped)" 0
on a iperf3 -c 10.0.0.3 -u -b 50M -l 1000 -n 200K >/dev/null
check "it drops what it has no room for" test "$(dropped)" -gt 0
stop line-a
ok $? "a line that is told to end does so"
check "and nothing passes any more" sh -c "! ip netns exec $P-a ping -c 1 -W 0.3 10.0.0.3"
tap_done
