#!/bin/bash
# The command line without a daemon: accounts, devices, configuration, mistakes.
# Needs no rights; everything happens in a directory of its own.

C=${O:-build/plain}/cyphonic
D=$(mktemp -d) || exit 1
trap 'rm -rf "$D"' EXIT
n=0

ok() { # STATUS SENTENCE
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$D/out" "$D/err"; fi
}

# run STATUS ARGUMENT...: true when it exits so; output in $D/out, messages in $D/err
run() {
	local want=$1
	shift
	"$C" "$@" >"$D/out" 2>"$D/err" </dev/null
	[ $? = "$want" ]
}
cy() { local want=$1; shift; run "$want" -c "$D/cyphonic.yaml" "$@"; }
with_input() { # INPUT STATUS ARGUMENT...
	local input=$1 want=$2
	shift 2
	printf '%s' "$input" | "$C" -c "$D/cyphonic.yaml" "$@" >"$D/out" 2>"$D/err"
	[ $? = "$want" ]
}
out() { grep -q -- "$1" "$D/out"; }
err() { grep -q -- "$1" "$D/err"; }

cat >"$D/cyphonic.yaml" <<END
role: [as, nms]
domain: lab.internal
state: $D/state
run: $D/run
user: root
as:
  nms: 127.0.0.1
  scrypt-cost: 4
END

# ---- asking for help ----

run 0 -h && out '^usage:' && out 'account add ID' && out -- '--json'
ok $? "-h shows usage, verbs and options"
run 0 -V && out '^cyphonic [0-9]'
ok $? "-V says the version"
run 2 acount list && err "did you mean 'account'"
ok $? "a mistyped verb is refused with what was probably meant"
run 2 device lst && err "did you mean 'list'"
ok $? "so is the second word of a verb"
run 2 --jsn status && err "did you mean '--json'"
ok $? "and an option"
run 2 --js status && err "unknown option"
ok $? "options cannot be abbreviated"
run 2 account && err 'says too little'
ok $? "half a verb is refused"
run 2 xyzzy && err "unknown verb 'xyzzy'"
ok $? "a word like no other is named"
run 2 account add && err 'usage: cyphonic account add ID'
ok $? "a missing argument shows the verb's usage"
run 2 account list alice && err 'too many'
ok $? "so does one too many"
run 2 --role=king && err 'roles are as, nms, trs, node, all'
ok $? "an unknown role is refused"
run 2 -c && err 'wants FILE'
ok $? "an option without its argument is refused"
run 2 --json=yes status && err 'takes no argument'
ok $? "and an argument for an option that takes none"
run 2 --kind=node status && err 'is for device only'
ok $? "and an option of another verb"
run 2 "$(printf 'two\nlines')" && [ "$(wc -l <"$D/err")" = 1 ]
ok $? "what comes from outside cannot forge a line of the log"

# ---- the configuration ----

cy 0 -t && out 'good$'
ok $? "-t finds nothing wrong with a good configuration"
cy 0 -t --json && out '"schema": "cyphonic.check.v1"' && out '"good": true'
ok $? "-t --json says so to programs"
run 0 -V --json && out '"schema": "cyphonic.version.v1"'
ok $? "-V --json too"
printf 'role: as\nstate: 7up\nbogus: 1\n' >"$D/bad.yaml"
run 1 -c "$D/bad.yaml" -t && err "bad.yaml:3:1:" && err "bogus" && err "bad.yaml:2:"
ok $? "-t names every error of a bad one with its place"
run 1 -c "$D/nowhere.yaml" -t && err 'nowhere.yaml'
ok $? "a missing configuration is named"
run 1 -c "$D/bad.yaml" account list
ok $? "verbs do not go on with a bad one"
run 0 print config-example && cp "$D/out" "$D/example.yaml" && out '^role:'
ok $? "print config-example needs no configuration"
run 0 print wire-dictionary
ok $? "nor does print wire-dictionary"

# ---- accounts ----

