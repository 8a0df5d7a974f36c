#!/bin/bash
# What a node finds out about the box in front of it, from the cloud and a relay, on the real kernel.
. "${0%/*}/lib.sh"
. "${0%/*}/topology.sh"
cloud_role="[as, nms]"

# napt_of NODE FAMILY: what its status says
napt_of() {
	status "$1" | sed -n "s/^  napt $2 *mapping \(.*\)/\1/p"
}

says() {
	[ "$(napt_of "$1" "$2")" = "$3" ]
}

# finds NODE FAMILY WHAT TITLE
finds() {
	check "$4" eventually 12 says "$1" "$2" "$3" || diag "$1 says: $(napt_of "$1" "$2")"
}

both=endpoint-independent ports=address-and-port-dependent
network
host cloud 1
host r 4
napt full 11 full-cone
napt rest 12 restricted
napt port 13 port-restricted ipv6
napt symm 14 symmetric ipv6-open
napt fire 15 firewall
host p-open 16
for box in full rest port symm fire; do
	proves_napt $box
	behind p-$box $box 2
done
cloud "nms:
  keepalive: 2s"
relay r
for node in full rest port symm fire open; do
	device alice p-$node
	node p-$node alice p-$node
done
finds p-full ipv4 "$both, filtering $both (full cone)" "behind a full cone"
finds p-rest ipv4 "$both, filtering address-dependent (restricted cone)" "behind a restricted cone"
finds p-port ipv4 "$both, filtering $ports (port restricted cone)" "behind a port restricted cone"
finds p-symm ipv4 "$ports, filtering $ports (symmetric NAPT)" "behind a symmetric NAPT"
finds p-fire ipv4 "none, filtering $ports (firewall)" "behind a firewall without a NAPT"
finds p-open ipv4 "none, filtering $both (open)" "behind nothing"
finds p-port ipv6 "none, filtering $ports (firewall)" "the IPv6 firewall of a router is found"
finds p-symm ipv6 "none, filtering $both (open)" "and that there is none"
status p-port --json >"$W/p-port.json"
python3 - "$W/p-port.json" >"$W/said" <<'E'
import json, sys
ways = [w for n in json.load(open(sys.argv[1]))["workers"] if n.get("agent") for w in n["ways"]]
print([(w["kind"], [r["addr"] for r in w["relays"]]) for w in ways])
print(all(0 < r["rtt_ms"] < 1000 for w in ways for r in w["relays"]) and all(w["found"] > 1.7e9 for w in ways))
E
is "the form for programs has kinds, relays, how far they are and since when" "$(cat "$W/said")" \
"[('port restricted cone', ['10.0.0.4:4502']), ('firewall', ['[fd00::4]:4502'])]
True"
box_kind[port]=symmetric
forget port
finds p-port ipv4 "$ports, filtering $ports (symmetric NAPT)" "a box replaced by another kind is found"
ends_well p-full p-rest p-port p-symm p-fire p-open r cloud
tap_done
