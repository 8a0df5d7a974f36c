# topology.sh - the places nodes are at: behind a NAPT, behind two, behind a firewall, at the end of
# a slow line.  Real Linux boxes; each proves that it is what it is called.  Sourced after lib.sh.
#
#	cloud 10.0.0.1	trs 10.0.0.4	boxa 10.0.0.11	boxb 10.0.0.12	watch-net 10.0.0.253, .254
#	   |		   |		   |		   |			|
#	---+---------------+---------------+--- the Internet: br in host "net" -+---
#
#	boxa 192.168.11.1, fd00:0:0:11::1	boxb 192.168.12.1
#	   |					   |
#	---+-------+--- lan in boxa		---+-------+--- lan in boxb
#		   |					   |
#		   a 192.168.11.2			   b 192.168.12.2
#
# A box is one of these, in the words of RFC 3489 and in those of RFC 5780:
#
#			a mapping depends on		lets in
#	open		no NAPT, routed			all
#	firewall	no NAPT, routed			who was written to, by address and port
#	full-cone	nothing but the inner socket	all, to a mapping in use
#	restricted	nothing but the inner socket	who was written to, by address
#	port-restricted	nothing but the inner socket	who was written to, by address and port
#	symmetric	the other's address and port	who was written to, by address and port
#	none		no IPv4 at all
#
# Each new mapping takes the next port of a list, so a run can be repeated, no inner port is kept by
# luck, and no two mappings share an outer one.

. t/net/line.sh
for tool in forget link probe_box probe_line; do
	[ -x "$O/t/net/$tool" ] || bail "there is a $O/t/net/$tool (make tests O=$O)"
done

# by name of the box
declare -A box_kind box_options box_number box_outer box_lan box_lan6 box_seed
declare -A above		# by host or box: the box it is behind, if it is behind one

# ---- boxes ----

# has BOX OPTION
has() {
	[[ " ${box_options[$1]} " = *" $2 "* ]]
}

# value BOX NAME DEFAULT: of an option NAME=VALUE
value() {
	local option

	for option in ${box_options[$1]}; do
		[ "${option%%=*}" != "$2" ] || { echo "${option#*=}" && return; }
	done
	echo "$3"
}

# napt NAME NUMBER KIND [OPTION...]: a box with 10.0.0.NUMBER and the LAN 192.168.NUMBER.0/24, or
# the LAN 10.0.NUMBER.0/24 if it does not translate.
#	ipv6		the LAN has fd00:0:0:NUMBER::/64 too, behind a stateful firewall
#	ipv6-open	the same without a firewall
#	hairpin		who is inside reaches others inside by their outer addresses
#	behind=BOX	it is not on the Internet but on the LAN of that box, as number NUMBER there
#	carrier		its LAN is 100.64.NUMBER.0/24: a box for boxes
#	timeout=S	a UDP mapping lives so long without a packet; 30 if not given
napt() {
	local name=$1 number=$2 kind=$3 parent

	box_kind[$name]=$kind box_number[$name]=$number box_options[$name]=" ${*:4} "
	box_seed[$name]=$((number * 1000))
	parent=$(value "$name" behind "")
	if [ -z "$parent" ]; then
		host "$name" "$number" "$(box_families "$name")"
		box_outer[$name]=10.0.0.$number
	else
		behind "$name" "$parent" "$number" 4
		box_outer[$name]=${box_lan[$parent]}.$number
	fi
	box_lan "$name"
	box_inside "$name"
	box_load "$name"
}

box_ipv6() {
	has "$1" ipv6 || has "$1" ipv6-open
}

box_families() {
	[ "${box_kind[$1]}" = none ] || echo -n 4
	! box_ipv6 "$1" || echo -n 6
}

# The addresses inside, and who must know the way to them.
box_lan() {
	local name=$1 number=${box_number[$1]}

	box_lan[$name]=192.168.$number box_lan6[$name]=
	! has "$name" carrier || box_lan[$name]=100.64.$number
	case ${box_kind[$name]} in
	open | firewall)
		box_lan[$name]=10.0.$number
		way "10.0.$number.0/24 via 10.0.0.$number" "$name"
		;;
	none) box_lan[$name]= ;;
	esac
	if box_ipv6 "$name"; then
		box_lan6[$name]=fd00:0:0:$number:
		way "fd00:0:0:$number::/64 via fd00::$number" "$name"
	fi
}

