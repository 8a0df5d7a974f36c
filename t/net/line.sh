# line.sh - lines between a host or a box and the network it is at: as long, slow and bad as told,
# and proved to be so.  t/net/topology.sh sources it; the emulator is t/net/link.c.
#
#	a eth0 -- a [ link ] a.1 -- a.2 at the bridge

# line NAME [OPTION NUMBER]...: what is between a host or box and the bridge it is at; "link" alone
# lists the options; --up is away from NAME.  Once more: the line changes and loses nothing by it.
line() {
	local name=$1 place=${above[$1]:-net}

	echo "${@:2}" >"$W/$name.line"
	if [ -n "${pid[line-$name]-}" ]; then
		line_tell "$name" HUP | grep -q set
	else
		line_lay "$name" "$place"
		start "line-$name" "$place" "$O/t/net/link" "$name" "$name.1" --from "$W/$name.line"
		eventually 5 grep -q ready "$W/line-$name.log"
	fi || bail "the line of $name can be ${*:2}"
	line_segments "$name" "$place" "${@:2}"
}

# The emulator is between NAME, the port, and NAME.1; NAME.2 is the port instead.
line_lay() {
	local bridge=lan

	[ "$2" != net ] || bridge=br
	# without ARP, as two more interfaces of this host would answer for it
	ip -n "$P-$2" -batch - <<END
link add name $1.1 type veth peer name $1.2
link set dev $1 nomaster
link set dev $1 arp off addrgenmode none up
link set dev $1.1 arp off addrgenmode none up
link set dev $1.2 master $bridge addrgenmode none up
END
}

# What only delays may carry whole runs of segments; else each packet is to have its own fate.
line_segments() {
	local most=1

	! [[ "${*:3}" =~ ^(--delay [0-9.]+)?$ ]] || most=65535
	ip -n "$P-$2" link set dev "$1.2" gso_max_segs $most
	ip -n "$P-$1" link set dev eth0 gso_max_segs $most
}

# line_tell NAME SIGNAL: what the emulator says to it
line_tell() {
	local log=$W/line-$1.log lines

	lines=$(wc -l <"$log")
	kill -"$2" "${pid[line-$1]}"
	eventually 5 sh -c "[ \$(wc -l <'$log') -gt $lines ]"
	tail -n +$((lines + 1)) "$log"
}

# line_says NAME: what happened on it so far, a line of names and numbers for each direction
line_says() {
	line_tell "$1" USR1
}

# line_probe NAME [OPTION NUMBER]...: whether the line of NAME is so
line_probe() {
	local place=${above[$1]:-net} bridge=lan

	[ "$place" != net ] || bridge=br
	"$O/t/net/probe_line" "$P-$1" eth0 "$P-$place" $bridge "${@:2}"
}

# proves_line NAME: it does what was said, both ways, and nothing else
proves_line() {
	local options said

	options=$(<"$W/$1.line")
	said=$(line_probe "$1" $options 2>&1)
	ok $? "the line of $1 is as told: ${options:-perfect}" || diag "$said"
}
