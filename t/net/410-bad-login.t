#!/bin/bash
# Strangers at the AS's door: whoever does not speak TLS 1.3, says nonsense inside it, or keeps
# it busy is shown out, and honest nodes log in meanwhile.
. "${0%/*}/lib.sh"

network
host cloud 1 4
host a 2 4
host b 3 4
cloud_at=10.0.0.1
cloud
device alice laptop
# the strangers come from a net of their own
ip -n "$P-cloud" addr add 10.9.0.1/24 dev eth0
ip -n "$P-b" addr add 10.9.0.3/24 dev eth0
on b python3 t/net/login_stranger.py 10.9.0.1 >"$W/said" 2>"$W/stranger.log" &
stranger=$!
eventually 8 grep -q "of a thousand" "$W/said"
node a alice laptop
eventually 5 is_ready a
ok $? "while strangers crowd the door a node of another net logs in"
wait $stranger
ok $? "the strangers said all they had to say" || diag "$(cat "$W/stranger.log")"
# what they said becomes tests
while read -r line; do
	case $line in
	"ok "*) ok 0 "${line#ok }" ;;
	"not ok "*) ok 1 "${line#not ok }" ;;
	*) echo "$line" ;;
	esac
done <"$W/said"
# a hundred key updates and not a word of a login
(sleep 0.3; for _ in {1..100}; do echo K; sleep 0.02; done) |
	on b timeout 5 openssl s_client -connect 10.0.0.1:4501 -alpn cyphonic -tls1_3 >"$W/updates" 2>&1
grep -q 'alert number' "$W/updates" && [ "$(grep -c KEYUPDATE "$W/updates")" -lt 40 ]
ok $? "who only ever wants new keys is shown out" || diag "$(tail -n 5 "$W/updates")" "$(grep -c KEYUPDATE "$W/updates")"
failed=$(status cloud --json | grep -o '"failed": [0-9]*' | tr -dc '0-9\n' | sort -n | tail -1)
[ "${failed:-0}" -gt 900 ]
ok $? "the AS counted them ($failed)"
is "none is left" "$(status cloud --json | grep -o '"connections": [0-9]*' | head -1)" '"connections": 0'
ends_well a cloud
tap_done
