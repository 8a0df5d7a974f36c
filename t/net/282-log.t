#!/bin/bash
# The log: its forms, and its level changed in all processes while they run.
. "${0%/*}/lib.sh"
cloud_role="[as, nms]"		# what it says is of these two

network
host cloud 1
host a 2
cloud
device alice laptop
# lines NAME: those that came since the last call
at=0
lines() {
	tail -c +$((at + 1)) "$W/$1.log"
	at=$(stat -c %s "$W/$1.log")
}
knock() {
	on cloud bash -c 'exec 3<>/dev/tcp/10.0.0.1/4501 && echo nonsense >&3; cat <&3' >/dev/null 2>&1
	true
}
has() { grep -q -- "$1" "$W/cloud.log"; }
lines cloud >"$W/new"
! grep -vE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z (error|warn|info|debug) (master|helper|reporter|as\+nms\.[0-9]+): .' "$W/new"
ok $? "every line has time, level, process and what is said"
is "log says the level" "$(operator log)" info
knock
! has "login connection ended"
ok $? "at info a worker keeps small things to itself"
is "log debug says the new level" "$(operator log debug)" debug
knock
check "and the worker that runs since long tells them" eventually 5 has 'debug as+nms.0: login connection ended'
check "the change itself is said" has 'info reporter: log level is now debug, was info'
operator log error >/dev/null
node a alice laptop
nodes_ready a
! has "helper: login of"
ok $? "at error the helper does not tell of a login"
stop a
operator log info >/dev/null
node a alice laptop
nodes_ready a
check "at info it does" has "info helper: login of laptop.$domain"
is "log --json has a schema" "$(operator log --json | head -2 | tail -1)" '  "schema": "cyphonic.log.v1",'
"$CY" -c "$W/cloud.yaml" log loud >"$W/said" 2>&1
is "a level that is none is refused as a mistake" "$?" 2
check "and those that are are named" grep -q "error, warn, info, debug" "$W/said"

echo "log: {level: warn}" >>"$W/cloud.yaml"
kill -HUP "${pid[cloud]}"
is_warn() { [ "$(operator log)" = warn ]; }
check "HUP takes log.level from the file" eventually 5 is_warn
check "and says so, for it says nothing afterwards" has 'warn master: log level is now warn, was info'
! has 'needs a restart: .*log'
ok $? "it is not among what has to wait for a restart"
stop a
"$CY" -c "$W/a.yaml" log >"$W/said" 2>&1
is "log of a daemon that is not running ends with 1" "$?" 1
ends_well cloud

# as JSON
sed -i '/^log:/d' "$W/cloud.yaml"
echo "log: {format: json}" >>"$W/cloud.yaml"
rm -f "$W/cloud.log"
start cloud cloud "$CY" -c "$W/cloud.yaml"
check "a daemon with log.format: json starts" eventually 10 cloud_up
stop cloud
check "each of its lines is one JSON object with the fields of the manual" python3 - "$W/cloud.log" <<'E2'
import json, re, sys
for line in open(sys.argv[1]):
    o = json.loads(line)
    assert set(o) - {"more"} == {"time", "level", "role", "worker", "msg"}, o
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", o["time"]), o
    assert o["level"] in ("error", "warn", "info", "debug") and o["role"] in ("master", "helper", "reporter", "as+nms"), o
    assert (o["worker"] is None) == (o["role"] != "as+nms"), o
E2
[ -s "$W/cloud.log" ]
ok $? "and there are some"

# for the journal
sed -i '/^log:/d' "$W/cloud.yaml"
: >"$W/journal.log"
JOURNAL_STREAM=$(stat -c %d:%i "$W/journal.log") start journal cloud "$CY" -c "$W/cloud.yaml"
eventually 10 cloud_up
stop journal
[ -s "$W/journal.log" ] && ! grep -vE '^<[3467]>(error|warn|info|debug) (master|helper|reporter|as\+nms\.0): ' "$W/journal.log"
ok $? "lines for the journal have a priority and no time"
tap_done
