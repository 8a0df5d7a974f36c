#!/bin/bash
# What happens to the store: a full disk, a damaged file, another number of workers, backups.
# In a mount namespace of its own, with the cloud's state on a small file system.

if [ -z "${IN_MOUNTS-}" ]; then
	IN_MOUNTS=1 exec unshare -m --propagation private "$0" || { echo "1..0 # SKIP no namespaces"; exit 0; }
fi
. t/net/lib.sh
cloud_role="[as, nms]"		# what it counts is of these two

says() { # WORDS: the cloud's log has them, after $seen lines
	tail -n +$((seen + 1)) "$W/cloud.log" | grep -q -- "$1"
}
now_on() { seen=$(wc -l <"$W/cloud.log"); }
cloud_again() {
	now_on
	start cloud cloud "$CY" -c "$W/cloud.yaml"
	eventually 10 cloud_up || bail "the cloud starts again"
}
pings() { on a "$CY" -c "$W/a.yaml" ping bob-box; }
data=$W/cloud/state/accounts/data.mdb

mkdir "$W/cloud"
mount -t tmpfs -o size=4m,mode=700 tmpfs "$W/cloud" || bail "a small file system can be mounted"
network
host cloud 1
host a 2
host b 3
workers=3 cloud "store: {copy-every: 1s, copies: 3}"
device alice laptop
device bob bob-box
node a alice laptop
nodes_ready a

# ---- a full disk ----

now_on
head -c 8m /dev/zero >"$W/cloud/filler" 2>/dev/null
# free pages of the file itself serve for a while
for i in $(seq 100); do
	operator account add "a$i" --password-file "$W/password" >"$W/out" 2>&1 || break
done
[ $i -lt 100 ] && grep -q 'No space left on device.*free space' "$W/out"
ok $? "account add fails on a full disk, and says what to do" || diag "$(cat "$W/out")"
[ "$(operator account list | grep -c '^a[0-9]')" = $((i - 1)) ]
ok $? "what only reads goes on, and has all that was said to be added ($((i - 1)))"
is_ready a
ok $? "the node that is there stays"
node b bob bob-box
sleep 0.5
rm "$W/cloud/filler"
eventually 10 is_ready b
ok $? "with space again a new node gets in by itself"
operator account add carol --password-file "$W/password" >/dev/null
ok $? "and accounts are made"
eventually 5 pings
ok $? "the two nodes meet"
for ((; i > 1; i--)); do operator account delete "a$((i - 1))" >/dev/null; done

# ---- copies ----

copies() { [ "$(ls "$W/cloud/state/copies" | grep -c '^accounts\.')" = 3 ]; }
eventually 10 copies && sleep 1.2 && copies
ok $? "as many copies are made as are to be kept"

# ---- backup ----

operator backup "$W/backup.tar" >"$W/out" 2>&1
ok $? "a backup is made while the daemon runs" || diag "$(cat "$W/out")"
grep -q '3 accounts, 2 devices' "$W/out" && [ "$(stat -c %a "$W/backup.tar")" = 600 ]
ok $? "it says what it holds, and is its owner's alone"
mkdir "$W/look" && tar xf "$W/backup.tar" -C "$W/look" && (cd "$W/look" && sha256sum -c --quiet SHA256SUMS)
ok $? "tar and sha256sum find it whole"
operator restore "$W/backup.tar" >"$W/out" 2>&1
[ $? = 1 ] && grep -q 'stop it first' "$W/out"
ok $? "nothing is restored under a running daemon"
operator account add dave --password-file "$W/password" >/dev/null

# ---- another number of workers ----

stop cloud
sed -i 's/^workers: .*/workers: 2/' "$W/cloud.yaml"
cloud_again
says 'registrations went to other workers, of 2'
ok $? "with fewer workers the registrations go to their new owners" || diag "$(tail -n 20 "$W/cloud.log")"
[ ! -e "$W/cloud/state/live.2" ] && eventually 5 pings
ok $? "and none is left behind"

# ---- a damaged file ----

