#!/bin/bash
# Nodes of different owners meet by name, in both virtual families.
. "${0%/*}/lib.sh"

pair
check "ping by name over virtual IPv4" on a ping -4 -c 3 -i 0.2 -W 2 bob-box.$domain
check "ping by name over virtual IPv6" on a ping -6 -c 3 -i 0.2 -W 2 bob-box.$domain
check "the other way round over IPv4" on b ping -4 -c 2 -i 0.2 -W 2 laptop.$domain
check "the other way round over IPv6" on b ping -6 -c 2 -i 0.2 -W 2 laptop.$domain
check "a short name is enough with the domain in the search list" on a ping -c 1 -W 2 bob-box
check "a name in capitals is the same name" on a ping -c 1 -W 2 "BOB-BOX.${domain^^}"
check "packets of every size up to the MTU pass" on a ping -4 -c 2 -i 0.2 -M do -s 1376 bob-box
check "packets above the MTU pass in fragments" on a ping -4 -c 2 -i 0.2 -W 2 -s 8000 bob-box
on a ping -f -c 500 -W 2 bob-box >"$W/flood" 2>&1
check "none of 500 packets in a burst is lost" grep -q " 0% packet loss" "$W/flood"
"$CY" -c "$W/a.yaml" ping bob-box.$domain >"$W/said" 2>&1
is "cyphonic ping succeeds" "$?" 0
check "and says whom it reached, and how" grep -qE "^pong from bob-box.$domain .*ms" "$W/said"
"$CY" -c "$W/a.yaml" ping nobody.$domain >"$W/said" 2>&1
is "cyphonic ping of a name that is not there ends with status 1" "$?" 1
check "and says that there is nobody" grep -q "no node has this name" "$W/said"
check "status lists the peer" sh -c "'$CY' -c $W/a.yaml status | grep bob-box.$domain"
stop b
"$CY" -c "$W/a.yaml" ping bob-box.$domain >"$W/said" 2>&1
is "cyphonic ping of a node that is off ends with status 1" "$?" 1
node b bob bob-box
nodes_ready b
check "a node that comes back is reached again" eventually 10 on a ping -c 1 -W 1 bob-box
ends_well a b cloud
tap_done
