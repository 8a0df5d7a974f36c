#!/bin/bash
# The published table on the real kernel, sites 20 ms away: two NAPTs of the same kind.
. "${0%/*}/lib.sh"
. t/net/cells.sh
table full-cone,full-cone restricted,restricted port-restricted,port-restricted symmetric,symmetric
