# lib.sh - hosts that are network namespaces, the program's start on them, and TAP.  Sourced.
#
# A test makes a network (a bridge in a namespace of its own), hosts on it, and runs real clients
# against the real program.  All names carry the script's process id; everything is gone at
# its end, however it ends: only what was started here is ended.
#
#	cloud 10.0.0.1, fd00::1		a 10.0.0.2, fd00::2		b 10.0.0.3, fd00::3
#	      |				|				|
#	------+-------------------- br in host "net" -------------------+------

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
O=${O:-build/plain} SCALE=${SCALE:-1}
CY=$(realpath "$O/cyphonic")
P=cy$$				# in front of every namespace
W=$(mktemp -d /tmp/cyphonic-test.XXXXXX) || exit 1
domain=cyphonic.internal
secret="correct horse battery staple"

declare -A pid			# of what runs in the background, by name
hosts=()
ways=()				# routes that every host on the Internet knows
tap_run=0 tap_failed=0

# ---- the end ----

end_processes() {
	local p host tries=30

	for p in "${pid[@]}"; do kill -TERM "$p" 2>/dev/null; done
	while [ ${#pid[@]} -gt 0 ] && kill -0 "${pid[@]}" 2>/dev/null && [ $((tries--)) -gt 0 ]; do
		sleep 0.1
	done
	# what is left in namespaces of ours is a child of what we started
	for host in "${hosts[@]}"; do
		for p in $(ip netns pids "$P-$host" 2>/dev/null); do kill -KILL "$p" 2>/dev/null; done
	done
}

finish() {
	local status=$? host f

	trap - EXIT
	trap '' INT TERM HUP PIPE
	end_processes
	if [ $tap_failed != 0 ]; then
		for f in "$W"/*.log; do
			[ -s "$f" ] && tail -n 30 "$f" | sed "s|^|# ${f##*/}: |"
		done
	fi
	for host in "${hosts[@]}"; do
		ip netns del "$P-$host" 2>/dev/null
		rm -rf "/etc/netns/$P-$host"
	done
	rmdir --ignore-fail-on-non-empty /etc/netns 2>/dev/null
	if [ -n "${KEEP-}" ]; then echo "# kept: $W"; else rm -rf "$W"; fi
	exit $status
}
trap finish EXIT
trap 'exit 1' INT TERM HUP PIPE

# ---- TAP ----

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

# ok STATUS TITLE
ok() {
	local not=""

	if [ "$1" != 0 ]; then
		not="not "
		tap_failed=$((tap_failed + 1))
	fi
	tap_run=$((tap_run + 1))
	echo "${not}ok $tap_run - $2"
	return "$1"
}

# check TITLE COMMAND...: shows what the command said if it fails
check() {
	local title=$1 status

	shift
	"$@" >"$W/check" 2>&1
	status=$?
	ok $status "$title" || diag "$* ($status):" "$(tail -n 20 "$W/check")"
}

# is TITLE GOT WANT
is() {
	[ "$2" = "$3" ]
	ok $? "$1" || diag "got:  $2" && [ "$2" = "$3" ] || diag "want: $3"
}

# The test cannot go on.
bail() {
	ok 1 "$1"
	exit 1
}

# other_users: whether another user than root gets anywhere; a root directory of mode 0700 is in the way
other_users() {
	setpriv --reuid=nobody --clear-groups true 2>/dev/null
}

# skip TITLE...: what cannot be tried here
skip() {
	local title

	for title in "$@"; do
		tap_run=$((tap_run + 1))
		echo "ok $tap_run # SKIP $title"
	done
}

tap_done() {
	echo "1..$tap_run"
	exit $((tap_failed != 0))
}

# eventually SECONDS COMMAND...: again and again until it succeeds
eventually() {
	local end=$(($(date +%s%N) / 1000000 + $1 * 1000))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $(($(date +%s%N) / 1000000)) -lt $end ] || return 1
		sleep 0.05
	done
}

# ---- hosts ----

# on HOST COMMAND...
on() {
	ip netns exec "$P-$1" "${@:2}"
}

make_namespace() {
	ip netns add "$P-$1" || bail "a network namespace can be made (t/net needs root)"
	hosts+=("$1")
	on "$1" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
		echo 0 >/proc/sys/net/ipv6/conf/default/router_solicitations
		ip link set lo up' 2>/dev/null
}

network() {
	make_namespace net
	ip -n "$P-net" link add name br type bridge
	ip -n "$P-net" link set dev br up
}

# plug NAME HOST BRIDGE: a host whose eth0 is at that bridge of HOST, by a port called as itself
plug() {
	make_namespace "$1"
	ip -n "$P-$2" link add name "$1" type veth peer name eth0 netns "$P-$1" ||
		bail "there can be a host $1 (15 characters at most)"
	ip -n "$P-$2" link set dev "$1" master "$3" up
	ip -n "$P-$1" link set dev eth0 addrgenmode none
	ip -n "$P-$1" link set dev eth0 up
	mkdir -p "/etc/netns/$P-$1"
	echo "nameserver 127.0.0.45
search $domain" >"/etc/netns/$P-$1/resolv.conf"
	[ ! -e /etc/nsswitch.conf ] || echo "hosts: files dns" >"/etc/netns/$P-$1/nsswitch.conf"
}

