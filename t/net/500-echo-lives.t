#!/bin/bash
# One TCP connection lives through everything that may happen to the program under it, and the
# longest gap of each is printed.  Times: keep-alive 1 s, so that a cloud that is away is noticed.
. "${0%/*}/lib.sh"

workers=2
cloud_lines="nms: {keepalive: 1s}"
node_lines="  rekey: 1s"
away=3				# ten minutes in the long run
[ "$SCALE" -lt 16 ] || away=600
pair
start server b python3 t/net/echo.py serve
sleep 0.3
start client a python3 t/net/echo.py ask bob-box.$domain "$W/echo"

seen() { cut -d' ' -f1 "$W/echo" 2>/dev/null || echo 0; }
gap() { cut -d' ' -f2 "$W/echo"; }
more_than() { [ "$(seen)" -gt "$1" ]; }

# lives TITLE LIMIT_MS COMMAND...: lines go on after it, none was lost, the gap is below the limit
lives() {
	local title=$1 limit=$2 before

	touch "$W/echo.reset"
	sleep 0.2
	before=$(seen)
	"${@:3}"
	eventually 15 more_than $((before + 40)) && kill -0 "${pid[client]}"
	ok $? "the connection lives through $title" || diag "$(tail -n 3 "$W/client.log")"
	diag "$title: longest gap $(gap) ms"
	[ "$(gap)" -lt "$limit" ]
	ok $? "and is interrupted for less than $limit ms"
}

# kill_child NAME PROCESS
kill_child() { kill -KILL "$(child "$1" "$2")"; }

restart_cloud() {
	stop cloud
	start cloud cloud "$CY" -c "$W/cloud.yaml"
	eventually 10 cloud_up
}

without_cloud() {
	stop cloud
	sleep $away
	start cloud cloud "$CY" -c "$W/cloud.yaml"
	eventually 10 cloud_up
	# nodes knock at longer and longer intervals, up to 30 s
	eventually 60 is_ready a && eventually 60 is_ready b
}

hup_node() {
	sed -i 's/^  rekey: 1s/  rekey: 500ms\n  idle: 1m/' "$W/a.yaml"
	kill -HUP "${pid[a]}"
}

usr2() { kill -USR2 "${pid[$1]}"; }

eventually 10 more_than 10 || bail "an echo goes through the tunnel"
ok 0 "an echo goes through the tunnel"
lives "three rekeys" 500 sleep 3
lives "HUP with another rekey interval and idle time" 500 hup_node
check "which the log says was applied" eventually 5 grep -q "applied: node.rekey, node.idle" "$W/a.log"
lives "kill -9 of the node's first worker" 1000 kill_child a node.0
lives "kill -9 of the node's second worker" 1000 kill_child a node.1
lives "kill -9 of the other node's first worker" 1000 kill_child b node.0
lives "kill -9 of the other node's second worker" 1000 kill_child b node.1
lives "kill -9 of the helper with the CA" 500 kill_child cloud helper
lives "kill -9 of the cloud's first worker" 500 kill_child cloud as+nms+trs.0
lives "kill -9 of its second worker" 500 kill_child cloud as+nms+trs.1
lives "a restart of AS and NMS" 500 restart_cloud
lives "$away s without any cloud" 500 without_cloud
lives "USR2 to the cloud" 500 usr2 cloud
lives "USR2 to the node" 1000 usr2 a
lives "USR2 to the other node" 1000 usr2 b
touch "$W/echo.stop"
stop client
is "every line came back once and in order" "$(cat "$W/client.log")" ""
for n in server; do stop $n; done
for n in a b cloud; do
	stop $n
	ok $? "$n ends with status 0 when told to"
done
tap_done
