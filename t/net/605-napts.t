#!/bin/bash
# NAPTs and firewalls of the laboratory are what they are called.
. "${0%/*}/lib.sh"
. "${0%/*}/topology.sh"

network
napt full 11 full-cone
napt rest 12 restricted
napt port 13 port-restricted
napt symm 14 symmetric
napt open 15 open
napt fire 16 firewall
napt fullpin 17 full-cone hairpin
napt restpin 18 restricted hairpin
napt portpin 19 port-restricted hairpin
napt dual 20 symmetric ipv6
napt six 21 none ipv6
napt bare 22 none ipv6-open
for box in full rest port symm open fire fullpin restpin portpin dual six bare; do
	proves_napt $box
done

behind s six 2
behind t bare 2
check "a host of an IPv6-only site reaches one of another" on s ping -c 1 -W 2 fd00:0:0:22::2
check "but not through a firewall" sh -c "! ip netns exec $P-t ping -c 1 -W 0.3 fd00:0:0:21::2"
is "and has no way for IPv4" "$(ip -n $P-s -4 route)" ""

behind a rest 2
behind b rest 3
check "two on one LAN reach each other past the box" on a ping -c 1 -W 2 192.168.12.3
a=$(mapped a 4503) b=$(mapped b 4503)
diag "a:4503 is $a, b:4503 is $b"
check "they have two outside if they have one inside" \
	awk -v a="$a" -v b="$b" 'BEGIN { exit !(a ~ /^10.0.0.12:/ && b ~ /^10.0.0.12:/ && a != b) }'
is "and keep it" "$(mapped a 4503)" "$a"
forget rest
new=$(mapped a 4503)
check "until the box starts anew" test "$new" != "$a"

# what is not used is forgotten, when the box says
napt short 23 port-restricted timeout=1
napt brief 24 symmetric timeout=1
asked=()
for box in short brief rest; do
	watch $box
	keeps watch-$box 1.2 >"$W/$box.keeps" &
	asked+=($!)
done
wait "${asked[@]}"
is "a box forgets a mapping in time" "$(<"$W/short.keeps")" no
is "whatever its kind" "$(<"$W/brief.keeps")" no
is "but not before" "$(<"$W/rest.keeps")" yes

# whom theory lets meet; "changed" is by a port that nobody was told of
table=""
for box in fullpin restpin portpin dual; do
	table+=$box:
	for other in full rest port symm; do
		table+=" $(meets watch-$other watch-$box)"
	done
	table+=$'\n'
done
is "who can meet without a relay" "$table" "\
fullpin: yes yes yes changed
restpin: yes yes yes changed
portpin: yes yes yes no
dual: changed changed no no
"
is "two firewalls for IPv6 let each other's hosts meet" "$(meets watch-dual watch-six 6)" yes

# a box behind a box: what the carrier does prevails where it is stricter
napt carrier 41 symmetric carrier
napt home 42 full-cone behind=carrier
behind c home 2
proves_napt home
proves_napt carrier
proves_napt carrier symmetric c
is "from behind both one still meets who is behind a full cone" "$(meets c watch-full)" changed
tap_done
