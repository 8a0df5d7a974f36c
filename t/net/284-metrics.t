#!/bin/bash
# Figures for Prometheus: their form, whom they are told, and that no counter falls when a worker
# is replaced.
. "${0%/*}/lib.sh"

workers=2
cloud_lines='metrics:
  listen: [127.0.0.1, "[::1]:9999"]'
pair
on a ping -c 2 -i 0.2 bob-box >/dev/null
strict() { t/net/promcheck.py <"$1"; }
# value FILE SERIES
value() { awk -v s="$2 " 'index($0, s) == 1 { print $NF }' "$1"; }
on a dig +short +time=2 @127.0.0.45 no-such."$domain" >/dev/null

check "metrics of the cloud come" eval 'operator metrics >"$W/cloud.prom"'
check "metrics of a node come" eval '"$CY" -c "$W/a.yaml" metrics >"$W/a.prom"'
for f in cloud a; do
	check "those of $f are as strict as the format" strict "$W/$f.prom"
	promtool=$(command -v promtool)
	[ -z "$promtool" ] || check "and promtool has nothing to say" "$promtool" check metrics <"$W/$f.prom"
done
python3 - "$W/cloud.prom" "$W/a.prom" >"$W/missing" <<'E2'
import re, sys
said = set(re.findall(r"^# HELP (\S+)", "".join(open(f).read() for f in sys.argv[1:]), re.M))
declared = set("cyphonic_" + n for n in re.findall(r"^METRIC\(\w+, (\w+)", open("net/io/metrics.def").read(), re.M))
print(" ".join(sorted(declared - said)))
E2
is "every metric declared is told, but for copies of a store that has none" "$(cat "$W/missing")" \
	cyphonic_store_last_copy_timestamp_seconds
# two nodes, and the cloud's own relay
is "registrations are those of all workers together" "$(value "$W/cloud.prom" cyphonic_registrations)" 3
is "so are logins" "$(value "$W/cloud.prom" 'cyphonic_logins_total{result="granted"}')" 3
is "the node is ready" "$(value "$W/a.prom" cyphonic_node_ready)" 1
is "two pings are two packets out" "$(value "$W/a.prom" 'cyphonic_tunnel_packets_total{direction="out"}')" 2
is "one peer is up" "$(value "$W/a.prom" 'cyphonic_peers{state="up"}')" 1
[ "$(value "$W/a.prom" 'cyphonic_dns_queries_total{result="answered"}')" -ge 1 ]
ok $? "the resolver's answers are counted"
left=$(value "$W/a.prom" cyphonic_cert_expiry_seconds)
[ "$left" -gt $((89 * 86400)) ] && [ "$left" -le $((90 * 86400)) ]
ok $? "the certificate ends in ninety days"

# who may ask, and how
http() { curl -s -o "$W/body" -w '%{http_code}' --max-time 5 "$@"; }
sock=$W/cloud/run/metrics.sock
is "the socket is for owner and group" "$(stat -c %a "$sock")" 660
is "curl gets them over the socket" "$(http --unix-socket "$sock" http://x/metrics)" 200
check "and they are the same in form" strict "$W/body"
is "and over loopback" "$(on cloud curl -s -o "$W/body" -w '%{http_code} %{content_type}' http://127.0.0.1:9470/metrics)" \
	"200 text/plain; version=0.0.4; charset=utf-8"
check "which is the same" strict "$W/body"
is "and over IPv6" "$(on cloud curl -s -o "$W/body" -w '%{http_code}' 'http://[::1]:9999/metrics')" 200
on a curl -s --max-time 2 http://10.0.0.1:9470/metrics >/dev/null
is "another host is not even refused by us" $? 7
is "HEAD gets a head" "$(http -I --unix-socket "$sock" http://x/metrics)" 200
is "POST is no method" "$(http -d x --unix-socket "$sock" http://x/metrics)" 405
is "another path is not found" "$(http --unix-socket "$sock" http://x/)" 404
is "a web page that gave us a name of its own gets nothing" \
	"$(on cloud curl -s -o /dev/null -w '%{http_code}' -H 'Host: evil.example' http://127.0.0.1:9470/metrics)" 421
is "localhost is a name for us" \
	"$(on cloud curl -s -o /dev/null -w '%{http_code}' -H 'Host: localhost:9470' http://127.0.0.1:9470/metrics)" 200
