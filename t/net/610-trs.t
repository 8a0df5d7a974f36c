#!/bin/bash
# A relay on a host of its own, and the one that the cloud makes for itself.
. "${0%/*}/lib.sh"

write_relay_config() {
	workers=2 who_logs_in trs r "$1" "$2" "  region: attic
${3-}"
}

start_relay() {
	start r r "$CY" -c "$W/r.yaml" --role=trs
}

relay_is() {
	status r --json | grep -q "\"state\": \"$1\""
}

deaths() {
	status r --json | grep -q "\"deaths\": $1"
}

# bound PORT: sockets of the relay at that UDP port, of two workers and two families
bound() {
	on r ss -lunH "sport = :$1" | wc -l
}

network
host cloud 1
host r 4
cloud
check "a cloud makes account and device for the relay beside it" \
	sh -c "'$CY' -c $W/cloud.yaml device list | grep -E 'trs.$domain +local-trs +trs '"
check "which logs in and registers" eventually 8 sh -c \
	"'$CY' -c $W/cloud.yaml status | grep 'relay trs.$domain: ready'"
is "with a password only the cloud can read" "$(stat -c %a "$W/cloud/state/trs-password")" 600
stop cloud
start cloud cloud "$CY" -c "$W/cloud.yaml"
check "it does again when the cloud is restarted" eventually 8 sh -c \
	"'$CY' -c $W/cloud.yaml status | grep 'relay trs.$domain: ready'"
is "with the same account" "$(operator account list | grep -c local-trs)" 1

operator account add relays --password-file "$W/password" >/dev/null
operator device add relays attic --kind trs >"$W/said"
check "the operator makes a device of the kind trs" grep -q "attic.$domain added" "$W/said"
operator device add relays cellar >/dev/null
operator device list >"$W/said"
check "the list shows its kind, and no virtual address" grep -qE "attic.* trs +enabled +- +- " "$W/said"
check "the first node's address is as if there were no relay" grep -qE "cellar.* 198.18.0.2 " "$W/said"
operator device add relays hall --kind other >/dev/null 2>"$W/said"
is "another kind is refused" $? 2

write_relay_config relays cellar
start_relay
check "a relay may not log in as a node's device" eventually 8 grep -q "refused: unsupported" "$W/r.log"
check "and the AS's log says what to do about it" \
	grep -q "cellar.$domain wants to log in as a trs and is a node" "$W/cloud.log"
stop r
write_relay_config relays attic
start_relay
check "a relay on its own host logs in, and registers" eventually 8 relay_is ready
check "status of the NMS lists it" eventually 5 \
	sh -c "'$CY' -c $W/cloud.yaml status | grep -E '^attic.$domain +ready .* attic '"
check "status names it" sh -c "'$CY' -c $W/r.yaml status | grep 'relay attic.$domain: ready'"
check "and its region" sh -c "'$CY' -c $W/r.yaml status | grep 'region *attic'"
check "and both families' ways to the NMS" sh -c \
	"[ \$('$CY' -c $W/r.yaml status | grep -c 'nms .*registered, seen as') = 2 ]"
is "its port is 4502 over both families" "$(bound 4502)" 4
is "its second port is 3478" "$(bound 3478)" 4
check "who only asks by STUN is answered from both" sh -c \
	"ip netns exec $P-cloud '$CY' netcheck 10.0.0.4 --json | grep -q '\"filtering\": \"address-dependent\"'"
check "its metrics say so" sh -c "'$CY' -c $W/r.yaml metrics | grep -qx 'cyphonic_relay_ready 1'"
check "the relay beside the cloud is another one" sh -c \
	"'$CY' -c $W/cloud.yaml status | grep 'relay trs.$domain'"

is "drained, it says so" "$("$CY" -c "$W/r.yaml" trs drain)" "draining, 0 paths"
check "and status too" sh -c "'$CY' -c $W/r.yaml status | grep 'relay attic.$domain: draining'"
is "the form for programs" "$("$CY" -c "$W/r.yaml" trs drain --json | tr -d ' \n')" \
	'{"schema":"cyphonic.trs.v1","draining":true,"paths":0}'
kill -KILL "$(child r trs.0)"
check "a killed worker is replaced" eventually 8 deaths 1
check "and its successor registers, and drains too" eventually 8 relay_is draining
is "resumed, it takes paths" "$("$CY" -c "$W/r.yaml" trs resume)" "taking new paths, 0 paths"
check "and is ready" eventually 2 relay_is ready
kill -KILL "$(child r trs.1)"
check "the other worker may die as well" eventually 8 deaths 2
check "which changes nothing" eventually 4 relay_is ready
"$CY" -c "$W/r.yaml" trs drain >/dev/null
stop r QUIT
is "it stops when told to after what is under way" $? 0
start_relay
check "started anew, it takes paths" eventually 8 relay_is ready

sed -i "s/^trs:/&\n  path-rate: 10\n  node-rate: 20/" "$W/r.yaml"
kill -HUP "${pid[r]}"
check "quotas count from a HUP on" eventually 4 grep -q "applied: trs.path-rate, trs.node-rate" "$W/r.log"
stop r
on r python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 3478))
open("'"$W"'/taken", "w"); time.sleep(60)' & pid[taker]=$!
eventually 5 test -e "$W/taken"
start_relay
check "a taken second port is done without" eventually 8 relay_is ready
check "and the log says so" grep -q "going on without a second port: trs.stun-port: UDP 0.0.0.0:3478 is taken" "$W/r.log"
kill "${pid[taker]}"
unset "pid[taker]"

stop r
(umask 077; echo "not the password" >"$W/relay-password")
sed -i "s|password-file:.*|password-file: $W/relay-password|" "$W/r.yaml"
start_relay
check "with a wrong password it is refused" eventually 8 sh -c "tail -n 3 $W/r.log | grep -q 'refused: bad_login'"
cat "$W/password" >"$W/relay-password"
kill -HUP "${pid[r]}"
check "corrected, it logs in at once on HUP" eventually 4 relay_is ready
"$CY" -c "$W/cloud.yaml" device disable attic >/dev/null
stop r
start_relay
check "a disabled relay is refused" eventually 8 grep -q "refused: disabled" "$W/r.log"
ends_well r cloud
tap_done
