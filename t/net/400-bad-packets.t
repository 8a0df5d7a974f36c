#!/bin/bash
# Datagrams nobody should take, sent to a real NMS and a real node: each ends in the verdict it
# should, none is answered, and who was talking talks on.
. "${0%/*}/lib.sh"

# count WHO VERDICT...: the sum of these, of all workers
count() {
	local who=$1
	shift
	status "$who" --json | awk -v want=" $* " '{ v = $1; gsub(/[":]/, "", v) }
		index(want, " " v " ") { n += $2 } END { print n + 0 }'
}
counted() { [ "$(count "$1" "${@:3}")" -ge "$2" ]; }

# dropped TITLE WHO TO PORT KIND ID VERDICT...: all of a kind end in one of the verdicts
dropped() {
	local title=$1 who=$2 to=$3 port=$4 kind=$5 id=$6 before n heard
	shift 6
	before=$(count "$who" "$@")
	read -r n heard < <(on b python3 t/net/stranger.py send "$to" "$port" "$kind" "$id")
	eventually 3 counted "$who" $((before + n)) "$@"
	is "$title: $n of $n are $*" "$(($(count "$who" "$@") - before))" "$n"
	[ "$heard" = 0 ]
	ok $? "$title: none is answered"
}

pair
on a ping -c 1 -W 3 bob-box >/dev/null || bail "the two nodes meet"
id=$(printf 'laptop.%s' $domain | python3 -c '
import sys, uuid, hashlib
name = sys.stdin.buffer.read() + bytes(16)
h = bytearray(hashlib.sha1(uuid.NAMESPACE_DNS.bytes + name).digest()[:16])
h[6] = h[6] & 15 | 0x50; h[8] = h[8] & 63 | 128
print(h.hex())')
path=$(status a --json | sed -n '/"paths"/,$p' | grep -o '"id": "[0-9a-f]\{32\}"' | head -1 | tr -dc '0-9a-f\n' | tail -c 33)

# ---- to the NMS ----

for to in 10.0.0.1 fd00::1; do
	dropped "NMS at $to, no message at all" cloud $to 4501 short "$id" drop_short
	dropped "NMS at $to, another version" cloud $to 4501 version "$id" drop_version
	dropped "NMS at $to, no such type" cloud $to 4501 unknown "$id" drop_type
done
dropped "NMS, a type for later" cloud 10.0.0.1 4501 reserved "$id" drop_reserved
dropped "NMS, flags where none may be" cloud 10.0.0.1 4501 flags "$id" drop_flag
dropped "NMS, a broken chain of extensions" cloud 10.0.0.1 4501 extension "$id" drop_extension
before=$(count cloud drop_tag)
dropped "NMS, every token, no key" cloud 10.0.0.1 4501 token "$id" drop_token drop_tag
n=$(($(count cloud drop_tag) - before))
[ $n -ge 1 ] && [ $n -le 8 ]
ok $? "of which few pass the turnstile and fail by their tag ($n)"
dropped "NMS, every token, unknown names" cloud 10.0.0.1 4501 stranger "$id" drop_token drop_stranger
dropped "NMS, what only an NMS or a peer says" cloud 10.0.0.1 4501 wrong_way "$id" \
	drop_type drop_token drop_tag

# ---- to a node ----

dropped "node, no message at all" a 10.0.0.2 4503 short "$id" drop_short
dropped "node, another version" a fd00::2 4503 version "$id" drop_version
dropped "node, no such type" a 10.0.0.2 4503 unknown "$id" drop_type
dropped "node, flags where none may be" a 10.0.0.2 4503 flags "$id" drop_flag
dropped "node, a broken chain of extensions" a 10.0.0.2 4503 extension "$id" drop_extension
dropped "node, its own name but no key" a 10.0.0.2 4503 token "$id" drop_tag drop_replay
dropped "node, a path it does not have" a 10.0.0.2 4503 strange_path "$id" drop_stranger
[ ${#path} = 32 ]
ok $? "the standing path has a name ($path)"
dropped "node, capsules on the standing path" a 10.0.0.2 4503 capsule "$path" \
	drop_flag drop_stranger drop_replay drop_tag
on b python3 t/net/stranger.py raw 10.0.0.2 4503 10.0.0.1
on b python3 t/net/stranger.py raw 10.0.0.1 4501 10.0.0.2
on b python3 t/net/stranger.py icmp 10.0.0.2 10.0.0.3
on b python3 t/net/stranger.py icmp 10.0.0.2 10.0.0.1

# ---- and nobody minds ----

check "the tunnel stands, in its full size" on a ping -c 3 -i 0.2 -W 2 -s 1376 bob-box
is "it is still the same path" "$(status a --json | grep -c "\"id\": \"$path\"")" 1
check "the NMS answers the others" on b ping -c 1 -W 3 laptop
ends_well a b cloud
tap_done
