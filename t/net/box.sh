# box.sh - a host whose /etc, /usr and /run are its own, so that a test can change how it
# resolves names with the real programs and none of it reaches this machine.  Sourced after lib.sh.
. t/packages

# box HOST [TREE...]: TREEs are unpacked packages, laid over /usr and /etc
box() {
	local host=$1 tree

	shift
	mkdir -p "$W/box"
	mount -t tmpfs box "$W/box" || bail "a tmpfs can be mounted"
	trap 'box_status=$?; umount -l "$W/box" 2>/dev/null; (exit $box_status); finish' EXIT
	rm -f "$W/box.log"
	mkdir -p "$W/box/usr"
	cp -a /etc "$W/box/etc"
	rm -f "$W/box/etc/resolv.conf"
	echo "hosts: files dns" >"$W/box/etc/nsswitch.conf"
	for tree; do
		# /sbin and /lib are links into /usr
		for part in sbin lib bin; do
			[ ! -d "$tree/$part" ] || (mkdir -p "$W/box/usr/$part" && cp -a "$tree/$part/." "$W/box/usr/$part/")
		done
		[ ! -d "$tree/usr" ] || cp -a "$tree/usr/." "$W/box/usr/"
		[ ! -d "$tree/etc" ] || cp -a "$tree/etc/." "$W/box/etc/"
	done
	cat >"$W/box.sh" <<END
mount --make-rprivate /
umount /etc/resolv.conf /etc/nsswitch.conf 2>/dev/null
mount -t overlay -o "lowerdir=$W/box/usr:/usr" overlay /usr || exit 1
mount --bind "$W/box/etc" /etc || exit 1
mount -t tmpfs run /run || exit 1
echo ready
exec sleep 1000
END
	start box "$host" unshare -m sh "$W/box.sh"
	eventually 5 grep -q ready "$W/box.log" || bail "a host with an /etc of its own is made"
}

inside() {
	nsenter -m -n -t "${pid[box]}" "$@"
}

# start_inside NAME COMMAND...: as start, in the box
start_inside() {
	nsenter -m -n -t "${pid[box]}" "${@:2}" </dev/null >>"$W/$1.log" 2>&1 &
	pid[$1]=$!
}

# node_inside HOST ACCOUNT DEVICE: the node of a boxed host
node_inside() {
	write_node_config "$@"
	start_inside "$1" "$CY" -c "$W/$1.yaml" node
}

# the value of a key of `cyphonic dns --json`
dns_says() {
	"$CY" -c "$W/a.yaml" node dns --json | python3 -c '
import json, sys
o = json.load(sys.stdin)
for k in sys.argv[1].split("."):
    o = o[k]
print(o if not isinstance(o, list) else " ".join(map(str, o)))' "$1"
}

# dns_is KEY VALUE
dns_is() {
	[ "$(dns_says "$1")" = "$2" ]
}

is_dead() {
	! grep -q ') [^ZX]' "/proc/$1/stat"
}

# kill_all NAME: the master last and asleep, so that nobody is left who could undo anything
kill_all() {
	local p children

	kill -STOP "${pid[$1]}"
	children=$(pgrep -P "${pid[$1]}")
	kill -KILL $children
	for p in $children; do eventually 5 is_dead "$p"; done
	kill -KILL "${pid[$1]}"
	wait "${pid[$1]}"
	unset "pid[$1]"
}

# ---- /etc/resolv.conf of host a, where $W/theirs is what others put there ----

etc=$W/box/etc
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
