#!/bin/bash
# What shells offer behind "cyphonic", with real shells.  Needs no rights.

C=${O:-build/plain}/cyphonic
n=0
ok() { # STATUS SENTENCE
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" || echo "not ok $n - $2"
}
is() { # SENTENCE GOT WANT
	[ "$2" = "$3" ]
	ok $? "$1"
	[ "$2" = "$3" ] || printf '# got:  %s\n# want: %s\n' "$2" "$3"
}
W=$(mktemp -d) || exit 1
trap 'rm -rf "$W"' EXIT
for shell in bash zsh fish; do
	"$C" completion $shell >"$W/$shell"
	ok $? "completion $shell prints something"
done
. "$W/bash"
ok $? "bash takes it"
complete -p cyphonic | grep -q -- '-F _cyphonic'
ok $? "and knows what to call"
# offers WORD...: what bash offers for the last one; '=' is a word of its own there
offers() {
	COMP_WORDS=(cyphonic "$@")
	COMP_CWORD=$#
	_cyphonic
	echo $(printf '%s\n' "${COMPREPLY[@]}" | sort)
}
verbs=$("$C" -h | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\).*/\1/p' | sort -u)
is "every verb is offered, and the role that runs at users'" "$(offers "")" "$(echo $(printf '%s\n' $verbs node | sort))"
is "a beginning is completed" "$(offers sta)" "status"
is "second words are offered" "$(offers account "")" "add delete disable enable list password"
is "behind a role too" "$(offers node status --j)" "--json"
is "behind an option with its argument too" "$(offers -c /etc/x device l)" "list"
is "a verb's own options are offered" "$(offers status --ra)" "--rates"
is "those of others are not" "$(offers account --ra)" ""
is "levels are offered" "$(offers log "")" "debug error info warn"
is "so are degrees of redaction" "$(offers debug bundle --redact "")" "more none some"
is "behind = too" "$(offers debug bundle --redact = m)" "more"
is "roles are" "$(offers --role "")" "all as nms node trs"
touch "$W/one.yaml"
is "files are, where one is wanted" "$(cd "$W" && offers -c one)" "one.yaml"
touch "$W/with blank"
is "their names may hold blanks" "$(cd "$W" && offers debug bundle with)" "with blank"
if command -v zsh >/dev/null; then
	zsh -n "$W/zsh"
	ok $? "zsh can read its own"
fi
if command -v fish >/dev/null; then
	fish -n "$W/fish"
	ok $? "fish can read its own"
	is "and completes by it" "$(HOME=$W fish -c "source $W/fish; complete -C 'cyphonic log d'" | head -1)" "debug"
fi
echo "1..$n"
