#!/bin/bash
# A node's master, as its unit starts it: with those capabilities, and none of them in vain.
. "$(dirname "$0")/lib.sh"

if ! other_users; then
	echo "1..0 # SKIP no setpriv, or no other user"
	exit 0
fi
needed=$(sed -n 's/^CapabilityBoundingSet=//p' dist/cyphonic-node.service | tr '[:upper:]' '[:lower:]')
[ -n "$needed" ] || bail "the node's unit names its capabilities"

# limited CAPABILITY...: starts the node with no others, in directories as tmpfiles makes them
limited() {
	local set="-all" c

	for c in "$@"; do set="$set,+${c#cap_}"; done
	rm -rf "$W/a" "$W/a-run"
	install -d -o nobody -g nogroup -m 700 "$W/a"
	install -d -o nobody -g nogroup -m 755 "$W/a-run"
	: >"$W/a.log"
	start a a setpriv --no-new-privs --bounding-set "$set" --inh-caps=-all "$CY" -c "$W/a.yaml" node
}
without() {
	local c

	for c in $needed; do [ "$c" = "$1" ] || echo "$c"; done
}
# what an operator would call working
works() {
	local tries=60

	until is_ready a 2>/dev/null; do
		kill -0 "${pid[a]}" 2>/dev/null && [ $((tries--)) -gt 0 ] || return 1
		! grep -q "cannot" "$W/a.log" || return 1
		sleep 0.05
	done
}
stops_soon() {
	kill "${pid[a]}"
	eventually 2 gone
}
gone() { ! kill -0 "${pid[a]}"; }
discard() {
	kill -9 "${pid[a]}" 2>/dev/null
	wait "${pid[a]}" 2>/dev/null
	unset "pid[a]"
	# without CAP_KILL even the kernel does not end the children of a master that dies
	kill -9 $(ip netns pids "$P-a") 2>/dev/null
	eventually 5 eval '[ -z "$(ip netns pids "$P-a")" ]'
}

network
host cloud 1
host a 2
cloud
device alice laptop
chmod 711 "$W"
install -o nobody -m 600 "$W/password" "$W/password-a"
cat >"$W/a.yaml" <<END
role: node
state: $W/a
run: $W/a-run
user: nobody
node:
  as: 10.0.0.1
  root: $root
  account: alice
  device: laptop
  password-file: $W/password-a
END
limited $needed
works
ok $? "with the unit's capabilities a node gets ready"
worker=$(child a node.0)
is "its worker has none of them" "$(awk '/^CapPrm|^CapEff|^CapAmb/ { print $2 }' "/proc/$worker/status" | sort -u)" \
	0000000000000000
stops_soon
ok $? "and it stops when told to"
discard
for c in $needed; do
	limited $(without "$c")
	! { works && stops_soon; }
	ok $? "without $c it would not be started, or not be stopped"
	diag "$(grep -m1 -oE 'cannot.*' "$W/a.log")"
	discard
done
ends_well cloud
tap_done
