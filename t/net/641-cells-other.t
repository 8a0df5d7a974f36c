#!/bin/bash
# The published table on the real kernel, sites 20 ms away: two NAPTs of different kinds.
. "${0%/*}/lib.sh"
. t/net/cells.sh
cells="full-cone,symmetric symmetric,full-cone
	restricted,port-restricted port-restricted,restricted"
[ "$SCALE" -lt 16 ] || cells+=" full-cone,restricted full-cone,port-restricted restricted,full-cone
	restricted,symmetric port-restricted,full-cone port-restricted,symmetric symmetric,restricted
	symmetric,port-restricted"
table $cells
