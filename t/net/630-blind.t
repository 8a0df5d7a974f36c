#!/bin/bash
# Who owns AS, NMS, relay and every wire opens all of the signalling, and reads no octet of what
# two nodes say to each other by the relay.  That he would notice if he could is shown by nodes
# that give their keys away, by nodes as they were published, and by the memory of a node.
#
#	cloud (AS, NMS) 10.0.0.1, fd00::1	r (TRS) 10.0.0.4, fd00::4
#		|					|
#	--------+-------+-----------------------+-------+------
#			|				|
#		a 10.0.0.2			b fd00::3
. "${0%/*}/lib.sh"

BLIND=$(realpath "$O/t/net/blind")
marker="NOBODY-ELSE-READS-THIS"
size=$((500000 * SCALE))

# memory RUN NAME...: all that their processes can write to, each in a file RUN/NAME.PROCESS; a page
# that several have, as every child has those of its parent, only once
memory() {
	local name p list=()

	for name in "${@:2}"; do
		for p in "${pid[$name]}" $(pgrep -P "${pid[$name]}"); do
			list+=("$p" "$W/$1/$name.$(cat "/proc/$p/comm")")
		done
	done
	python3 - "${list[@]}" <<'END' || bail "the memory of processes can be read ($1)"
import sys
seen = set()
def new(page):
    return page not in seen and not seen.add(page)
for pid, name in zip(sys.argv[1::2], sys.argv[2::2]):
    with open(f"/proc/{pid}/mem", "rb", 0) as memory, open(name, "wb") as out:
        for line in open(f"/proc/{pid}/maps"):
            where, mode = line.split()[:2]
            begin, end = (int(x, 16) for x in where.split("-"))
            # what is larger is the shadow of a sanitizer
            if mode.startswith("rw") and end - begin < 1 << 30:
                memory.seek(begin)
                all = memory.read(end - begin)
                out.writelines(filter(new, (all[i:i + 4096] for i in range(0, len(all), 4096))))
END
}

# has_come FILE OCTETS
has_come() {
	[ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -ge "$2" ]
}

relay_is_ready() {
	status r --json | grep -q '"state": "ready"'
}

# services: started for each run with the program of that run
services() {
	start cloud cloud "$CY" -c "$W/cloud.yaml"
	eventually 10 cloud_up || bail "the cloud answers its operator"
	start r r "$CY" -c "$W/r.yaml"
	eventually 10 relay_is_ready || bail "the relay registers"
}

# talk RUN PROGRAM LINES [NAME...]: a fetches marked data from b by the relay; in the midst of it
# the memory of those is read
talk() {
	local run=$1

	CY=$2
	mkdir "$W/$run"
	start "wire-$run" net tcpdump -i br -Z root --immediate-mode -U -s 0 -B 16384 -w "$W/$run/pcap"
	eventually 5 grep -q "listening on" "$W/wire-$run.log" || bail "tcpdump starts"
	services
	node a alice laptop "$3"
	node b bob bob-box "$3"
	nodes_ready a b
	start "load-$run" a curl -s --limit-rate 1M -o "$W/$run/fetched" http://bob-box.$domain/marked
	eventually $((5 + SCALE)) has_come "$W/$run/fetched" $((size / 2)) || bail "data flows ($run)"
	memory "$run" "${@:4}"
	eventually $((5 + 2 * SCALE)) has_come "$W/$run/fetched" $size
	stop "load-$run"
	for host in a b r cloud "wire-$run"; do stop $host; done
	cp -r "$W/cloud/state" "$W/$run/state"
}

# attack RUN MEMORY...: what comes of it is in $W/report and $W/RUN/recovered
attack() {
	local begin

	begin=$(date +%s%N)
	"$BLIND/attacker" "$W/$1/state" "$W/$1/recovered" "$W/$1/pcap" -- "${@:2}" >"$W/report" 2>&1
	ok $? "the attacker goes through captures, store and memory ($1)"
	diag "$(sed "s|$W/||g" "$W/report")" "ms: $((($(date +%s%N) - begin) / 1000000))"
}

# said WORDS: the figure in the report
said() {
	sed -n "s/^$1: //p" "$W/report"
}

# at_least NUMBER WORDS TITLE
at_least() {
	[ "$(said "$2")" -ge "$1" ]
	ok $? "$3" || diag "$2: $(said "$2"), want at least $1"
}

network
host cloud 1
host r 4
host a 2 4
host b 3 6
cloud_role="[as, nms]"
cloud
device alice laptop
device bob bob-box
operator account add relays --password-file "$W/password" >/dev/null
operator device add relays attic --kind trs >/dev/null || bail "the operator makes a relay's device"
who_logs_in trs r relays attic
stop cloud
mkdir "$W/www"
yes "$marker" | head -c $size >"$W/www/marked"
start http b python3 -u -m http.server --directory "$W/www" --bind :: 80
eventually 5 grep -q Serving "$W/http.log" || bail "the web server starts"

talk honest "$CY" "  rekey-packets: $((60 * SCALE))" cloud r a
attack honest "$W"/honest/cloud.* "$W"/honest/r.*
at_least 30 "signalling opened" "he opens the signalling"
is "all of it" "$(said "signalling unopened")" 0
at_least 2 "route directions" "he has the Route Directions of both ends"
at_least 1 "relay requests" "and the Relay Request"
at_least 1 "tunnel keys" "the Tunnel Key"
at_least 1 "tunnel requests" "the Tunnel Request"
at_least 1 "tunnel responses" "the Tunnel Response"
at_least 1 "end keys" "and the End Key"
at_least 4 "public keys" "he has the certificates' and the ephemeral public keys of both"
at_least 4 "streams" "he has the capsules of both directions, under more than one key"
at_least $size "capsule octets" "with all of the data"
is "he has nobody's private key" "$(said "private keys")" 0
is "and 0 octets of application data" "$(said recovered)" 0
! grep -qaF "$marker" "$W"/honest/pcap "$W"/honest/cloud.* "$W"/honest/r.*
ok $? "which stand nowhere in the clear"
attack honest "$W/honest/a.node.0"
at_least 1 "recovered" "with the memory of a node he reads what it read"
at_least 1 "private keys" "and has its private key"
at_least 2 "streams opened" "and the keys in use"
[ "$(said "streams opened")" -lt "$(said streams)" ]
ok $? "not those before or after"

talk broken "$BLIND/broken" "  cipher: chacha20-poly1305" r
attack broken "$W/broken/r.trs.0"
at_least $size "recovered" "of nodes that give their keys to the relay he reads everything"
check "to the letter" grep -qaF "$marker" "$W/broken/recovered"
check "by the relay's memory" grep -q "^fits: .*r.trs.0" "$W/report"
attack broken
at_least $size "recovered" "and without it by what was captured"

talk published "$BLIND/published" "  cipher: aes-256-gcm"
attack published
at_least $size "recovered" "of nodes as they were published too"
check "by what follows from the keys of the NMS" grep -q "^fits: what is known" "$W/report"
check "no process complained of itself" sh -c \
	"! grep -hE 'Sanitizer|runtime error|worker [0-9]+ (died|was killed)' '$W'/*.log"
tap_done
