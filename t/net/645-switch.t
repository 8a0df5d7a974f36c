#!/bin/bash
# A TCP stream that runs while its path changes from the relay to the direct way, and back.
#
# The relay is 10 ms away from the Internet, so the direct way is the shorter: 40 ms instead of 60.
# What overtakes at the switch may make TCP send a few segments again, for nothing; they are shown.
# Boxes that ping each other meanwhile tell when it was the machine that paused.
. "${0%/*}/lib.sh"
. t/net/cells.sh
mbit=16

# blocked yes|no: nothing goes between the two sites but by way of others
blocked() {
	on boxa nft -f - <<-END
	table ip blocked
	delete table ip blocked
	$([ "$1" = no ] || echo "table ip blocked {
		chain between {
			type filter hook forward priority -50
			ip daddr 10.0.0.12 counter drop
			ip saddr 10.0.0.12 counter drop
		}
	}")
	END
}

now() { echo "$EPOCHREALTIME"; }
way_is() {
	[[ "$(why_says a b)" = "$1 "* ]] && [[ "$(why_says b a)" = "$1 "* ]]
}

# stretch FROM TO: what happened to the stream between two times
stretch() {
	python3 t/net/stream.py look "$W/took" "$W/gave" "$1" "$2"
}
# what TCP could not send while it was slow at first has come too
caught_up() {
	[ "$(wc -l <"$W/gave")" -gt 120 ] && tail -n 1 "$W/took" | awk '{ exit !($3 < 100) }'
}
# of NAME FIGURES
of() { sed "s/.*\b$1=\([0-9.]*\).*/\1/" <<<"$2"; }
is_true() { awk "BEGIN { exit !($1) }"; }

services
site a 11 port-restricted
site b 12 port-restricted
line trs --delay 10
proves_line trs
enter a boxa 2 "  punch: 1s"
enter b boxb 2 "  punch: 1s"
know a b
blocked yes
start pings boxa ping -D -n -i 0.01 10.0.0.12
start take b python3 -u t/net/stream.py take 7000 "$W/took"
eventually 5 grep -q ready "$W/take.log" || bail "somebody listens"
start give a python3 -u t/net/stream.py give "b.$domain" 7000 $mbit "$W/gave"
check "a stream flows from the first moment, before any direct way" eventually 5 test -s "$W/took"
check "by the relay" way_is relay4
eventually 5 caught_up || bail "the stream gets up to its pace"
steady=$(now)
sleep 1
freed=$(now)
blocked no
check "when the direct way opens, it is taken" eventually 15 way_is direct4
direct=$(now)
sleep 0.5
cut=$(now)
blocked yes
check "when it breaks, the relay is taken again" eventually 6 way_is relay4
back=$(now)
sleep 1
touch "$W/gave.stop"
eventually 8 grep -q end "$W/took"
ok $? "the connection lives through both and ends well"
stop pings INT
unset "pid[give]" "pid[take]"

before=$(stretch $steady $freed) switch=$(stretch $freed $cut) fall=$(stretch $cut $(now))
diag "by the relay:     $before"
diag "with the switch:  $switch"
diag "after the switch: $(stretch $direct $cut)"
diag "with the break:   $fall"
pause=$(python3 t/net/stream.py pause "$W/pings.log" $freed $cut)
diag "longest pause of the lines themselves: $pause ms"
check "the switch: nowhere more than two round trips without data, and what the machine paused" \
	is_true "$(of gap "$switch") <= 2 * $(of rtt "$before") + $pause"
check "the goodput stays" is_true "$(of mbit "$switch") >= 0.95 * $mbit"
check "and the way is the shorter one" \
	is_true "$(of age "$(stretch $direct $cut)") < $(of age "$before")"
check "the break: a pause of less than four seconds" is_true "$(of gap "$fall") < 4000"
ends_well a b trs cloud
tap_done
