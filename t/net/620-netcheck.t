#!/bin/bash
# cyphonic netcheck behind every kind of box, against a STUN server that others wrote.
. "${0%/*}/lib.sh"
. t/packages
tree=$(package_tree coturn) || { echo "1..0 # SKIP package coturn cannot be had"; exit 0; }
. t/net/topology.sh

turnserver=$tree/usr/bin/turnserver
kinds=(open firewall full-cone restricted port-restricted symmetric)

# stun_server: RFC 5780's, on two addresses of each family and two ports
stun_server() {
	host stun 5
	ip -n "$P-stun" addr add 10.0.0.6/24 dev eth0
	ip -n "$P-stun" addr add fd00::6/64 dev eth0 nodad
	start stun stun "$turnserver" -n -S --no-cli --no-tls --no-dtls --no-tcp --log-file=stdout \
		--simple-log --pidfile="$W/turn.pid" -b "$W/turndb" -p 3478 --alt-listening-port=3479 \
		-L 10.0.0.5 -L 10.0.0.6 -L fd00::5 -L fd00::6
	eventually 5 sh -c "ip netns exec $P-stun ss -uln | grep -q '10.0.0.6:3479' &&
		ip netns exec $P-stun ss -uln | grep -q 'fd00::6.*:3479'" || bail "coturn starts"
}

# ask HOST ARGUMENT...: as somebody without rights where that can be; the answer is $W/HOST.json
ask() {
	on "$1" "$CY" netcheck --json "${@:2}" >"$W/$1.json" 2>"$W/$1.err"
	echo $? >"$W/$1.status"
}

# read_answers HOST...: makes lines KEY.KEY=VALUE of them
read_answers() {
	python3 - "${@/#/$W/}" <<'END'
import json, sys

def lines(value, key):
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for k, v in inner:
        if isinstance(v, (dict, list)):
            yield from lines(v, key + str(k) + ".")
        else:
            yield "%s%s=%s\n" % (key, k, v if isinstance(v, str) else json.dumps(v))

for name in sys.argv[1:]:
    open(name + ".lines", "w").writelines(lines(json.load(open(name + ".json")), ""))
END
}

# says HOST KEY: a value of the answer
says() {
	sed -n "s/^$2=//p" "$W/$1.lines"
}

finds() { # HOST FAMILY
	echo "$(says "$1" "$2.verdict") mapping=$(says "$1" "$2.mapping") filtering=$(says "$1" "$2.filtering")"
}

verdict_of() {
	case $1 in
	open) echo open ;;
	symmetric) echo hard_napt ;;
	*) echo easy_napt ;;
	esac
}

quick() {
	[ "$(says "$1" took_ms | sed 's/\..*//')" -lt 3000 ]
}

network
stun_server
host cloud 1
cloud
number=11
for kind in "${kinds[@]}"; do
	box=box-$number inside=in-$number
	case $kind in
	port-restricted) napt $box $number $kind hairpin ipv6 ;;
	*) napt $box $number $kind ;;
	esac
	behind $inside $box 2
	number=$((number + 1))
done
asked=()
for n in 11 12 13 14 16; do
	ask in-$n 10.0.0.5 &
	asked+=($!)
done
ask in-15 10.0.0.5 '[fd00::5]:3478' &
asked+=($!)
make_namespace lonely
ask lonely 10.0.0.5 fd00::5
host muted 8 4
on muted nft -f - <<END
table inet mute {
	chain output {
		type filter hook output priority 0
		meta l4proto udp drop
	}
}
END
cat >"$W/muted.yaml" <<END
role: node
node:
  as: [10.0.0.1, 10.0.0.9]
  stun: 10.0.0.5
  root: $root
  account: alice
  password-file: $W/password
END
ask muted -c "$W/muted.yaml" &
asked+=($!)
wait "${asked[@]}"
all=(in-11 in-12 in-13 in-14 in-15 in-16 muted lonely)
read_answers "${all[@]}"

