#!/bin/bash
# AS, NMS and nodes with one, two and three workers; more peers than workers.
. "${0%/*}/lib.sh"

network
host cloud 1
host a 2
host b 3
host c 4
host d 5
for workers in 1 2 3; do
	rm -rf "$W/cloud" "$W"/[abcd]
	cloud
	device alice laptop
	device bob bob-box
	device carol phone
	device carol tablet
	node a alice laptop
	node b bob bob-box
	node c carol phone
	node d carol tablet
	nodes_ready a b c d
	is "with $workers: so many control sockets of the cloud" \
		"$(find "$W/cloud/run" -name 'nms.*.sock' | wc -l)" "$workers"
	for peer in bob-box phone tablet; do
		check "with $workers: laptop reaches $peer over IPv4" \
			on a ping -4 -c 1 -W 3 $peer.$domain
		check "with $workers: $peer reaches laptop over IPv6" \
			on "$(case $peer in bob-box) echo b ;; phone) echo c ;; tablet) echo d ;; esac)" \
			ping -6 -c 1 -W 3 laptop.$domain
	done
	check "with $workers: nodes of one owner reach each other" \
		on c ping -c 1 -W 3 tablet.$domain
	ends_well a b c d cloud
done
tap_done
