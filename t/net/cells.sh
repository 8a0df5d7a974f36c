# cells.sh - sites in pairs, a relay on a host of its own, and what two nodes say of their way.
# Sourced after lib.sh.
. t/net/topology.sh

# short KIND: a word for names of hosts
short() {
	case $1 in
	full-cone) echo full ;;
	restricted) echo rest ;;
	port-restricted) echo port ;;
	symmetric) echo symm ;;
	esac
}

# services: AS and NMS on host cloud, a TRS on host trs; LINES go into the cloud's configuration
services() {
	cloud_role="[as, nms]"
	network
	host cloud 1
	host trs 4
	cloud "${1-}"
	operator account add alice --password-file "$W/password" >/dev/null
	operator device add alice attic --kind trs >/dev/null || bail "the operator makes a relay"
	write_node_config trs alice attic
	sed -i 's/^role: node/role: trs/; s/^node:/trs:/; /resolver:/d' "$W/trs.yaml"
	start trs trs "$CY" -c "$W/trs.yaml"
	eventually 10 is_ready trs || bail "the relay registers"
}

sites=()

# site NAME NUMBER KIND [OPTION...]: box boxNAME, which proves itself, 20 ms from the Internet
site() {
	napt "box$1" "${@:2}"
	proves_napt "box$1"
	line "box$1" --delay 20
	proves_line "box$1"
	sites+=("box$1")
}

# acquaint: all sites are at one link; looking for neighbours there would take a round trip, which
# in the Internet is nobody's
acquaint() {
	local a b busy=()

	for a in "${sites[@]}"; do
		for b in "${sites[@]}"; do
			[[ $a < $b ]] || continue
			on $a ping -n -c 1 -W 2 10.0.0.${box_number[$b]} & busy+=($!)
			! box_ipv6 $a || ! box_ipv6 $b || on $a ping -n -c 1 -W 2 fd00::${box_number[$b]} &
			busy+=($!)
		done
	done >"$W/acquaint.log" 2>&1
	wait "${busy[@]}"
}

# enter NODE BOX NUMBER [LINES]: a node of alice's on the LAN of a box
enter() {
	behind "$1" "$2" "$3"
	operator device add alice "$1" >/dev/null || bail "the operator makes device $1"
	cloud_at=${at-10.0.0.1} node "$1" alice "$1" "${4-}"
}

# knows NODE: it has found out how its NAPT behaves, over every family it is registered with
knows() {
	local registered

	registered=$(status "$1" --json | grep -c '"registered": true')
	[ "$registered" -ge "${2:-1}" ] &&
		[ "$(status "$1" --json | grep -cE '"filtering": "[a-z]+-')" = "$registered" ]
}

# know NODE...: and the sites each other
know() {
	local h

	acquaint
	for h in "$@"; do eventually 12 knows "$h" ${families-} || bail "$h knows its NAPT"; done
}

# ask_why NODE OTHER: into $W/why-NODE-OTHER
ask_why() {
	"$CY" -c "$W/$1.yaml" why "$2" --json >"$W/why-$1-$2" 2>&1
}

# why_says NODE OTHER: way and code
why_says() {
	ask_why "$1" "$2"
	awk -F '"' '$2 == "way" { way = $4 } $2 == "code" { code = $4 } END { print way, code }' \
		"$W/why-$1-$2"
}

# both_say A B "WAY CODE": each of the other
both_say() {
	[ "$(why_says "$1" "$2")" = "$3" ] && [ "$(why_says "$2" "$1")" = "$3" ]
}

# ms COMMAND...: how long it takes, as milliseconds; its status
ms() {
	local begin=$EPOCHREALTIME end status

	"$@" >"$W/ms-said" 2>&1
	status=$?
	end=$EPOCHREALTIME
	awk -v a="$begin" -v b="$end" 'BEGIN { printf "%.1f\n", 1000 * (b - a) }'
	return $status
}

# first_ping NODE OTHER: the time from the name to the answer, ms
first_ping() {
	ms on "$1" ping -n -c 1 -W 4 "$2.$domain"
}

# carried: octets that the relay sent on
carried() {
	status trs --json | awk -F '[:, ]+' '/"octets_relayed"/ { n += $3 } END { print n + 0 }'
}

# ---- the published table ----

# wanted KIND KIND: way and code
wanted() {
	case $1,$2 in
	port-restricted,symmetric | symmetric,port-restricted)
		echo "relay4 symmetric_and_port_restricted"
		;;
	symmetric,symmetric) echo "relay4 both_napts_symmetric" ;;
	*) echo "direct4 direct_ipv4" ;;
	esac
}

