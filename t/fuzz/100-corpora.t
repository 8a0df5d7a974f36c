#!/bin/bash
# Every input of the fuzzers' corpora once through its target: what was found stays mended.
cd "$(dirname "$0")/../.." || exit 1
O=${O:-build/plain}
n=0 all=0
say=$(mktemp) || exit 1
trap 'rm -f "$say"' EXIT
for f in t/fuzz/*.c; do
	t=${f##*/} t=${t%.c}
	n=$((n + 1))
	if "$O/t/fuzz/$t" "t/fuzz/corpus/$t" >"$say" 2>&1; then
		inputs=$(sed -n 's/ inputs$//p' "$say")
		all=$((all + inputs))
		echo "ok $n - $t: $inputs inputs do no harm"
	else
		echo "not ok $n - $t: an input does harm, the last one named"
		tail -n 30 "$say" | sed 's/^/# /'
	fi
done
n=$((n + 1)) size=$(cat t/fuzz/corpus/*/* | wc -c)
echo "# $all inputs of $size octets"
[ "$size" -lt $((300 * 1024)) ] || printf 'not '
echo "ok $n - the corpora are below 300 KiB"
echo "1..$n"
