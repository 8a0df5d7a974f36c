#!/bin/bash
# The first real setup of the README, typed in by a machine: its four blocks of commands run as
# they stand, but for address, fingerprint and the second device's name.  Each host has a root directory
# of its own, laid over ours, that vanishes with it.  The package is built once, apt is dpkg here, as no
# package is missing, and systemctl starts what the unit says.
. "${0%/*}/lib.sh"

# block N: the Nth block of commands
block() {
	awk -v n="$1" '/^```sh/ { k++; inside = 1; next } /^```/ { inside = 0 } inside && k == n' README.md |
		sed "s/203\.0\.113\.1/10.0.0.1/g; s/FINGERPRINT/${root-}/; ${2-}"
}

# live HOST: a process that keeps a root directory of the host's own, laid over ours
live() {
	local root=$W/$1.root disk=$W/$1.disk

	mkdir -p "$root" "$disk"
	start "$1" "$1" unshare --mount --propagation private sh -ec "
		umask 022
		mount -t tmpfs none $disk
		mkdir $disk/up $disk/work
		mount -t overlay -o lowerdir=/,upperdir=$disk/up,workdir=$disk/work none $root
		for d in proc sys dev; do mount --rbind /\$d $root/\$d; done
		mount -t tmpfs -o mode=755 none $root/run
		mkdir -p $root$W
		mount --bind $W $root$W
		rm -f $root/etc/resolv.conf
		touch $root/run/own-root
		exec chroot $root sleep 1000"
	eventually 5 at "$1" test -e /run/own-root
}

# at HOST COMMAND...
at() {
	nsenter --target "${pid[$1]}" --mount --net --root env -C "$W" "${@:2}"
}

# type_in HOST N [SED]: the Nth block, with the password on standard input
type_in() {
	{
		cat <<-'END'
			sudo() { "$@"; }
			make() { :; }
			apt() { dpkg --force-unsafe-io --install "$2"; }
			systemctl() {
				$(sed -n 's/^ExecStart=//p' "/lib/systemd/system/$3.service") >/run/log 2>&1 &
				for _ in $(seq 200); do
					grep -q ' master: ready$' /run/log && return
					sleep 0.05
				done
				cat /run/log
				return 1
			}
			set -e
		END
		block "$2" "${3-}"
	} >"$W/$1.sh"
	echo "$secret" | at "$1" bash "$W/$1.sh" >"$W/$1.said" 2>&1
}

ready_at() {
	at "$1" cyphonic status --json | grep -q '"state": "ready"'
}

# capabilities of the program's processes on a host that are not root's
capabilities() {
	local p

	for p in $(ip netns pids "$P-$1"); do
		[[ $(readlink "/proc/$p/exe") = */cyphonic ]] || continue
		awk '/^Uid:/ && $2 == 0 { exit } /^Cap(Prm|Eff|Amb):/ { print $2 }' \
			"/proc/$p/status"
	done | sort | uniq -c
}

network
host cloud 1
host a 2
host b 3
chmod 711 "$W"
MAKEFLAGS='' O=$O dist/deb/build "$W/build" >"$W/deb" 2>&1
ok $? "make deb makes a package" || diag "$(cat "$W/deb")"
for h in cloud a b; do
	live $h || { diag "no overlay file system here"; tap_done; }
	type_in $h 1
	ok $? "$h: the package is installed" || diag "$(cat "$W/$h.said")"
done

type_in cloud 2
ok $? "the commands for the box succeed" || diag "$(cat "$W/cloud.said")"
root=$(grep -xE '[0-9a-f]{64}' "$W/cloud.said")
is "the last one prints 64 hex digits" "${#root}" 64
is "no process but the master has a capability left" \
	"$(capabilities cloud | sed 's/^ *[0-9]* //')" 0000000000000000
type_in a 3
ok $? "the commands for a computer succeed on the laptop" || diag "$(cat "$W/a.said")"
type_in b 3 s/laptop/desktop/
ok $? "and on the desktop" || diag "$(cat "$W/b.said")"
for h in a b; do
	eventually 10 ready_at $h
	ok $? "the node on $h becomes ready" || diag "$(cat "$W/$h.said")"
done
type_in a 4
ok $? "the commands on the laptop succeed" || diag "$(cat "$W/a.said")"
is "cyphonic ping reaches the desktop" "$(grep -c '^pong from desktop' "$W/a.said")" 1
is "so does ping" "$(grep -c '3 received' "$W/a.said")" 1
tap_done