sleep 1.5
stop cloud
cp "$data" "$W/whole"
for ((at = 2; at < $(stat -c %s "$data") / 4096; at++)); do
	printf 'XXXXXXXX' | dd of="$data" bs=1 seek=$((4096 * at + 8)) conv=notrunc status=none
done
operator account list >"$W/out" 2>&1
[ $? = 1 ] && grep -q 'damaged' "$W/out"
ok $? "a verb does not read a damaged file" || diag "$(cat "$W/out")"
cp "$data" "$W/damaged"
cloud_again
says 'store: accounts were damaged.*going on with the copy'
ok $? "the daemon goes on with the newest copy, and says so" || diag "$(tail -n 20 "$W/cloud.log")"
cmp -s "$W/damaged" "$W"/cloud/state/accounts.damaged.*/data.mdb
ok $? "the damaged file is kept as it was"
operator account list | grep -q dave && eventually 15 is_ready a && eventually 15 pings
ok $? "accounts are there, and the nodes still meet"

# ---- damaged while it is in use ----

# a sanitizer makes an exit of the signal
case $O in *san) ;; *)
sleep 1.2
now_on
truncate -s 8192 "$data"
ended() {
	pings || operator device list
	! kill -0 "${pid[cloud]}"
}
eventually 10 ended || bail "a daemon whose file is cut off under it ends"
ok 0 "a daemon whose file is cut off under it ends"
wait "${pid[cloud]}"
unset "pid[cloud]"
says 'damaged while it was in use' || says 'could not start'
ok $? "and says why" || diag "$(tail -n 20 "$W/cloud.log")"
cloud_again
says 'going on with the copy' && operator account list | grep -q dave
ok $? "the next start mends it"
;;
esac
stop cloud
rm -rf "$W"/cloud/state/copies
head -c 5000 "$W/whole" >"$data"
now_on
start cloud cloud "$CY" -c "$W/cloud.yaml"
wait "${pid[cloud]}"
is "without a copy the daemon does not start" $? 1
unset "pid[cloud]"
says "restore a backup with 'cyphonic restore"
ok $? "and names the remedy"

# ---- restore ----

operator restore "$W/backup.tar" >"$W/out" 2>&1
[ $? = 1 ] && grep -q -- '--force' "$W/out"
ok $? "a state that is there is not replaced unless forced"
for at in 100 520 5000 20000 $(($(stat -c %s "$W/backup.tar") - 2000)); do
	cp "$W/backup.tar" "$W/bad.tar"
	printf '\377' | dd of="$W/bad.tar" bs=1 seek=$at conv=notrunc status=none
	cmp -s "$W/backup.tar" "$W/bad.tar" || ! operator restore --force "$W/bad.tar" >>"$W/out" 2>&1 ||
		touch "$W/taken"
done
head -c 20000 "$W/backup.tar" >"$W/bad.tar"
! operator restore --force "$W/bad.tar" >>"$W/out" 2>&1 && [ ! -e "$W/taken" ]
ok $? "a backup that is damaged or cut off is refused" || diag "$(cat "$W/out")"
operator restore --force "$W/backup.tar" >"$W/out" 2>&1
ok $? "a forced restore is done" || diag "$(cat "$W/out")"
kept=$(echo "$W"/cloud/state/before.*)
[ "$(stat -c %s "$kept/accounts/data.mdb")" = 5000 ] && grep -q "$kept" "$W/out"
ok $? "what was there is kept where it says"
cloud_again
[ "$("$CY" -c "$W/cloud.yaml" ca fingerprint)" = "$root" ] && operator account list | grep -q carol &&
	! operator account list | grep -q dave
ok $? "accounts and CA are those of the backup"
eventually 15 is_ready a && eventually 15 is_ready b && eventually 15 pings
ok $? "and the nodes meet again, without being told"
stop cloud
rm -rf "$W/cloud/state"
operator restore "$W/backup.tar" --json | grep -q '"schema": "cyphonic.restore.v1"' && cloud_again
ok $? "on an empty computer no force is needed"
ends_well a b cloud
umount "$W/cloud"
tap_done
