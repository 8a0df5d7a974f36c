#!/bin/bash
# The cloud and a node start, say how they are, and refuse what they should refuse.
. "${0%/*}/lib.sh"

network
host cloud 1
host a 2
cloud
is "the fingerprint of the root is 64 hex digits" "$(echo "$root" | grep -cE '^[0-9a-f]{64}$')" 1
device alice laptop
check "the operator sees the account" sh -c "'$CY' -c $W/cloud.yaml account list | grep -w alice"
check "the operator sees the device with its virtual address" \
	sh -c "'$CY' -c $W/cloud.yaml device list | grep laptop.$domain | grep 198.18.0.2"
operator account add alice --password-file "$W/password" >"$W/said" 2>&1
is "a second account of the same name is refused" "$?" 1
check "and the message names it" grep -q alice "$W/said"

node a alice laptop
nodes_ready a
check "a node logs in and registers" is_ready a
check "status of a node names it" sh -c "'$CY' -c $W/a.yaml status | grep laptop.$domain"
check "its TUN device has the virtual IPv4 address" \
	sh -c "ip -n $P-a -4 addr show cyphonic0 | grep -w 198.18.0.2"
check "and a virtual IPv6 address" sh -c "ip -n $P-a -6 addr show cyphonic0 scope global | grep inet6"
check "and the MTU of 1404" sh -c "ip -n $P-a link show cyphonic0 | grep 'mtu 1404'"

start second a "$CY" -c "$W/a.yaml" node
wait "${pid[second]}"
is "a second daemon on the same state directory ends with status 1" "$?" 1
unset "pid[second]"
check "and names the directory" grep -q "$W/a is in use" "$W/second.log"

"$CY" -c "$W/nothing.yaml" node 2>"$W/said"
is "a missing configuration ends it with status 1" "$?" 1
check "and the message names the file" grep -q "$W/nothing.yaml" "$W/said"

ends_well a cloud
check "the TUN device is gone with the node" sh -c "! ip -n $P-a link show cyphonic0"

(umask 077; echo "not the password" >"$W/wrong")
cloud
node a alice laptop
sed -i "s|password-file: .*|password-file: $W/wrong|" "$W/a.yaml"
stop a
start a a "$CY" -c "$W/a.yaml" node
check "a node with a wrong password says so" eventually 8 grep -q bad_login "$W/a.log"
tap_done