raw() {
	python3 - "$sock" "$1" <<'E2'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect(sys.argv[1])
s.sendall(eval(sys.argv[2]))
print(s.recv(100).split(b"\r\n")[0].decode())
E2
}
is "nonsense is a bad request" "$(raw 'b"nonsense\r\n\r\n"')" "HTTP/1.1 400 Bad Request"
is "so is a NUL in one" "$(raw 'b"GET /metrics HTTP/1.1\r\nX: \0\r\n\r\n"')" "HTTP/1.1 400 Bad Request"
is "an endless header is too large" "$(raw 'b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 4100')" \
	"HTTP/1.1 431 Request Header Fields Too Large"
python3 - "$sock" <<'E2' &
import socket, sys, time
s = [socket.socket(socket.AF_UNIX) for i in range(12)]
for x in s: x.connect(sys.argv[1]); x.sendall(b"GET /met")
time.sleep(20)
E2
slow=$!
sleep 0.3
is "clients that never finish do not hinder others" "$(http --unix-socket "$sock" http://x/metrics)" 200
kill "$slow"

# the file
check "metrics --write makes a file" operator metrics --write "$W/cy.prom"
check "whole" strict "$W/cy.prom"
is "for everybody to read" "$(stat -c %a "$W/cy.prom")" 644
is "and leaves nothing beside it" "$(ls "$W"/cy.prom*)" "$W/cy.prom"
operator metrics --write /nowhere/cy.prom >"$W/said" 2>&1
is "a file that cannot be written is an error" "$?" 1
check "that names it" grep -q "/nowhere/cy.prom: No such file" "$W/said"

# a worker dies
victim() { pgrep -P "${pid[cloud]}" | sort -n | sed -n 2p; }
kill -9 "$(victim)"
again() { operator metrics >"$W/after.prom" && [ "$(value "$W/after.prom" cyphonic_child_deaths_total)" = 1 ] &&
	[ "$(value "$W/after.prom" 'cyphonic_workers{role="nms",state="up"}')" = 2 ]; }
check "a dead worker is counted and replaced" eventually 10 again
check "no counter fell" python3 - "$W/cy.prom" "$W/after.prom" <<'E2'
import re, sys
def read(f):
    return dict(re.findall(r"^(\w+_total\S*) (\S+)$", open(f).read(), re.M))
a, b = map(read, sys.argv[1:])
assert a and not [k for k in a if float(b[k]) < float(a[k])], [k for k in a if float(b[k]) < float(a[k])]
E2
victim=$(pgrep -P "${pid[cloud]}" | sort -n | sed -n 4p)
is "the reporter is a process of its own" "$(operator metrics | strict /dev/stdin; pgrep -c -P "${pid[cloud]}")" 4

# what is refused
sed 's/127.0.0.1/10.0.0.1/' "$W/cloud.yaml" >"$W/open.yaml"
"$CY" -t -c "$W/open.yaml" >"$W/said" 2>&1
is "an address others reach is refused" "$?" 1
check "with the reason" grep -q "metrics.listen.*computer alone.*whoever reaches it may read" "$W/said"
sed -i 's/10.0.0.1/0.0.0.0/' "$W/open.yaml"
"$CY" -t -c "$W/open.yaml" >"$W/said" 2>&1
is "so is every address" "$?" 1

# exit statuses, rates
is "status of a node that is ready ends with 0" "$(status a >/dev/null; echo $?)" 0
check "rates come with a second look" eval 'status a --rates=0.2 --json >"$W/rates"'
check "per second, in numbers" python3 -c 'import json, sys; r = json.load(open(sys.argv[1]))["workers"][0]["rates"]; assert r["octets_in"] >= 0 and r["answered"] >= 0' "$W/rates"
timeout 2 "$CY" -c "$W/a.yaml" status --watch=0.3 >"$W/watch"
[ "$(grep -c "PER S" "$W/watch")" -ge 2 ]
ok $? "--watch shows them again and again"
"$CY" -c "$W/a.yaml" status --rates=never >"$W/said" 2>&1
is "rates over no time are a mistake" "$?" 2
stop a
"$CY" -c "$W/a.yaml" metrics >"$W/said" 2>&1
is "metrics of a node that is not running end with 1" "$?" 1
stop cloud
node a alice laptop
up() { "$CY" -c "$W/a.yaml" status >/dev/null; [ $? = 3 ]; }
check "status of a node that cannot log in ends with 3" eventually 5 up
ends_well a b
tap_done
