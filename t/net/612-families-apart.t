#!/bin/bash
# One node has IPv4 only, the other IPv6 only: they talk by way of a relay that has both.
a_families=4 b_families=6
. "${0%/*}/lib.sh"

# figure HOST FILTER: of the JSON status, summed over the workers
figure() {
	status "$1" --json | python3 -c '
import json, sys
print(sum(w.get(sys.argv[1], 0) for w in json.load(sys.stdin)["workers"] if w.get("role") == "trs"))' "$2"
}
relayed_more_than() { [ "$(figure r octets_relayed)" -gt "$1" ]; }
dropped() { status r | awk -v v="$1" '$1 == v { n = $2 } END { print n + 0 }'; }
meet() { on a ping -c 1 -W 1 bob-box.$domain; }

cloud_role="[as, nms]"
network
host cloud 1
host a 2 4
host b 3 6
host r 4
cloud
device alice laptop
device bob bob-box
workers=2 relay r
node a alice laptop
node b bob bob-box
nodes_ready a b

check "the two meet" on a ping -c 3 -i 0.2 -W 3 bob-box.$domain
check "over IPv4 on one side of the relay" sh -c "'$CY' -c $W/a.yaml status | grep 'relay4.* 10.0.0.4:4502'"
check "and over IPv6 on the other" sh -c "'$CY' -c $W/b.yaml status | grep 'relay6.* \[fd00::4\]:4502'"
is "the relay has one path with both ends bound" "$(figure r paths) $(figure r bound)" "1 1"

head -c 20000000 /dev/urandom >"$W/sent"
start sink b sh -c "exec python3 -c '
import socket
s = socket.create_server((\"198.18.0.3\", 7777)); c, _ = s.accept()
f = open(\"$W/got\", \"wb\")
while d := c.recv(65536): f.write(d)'"
send_file() {
	on a python3 -c "
import socket
s = socket.create_connection(('198.18.0.3', 7777)); s.sendfile(open('$W/sent', 'rb'))"
}
eventually 5 sh -c "ip netns exec $P-b ss -ltnH 'sport = :7777' | grep -q ." || diag "nobody listens"
check "20 MB go from one to the other" send_file
check "and arrive as they were" eventually 5 cmp "$W/sent" "$W/got"
check "by way of the relay" relayed_more_than 20000000
unset "pid[sink]"

sed -i "s/^trs:/&\n  path-rate: 8/" "$W/r.yaml"
kill -HUP "${pid[r]}"
eventually 5 grep -q "applied: trs.path-rate" "$W/r.log"
before=$(figure r octets_relayed)
on a python3 -c "
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.time() + 1.5
while time.time() < end:
    s.sendto(bytes(1000), ('198.18.0.3', 9)); time.sleep(0.0002)"
more=$(($(figure r octets_relayed) - before))
[ "$more" -gt 800000 ] && [ "$more" -lt 2600000 ]
ok $? "at 8 Mbit/s for a path, what is sent in 1.5 s is cut to about 1.5 MB" || diag "$more octets"
[ "$(dropped drop_quota)" -gt 100 ]
ok $? "and the rest is counted"
sed -i "/path-rate/d" "$W/r.yaml"
kill -HUP "${pid[r]}"

kill -KILL "$(child r trs.0)" "$(child r trs.1)"
check "both workers of the relay killed, the two meet again" eventually 15 meet
check "over the relay's new workers" sh -c "'$CY' -c $W/r.yaml status | grep -E '^ +bound +1\$'"

"$CY" -c "$W/r.yaml" trs drain >/dev/null
check "the relay is drained: who meets goes on meeting" meet
ends_well a b r cloud
tap_done
