#!/bin/bash
# The debug bundle: what is in it, what is replaced, and that no secret is.
. "${0%/*}/lib.sh"

node_lines="  # password: hunter2-in-a-comment"
pair
on a ping -c 1 -W 2 bob-box >/dev/null
# bundle WHO NAME OPTION...: into $W/NAME/
bundle() {
	mkdir -p "$W/$2"
	on "$1" "$CY" -c "$W/$1.yaml" debug bundle "${@:3}" "$W/$2.tar.gz" >"$W/said" 2>&1 &&
		tar xzf "$W/$2.tar.gz" -C "$W/$2" --strip-components=1
}
check "a node makes one" bundle a some
is "it says where" "$(cat "$W/said")" "$W/some.tar.gz"
is "which only its owner may read" "$(stat -c %a "$W/some.tar.gz")" 600
check "so does the cloud" bundle cloud services
check "one with more replaced" bundle a more --redact=more
check "one with nothing replaced" bundle a none --redact=none
listed=$(grep -oE '^[a-zA-Z.]+\.(txt|json)|^README' "$W/some/README" | sort | tr '\n' ' ')
is "README names every file of it" "$listed" "$(cd "$W/some" && ls | LC_ALL=C sort | sort | tr '\n' ' ')"
check "status.json is JSON with its schema" grep -q '"schema": "cyphonic.status.v1"' "$W/some/status.json"
check "metrics.txt is whole" t/net/promcheck.py <"$W/some/metrics.txt"
check "the log's lines are in it, though nobody kept a file" grep -q "node.0: logged in as" "$W/some/log.txt"
check "routes are" grep -q "dev cyphonic0" "$W/some/network.txt"
check "libraries are" grep -q "libcrypto" "$W/some/versions.txt"
check "the daemon's limits are" grep -q "^Max open files" "$W/some/limits.txt"
check "the store's files are, by name" grep -q "accounts/data.mdb" "$W/services/store.txt"
check "the configuration is" grep -q "^  rekey: 2m" "$W/some/config.txt"

# secrets: as they lie in files, and in the forms programs like to print
cat >"$W/secrets.py" <<'E2'
import base64, glob, os, sys
W, names = sys.argv[1], sys.argv[2:]
secrets = [open(W + "/password", "rb").read().strip(), b"hunter2-in-a-comment"]
for f in glob.glob(W + "/*/node.key") + glob.glob(W + "/cloud/state/ca/*.key"):
    data = open(f, "rb").read()
    secrets += [data[i:i + 16] for i in range(0, len(data) - 15, 8)]
assert len(secrets) > 40, len(secrets)
forms = set()
for s in secrets:
    forms |= {s, s.hex().encode(), s.hex().upper().encode(), base64.b64encode(s).rstrip(b"=")[:20]}
found = 0
for name in names:
    for root, _, files in os.walk(W + "/" + name):
        for f in files:
            text = open(root + "/" + f, "rb").read()
            for s in forms:
                if s in text:
                    print(f"{name}/{f} holds", s)
                    found = 1
print(f"{len(forms)} forms of {len(secrets)} secrets")
sys.exit(found)
E2
check "no secret is in any of them, in any form" python3 "$W/secrets.py" "$W" some services more none
mkdir -p "$W/planted" && echo "correct horse battery staple" >"$W/planted/x"
! python3 "$W/secrets.py" "$W" planted >/dev/null
ok $? "one that was planted would be found"

# files NAME PATTERN: how many files of it have it
files() { grep -rlE -- "$2" "$W/$1" | wc -l; }
is "the account's id is replaced" "$(files some '\balice\b')" 0
check "by a stand-in" grep -q "account: account-1" "$W/some/config.txt"
[ "$(files some "laptop.$domain")" -gt 0 ] && [ "$(files some '198\.18\.0\.2')" -gt 0 ]
ok $? "names and private addresses are not, so that it can be read"
is "with more they are" "$(files more "laptop|bob-box|$domain|10\.0\.0\.[123]|198\.18\.|fd00::")" 0
[ "$(files none '\balice\b')" -gt 0 ]
ok $? "with none nothing is"
first=$(grep -o '"name": "name-[0-9]*"' "$W/more/status.json" | head -1 | grep -o 'name-[0-9]*')
check "a stand-in is the same in every file" grep -q "logged in as $first\$" "$W/more/log.txt"

# other ways
"$CY" -c "$W/a.yaml" debug bundle - 2>"$W/said" | tar tf - >"$W/list"
is "- writes to standard output, unpacked" "$(wc -l <"$W/list")" 10
check "an archive without gzip can be read by others" eval '"$CY" -c "$W/a.yaml" debug bundle "$W/x.tar" &&
	python3 -c "import sys, tarfile; assert len(tarfile.open(sys.argv[1]).getmembers()) == 10" "$W/x.tar"'
"$CY" -c "$W/a.yaml" debug bundle /nowhere/x.tar >"$W/said" 2>&1
is "a place that is not there is an error" "$?" 1
"$CY" -c "$W/a.yaml" debug bundle --redact=all >"$W/said" 2>&1
is "an unknown degree of redaction is a mistake" "$?" 2
stop a
check "one can be made when nothing runs" bundle a dead
check "and says so" grep -q "not available" "$W/dead/metrics.txt"
ends_well b cloud
tap_done
