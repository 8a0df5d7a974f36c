#!/bin/bash
# The master and its children: one instance, restarts, signals, privileges, sockets.
# In a network namespace of its own, so that no port is taken.

if [ -z "${IN_NAMESPACE-}" ]; then
	own=-n
	[ "$(id -u)" = 0 ] || own=-rn
	unshare $own true 2>/dev/null || { echo "1..0 # SKIP no network namespaces"; exit 0; }
	IN_NAMESPACE=1 exec unshare $own "$0"
fi
C=${O:-build/plain}/cyphonic
D=$(mktemp -d) || exit 1
n=0 master=

ok() { # STATUS SENTENCE
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$D/log"; fi
}
end() {
	[ -z "$master" ] || kill -9 "$master" 2>/dev/null
	rm -rf "$D"
}
trap end EXIT
# Runs the words until they succeed, 5 s at most.
soon() {
	local i
	for ((i = 0; i < 100; i++)); do
		"$@" && return
		sleep 0.05
	done
	return 1
}
conf() { # NAME USER: a configuration with directories of its own
	cat >"$D/$1.yaml" <<-END
	role: [as, nms]
	domain: lab.internal
	state: $D/$1.state
	run: $D/$1.run
	user: $2
	workers: 2
	as: {nms: 127.0.0.1, scrypt-cost: 4}
	END
}
start() { # NAME: runs it until all answer
	: >"$D/log"
	"$C" -c "$D/$1.yaml" 2>>"$D/log" &
	master=$!
	soon answers "$1"
}
answers() { "$C" -c "$D/$1.yaml" status >"$D/out" 2>/dev/null; }
log() { grep -q -- "$1" "$D/log"; }
child() { # helper or worker 0, 1: their order of birth, the helper first
	pgrep -P "$master" | sort -n | sed -n "$1p"
}
children() { pgrep -c -P "$master"; }
four() { [ "$(children)" = 4 ]; }
gone() { ! kill -0 "$master" 2>/dev/null; }
stops() { # SIGNAL STATUS
	kill "-$1" "$master"
	wait "$master" 2>/dev/null
	[ $? = "$2" ]
}

ip link set lo up
conf a root
start a
ok $? "the daemon starts, and all of its workers answer status"
[ "$(children)" = 4 ]
ok $? "it is a master, a helper, two workers and a reporter"
"$C" -c "$D/a.yaml" status --json >"$D/out" 2>&1 && grep -q '"schema": "cyphonic.status.v1"' "$D/out" &&
	[ "$(grep -c '"role": ' "$D/out")" = 4 ]
ok $? "status --json has an entry for each role of each worker"
[ "$(stat -c %a "$D/a.run/as.0.sock")" = 660 ]
ok $? "control sockets are for owner and group"
"$C" -c "$D/a.yaml" ca fingerprint | grep -qx '[0-9a-f]\{64\}'
ok $? "ca fingerprint says what nodes pin, while it runs"
echo secret | "$C" -c "$D/a.yaml" account add alice >/dev/null
ok $? "accounts can be added while it runs"

"$C" -c "$D/a.yaml" >"$D/out" 2>&1
[ $? = 1 ] && grep -q "in use by cyphonic with pid $master" "$D/out"
ok $? "a second one on the same state directory is refused and told the first one's pid"
conf b root
sed -i "s#$D/b.run#$D/a.run#" "$D/b.yaml"
"$C" -c "$D/b.yaml" >"$D/out" 2>&1
[ $? = 1 ] && grep -q "taken by another program" "$D/out"
ok $? "one on the same ports is refused, though both could share them"
sed -i 's/nms: 127.0.0.1/nms: 127.0.0.1, listen: 127.0.0.2:5501/; $a nms: {port: 5501}' "$D/b.yaml"
"$C" -c "$D/b.yaml" >"$D/out" 2>&1
[ $? = 1 ] && grep -q "give this one another 'run'" "$D/out" && answers a
ok $? "one on the same control sockets is refused, and the first keeps them"

victim=$(child 3)
kill -9 "$victim"
soon log "pid $victim) was killed by signal 9" && soon answers a && soon four
ok $? "a worker that dies is replaced and said to be"
victim=$(child 1)
kill -9 "$victim"
soon log "helper (pid $victim) was killed" && soon four
ok $? "so is the helper"
for i in 1 2 3 4; do
	victim=$(pgrep -n -P "$master")
	kill -9 "$victim"
	soon log "pid $victim) was killed"
done
log 'too often: next start in 10 s' && kill -0 "$master"
ok $? "the fifth death in ten seconds has to wait"

kill -HUP "$master"
soon log 'nothing changed'
ok $? "HUP with the same configuration says so"
sed -i 's/workers: 2/workers: 1/' "$D/a.yaml"
kill -HUP "$master"
soon log 'needs a restart: workers$'
ok $? "HUP names what changed and needs a restart"
echo 'bogus: 1' >>"$D/a.yaml"
kill -HUP "$master"
soon log "bogus" && soon log 'configuration not taken' && kill -0 "$master"
ok $? "HUP with a broken configuration says what is wrong and goes on"
sed -i '/bogus/d' "$D/a.yaml"

stops TERM 0 && log 'info master: stopped'
ok $? "TERM stops it with status 0"
[ -z "$(ls "$D/a.run")" ]
ok $? "no control socket is left behind"
start a && stops QUIT 0 && ! log 'while stopping'
ok $? "QUIT lets everybody finish"
start a && stops INT 0
ok $? "INT stops it like TERM"
start a
left=$(pgrep -d, -P "$master")
kill -9 "$master"
wait "$master" 2>/dev/null
soon eval '! ps -o pid= -p "$left" >/dev/null' && start a && stops TERM 0
ok $? "children do not outlive a killed master, and nothing stops the next one"
grep -qE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z info master: ' "$D/log"
ok $? "a line of the log has time, level and process"

rm "$D/a.state/ca/root.key"
"$C" -c "$D/a.yaml" >"$D/out" 2>"$D/log"
[ $? = 1 ] && log 'helper could not start'
ok $? "a child that cannot even start ends the daemon"
chmod 755 "$D/a.state"
"$C" -c "$D/a.yaml" 2>"$D/log"
[ $? = 1 ] && log 'chmod 700'
ok $? "a state directory open to others is refused with the remedy"

if [ "$(id -u)" = 0 ] && setpriv --reuid=nobody --clear-groups true 2>/dev/null; then
	chmod 755 "$D"
	conf c nobody
	start c
	p=$(child 2)
	grep -q "^Uid:.$(id -u nobody).$(id -u nobody)" "/proc/$p/status" &&
		grep -q '^CapPrm:.0*$' "/proc/$p/status" && grep -q '^NoNewPrivs:.1' "/proc/$p/status"
	ok $? "workers run as the configured user, without capabilities"
	echo secret | "$C" -c "$D/c.yaml" account add alice >/dev/null &&
		[ -z "$(find "$D/c.state" ! -user nobody ! -name master.lock)" ]
	ok $? "verbs leave no file of root's in the state directory"
	stops TERM 0
	ok $? "and it stops"
	conf d no-such-user
	"$C" -c "$D/d.yaml" 2>"$D/log"
	[ $? = 1 ] && log 'useradd --system'
	ok $? "a user that does not exist is refused with the line that makes it"
fi
echo "1..$n"
