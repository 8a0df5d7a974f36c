#!/bin/bash
# The system asks the node by systemd-resolved: the real one, with a D-Bus of its own.
. "${0%/*}/lib.sh"
. t/net/box.sh

other_users || { echo "1..0 # SKIP systemd-resolved has a user of its own, and no other user gets in here"; exit 0; }
tree=$(package_tree systemd-resolved) || { echo "1..0 # SKIP package systemd-resolved cannot be had"; exit 0; }
network
host cloud 1
host a 2
cloud
device alice laptop
start resolver cloud python3 t/net/resolver.py 10.0.0.1
eventually 5 grep -q ready "$W/resolver.log" || bail "the ordinary resolver starts"
box a "$tree"
name=laptop.$domain
node_resolver=auto

grep -q ^systemd-resolve: "$etc/passwd" ||
	echo "systemd-resolve:x:992:992::/:/usr/sbin/nologin" >>"$etc/passwd"
grep -q ^systemd-resolve: "$etc/group" || echo "systemd-resolve:x:992:" >>"$etc/group"
grep -q ^messagebus: "$etc/passwd" || {
	echo "messagebus:x:991:991::/:/usr/sbin/nologin" >>"$etc/passwd"
	echo "messagebus:x:991:" >>"$etc/group"
}
printf '[Resolve]\nDNS=10.0.0.1\nFallbackDNS=\nDNSSEC=no\nDNSOverTLS=no\nLLMNR=no\nMulticastDNS=no\n' \
	>"$etc/systemd/resolved.conf"
ln -s ../run/systemd/resolve/stub-resolv.conf "$etc/resolv.conf"
inside mkdir -p /run/dbus /run/systemd/resolve
inside chown systemd-resolve: /run/systemd/resolve
start_inside dbus dbus-daemon --system --nofork --nopidfile --nosyslog
eventually 5 inside test -S /run/dbus/system_bus_socket || bail "a D-Bus of its own starts"

stub() { inside dig @127.0.0.53 +tries=1 +time=2 +short "$@"; }
resolved() {
	start_inside resolved /lib/systemd/systemd-resolved
	eventually 10 inside resolvectl status
}
has_link() { inside resolvectl dns cyphonic0 | grep -qF 127.0.0.45; }
up() {
	node_inside a alice laptop
	eventually 10 has_link
}

resolved || { diag "$(tail "$W/resolved.log")"; bail "systemd-resolved starts"; }
is "before, resolved asks the network's resolver" "$(stub www.example.com A)" 192.0.2.80
check "the node gives its TUN device a DNS server" up
eventually 5 dns_is up True
is "dns says that the way is resolved" "$(dns_says way)" resolved
is "the log has the decision in one line" \
	"$(grep -c 'resolver: names of.*way resolved.*resolved=yes.*stub=yes.*before: 127.0.0.53' "$W/a.log")" 1
is "resolved finds a name of the overlay" "$(stub $name A)" 198.18.0.2
is "and its reverse" "$(stub -x 198.18.0.2)" "$name."
v6=$(ip -n "$P-a" -6 -o addr show cyphonic0 scope global | awk '{ sub("/.*", "", $4); print $4 }')
is "in both families" "$(stub -x "$v6")" "$name."
is "all other names as before" "$(stub www.example.org A)" 192.0.2.80
check "programs find the overlay's names" \
	sh -c "nsenter -m -n -t ${pid[box]} getent ahostsv4 $name | grep -w 198.18.0.2"
is "the domain is for routing only, with the ranges' reverse zones" \
	"$(inside resolvectl domain cyphonic0 | grep -oE '~(cyphonic.internal|1[89].198.in-addr.arpa|[0-9a-f.]*ip6.arpa)' | wc -l)" 4
is "the device is nobody's default" "$(inside resolvectl default-route cyphonic0 | awk '{ print $NF }')" no
is "nothing else is switched on there" \
	"$(for what in llmnr mdns dnssec dnsovertls; do inside resolvectl $what cyphonic0 | awk '{ print $NF }'; done | sort -u)" no
is "our resolver is asked for the overlay's names alone" "$(dns_says counters.forwarded)" 0
is "who asks us for another name is sent to resolved" \
	"$(inside dig @127.0.0.45 +short www.example.com A)" 192.0.2.80
stop resolved
resolved
is "resolved remembers all that when it starts anew" "$(stub $name A)" 198.18.0.2
index=$(inside cat /sys/class/net/cyphonic0/ifindex 2>/dev/null ||
	ip -n "$P-a" -o link show cyphonic0 | cut -d: -f1)
inside dbus-monitor --system "interface='org.freedesktop.resolve1.Manager'" >"$W/calls.log" 2>&1 &
pid[monitor]=$!
eventually 5 test -s "$W/calls.log"
stop a
check "at the end the device is given back to resolved" \
	eventually 5 grep -q "member=RevertLink" "$W/calls.log"
is "and the overlay's names are nobody's" "$(stub $name A)" 192.0.2.80

diag "a bus of another network namespace"
host b 3
write_node_config b alice laptop
# the files and the bus of a, the network of b
nsenter -m -t "${pid[box]}" --net="/run/netns/$P-b" "$CY" -c "$W/b.yaml" node </dev/null >"$W/b.log" 2>&1 &
pid[b]=$!
check "is not asked, as it does not know our device" \
	eventually 10 grep -q "way file \[resolved=another network namespace's" "$W/b.log"
ends_well b cloud
is "resolv.conf is resolved's again" "$(readlink "$etc/resolv.conf")" ../run/systemd/resolve/stub-resolv.conf
tap_done
