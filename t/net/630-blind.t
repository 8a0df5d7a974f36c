#!/bin/bash
# Who owns AS, NMS, relay and every wire opens all of the signalling, and reads no octet of what
# two nodes say to each other.  A build whose nodes give their keys away is caught by the same
# test, and a node's own memory shows that the attacker knows a key when it sees one.
. "${0%/*}/lib.sh"

ATTACKER=$(realpath "$O/t/net/attacker") BROKEN=$(realpath "$O/t/net/broken")
marker="NOBODY-ELSE-READS-THIS"

capture() {
	start "$1" "$2" tcpdump -i "$3" -Z root --immediate-mode -U -s 0 -B 16384 -w "$W/$1.pcap" udp
	eventually 5 grep -q "listening on" "$W/$1.log" || bail "tcpdump starts"
}

# memory NAME PROCESS FILE: all that child of it can write to
memory() {
	local p

	p=$(child "$1" "$2")
	[ -n "$p" ] || bail "$1 has a process $2"
	python3 - "$p" "$3" <<'END' || bail "the memory of $1 can be read"
import sys
pid, name = sys.argv[1:]
with open(f"/proc/{pid}/mem", "rb", 0) as memory, open(name, "wb") as out:
    for line in open(f"/proc/{pid}/maps"):
        where, mode = line.split()[:2]
        begin, end = (int(x, 16) for x in where.split("-"))
        if mode.startswith("rw"):
            memory.seek(begin)
            out.write(memory.read(end - begin))
END
}

# has_come FILE OCTETS
has_come() {
	[ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]
}

# nodes_talk RUN: a fetches marked data from b; in the midst of it all memory is read
nodes_talk() {
	local run=$1 size

	size=$((1000000 * SCALE))
	capture "$run" net br
	node a alice laptop
	node b bob bob-box
	nodes_ready a b
	start "http-$run" b python3 -u -m http.server --directory "$W/www" --bind :: 80
	eventually 5 grep -q Serving "$W/http-$run.log" || bail "the web server starts"
	start "load-$run" a curl -s --limit-rate 1M -o "$W/$run.fetched" http://bob-box.$domain/marked
	eventually 15 has_come "$W/$run.fetched" $((size / 2)) || bail "data flows ($run)"
	memory cloud as+nms.0 "$W/$run.nms.memory"
	memory a node.0 "$W/$run.node.memory"
	eventually $((10 + size / 1000000)) has_come "$W/$run.fetched" $size
	stop "http-$run"
	stop "load-$run"
	stop a
	stop b
	stop "$run" INT
	cp -r "$W/cloud/state" "$W/$run.state"
}

# attack RUN [MEMORY...]: what comes of it is in $W/RUN.report and $W/RUN.recovered
attack() {
	local run=$1 begin=$EPOCHREALTIME

	"$ATTACKER" "$W/$run.state" "$W/$run.recovered" "$W/${run%-*}.pcap" -- "${@:2}" >"$W/report" 2>&1
	ok $? "the attacker goes through captures, store and memory ($run)" ||
		diag "$(tail -n 5 "$W/report")"
	diag "$(cat "$W/report")"
	diag "in $(echo "$EPOCHREALTIME - $begin" | bc) s"
}

# said WORDS: the figure in the report
said() {
	sed -n "s/^$1: //p" "$W/report"
}

# at_least TITLE WORDS NUMBER
at_least() {
	[ "$(said "$2")" -ge "$3" ]
	ok $? "$1: $(said "$2")" || diag "$2: $(said "$2"), want at least $3"
}

network
host cloud 1
host a 2
host b 3
cloud
device alice laptop
device bob bob-box
mkdir "$W/www"
yes "$marker" | head -c $((1000000 * SCALE)) >"$W/www/marked"
nodes_talk honest

attack honest "$W/honest.nms.memory"
at_least "it opens the signalling" "signalling opened" 10
is "all of it" "$(said "signalling unopened")" 0
at_least "it has the Route Directions of both ends" "route directions" 2
at_least "and their Tunnel Key" "tunnel keys" 1
at_least "it opens Tunnel Request" "tunnel requests" 1
at_least "and Tunnel Response" "tunnel responses" 1
at_least "it has the End Key" "end keys" 1
at_least "it has the capsules of both directions" "streams" 2
at_least "with all of the data" "capsule octets" $((1000000 * SCALE))
is "it has nobody's private key" "$(said "private keys")" 0
is "and 0 octets of application data" "$(said recovered)" 0
! grep -qaF "$marker" "$W/honest.pcap" "$W/honest.nms.memory"
ok $? "which stands nowhere in the clear"

cp -r $W/honest.state $W/honest-node.state
attack honest-node "$W/honest.node.memory"
at_least "with a node's memory it reads everything" "recovered" $((1000000 * SCALE))
at_least "and has the node's private key" "private keys" 1

CY=$BROKEN
nodes_talk broken
attack broken "$W/broken.nms.memory"
at_least "of nodes that give their keys away it reads everything" "recovered" $((1000000 * SCALE))
check "to the letter" grep -qaF "$marker" "$W/broken.recovered"
ends_well cloud
tap_done
