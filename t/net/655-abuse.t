#!/bin/bash
# Somebody on the relay's own network hears what a node says to it, and says it again: from an
# address of his own, from the node's, from a victim's.  Nobody gets anything by it, and the relay
# stays as small as it was.
. "${0%/*}/lib.sh"

abuser() { local where=$1; shift; on "$where" python3 t/net/abuser.py "$@"; }

# figure VERDICT HOST: of all workers
figure() {
	status "$2" --json | awk -v want="\"$1\":" '$1 == want { n += $2 } END { print n + 0 }'
}
more_than() { [ "$(figure "$1" "$2")" -ge "$3" ]; }
reaches() { on a ping -c 1 -W 1 bob-box.$domain; }

# heard: what has reached the victim so far, datagrams and octets
heard() { cat "$W/victim"; }
# what is still under way has arrived when nothing new came for a while
quiet() {
	local before="" tries=50

	while [ "$before" != "$(heard)" ] && [ $((tries--)) -gt 0 ]; do
		before=$(heard)
		sleep 0.2
	done
}

# overheard TYPE N SOURCE TIMES COMMAND...: while the command runs, N messages of that type that a
# sends to the relay are said again at once; sets $said and $octets
overheard() {
	local type=$1 n=$2 source=$3 times=$4 ear

	shift 4
	timeout 20 ip netns exec "$P-net" python3 t/net/abuser.py record a 4502 "$type" "$n" 2>"$W/ear.log" |
		tee "$W/ear" | timeout 20 ip netns exec "$P-x" python3 t/net/abuser.py play "$source" "$times" \
		>"$W/spoken" 2>>"$W/ear.log" & ear=$!
	pid[ear]=$ear
	eventually 5 grep -q ready "$W/ear" || bail "somebody hears the line"
	"$@" >"$W/command" 2>&1
	wait $ear
	unset "pid[ear]"
	read -r said octets <"$W/spoken"
}

cloud_role="[as, nms]"
network
host cloud 1
host a 2 4
host b 3 6
host r 4
host x 66 4
host v 77 4
cloud
device alice laptop
device bob bob-box
operator account add relays --password-file "$W/password" >/dev/null
operator device add relays attic --kind trs >/dev/null
cat >"$W/r.yaml" <<END
role: trs
state: $W/r
run: $W/r/run
user: root
workers: 2
trs:
  as: 10.0.0.1
  root: $root
  account: relays
  device: attic
  password-file: $W/password
END
ip -n "$P-r" route add default via 10.0.0.66	# it hears from anywhere
start r r "$CY" -c "$W/r.yaml"
eventually 10 is_ready r || bail "the relay registers"
node a alice laptop
node b bob bob-box
nodes_ready a b
start count net python3 t/net/abuser.py count v 10.0.0.77 "$W/victim"
eventually 5 test -s "$W/victim" || bail "what reaches the victim is counted"

# ---- Hole Punchings of an end that binds, from a victim's address ----

before=$(figure drop_replay r)
overheard 21 2 10.0.0.77 50 on a ping -c 3 -i 0.2 -W 5 bob-box.$domain
check "two meet at a relay while their Hole Punchings come from a victim's address too" reaches
quiet
read -r datagrams told < <(heard)
[ "$said" = 100 ] && [ "$datagrams" -le "$said" ] && [ "$told" -le "$octets" ]
ok $? "for $said spoofed Hole Punchings of $octets octets the victim gets $datagrams datagrams, $told octets"
check "the others are dropped as replays" more_than drop_replay r $((before + said - datagrams))
is "the relay has one path, both ends bound" "$(status r | awk '$1 == "bound" { print $2 }')" 1

# ---- what they say, from elsewhere and from where it came ----

before=$(figure drop_unbound r)
overheard 24 20 10.0.0.66 5 on a ping -c 25 -i 0.05 -W 2 bob-box.$domain
check "capsules from a third address, with the right path and token, are not bound to it" \
	eventually 3 more_than drop_unbound r $((before + said))
is "all $said of them" "$(($(figure drop_unbound r) - before))" "$said"
grep -q " 25 received" "$W/command"
ok $? "and disturb nobody" || diag "$(cat "$W/command")"

before=$(figure drop_replay b) relayed=$(figure relayed r)
overheard 24 20 - 5 on a ping -c 25 -i 0.05 -W 2 bob-box.$domain
check "from the address of the end they are relayed, and dropped by the other end" \
	eventually 3 more_than drop_replay b $((before + said))
is "all $said of them" "$(($(figure drop_replay b) - before))" "$said"
[ $(($(figure relayed r) - relayed)) -ge "$said" ]
ok $? "within what this end may send"
grep -q " 25 received" "$W/command" && ! grep -q DUP "$W/command"
ok $? "no program sees anything twice" || diag "$(cat "$W/command")"

# ---- a victim's address, and everybody's ----

quiet
read -r before was < <(heard)
for port in 4502 3478; do abuser x forge 10.0.0.4 $port 10.0.0.77 3000; done >/dev/null
for port in 4501; do abuser x forge 10.0.0.1 $port 10.0.0.77 3000; done >/dev/null
abuser x forge 10.0.0.2 4503 10.0.0.77 3000 >/dev/null
quiet
is "12,000 forgeries to relay, NMS and node from the victim's address get no answer" "$(heard)" "$before $was"
before=$(figure drop_replay b)
abuser x play - 5 <"$W/ear" >/dev/null
sleep 0.2
more=$(($(figure drop_replay b) - before))
[ "$more" -lt 50 ]
ok $? "some seconds later the token of what was said again is over ($more of 100 are relayed)"

read -r before was < <(heard)
read -r said octets < <(abuser x stun 10.0.0.4 3478 10.0.0.77 300)
quiet
read -r datagrams told < <(heard)
[ $((datagrams - before)) -le "$said" ] && [ $((told - was)) -le "$octets" ] && [ "$datagrams" -gt "$before" ]
ok $? "for $said STUN requests of $octets octets it gets $((datagrams - before)) datagrams, $((told - was)) octets"

rss() {
	local w sum=0

	for w in trs.0 trs.1; do
		sum=$((sum + $(awk '$1 == "VmRSS:" { print $2 }' "/proc/$(child r $w)/status")))
	done
	echo $sum
}
dropped() {
	status r | awk '$1 ~ /^drop_(token|tag|stranger|type|reserved|flag|replay)$/ { n += $2 } END { print n + 0 }'
}
abuser x junk 10.0.0.4 4502 20000 >/dev/null
before=$(rss) gone=$(dropped)
abuser x junk 10.0.0.4 4502 $((200000 * SCALE)) >/dev/null
sleep 0.3
after=$(rss) gone=$(($(dropped) - gone))
# the address sanitizer keeps what was freed for a while
room=256
! grep -q "sandbox: off, because" "$W/r.log" || room=4096
[ $((after - before)) -le $room ]
ok $? "$((200 * SCALE)),000 datagrams from everywhere: the relay's workers have $before KiB before, $after KiB after"
[ $gone -ge $((100000 * SCALE)) ]
ok $? "those that the kernel did not drop are counted ($gone)"
check "the two talk on" reaches
stop count
ends_well a b r cloud
tap_done
