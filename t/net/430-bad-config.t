#!/bin/bash
# A daemon with a bad configuration: it says everything that is wrong and touches nothing.
# What each single value may be is in t/unit/230-config.c.
. "${0%/*}/lib.sh"

# refused TITLE TEXT...: the daemon ends at once with 1, says every text, and made nothing
refused() {
	local title=$1 text status
	shift
	timeout 5 "$CY" -c "$W/x.yaml" >"$W/out" 2>"$W/err" </dev/null
	status=$?
	is "$title: it ends with status 1" $status 1
	for text in "$@"; do
		grep -qF -- "$text" "$W/err"
		ok $? "$title: it says '$text'" || diag "$(head -c 600 "$W/err")"
	done
	[ ! -e "$W/x" ] && [ ! -s "$W/out" ] && [ "$(wc -l <"$W/err")" -le 110 ]
	ok $? "$title: nothing was made"
}

good() {
	cat <<END
role: all
state: $W/x/state
run: $W/x/run
user: root
as:
  nms: [10.0.0.1]
  scrypt-cost: 4
END
}

{ good; printf 'nms:\n  port: 99999999999999999999\n  keepalive: 10\nwokers: 2\n'; } >"$W/x.yaml"
refused "three mistakes" "x.yaml:9:9: 'nms.port' must be a number" "'10s', not '10'" \
	"unknown key 'wokers' (did you mean 'workers'?)"
good | head -c 60 >"$W/x.yaml"
refused "a half-written file" x.yaml
{ good; printf 'log: {level: %s}\n' "$(head -c 1000000 /dev/zero | tr '\0' a)"; } >"$W/x.yaml"
refused "a line of a megabyte" "'log.level' must be one of error|warn|info|debug, not 'aaaa" 
{ good; head -c 2000000 /dev/zero | tr '\0' '#'; } >"$W/x.yaml"
refused "a file of two megabytes" "larger than 1 MiB"
head -c 100000 /dev/urandom >"$W/x.yaml"
refused "noise" x.yaml:
for i in $(seq 200); do echo "- [{$i: [&a$i *a$i"; done >"$W/x.yaml"
refused "brackets without end" x.yaml:
rm "$W/x.yaml"
mkfifo "$W/x.yaml"
refused "a named pipe nobody writes to" "not a regular file"
rm "$W/x.yaml"
good >"$W/x.yaml"
chmod 666 "$W/x.yaml"
refused "a file everybody may write" "chmod o-w $W/x.yaml"
chmod 600 "$W/x.yaml"
cp "$CY" "$W/cyphonic"
chmod 755 "$W"
if other_users; then
	setpriv --reuid=nobody --clear-groups "$W/cyphonic" -c "$W/x.yaml" -t 2>"$W/err"
	is "a file one may not read ends it with status 1" $? 1
	grep -q "x.yaml: cannot be opened by user $(id -u nobody): Permission denied" "$W/err"
	ok $? "and says who could not"
else
	skip "no other user gets in here" "no other user gets in here"
fi
good | sed 's/user: root/user: nosuchuser/' >"$W/x.yaml"
refused "a user there is none of" nosuchuser
good | sed 's/10.0.0.1/198.18.0.1/' >"$W/x.yaml"
refused "a service inside the virtual range" "'as.nms' lists 198.18.0.1, which lies in the virtual range"

# ---- what shows only when it starts ----

network
host a 2 4
echo "$secret" >"$W/open"
cloud_at=10.0.0.1 root=$(printf 'ab%.0s' {1..32})
node a alice laptop "  dns: 127.0.0.45"
eventually 3 grep -q 'stopped' "$W/a.log"
grep -q "password file $W/password: cannot be opened" "$W/a.log"
ok $? "a missing password file is named"
wait "${pid[a]}"
is "and ends the node with status 1" $? 1
unset "pid[a]"
chmod 644 "$W/open"
ln -s "$W/open" "$W/password"
on a timeout 5 "$CY" -c "$W/a.yaml" 2>"$W/err"
is "so does one that others may read" $? 1
grep -q "password file $W/password: its mode 0644 lets others in: chmod 600" "$W/err"
ok $? "with the remedy"
chmod 600 "$W/open"
echo damaged >"$W/a/node.key"
on a timeout 5 "$CY" -c "$W/a.yaml" 2>"$W/err"
is "so does a damaged key" $? 1
grep -q "$W/a/node.key is damaged: remove it" "$W/err"
ok $? "which is named"
tap_done