# host NAME NUMBER [FAMILIES]: a host with 10.0.0.NUMBER and fd00::NUMBER; FAMILIES: 4, 6 or 46
host() {
	local name=$1 number=$2 families=${3:-46}

	plug "$name" net br
	case $families in *4*) ip -n "$P-$name" addr add "10.0.0.$number/24" dev eth0 ;; esac
	case $families in *6*) ip -n "$P-$name" addr add "fd00::$number/64" dev eth0 nodad ;; esac
	learn_ways "$name"
}

# a way of a family that the host has not is refused; rightly
learn_ways() {
	local way

	for way in "${ways[@]}"; do ip -n "$P-$1" route add $way 2>/dev/null; done
	true
}

# ---- processes ----

# start NAME HOST COMMAND...: in the background; what it says goes to $W/NAME.log
start() {
	ip netns exec "$P-$2" "${@:3}" </dev/null >>"$W/$1.log" 2>&1 &
	pid[$1]=$!
}

# stop NAME [SIGNAL]: its exit status
stop() {
	local p=${pid[$1]} tries=100

	unset "pid[$1]"
	kill -"${2:-TERM}" "$p"
	while kill -0 "$p"; do
		[ $((tries--)) -gt 0 ] || kill -KILL "$p"
		sleep 0.05
	done
	wait "$p"
} 2>/dev/null	# what the shell says of killed jobs

# child NAME PROCESS: the process id of that child of it: node.0, as+nms.1, helper, reporter, ...
child() {
	local p

	for p in $(pgrep -P "${pid[$1]}"); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != "$2" ] || echo "$p"
	done
}

# ---- the program ----

# cloud_config [LINES]: every service on host cloud, or those in $cloud_role
cloud_config() {
	mkdir -p "$W/cloud"
	cat >"$W/cloud.yaml" <<END
role: ${cloud_role:-all}
state: $W/cloud/state
run: $W/cloud/run
user: root
workers: ${workers:-1}
as:
  nms: [${cloud_at:-10.0.0.1, fd00::1}]
  scrypt-cost: 4
${1-}
END
}

cloud_up() {
	"$CY" -c "$W/cloud.yaml" status
}

# cloud [LINES]: starts it and waits until it answers; sets $root
cloud() {
	cloud_config "${1-}"
	(umask 077; echo "$secret" >"$W/password")
	start cloud cloud "$CY" -c "$W/cloud.yaml"
	eventually 10 "$CY" -c "$W/cloud.yaml" ca fingerprint || bail "the cloud makes its CA"
	eventually 10 cloud_up || bail "the cloud answers its operator"
	root=$("$CY" -c "$W/cloud.yaml" ca fingerprint)
}

operator() {
	"$CY" -c "$W/cloud.yaml" "$@"
}

# device ACCOUNT NAME: makes both if there are none
device() {
	operator account list | grep -qw "$1" ||
		operator account add "$1" --password-file "$W/password" >/dev/null ||
		bail "the operator makes account $1"
	operator device add "$1" "$2" >/dev/null || bail "the operator makes device $2"
}

# who_logs_in ROLE HOST ACCOUNT DEVICE [LINES]: its configuration; LINES go under ROLE:
who_logs_in() {
	cat >"$W/$2.yaml" <<END
role: $1
state: $W/$2
run: $W/$2/run
user: root
workers: ${workers:-1}
$1:
  as: [${cloud_at:-10.0.0.1, fd00::1}]
  root: $root
  account: $3
  device: $4
  password-file: $W/password
${5-}
END
}

write_node_config() {
	who_logs_in node "$1" "$2" "$3" "  resolver: ${node_resolver:-off}
${4-}"
}

# relay HOST [LINES]: a TRS that is no part of the cloud, and there when it returns
relay() {
	operator account add relays --password-file "$W/password" >/dev/null
	operator device add relays attic --kind trs >/dev/null || bail "the operator makes a relay"
	who_logs_in trs "$1" relays attic "${2-}"
	start "$1" "$1" "$CY" -c "$W/$1.yaml"
	eventually 10 is_ready "$1" || bail "the relay registers"
}

# node HOST ACCOUNT DEVICE [LINES]: starts a node without waiting; LINES go under node:
node() {
	write_node_config "$@"
	start "$1" "$1" "$CY" -c "$W/$1.yaml" node
}

status() {
	"$CY" -c "$W/$1.yaml" status "${@:2}"
}

is_ready() {
	status "$1" --json | grep -q '"state": "ready"'
}

# nodes_ready HOST...
nodes_ready() {
	local h

	for h in "$@"; do
		eventually 10 is_ready "$h" || bail "node $h registers"
	done
}

# The usual pair: alice's laptop on a, bob's bob-box on b, who are there when it returns.
pair() {
	network
	host cloud 1 "${cloud_families:-46}"
	host a 2 "${a_families:-46}"
	host b 3 "${b_families:-46}"
	cloud "${cloud_lines-}"
	device alice laptop
	device bob bob-box
	node a alice laptop "${node_lines-}"
	node b bob bob-box "${node_lines-}"
	nodes_ready a b
}

# ends_well NAME...: stops them; each must end with 0 and must not have complained
ends_well() {
	local n

	for n in "$@"; do
		stop "$n"
		ok $? "$n ends with status 0 when told to"
	done
	! grep -hE "Sanitizer|runtime error|worker [0-9]+ (died|was killed)|tried system call" "$W"/*.log
	ok $? "no process complained of itself"
}