# way ROUTE BOX: everybody else on the Internet learns it, who is there and who comes
way() {
	local host

	ways+=("$1")
	for host in "${hosts[@]}"; do
		[ "$host" = "$2" ] || [ -n "${above[$host]-}" ] || learn_ways "$host"
	done
}

box_inside() {
	local lan=${box_lan[$1]} lan6=${box_lan6[$1]}

	# a router asks for its IPv6 neighbours by its link-local address; a bridge's own link address
	# would be that of some port, and change when there are more of them
	ip -n "$P-$1" -batch - <<END || bail "$1 has a LAN"
link add name lan address 02:00:00:00:00:01 type bridge
link set dev lan addrgenmode none
link set dev lan up
${lan:+addr add $lan.1/24 dev lan}
${lan6:+addr add $lan6:1/64 dev lan nodad}
${lan6:+addr add fe80::1/64 dev lan nodad}
${lan6:+addr add fe80::${box_number[$1]}/64 dev eth0 nodad}
END
	# what two on the LAN say to each other is none of the box's rules' business
	on "$1" sh -c 'cd /proc/sys/net
		echo 1 >ipv4/ip_forward
		echo 1 >ipv6/conf/all/forwarding
		for f in bridge/bridge-nf-call-*tables; do [ ! -e "$f" ] || echo 0 >"$f"; done'
}

# behind HOST BOX NUMBER [FAMILIES]: a host on the LAN of the box, with its number in the box's
# prefixes; of the families that the box has, if none are given
behind() {
	local name=$1 box=$2 number=$3 families=${4:-$(box_families "$2")} lan lan6

	above[$name]=$box
	plug "$name" "$box" lan
	[[ $families = *4* ]] && lan=${box_lan[$box]}
	[[ $families = *6* ]] && lan6=${box_lan6[$box]}
	ip -n "$P-$name" -batch - <<END || bail "$name is behind $box"
${lan:+addr add $lan.$number/24 dev eth0}
${lan:+route add default via $lan.1}
${lan6:+addr add $lan6:$number/64 dev eth0 nodad}
${lan6:+route add default via $lan6:1}
END
}

# ---- what makes a box behave ----

# box_load NAME: its rules, with nothing remembered
box_load() {
	local timeout

	timeout=$(value "$1" timeout 30)
	box_rules "$1" "$timeout" >"$W/$1.nft"
	on "$1" nft -f "$W/$1.nft" >"$W/$1.log" 2>&1 || bail "$1 is a box of the kind ${box_kind[$1]}"
	on "$1" sh -c "cd /proc/sys/net/netfilter
		echo $timeout >nf_conntrack_udp_timeout
		echo $timeout >nf_conntrack_udp_timeout_stream"
}

box_rules() {
	echo "flush ruleset"
	case ${box_kind[$1]} in
	open) ;;
	firewall) routed_rules ip ;;
	none) ;;
	full-cone | restricted | port-restricted) cone_rules "$@" ;;
	symmetric) symmetric_rules "$@" ;;
	*) echo "${box_kind[$1]} is no kind" ;;
	esac
	! has "$1" ipv6 || routed_rules ip6
}

# The box offers nothing itself.  Who knocks is dropped before connection tracking knows of him:
# a tracked knock would stand in the way of the mapping that answers it.
closed() {
	cat <<END
	chain input {
		type filter hook input priority filter
		meta l4proto { tcp, udp } drop
	}
END
}

# routed_rules FAMILY
routed_rules() {
	cat <<END
table $1 box {
$(closed)
	chain forward {
		type filter hook forward priority filter; policy drop
		iifname "lan" accept
		ct state established,related accept
	}
}
END
}

