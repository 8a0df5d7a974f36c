#!/bin/bash
# Mistakes at the command line and in what surrounds it: descriptors, rights, directories, other
# people's sockets.  110-verbs.t has the plain ones.
. "${0%/*}/lib.sh"

# run STATUS ARGUMENT...: true when it ends so in 5 s; output in $W/out, messages in $W/err
run() {
	local want=$1 status
	shift
	timeout 5 "$CY" "$@" >"$W/out" 2>"$W/err" </dev/null
	status=$?
	[ $status = "$want" ] || diag "status $status: $(head -c 300 "$W/err")"
	[ $status = "$want" ]
}
err() { grep -qF -- "$1" "$W/err" || { diag "$(head -c 300 "$W/err")"; false; }; }
one_line() { [ "$(wc -l <"$W/err")" = 1 ] && [ "$(wc -c <"$W/err")" -lt 400 ]; }
x() { printf "x%.0s" $(seq "$1"); }

answers() { status "$1" --json | grep -q '"state"'; }

network
host a 2 4
(umask 077; echo "$secret" >"$W/password")
root=$(printf 'ab%.0s' {1..32})
cloud_at=10.0.0.1
node a alice laptop
eventually 5 answers a || bail "a node starts"
stop a
echo 'role: [' >"$W/bad.yaml"

# ---- words and options ----

run 0 -h -c "$W/bad.yaml" && grep -q '^usage:' "$W/out"
ok $? "-h helps even beside a broken configuration"
run 0 -V -c "$W/bad.yaml" status && grep -q '^cyphonic [0-9.]*$' "$W/out"
ok $? "-V says the version and does nothing else"
run 2 -c "$W/a.yaml" -c "$W/bad.yaml" -t && err '--config is given twice'
ok $? "an option twice with different values is refused"
run 0 -c "$W/a.yaml" -c "$W/a.yaml" -t
ok $? "with the same it is not"
run 2 node --role=nms && err "two roles are given: 'nms' and 'node'"
ok $? "two roles in conflict are both named"
run 2 "" && err 'must not be empty'
ok $? "an empty word is refused"
run 2 -c "$W/a.yaml" account add "" && err 'must not be empty'
ok $? "an empty argument too"
run 2 -c "" && err '--config wants FILE'
ok $? "and an empty file name"
run 2 $'st\e[31matus\a' && one_line && ! grep -q $'[\a\e]' "$W/err"
ok $? "control codes come back without their power"
run 2 $'\xff\xfe\xc2\x9b31m' && one_line && ! LC_ALL=C grep -q $'[\x80-\xff]' "$W/err"
ok $? "so does what is not UTF-8, and a terminal's codes in UTF-8"
run 2 "$(x 130000)" && one_line
ok $? "a word of 130,000 letters is refused in one line"
run 2 --"$(x 130000)"=y && one_line
ok $? "so is an option of that length"
run 2 a b c d e f g h i j && err 'too many words'
ok $? "and ten words"
run 2 -- -h && err "unknown verb '-h'"
ok $? "behind -- nothing is an option"
run 2 -c "$W/a.yaml" xx && ! grep -q 'did you mean' "$W/err"
ok $? "two letters that are both wrong get no guess"
run 1 -c - -t && err '-: cannot be opened'
ok $? "- is no configuration"
run 1 -c "/$(x 5000)" -t && err 'this path is longer'
ok $? "a path without end is refused"
run 1 -c "$W/a.yaml" ping %s%n && ! err 'null'
ok $? "printf's codes mean nothing"
good=0
for n in +5 ' 5' 0x10 5.0 -1 0 1000001 99999999999999999999 five; do
	run 2 -c "$W/a.yaml" ping laptop -c "$n" && err 'a number from 1 to 1000000' && good=$((good + 1))
done
is "numbers with sign, blank, base, point, or beyond the range are refused" $good 9

# ---- what surrounds it ----

"$CY" print wire-dictionary >/dev/full 2>"$W/err"
is "a full disk behind standard output ends with status 1" $? 1
err 'cannot write the result'
ok $? "and a message"
{ sleep 0.3; "$CY" print wire-dictionary 2>"$W/err"; } | true
is "a closed pipe ends it in silence" "${PIPESTATUS[0]} $(wc -c <"$W/err")" "141 0"
mkdir "$W/gone"
(cd "$W/gone" && rmdir "$W/gone" && run 0 -c "$W/a.yaml" -t)
ok $? "a working directory that is gone does not matter"
env LC_ALL=de_DE.UTF-8 "$CY" print config-example >"$W/first" &&
	run 0 print config-example && cmp -s "$W/out" "$W/first"
ok $? "nor does the language"
cloud_config
(umask 0; "$CY" -c "$W/cloud.yaml" account add alice --password-file "$W/password") >/dev/null
[ -e "$W/cloud/state/accounts" ] && [ -z "$(find "$W/cloud/state" -perm /077)" ]
ok $? "umask 0 opens nothing to others"
echo "$secret" | run 1 -c "$W/cloud.yaml" account add bob
ok $? "no password is asked for where nobody sits"

# without standard files: what opens next must not take their place
ip netns exec "$P-a" "$CY" -c "$W/a.yaml" node <&- >&- 2>&- &
pid[a]=$!
eventually 5 answers a
is "closed standard files are /dev/null in the daemon" \
	"$(readlink /proc/"${pid[a]}"/fd/{0,1,2} | sort -u)" /dev/null

# ---- rights and devices ----

cp "$CY" "$W/cyphonic"
mkdir "$W/nobody"
cp "$W/a.yaml" "$W/password" "$W/nobody"
sed -i "s|$W/|$W/nobody/|" "$W/nobody/a.yaml"
chmod 755 "$W"
chown -R nobody "$W/nobody"
nobody() { # STATUS ARGUMENT...
	local want=$1
	shift
	on a timeout 5 setpriv --reuid=nobody --clear-groups "$W/cyphonic" "$@" 2>"$W/err" >"$W/out"
	[ $? = "$want" ]
}
if ! other_users; then
	skip "no other user gets in here" "no other user gets in here"
else
	nobody 1 -c "$W/nobody/a.yaml" node && err 'CAP_NET_ADMIN is needed'
	ok $? "a node without the right to make a TUN device says which it lacks"
	nobody 1 -c "$W/a.yaml" status && err 'ermission denied'
	ok $? "who may not ask the daemon is told so"
fi
stop a KILL
start a a "$CY" -c "$W/a.yaml" node
eventually 5 answers a
ok $? "after kill -9 it starts again"
stop a
on a timeout 5 unshare -m sh -c "mount -t tmpfs none /dev/net; '$CY' -c '$W/a.yaml' node" 2>"$W/err"
is "without /dev/net/tun a node ends with status 1" $? 1
err 'modprobe tun'
ok $? "and says what to do"
ip -n "$P-a" link add cyphonic0 type bridge
on a timeout 5 "$CY" -c "$W/a.yaml" node 2>"$W/err"
is "an interface of its name that is not its own ends it with status 1" $? 1
err cyphonic0
ok $? "and is named"
ip -n "$P-a" link del cyphonic0

# somebody who listens and says nothing
mkdir -p "$W/a/run"
cat >"$W/mute.py" <<'END'
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(5)
time.sleep(30)
END
start mute a python3 "$W/mute.py" "$W/a/run/node.0.sock"
eventually 3 test -S "$W/a/run/node.0.sock"
run 1 -c "$W/a.yaml" status && grep -q 'no answer' "$W/out"
ok $? "a daemon that does not answer is given up"
tap_done
