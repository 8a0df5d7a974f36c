#!/bin/bash
# The system asks the node by /etc/resolv.conf, and gets its own file back however the node ends.
. "${0%/*}/lib.sh"
. t/net/box.sh
exec 2>/dev/null		# bash tells of whoever was killed

network
host cloud 1
host a 2
cloud
device alice laptop
start resolver cloud python3 t/net/resolver.py 10.0.0.1
start resolver9 cloud sh -c 'ip addr add 10.0.0.9/24 dev eth0; exec python3 t/net/resolver.py 10.0.0.9'
eventually 5 grep -q ready "$W/resolver.log" || bail "the ordinary resolver starts"
box a
name=laptop.$domain
node_resolver=auto
cat >"$W/theirs" <<END
# by hand
search example.org

nameserver 10.0.0.1
options edns0
#|not ours
END
printf ' nameserver 10.0.0.77' >>"$W/theirs"	# without an end of line

diag "a plain file"
put
chmod 640 "$etc/resolv.conf"
check "/etc/resolv.conf becomes the node's, which says so in its first line" up
eventually 5 dns_is up True
is "dns says that the way is the file" "$(dns_says way)" file
is "and whom the system asked before" "$(dns_says before)" "10.0.0.1:53 10.0.0.77:53"
is "the log has the decision in one line" \
	"$(grep -c 'resolver: names of.*way file.*resolved=not in use.*before: 10.0.0.1, 10.0.0.77' "$W/a.log")" 1
check "programs find the overlay's names" sh -c "nsenter -m -n -t ${pid[box]} getent ahostsv4 $name | grep -w 198.18.0.2"
check "and all others as before" sh -c "nsenter -m -n -t ${pid[box]} getent ahostsv4 www.example.com | grep -w 192.0.2.80"
is "the file keeps its mode" "$(stat -c %a "$etc/resolv.conf")" 640
inside "$CY" -c "$W/a.yaml" dns --json www.example.com >"$W/a.json"
python3 - "$W/a.json" >"$W/missing" <<'E'
import json, re, sys
manual = open("man/cyphonic.8").read().split("cyphonic.dns.v1")[1].split("\n.Sh ")[0]
known = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"^\.(?:It )?Cm (.*)$", manual, re.M)))) | {"schema"}
def keys(o):
    for v in o.values() if isinstance(o, dict) else o if isinstance(o, list) else []:
        yield from keys(v)
    yield from o if isinstance(o, dict) else []
o = json.load(open(sys.argv[1]))
assert o["schema"] == "cyphonic.dns.v1"
print(" ".join(sorted(set(keys(o)) - known)))
E
is "every key of dns --json is in the manual" "$?$(cat "$W/missing")" 0
! inside "$CY" -c "$W/a.yaml" repair 2>"$W/said" && grep -q "a node is running here" "$W/said"
ok $? "repair is refused while the node runs"
is "dns NAME: the overlay answers for its own" \
	"$(inside "$CY" -c "$W/a.yaml" dns laptop | grep -cE "^$name: answered by the overlay at 127.0.0.45:53, NOERROR")" 1
is "and an upstream server for others" \
	"$(inside "$CY" -c "$W/a.yaml" dns www.example.com | grep -cE "answered by the upstream server at 10.0.0.1:53, NOERROR")" 1
inside "$CY" -c "$W/a.yaml" dns 'no name' >"$W/said" 2>&1
is "what is no name is refused" "$? $(grep -c 'neither a domain name nor an IP address' "$W/said")" "1 1"

diag "others change it meanwhile"
echo "nameserver 10.0.0.9" >"$W/theirs"
put
check "a file put in its place by another program is taken too" eventually 5 taken
check "and its servers are asked from now on" eventually 5 dns_is upstream 10.0.0.9:53
echo "options timeout:1" | tee -a "$W/theirs" >>"$etc/resolv.conf"
stop a
check "at the end the others' file is back, with what was written into it meanwhile" given_back

diag "kill -9"
up
kill -KILL "${pid[a]}"
wait "${pid[a]}"
unset "pid[a]"
check "of the master: the file is given back at once" eventually 5 given_back
up
kill_all a
check "of every process: the file stays the node's" taken
inside cp /etc/resolv.conf "$W/ours"
inside "$CY" -c "$W/a.yaml" repair
check "repair gives it back" given_back
cp "$W/ours" "$etc/resolv.conf"
up
eventually 5 dns_is up True
check "the next start repairs it and says so" grep -q "resolver: /etc/resolv.conf repaired" "$W/a.log"
is "and knows whom to ask for other names" "$(dns_says upstream)" 10.0.0.9:53
stop a
check "and gives back the user's file in the end" given_back
up
kill_all a
echo "nameserver 10.0.0.1" >"$W/theirs"
put
up
stop a
check "a file that the user put there meanwhile is what the user gets back" given_back
up
kill -KILL "$(head -n 1 "$etc/resolv.conf" | awk '{ print $6 }')"	# it says who it is
check "killed alone, the process that does this is started again" \
	eventually 5 grep -q "for name resolution died" "$W/a.log"
check "and does its work again" eventually 5 taken
stop a
check "to the end" given_back

diag "USR2"
up
eventually 5 dns_is up True
writer() { head -n 1 "$etc/resolv.conf" | awk '{ print $6 }'; }
is_not() { [ "$(writer)" != "$1" ]; }
old=$(writer)
repairs=$(grep -c repaired "$W/a.log")
kill -USR2 "${pid[a]}"
check "an upgrade of the program takes the file over" eventually 10 is_not "$old"
is "without giving it back in between" "$(writer | grep -c '^[0-9]') $(grep -c repaired "$W/a.log")" "1 $repairs"
check "and knows whom to ask for other names" eventually 5 dns_is upstream 10.0.0.1:53
stop a
check "at the end it is given back" given_back

ends_well cloud
tap_done
