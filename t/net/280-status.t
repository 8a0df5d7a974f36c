#!/bin/bash
# What status says, for people and for programs, and that the manual says what it means.
. "${0%/*}/lib.sh"
cloud_role="[as, nms]"		# what it says is of these two

pair
on a ping -c 1 -W 2 bob-box >"$W/said" 2>&1
for who in a cloud; do
	"$CY" -c "$W/$who.yaml" status --json >"$W/$who.json" 2>"$W/said"
	is "status --json of $who succeeds" "$?" 0
	check "and is JSON of the form cyphonic.status.v1" \
		python3 -c 'import json,sys; assert json.load(open(sys.argv[1]))["schema"] == "cyphonic.status.v1"' "$W/$who.json"
	python3 - "$W/$who.json" >"$W/missing" <<'E'
import json, re, sys
manual = open("man/cyphonic.8").read().split(".Sh STATUS AS JSON")[1].split("\n.Sh ")[0]
known = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"^\.(?:It )?Cm (.*)$", manual, re.M))))
def keys(o):
    if isinstance(o, dict):
        for k, v in o.items():
            yield k
            if k != "verdicts":
                yield from keys(v)
    elif isinstance(o, list):
        for v in o:
            yield from keys(v)
print("\n".join(sorted(set(keys(json.load(open(sys.argv[1])))) - known)))
E
	is "every key of it is in the manual" "$(cat "$W/missing")" ""
done
"$CY" -c "$W/a.yaml" status >"$W/page"
check "the page names the node and says that it is ready" grep -q "^laptop.$domain: ready" "$W/page"
check "it has a row for the peer, with the way in use" grep -qE "^bob-box.$domain .* up .* direct" "$W/page"
"$CY" -c "$W/cloud.yaml" status >"$W/page"
check "the cloud's page counts the logins" grep -qE "^  logins +2$" "$W/page"
stop a
"$CY" -c "$W/a.yaml" status >"$W/said" 2>&1
is "status of a node that is not running ends with 1" "$?" 1
ends_well b cloud
tap_done