# lives A B: pings and a transfer both ways; result and seconds in $W/lives-A-B
lives() {
	{
		on "$1" ping -n -c 3 -i 0.2 -W 4 "$2.$domain" &&
			on "$2" ping -n -c 3 -i 0.2 -W 4 "$1.$domain" &&
			on "$1" python3 t/net/cell.py ask "$2.$domain" 7007 200000
	} >"$W/lives-$1-$2.log" 2>&1
	echo $? >"$W/lives-$1-$2"
}

# first_try A B: the path has no relay, and was told so; the end behind the symmetric NAPT knows one
# way to the other, which works, and has tried nothing else
first_try() {
	local symmetric=$1 other=$2

	[[ $1 = *symm ]] || symmetric=$2 other=$1
	ask_why "$symmetric" "$other"
	python3 - "$W/why-$symmetric-$other" <<'END'
import json, sys
o = json.load(open(sys.argv[1]))
ways = [(w["kind"], w["state"], w["found"]) for w in o["ways"]]
print(o["pattern"], o["relay"], ways)
sys.exit(not (o["pattern"] == 2 and not o["relay"] and ways == [("direct4", "works", False)]))
END
}

# meet A B KIND KIND: the first ping, and the wanted way
meet() {
	local took want

	want=$(wanted "$3" "$4")
	took=$(first_ping "$1" "$2")
	ok $? "$3 and $4: the first ping is answered, after $took ms" || diag "$(<"$W/ms-said")"
	eventually 5 both_say "$1" "$2" "$want"
	is "$3 and $4: $want" "$(why_says "$1" "$2"), $(why_says "$2" "$1")" "$want, $want"
	case $3,$4 in
	full-cone,symmetric | symmetric,full-cone)
		check "at the first try: no relay was named, one way was tried" first_try "$1" "$2"
		;;
	esac
}

# goes_on A B KIND KIND: what was sent meanwhile arrived, and the way is the same
goes_on() {
	local want

	want=$(wanted "$3" "$4")
	is "$3 and $4: pings and 200 kB both ways" "$(<"$W/lives-$1-$2")" 0
	is "go by that way" "$(why_says "$1" "$2"), $(why_says "$2" "$1")" "$want, $want"
}

# relayed OCTETS KIND,KIND...: what the relay carried is what the pairs sent that must use it
relayed() {
	local pair n=0

	for pair in "${@:2}"; do [[ $(wanted "${pair%,*}" "${pair#*,}") = direct* ]] || n=$((n + 1)); done
	[ "$1" -ge $((n * 400000)) ] && [ "$1" -le $((n * 800000)) ]
	ok $? "the relay carried the data of $n pairs, and no other" || diag "$1 octets"
}

# table KIND,KIND...: a site for each kind on either side, and all those pairs
table() {
	local pair name number=10 nodes=() before busy

	services
	for pair in $(printf 'a,%s\n' "${@%,*}" | sort -u) $(printf 'b,%s\n' "${@#*,}" | sort -u); do
		name=${pair%,*}-$(short "${pair#*,}")
		site "$name" $((++number)) "${pair#*,}"
		enter "$name" "box$name" 2
		nodes+=("$name")
	done
	for name in "${nodes[@]}"; do
		[[ $name = a-* ]] || start "serve-$name" "$name" python3 -u t/net/cell.py serve 7007
	done
	know "${nodes[@]}"
	for pair; do each meet "$pair"; done
	before=$(carried)
	busy=()
	for pair; do each lives "$pair" & busy+=($!); done
	wait "${busy[@]}"
	for pair; do each goes_on "$pair"; done
	relayed $(($(carried) - before)) "$@"
	ends_well "${nodes[@]}" trs cloud
	tap_done
}

# each DO KIND,KIND
each() {
	"$1" "a-$(short "${2%,*}")" "b-$(short "${2#*,}")" "${2%,*}" "${2#*,}"
}

# ---- other ways ----

# meets A B "WAY CODE" TITLE [SECONDS]: the first ping, and after so long that way
meets() {
	local took

	took=$(first_ping "$1" "$2")
	ok $? "$4: the first ping is answered, after $took ms"
	eventually "${5-5}" both_say "$1" "$2" "$3"
	is "$4: $3" "$(why_says "$1" "$2"), $(why_says "$2" "$1")" "$3, $3"
}