cy 1 ca fingerprint && err 'start the AS once'
ok $? "before the AS ran there is no fingerprint, and the remedy is said"
with_input $'secret\n' 0 account add alice && out 'account alice added'
ok $? "an account is added with a password from standard input"
[ "$(stat -c %a "$D/state")" = 700 ]
ok $? "the state directory is made for its owner alone"
with_input $'secret\n' 1 account add alice && err "'alice' exists already"
ok $? "the same account twice is refused"
with_input '' 1 account add bob && err 'empty password'
ok $? "an empty password is refused"
with_input "$(printf 'x%.0s' {1..300})" 1 account add bob && err 'longer than 256'
ok $? "and one that is too long"
with_input $'secret\n' 1 account add 'bob smith' && err 'letters, digits'
ok $? "and an id with a blank"
with_input $'secret\n' 1 account add "$(printf 'x%.0s' {1..65})" && err 'at most 64'
ok $? "and an id that is too long"
echo secret >"$D/password"
chmod 644 "$D/password"
cy 1 account add bob --password-file "$D/password" && err 'chmod 600'
ok $? "a password file that others can read is refused"
chmod 600 "$D/password"
cy 0 account add bob --password-file "$D/password" && out 'bob added'
ok $? "options may stand behind the verb"
cy 0 account list && out '^alice .*enabled' && out '^bob '
ok $? "account list shows both"
cy 0 --json account list && out '"schema": "cyphonic.accounts.v1"' && out '"id": "alice"' &&
	! grep -qi 'salt\|hash\|password' "$D/out"
ok $? "as JSON too, and never a password"
cy 0 account disable alice && cy 0 account list && out '^alice .*disabled'
ok $? "an account can be disabled"
cy 0 account enable alice && cy 0 account list && out '^alice .*enabled'
ok $? "and enabled again"
with_input $'better\n' 0 account password alice --password-file - && out 'new password'
ok $? "a new password can be set"
with_input $'better\n' 1 account password carol && err "no account 'carol'"
ok $? "not for an account that does not exist"

# ---- devices ----

cy 0 device add alice laptop && out 'laptop.lab.internal added (198.18.0.2, fd'
ok $? "a device gets a name below the domain and virtual addresses"
cy 0 device add alice Phone.LAB.internal. && out 'phone.lab.internal added (198.18.0.3, fd'
ok $? "a full name is brought into its one form"
cy 1 device add alice laptop && err "'laptop.lab.internal' exists already"
ok $? "the same device twice is refused"
cy 1 device add carol tablet && err "no account 'carol'"
ok $? "an unknown account has no devices"
cy 1 device add alice tablet.example.com && err 'is no device name'
ok $? "nor has the domain names of another"
cy 1 device add alice 'tab_let' && err 'is no device name'
ok $? "nor those that DNS does not allow"
cy 2 device add alice tablet --kind king && err "'node' or 'trs'"
ok $? "an unknown kind is refused"
cy 0 device list && out '^laptop.lab.internal .*alice .*node .*198.18.0.2'
ok $? "device list shows them"
cy 0 device list bob && [ "$(wc -l <"$D/out")" = 1 ]
ok $? "of one account only, if asked"
cy 1 device list carol && err "no account 'carol'"
ok $? "which must exist"
cy 0 device list --json && out '"schema": "cyphonic.devices.v1"' && out '"ipv4": "198.18.0.2"' &&
	! grep -qi 'key' "$D/out"
ok $? "as JSON too, and never a key"
cy 0 device disable laptop && cy 0 device list && out '^laptop.*disabled' &&
	cy 0 device enable laptop && cy 0 device list && out '^laptop.*enabled'
ok $? "a device can be disabled and enabled"
cy 0 device delete laptop && cy 1 device delete laptop && err "no device 'laptop.lab.internal'"
ok $? "and deleted, once"
cy 0 account delete alice && cy 0 device list && ! out phone
ok $? "an account takes its devices along"
cy 1 account delete alice && err "no account 'alice'"
ok $? "and goes once"

# ---- nobody is there ----

cy 1 status && err 'is running here'
ok $? "status without a daemon says so"
cy 1 ping laptop && err 'is running here'
ok $? "so does ping"
cy 2 ping laptop -c 0 && err 'a number from 1'
ok $? "behind ping, -c is a count"

echo "1..$n"
