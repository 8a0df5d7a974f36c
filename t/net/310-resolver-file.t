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
etc=$W/box/etc
cat >"$W/theirs" <<END
# by hand
search example.org

nameserver 10.0.0.1
options edns0
#|not ours
END
printf ' nameserver 10.0.0.77' >>"$W/theirs"	# without an end of line

taken() { head -n 1 "$etc/resolv.conf" | grep -q '^# Written by cyphonic'; }
given_back() { cmp "$etc/resolv.conf" "$W/theirs"; }
# as programs that keep the file do: a new one is put in the old one's place
put() {
	cp "$W/theirs" "$etc/resolv.conf.dhcp" && mv "$etc/resolv.conf.dhcp" "$etc/resolv.conf"
}
up() {
	node_inside a alice laptop
	eventually 10 taken
}

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

diag "links, and no file at all"
mkdir -p "$etc/net" && mv "$etc/resolv.conf" "$etc/net/theirs.conf"
ln -s net/theirs.conf "$etc/resolv.conf"
check "a symbolic link is replaced" up
echo "nameserver 10.0.0.9" >"$etc/net/theirs.conf"
check "what it leads to is followed" eventually 5 dns_is upstream 10.0.0.9:53
stop a
is "and it is a link again in the end" "$(readlink "$etc/resolv.conf")" net/theirs.conf
rm "$etc/resolv.conf"
check "a missing file is made" up
stop a
check "and is missing again in the end" sh -c "! [ -e $etc/resolv.conf ]"

diag "who may not"
node_resolver=off
echo "nameserver 10.0.0.1" >"$W/theirs" && put
node_inside a alice laptop
nodes_ready a
eventually 5 dns_is way off
check "with node.resolver off the file is left alone" given_back
is "and dns says why" "$(dns_says wish)" off
stop a
node_resolver=resolved
node_inside a alice laptop
check "a way that is not there is refused with the remedy" \
	eventually 5 grep -q "systemd-resolved: no D-Bus; start it, or set node.resolver to auto" "$W/a.log"
check "and the file is left alone" given_back
stop a
node_resolver=auto
host b 3
device alice phone
write_node_config b alice phone
# for whoever is process 1 there, a's network is the host's, and b's another one
start_inside b unshare -m -p -f --mount-proc --kill-child sh -c \
	"nsenter --net=/proc/self/fd/9 '$CY' -c '$W/b.yaml' node & wait" 9<"/run/netns/$P-b"
check "a network namespace that shares the file with the host leaves it alone" \
	eventually 5 grep -q "no /etc/resolv.conf of its own: make /etc/netns/NAME/resolv.conf" "$W/b.log"
check "and it is as it was" given_back
stop b KILL

diag "a file that is a mount of its own, as containers have it"
own=/etc/netns/$P-b/resolv.conf
printf 'nameserver 10.0.0.1\n# the end' | tee "$W/theirs" >"$own"
node b alice phone
check "it is written over" eventually 10 grep -q '^nameserver 127.0.0.45' "$own"
check "the overlay's names are found" sh -c "ip netns exec $P-b getent ahostsv4 $name | grep -w 198.18.0.2"
stop b
check "and it is as before at the end" cmp "$own" "$W/theirs"

diag "a worker killed while the cloud is away"
echo "nameserver 10.0.0.1" >"$W/theirs"
put
up
eventually 5 dns_is up True
stop cloud
worker=$(pgrep -P "${pid[a]}" | head -n 1)
[ "$worker" != "$(head -n 1 "$etc/resolv.conf" | awk '{ print $6 }')" ] ||
	worker=$(pgrep -P "${pid[a]}" | tail -n 1)
kill -KILL "$worker"
check "others' names go on" eventually 5 sh -c "ip netns exec $P-a dig @127.0.0.45 +short +tries=1 +time=1 \
	www.example.com A | grep -q 192.0.2.80"

diag "somebody who writes the file all the time"
for i in $(seq 30); do
	! grep -q "again and again" "$W/a.log" || break
	put
	eventually 1 taken
done
check "wins after a while, and the log says so" grep -q "another program writes /etc/resolv.conf again and again" "$W/a.log"
check "and the file is theirs" given_back
ends_well a
tap_done
