#!/bin/bash
# The system asks the node by resolvconf: Debian's and openresolv, the real ones.
. "${0%/*}/lib.sh"
. t/net/box.sh

network
host cloud 1
host a 2
cloud
device alice laptop
start resolver cloud python3 t/net/resolver.py 10.0.0.1
eventually 5 grep -q ready "$W/resolver.log" || bail "the ordinary resolver starts"
name=laptop.$domain
node_resolver=auto

asks_us() { inside sed -n '/^nameserver/{p;q}' /etc/resolv.conf | grep -q 127.0.0.45; }
asks_others() { ! inside grep -q 127.0.0.45 /etc/resolv.conf && inside grep -q 10.0.0.1 /etc/resolv.conf; }
up() {
	node_inside a alice laptop
	eventually 10 dns_is up True && asks_us
}

# one KIND PACKAGE WAY RECORDS
one() {
	local tree

	diag "$1"
	tree=$(package_tree "$2") || { ok 0 "$1 # SKIP package $2 cannot be had"; return; }
	box a "$tree"
	[ "$2" != resolvconf ] || inside sh -c 'mkdir -p /run/resolvconf/interface
		touch /run/resolvconf/enable-updates
		ln -s /run/resolvconf/resolv.conf /etc/resolv.conf'
	printf 'nameserver 10.0.0.1\nsearch example.org\n' | inside resolvconf -a eth0.dhclient
	check "before, programs are told to ask the network's resolver" asks_others
	check "then to ask the node" up
	is "dns says which way was taken" "$(dns_says way)" "$3"
	is "and whom the system asked before" "$(dns_says before)" "10.0.0.1:53"
	check "the overlay's names are found" sh -c "nsenter -m -n -t ${pid[box]} getent ahostsv4 $name | grep -w 198.18.0.2"
	check "and all others" sh -c "nsenter -m -n -t ${pid[box]} getent ahostsv4 www.example.com | grep -w 192.0.2.80"
	check "the search list stays" inside grep -q '^search.*example.org' /etc/resolv.conf
	printf 'nameserver 10.0.0.9\nsearch example.org\n' | inside resolvconf -a eth0.dhclient
	check "another network's resolver takes its place" eventually 5 dns_is upstream 10.0.0.9:53
	printf 'nameserver 10.0.0.1\nsearch example.org\n' | inside resolvconf -a eth0.dhclient
	check "we are asked all the same" asks_us
	stop a
	check "all is as before at the end" asks_others
	up
	kill_all a
	check "kill -9 of every process leaves its record" asks_us
	up
	check "the next start repairs it and says so" grep -q "resolver: resolvconf's record repaired" "$W/a.log"
	stop a
	check "and all is as before at the end" asks_others
	stop box KILL
	umount -l "$W/box"
	: >"$W/a.log"
}

exec 2>/dev/null
one "Debian's resolvconf" resolvconf resolvconf
one openresolv openresolv openresolv
ends_well cloud
tap_done
