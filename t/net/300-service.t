#!/bin/bash
# What a service manager sees: readiness, a status line, reloading, the watchdog; and who is stuck.
. "$(dirname "$0")/lib.sh"

told() { grep -qxE -- "$2" "$W/$1.told"; }
times() { grep -cxF -- "$2" "$W/$1.told"; }
log() { grep -qE -- "$2" "$W/$1.log"; }
# the manager NAME of whatever is started next
manager() {
	export NOTIFY_SOCKET="$W/$1.notify" WATCHDOG_USEC=$2
	: >"$W/$1.told"
	t/net/notified.py "$NOTIFY_SOCKET" "$W/$1.told" &
	pid[manager-$1]=$!
	eventually 5 test -S "$NOTIFY_SOCKET" || bail "the test's service manager listens"
}
# worker FILE NUMBER: its pid, in order of birth; services have the helper first
more_than() { [ "$(times "$1" "$2")" -gt "$3" ]; }
replaced() { [ -n "$(child "$1" as+nms+trs.0)" ] && ! kill -0 "$victim" 2>/dev/null; }

network
host cloud 1
host a 2
host b 3
manager cloud 600000
workers=2 cloud "watchdog: 1s"
told cloud READY=1
ok $? "services say that they are ready"
line=$(awk '/READY=1/ { print NR }' "$W/cloud.told")
is "once" "$(times cloud READY=1) $line" "1 $line"
eventually 5 told cloud 'STATUS=as ready; nms ready, 1 node; trs ready, 0 paths'
ok $? "and in a line what they do"
eventually 5 more_than cloud WATCHDOG=1 2
ok $? "they give the watchdog its signs of life"

kill -HUP "${pid[cloud]}"
eventually 5 more_than cloud READY=1 1
ok $? "a reload ends with READY=1"
told cloud RELOADING=1 && told cloud 'MONOTONIC_USEC=[0-9]+'
ok $? "and begins with RELOADING=1 and the time"

unset NOTIFY_SOCKET WATCHDOG_USEC
device alice laptop
device bob bob-box
manager a 0
node a alice laptop "watchdog: 1s"
unset NOTIFY_SOCKET WATCHDOG_USEC
node b bob bob-box
nodes_ready a b
told a READY=1
ok $? "a node says that it is ready"
eventually 8 told a 'STATUS=node laptop.cyphonic.internal ready, 0 peers'
ok $? "and who it is"
eventually 5 told cloud 'STATUS=as ready; nms ready, 3 nodes; trs ready, 0 paths'
ok $? "the services' line counts nodes over all workers"
"$CY" -c "$W/a.yaml" ping bob-box >/dev/null
eventually 8 told a 'STATUS=node laptop.cyphonic.internal ready, 1 peer'
ok $? "the node's line counts its peers"

# all but the process that changes the system's resolver: it has the master's rights
modes() {
	for p in $(pgrep -P "${pid[$1]}"); do
		grep -qx resolver "/proc/$p/comm" || awk '/^Seccomp:/ { print $2 }' "/proc/$p/status"
	done
}
if [[ $O = *san ]]; then
	log cloud 'sandbox: off, because'
	ok $? "a build for the sanitizer has no sandbox, and says so"
else
	is "every worker, the helper and the reporter are in a seccomp filter" \
		"$(modes cloud | tr '\n' ' ')$(modes a | tr '\n' ' ')" "2 2 2 2 2 2 "
	log cloud 'sandbox: seccomp yes, landlock' && log a 'sandbox: seccomp yes, landlock'
	ok $? "and the log says what of the sandbox the kernel has"
fi

victim=$(child cloud as+nms+trs.0)
begin=$(date +%s%N)
kill -STOP "$victim"
eventually 5 log cloud "pid $victim\) has not answered for [0-9]+ ms: killing it" &&
	eventually 5 replaced cloud
ok $? "a worker that is stuck is killed"
diag "replaced after $((($(date +%s%N) - begin) / 1000000)) ms; patience 1000 ms"
eventually 5 cloud_up
ok $? "and its successor answers"

sed -i 's/^watchdog: .*/watchdog: 0s/' "$W/cloud.yaml"
stop cloud
is "a stop begins with STOPPING=1" "$(times cloud STOPPING=1)" 1
manager again 300000
workers=2 start cloud cloud "$CY" -c "$W/cloud.yaml"
eventually 5 more_than again WATCHDOG=1 2
victim=$(child cloud as+nms+trs.0)
kill -STOP "$victim"
before=-1
while [ "$before" != "$(times again WATCHDOG=1)" ]; do
	before=$(times again WATCHDOG=1)
	sleep 0.5
done
kill -0 "$victim" && ! log cloud "pid $victim\) has not answered"
ok $? "without a patience of its own the daemon gives no sign of life while a worker is stuck"
kill -CONT "$victim"
eventually 5 more_than again WATCHDOG=1 "$before"
ok $? "and goes on when it moves again"
ends_well a b cloud
tap_done
