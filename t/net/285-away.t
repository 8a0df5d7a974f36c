#!/bin/bash
# Services and workers go away and come back; those who talk do not notice, or hardly.
. "${0%/*}/lib.sh"

# pinging HOST PEER SECONDS: in the background, ten a second
pinging() {
	rm -f "$W/pinging.log"
	start pinging "$1" ping -i 0.1 -c $(($3 * 10)) -W 1 "$2"
	sleep 0.3
}

# sets $lost: how many of them
count_lost() {
	wait "${pid[pinging]}"
	unset "pid[pinging]"
	lost=$(awk '/packets transmitted/ { print $1 - $4 }' "$W/pinging.log")
}

# process ids of a daemon's helper and workers
children_of() {
	cat "/proc/${pid[$1]}/task/${pid[$1]}/children"
}

pair
on a ping -c 1 -W 3 bob-box >/dev/null || bail "the two nodes meet"

pinging a bob-box 2
stop cloud KILL
count_lost
is "the cloud is killed: those who talk lose nothing" "$lost" 0
is "while it is away a new name is not known, and that is said" \
	"$(on a dig @127.0.0.45 +tries=1 +time=9 somebody.$domain | grep -c 'status: SERVFAIL')" 1
start cloud cloud "$CY" -c "$W/cloud.yaml"
eventually 10 cloud_up || bail "the cloud comes back"
is "it comes back with the same root" "$("$CY" -c "$W/cloud.yaml" ca fingerprint)" "$root"
check "and answers for names again" \
	eventually 8 sh -c "ip netns exec $P-a dig @127.0.0.45 +tries=1 +time=1 +short bob-box.$domain | grep 198.18"

pinging a bob-box 2
for p in $(children_of cloud); do kill -KILL "$p"; done
count_lost
is "the cloud's worker and helper are killed: those who talk lose nothing" "$lost" 0
check "the master has new ones" eventually 5 cloud_up

for p in $(children_of a); do kill -KILL "$p"; done
check "a node's worker is killed: its successor is ready" eventually 8 is_ready a
check "and reaches the other node again" eventually 8 on a ping -c 1 -W 1 bob-box
check "which reaches it too" eventually 8 on b ping -c 1 -W 1 laptop

pinging b laptop 3
stop a QUIT
node a alice laptop
nodes_ready a
count_lost
diag "$lost of 30 packets, a tenth of a second apart, were lost"
[ "$lost" -lt 25 ]
ok $? "a node that ends and starts again is missed for less than 2.5 s"
ends_well a b cloud
tap_done