# The next of a thousand ports, which follow each other as if by chance.
next_port() {
	awk -v start="${box_seed[$1]}" 'BEGIN {
		printf "numgen inc mod 1000 map { "
		for (i = 0; i < 1000; i++)
			printf "%s%d : %d", i ? ", " : "", i, 20000 + (i * 7919 + start * 10473) % 40009
		printf " }"
	}'
}

# Each new flow is a mapping; connection tracking alone lets in.
symmetric_rules() {
	cat <<END
table ip box {
$(closed)
	chain forward {
		type filter hook forward priority filter; policy drop
		iifname "lan" accept
		ct state established,related accept
	}
	chain postrouting {
		type nat hook postrouting priority srcnat
		oifname "eth0" meta l4proto udp snat to ${box_outer[$1]}:$(next_port "$1")
		oifname "eth0" masquerade
	}
}
END
}

# "outer" gives the outer port of an inner socket and "inner" the way back; both are written down
# behind the translation.  "met" says who inside wrote to whom, and is asked where both are known by
# their inner names.  Connection tracking alone would do for none of these kinds: it translates and
# lets in by both ends of a flow.
cone_rules() {
	local box=$1 timeout=$2 outer=${box_outer[$1]} doors='"eth0"' hairpin="#" back_out="#"
	local known="ip saddr . udp sport map @outer"
	local met="ipv4_addr . inet_service . ipv4_addr . inet_service"
	local there="ip saddr . udp sport . ip daddr . udp dport"
	local back="ip daddr . udp dport . ip saddr . udp sport @met"

	case ${box_kind[$1]} in
	full-cone) back= ;;
	restricted) met=${met% . *} there=${there% . *} back="ip daddr . udp dport . ip saddr @met" ;;
	esac
	if has "$box" hairpin; then
		doors='{ "eth0", "lan" }'
		hairpin='iifname "lan" oifname "lan" ct status dnat'
		back_out="$hairpin meta l4proto udp snat to $outer:$known"
	fi
	cat <<END
table ip box {
	map outer {
		type ipv4_addr . inet_service : inet_service
		flags dynamic,timeout
		timeout ${timeout}s
		size 65535
	}
	map inner {
		type inet_service : ipv4_addr . inet_service
		flags dynamic,timeout
		timeout ${timeout}s
		size 65535
	}
	set met {
		type $met
		flags dynamic,timeout
		timeout ${timeout}s
		size 65535
	}
$(closed)
	chain forward {
		type filter hook forward priority filter; policy drop
		iifname "lan" meta l4proto udp update @met { $there }
		$hairpin $back accept
		$hairpin drop
		iifname "lan" accept
		ct state established,related accept
		ct status dnat $back accept
	}
	chain prerouting {
		type nat hook prerouting priority dstnat
		iifname $doors ip daddr $outer dnat ip to udp dport map @inner
	}
	chain postrouting {
		type nat hook postrouting priority srcnat
		$back_out
		oifname "eth0" meta l4proto udp snat to $outer:$known
		oifname "eth0" meta l4proto udp snat to $outer:$(next_port "$box")
		oifname "eth0" masquerade
	}
	chain note {
		type filter hook postrouting priority srcnat + 10
		oifname "eth0" meta l4proto udp ct direction original \
			update @outer { ct original ip saddr . ct original proto-src : udp sport } \
			update @inner { udp sport : ct original ip saddr . ct original proto-src }
		oifname "eth0" meta l4proto udp ct direction reply \
			update @outer { ct reply ip saddr . ct reply proto-src : udp sport } \
			update @inner { udp sport : ct reply ip saddr . ct reply proto-src }
	}
}
END
}

# forget BOX: all mappings, as when it starts anew; each inner socket gets another outer port
forget() {
	box_seed[$1]=$((box_seed[$1] + 1))
	box_load "$1"
	on "$1" "$O/t/net/forget" || bail "$1 forgets its mappings"
}

# ---- a box proves itself ----

# expected KIND: how it maps and what it lets in, in the probe's words
expected() {
	case $1 in
	open) echo "mapping=none filtering=endpoint-independent" ;;
	firewall) echo "mapping=none filtering=address-and-port-dependent" ;;
	full-cone) echo "mapping=endpoint-independent filtering=endpoint-independent" ;;
	restricted) echo "mapping=endpoint-independent filtering=address-dependent" ;;
	port-restricted) echo "mapping=endpoint-independent filtering=address-and-port-dependent" ;;
	symmetric) echo "mapping=address-and-port-dependent filtering=address-and-port-dependent" ;;
	esac
}

