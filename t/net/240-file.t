#!/bin/bash
# A file streamed over HTTP arrives whole: 256 MiB, or 4 GiB in `make soak`.
. "${0%/*}/lib.sh"

mib=$((SCALE >= 16 ? 4096 : 256))
pair
mkdir "$W/www"
head -c ${mib}M /dev/urandom >"$W/www/file"
start http b python3 -u -m http.server --directory "$W/www" --bind :: 80
eventually 5 grep -q Serving "$W/http.log" || bail "the web server starts"

begin=$(date +%s%N)
got=$(on a curl -sS --max-time $((60 * SCALE)) http://bob-box.$domain/file | sha256sum)
ms=$((($(date +%s%N) - begin) / 1000000))
want=$(sha256sum <"$W/www/file")
diag "$mib MiB in $ms ms, $((mib * 8388608 / (ms + 1) / 1000)) Mbit/s"
is "the SHA-256 of $mib MiB fetched is that of the file" "$got" "$want"
ends_well a b cloud
tap_done
