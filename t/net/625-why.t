#!/bin/bash
# cyphonic why: the way in use, the better one, and the one reason between them.
. "${0%/*}/lib.sh"
. "${0%/*}/topology.sh"

# why HOST NAME [OPTION]: what it says goes to $W/why
why() {
	"$CY" -c "$W/$1.yaml" why "${@:2}" >"$W/why" 2>&1
}
# field NAME: of what --json said last
field() {
	sed -n "s/^  \"$1\": \"\(.*\)\",\?$/\1/p" "$W/why"
}
# got: status, way, code and better way
got() {
	why "$1" "$2" --json
	echo "$? $(field way) $(field code) $(field better)"
}
gives() {
	[ "$(got "$1" "$2")" = "$3" ]
}
# finds TITLE HOST NAME "STATUS WAY CODE BETTER": sooner or later
finds() {
	eventually 8 gives "${@:2}"
	is "$1: $(cut -d " " -f 3 <<<"$4")" "$(got "$2" "$3")" "$4"
}
# knows HOST: how its NAPT behaves
knows() {
	status "$1" --json | grep -qE '"filtering": "[a-z]+-'
}
is_there_twice() {
	[ "$(status "$1" --json | grep -c '"registered": true')" = 2 ]
}

network
host cloud 1
host a 2
host b 3
host c 5 4
host d 6 6
napt boxe 11 symmetric
napt boxf 12 port-restricted
behind e boxe 2
behind f boxf 2
proves_napt boxe
proves_napt boxf
workers=2
cloud
operator account add alice --password-file "$W/password" >/dev/null
for h in a b c d e f g h; do operator device add alice "host-$h" >/dev/null; done
on b nft -f - <<'E'
table ip6 wall {
	chain in {
		type filter hook input priority filter
		ip6 saddr fd00::2 drop
	}
}
E
for h in a b c d; do node $h alice host-$h; done
for h in e f; do cloud_at=10.0.0.1 node $h alice host-$h; done
nodes_ready c d e f
for h in a b; do eventually 8 is_there_twice $h || bail "$h registers over both families"; done
for h in e f; do check "$h knows its NAPT" eventually 8 knows $h; done

finds "two with IPv6" a host-d "0 direct6 direct_ipv6 none"
why a host-d
is "for people it is a few lines" "$(sed -n 1p "$W/why" | sed 's/, [0-9.]* ms$//')" \
	"host-d.$domain: direct over IPv6, [fd00::6]:4503"
check "with the ways" grep -qE "^  direct6 +\[fd00::6\]:4503 +works, in use$" "$W/why"
"$CY" -c "$W/a.yaml" status >"$W/page"
check "status adds nothing where nothing is better" grep -qE "^host-d.* up .* direct[46] .* B$" "$W/page"
why a host-d --json
python3 - "$W/why" >"$W/missing" <<'E'
import json, re, sys
manual = open("man/cyphonic.8").read().split(".Ic why Fl -json")[1].split(".Ic dns Fl -json")[0]
known = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"^\.(?:It )?Cm (.*)$", manual, re.M))))
def keys(o):
    for k, v in o.items() if isinstance(o, dict) else ():
        yield k
        yield from keys(v)
    for v in o if isinstance(o, list) else ():
        yield from keys(v)
print("\n".join(sorted(set(keys(json.load(open(sys.argv[1])))) - known - {"schema"})))
E
is "every key of its JSON is in the manual" "$(cat "$W/missing")" ""
is "whose form is cyphonic.why.v1" "$(field schema)" cyphonic.why.v1

finds "IPv4 alone there" a host-c "0 direct4 ipv6_missing_there direct6"
finds "IPv4 alone here" c host-a "0 direct4 ipv6_missing_here direct6"
finds "IPv4 alone here, IPv6 alone there" c host-d "0 relay4 no_common_family direct6"
finds "the other way round" d host-c "0 relay6 no_common_family direct6"
"$CY" -c "$W/c.yaml" status >"$W/page"
check "status has the reason behind the row" grep -qE "^host-d.* up .* relay[46] .* no_common_family$" "$W/page"

finds "a firewall in the way of IPv6" a host-b "0 direct4 ipv6_blocked direct6"
finds "symmetric here" e host-f "0 relay4 symmetric_and_port_restricted direct4"
is "and that it is this one" "$(field detail)" "the NAPT that changes ports is this node's"
finds "symmetric there" f host-e "0 relay4 symmetric_and_port_restricted direct4"
is "and that it is the other" "$(field detail)" "the NAPT that changes ports is the other node's"
why f host-e
check "for people too" grep -q "^better: direct over IPv4, why not: symmetric_and_port_restricted$" "$W/why"

finds "nobody" a nobody "1 none not_found none"
finds "the node itself" a host-a "1 none itself none"
finds "who never came" a host-g "1 none offline none"
why a host-g
is "for people it is no path" "$(head -n 2 "$W/why" | tr '\n' ' ')" "host-g.$domain: no path why: offline "
operator device disable host-h >/dev/null
finds "who may not" a host-h "1 none disabled none"
why a "not..a..name"
is "what is no name ends with status 1" "$?" 1
check "and says so" grep -q "no name of this overlay" "$W/why"
why a 198.18.0.2
check "an address is none, and what takes one is named" grep -q "cyphonic dns ADDRESS" "$W/why"
check "nobody pings oneself, and need not wait to hear it" \
	sh -c "! timeout 4 '$CY' -c $W/a.yaml ping host-a >$W/own && grep 'the node.s own' $W/own"
stop b
node b alice host-h
finds "a node that may not log in" b host-a "1 none login_refused none"
is "says what it was told" "$(field detail)" "refused: disabled (account or device is disabled)"
stop b
stop cloud
node b alice host-b
finds "a node that finds no AS" b host-a "1 none login_failed none"
stop b
why b host-a
is "without a daemon it ends with status 1" "$?" 1
ends_well a c d e f
tap_done