# watch PLACE: host watch-PLACE, numbers 253 and 254, is on the Internet ("net") or inside that box
watch() {
	local place=$1 host=watch-$1

	[ ! -e "/run/netns/$P-$host" ] || return 0
	if [ "$place" = net ]; then
		host "$host" 253
		ip -n "$P-$host" addr add 10.0.0.254/24 dev eth0
		ip -n "$P-$host" addr add fd00::254/64 dev eth0 nodad
	else
		behind "$host" "$place" 253
		[ -z "${box_lan[$place]}" ] || ip -n "$P-$host" addr add "${box_lan[$place]}.254/24" dev eth0
	fi
}

# look PLACE FAMILY HOST MATE [OPTION...]: what the probe says from PLACE of what is between it and
# that host, and between that one and a mate anywhere.  PLACE must be watched already, "net" for the
# next three too: who calls them takes what they print, and a host made in a subshell would stay.
look() {
	local prefix=${box_lan[$1]-10.0.0}.

	[ "$2" = 4 ] || prefix=fd00::
	"$O/t/net/probe_box" "${@:5}" "$P-$3" "$P-watch-$1" "${prefix}253" "${prefix}254" "$P-$4"
}

# mapped HOST PORT: as which ADDRESS:PORT the Internet sees that UDP port of the host
mapped() {
	look net 4 "$1" "$1" -p "$2" | sed 's/.* mapped=//'
}

# keeps HOST SECONDS: whether its way back from the Internet outlives so much silence: yes or no
keeps() {
	look net 4 "$1" "$1" -s "$2" | sed 's/.* kept=\([a-z]*\) .*/\1/'
}

# meets HOST HOST [FAMILY]: whether the two meet by what the Internet sees of them, once they are
# told: yes, no, or changed if it is from another port than they were told of
meets() {
	look net "${3:-4}" "$1" "$2" | sed 's/.* meets=\([a-z]*\) .*/\1/'
}

# looks BOX FAMILY KIND HAIRPIN [HOST]
looks() {
	local want said

	want="$(expected "$3") meets=$4"
	said=$(look "${above[$1]:-net}" "$2" "${5:-watch-$1}" "watch-$1" 2>&1)
	[ "${said% mapped=*}" = "$want" ]
	ok $? "$1 is a $3 box for IPv$2${5:+, seen from $5}" || diag "$said" "want: $want"
}

# proves_napt BOX [KIND HOST]: it is what it is called, or another kind for a host behind two boxes
proves_napt() {
	local box=$1 kind=${2:-${box_kind[$1]}} host=${3-} hairpin=no kind6=firewall

	watch "${above[$box]:-net}"
	watch "$box"
	case $kind in
	open | firewall) hairpin=yes ;;
	*) ! has "$box" hairpin || hairpin=yes ;;
	esac
	[ "$kind" = none ] || looks "$box" 4 "$kind" $hairpin "$host"
	! has "$box" ipv6-open || kind6=open
	! box_ipv6 "$box" || looks "$box" 6 $kind6 yes "$host"
}

# ---- the usual places ----

# matrix A_KIND B_KIND [OPTION NUMBER]...: cloud and trs on the Internet, a behind boxa, b behind
# boxb; the boxes' lines are as the options say.  ${a_box} and ${b_box} are further words for napt:
#	network; napt carrier 41 symmetric carrier; a_box=behind=carrier matrix full-cone restricted
matrix() {
	local box

	[ -e "/run/netns/$P-net" ] || network
	host cloud 1
	host trs 4
	napt boxa 11 "$1" ${a_box-}
	napt boxb 12 "$2" ${b_box-}
	behind a boxa 2
	behind b boxb 2
	for box in boxa boxb; do
		proves_napt $box
		[ $# -lt 3 ] || { line $box "${@:3}" && proves_line $box; }
	done
}