number=11
for kind in "${kinds[@]}"; do
	is "behind $kind it finds what the box is" "$(finds in-$number ipv4)" \
		"$(verdict_of $kind) $(expected $kind)"
	number=$((number + 1))
done
is "the address outside is the box's" "$(says in-16 ipv4.mapped | sed 's/:.*//')" 10.0.0.16
is "the one inside is one's own" "$(says in-16 ipv4.local | sed 's/:.*//')" 192.168.16.2
is "a box that hairpins is seen" "$(says in-15 ipv4.hairpin)" true
is "and one that does not" "$(says in-14 ipv4.hairpin)" false
is "a firewall for IPv6 is found beside the NAPT for IPv4" "$(finds in-15 ipv6)" \
	"easy_napt mapping=none filtering=address-and-port-dependent"
is "no server of a family: that family is not asked" "$(says in-16 ipv6.verdict)" not_asked
is "the server's round trip is measured" "$(says in-11 servers.0.answered)" true
is "status is 0 where UDP works" "$(cat "$W"/in-1?.status | sort -u)" 0
for h in "${all[@]}"; do
	diag "$h took $(says $h took_ms) ms"
done
for h in "${all[@]}"; do
	quick $h || break
done
ok $? "each took less than three seconds"

is "where UDP is blocked that is said" "$(says muted verdict)" udp_blocked
is "and the status is 1" "$(cat "$W/muted.status")" 1
is "an AS that can be reached by TCP is" "$(says muted as.0.reached)" true
is "and one that is not there is not" "$(says muted as.1.reached | sed 's/null/false/')" false
is "without any route that is said" "$(says lonely verdict)" no_network
is "and the status is 1 too" "$(cat "$W/lonely.status")" 1

sed -i '/stun:/d; s/10.0.0.1, 10.0.0.9/10.0.0.6/' "$W/muted.yaml"
ask stun -c "$W/muted.yaml"
read_answers stun
is "without node.stun the addresses of node.as are asked" "$(says stun servers.0.address)" 10.0.0.6:3478

# ---- the ranges, words for people, mistakes ----

is "the range is free" "$(says in-11 ranges.free)" true
ip -n "$P-in-11" link add name other0 type bridge
ip -n "$P-in-11" link set dev other0 up
ip -n "$P-in-11" addr add 198.18.0.1/16 dev other0
on in-11 "$CY" netcheck 10.0.0.5 >"$W/said" 2>&1
check "who sits on the overlay's range is named" grep -q "of other0 overlaps" "$W/said"
check "for people the verdict comes first, in words" sh -c "head -1 $W/said | grep -q '^open: direct connections'"
if other_users; then
	check "it needs no rights" on in-11 setpriv --reuid=nobody --clear-groups "$CY" netcheck 10.0.0.5
else
	skip "it needs no rights"
fi
for word in 1.2.3 10.0.0.5:0 10.0.0.5:x '[fd00::5' 256.1.1.1 a_b :3478; do
	on in-11 "$CY" netcheck "$word" >"$W/said" 2>&1
	[ $? = 2 ] && grep -qF "'" "$W/said" || break
done
ok $? "a word that is no server is refused with status 2" || diag "$word" "$(cat "$W/said")"
on lonely "$CY" netcheck stun.nowhere.example >"$W/said" 2>&1
is "a name that cannot be resolved ends it with status 1" $? 1
check "and is said" grep -q "server stun.nowhere.example:" "$W/said"
printf 'role: as\nuser: root\nas: {nms: 10.0.0.1}\n' >"$W/as.yaml"
"$CY" -c "$W/as.yaml" netcheck >"$W/said" 2>&1
is "a configuration that names nobody to ask: status 2" $? 2
check "and the remedy" grep -q "no server to ask: name a STUN server" "$W/said"
ends_well cloud
tap_done
