#!/bin/bash
# Who shares a NAPT meets in the LAN, also without the Internet; where no UDP goes, the relay stays.
. "${0%/*}/lib.sh"
. t/net/cells.sh

services
site d 14 port-restricted
site e 15 full-cone
site f 16 restricted
for host in d1 d2; do enter $host boxd ${host#d}0; done
enter e boxe 2
enter f boxf 2
know d1 d2 e f

on boxd nft -f - <<-END
	table ip filtered {
		chain between {
			type filter hook forward priority -50
			meta l4proto udp ip daddr { 10.0.0.15, 10.0.0.16 } drop
			meta l4proto udp ip saddr { 10.0.0.15, 10.0.0.16 } drop
		}
	}
END
took=$(first_ping d1 f)
ok $? "no UDP between the sites: the first ping is answered, after $took ms"
took=$(first_ping d1 e)
ok $? "also where a direct way could be counted on, after $took ms"
meets d1 d2 "lan direct_lan" "behind one NAPT"
for h in f e; do
	eventually 8 both_say d1 $h "relay4 udp_filtered"
	is "$h: by the relay, and why" "$(why_says d1 $h), $(why_says $h d1)" \
		"relay4 udp_filtered, relay4 udp_filtered"
done
start pings d1 ping -n -i 0.1 -W 2 d2.$domain
ip -n "$P-boxd" link set eth0 down
sleep 3
stop pings INT
check "the uplink cut, the LAN goes on as before" grep -q " 0% packet loss" "$W/pings.log"
is "by the same way" "$(why_says d1 d2), $(why_says d2 d1)" "lan direct_lan, lan direct_lan"
ends_well d1 d2 e f trs cloud
tap_done
