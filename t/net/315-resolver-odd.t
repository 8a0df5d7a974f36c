#!/bin/bash
# /etc/resolv.conf where it is no plain file, where it is not the node's to write, and where others
# want it as much.
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
echo "nameserver 10.0.0.1" >"$W/theirs"
diag "links, and no file at all"
mkdir -p "$etc/net" && echo "nameserver 10.0.0.1" >"$etc/net/theirs.conf"
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
kill -KILL "$(child a node.0)"
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
