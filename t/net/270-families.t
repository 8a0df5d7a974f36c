#!/bin/bash
# The real network has IPv4 only, IPv6 only, or both; the overlay always has both.
. "${0%/*}/lib.sh"

# meet TITLE: the pair with the families set before
meet() {
	pair
	check "$1: virtual IPv4" on a ping -4 -c 1 -W 3 bob-box.$domain
	check "$1: virtual IPv6" on b ping -6 -c 1 -W 3 laptop.$domain
	ends_well a b cloud
	for h in "${hosts[@]}"; do ip netns del "$P-$h"; done
	hosts=()
	rm -rf "$W"/{cloud,a,b}
}

cloud_families=4 a_families=4 b_families=4 cloud_at=10.0.0.1
meet "IPv4 only"
cloud_families=6 a_families=6 b_families=6 cloud_at=fd00::1
meet "IPv6 only"
cloud_families=46 a_families=46 b_families=46 cloud_at='10.0.0.1, fd00::1'
meet "both"
a_families=4
meet "one node with IPv4 only, the other with both"
a_families=46 b_families=6
meet "one node with both, the other with IPv6 only"

a_families=4 b_families=6
pair
check "a node with IPv4 only reaches one with IPv6 only" on a ping -4 -c 1 -W 3 bob-box.$domain
check "and the other way round" on b ping -6 -c 1 -W 3 laptop.$domain
"$CY" -c "$W/a.yaml" ping bob-box.$domain >"$W/said" 2>&1
check "through the relay, by IPv4 on this side" grep -q "relay4 10.0.0.1:4502" "$W/said"
is "but its name is known" "$(on a dig @127.0.0.45 +short bob-box.$domain A | wc -l)" 1
tap_done
