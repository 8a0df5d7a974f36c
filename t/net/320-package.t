#!/bin/bash
# make install and make deb: the package is installed into a copy of this computer, an overlay that
# is gone afterwards, used there, and purged; what it leaves behind is seen in the overlay's upper part.

cd "$(dirname "$0")/../.." || exit 1
O=${O:-build/plain}
unset MAKEFLAGS MAKELEVEL
case $O in
*san) echo "1..0 # SKIP a package has no sanitizer"; exit 0 ;;
esac
if [ -z "${IN_NAMESPACE-}" ]; then
	unshare -mn true 2>/dev/null || { echo "1..0 # SKIP no namespaces"; exit 0; }
	IN_NAMESPACE=1 exec unshare -mn "$0"
fi
n=0
D=$(mktemp -d /tmp/cyphonic-test.XXXXXX) || exit 1
end() {
	cd /
	umount -R "$D/os/root" 2>/dev/null
	umount "$D/os" 2>/dev/null
	rm -rf "$D"
}
trap end EXIT
ok() { # STATUS SENTENCE
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' "$D/log"; fi
}
try() { # SENTENCE COMMAND...
	"${@:2}" >"$D/log" 2>&1
	ok $? "$1"
}
files() { (cd "$1" && find . ! -type d | sort); }

# ---- make install ----

try "make install works" make --no-print-directory DESTDIR="$D/tree" install
files "$D/tree" >"$D/files"
for f in usr/local/sbin/cyphonic usr/local/share/man/man8/cyphonic.8.gz \
	usr/local/lib/systemd/system/cyphonic.service usr/local/lib/systemd/system/cyphonic-node.service \
	usr/local/lib/sysusers.d/cyphonic.conf usr/local/lib/tmpfiles.d/cyphonic.conf \
	usr/local/share/doc/cyphonic/examples/cyphonic.yaml; do
	[ -f "$D/tree/$f" ] || echo "$f is missing"
done >"$D/log"
[ ! -s "$D/log" ]
ok $? "program, pages, units and example are in their places"
[ "$(ls man/*.[1-9] | wc -l)" = "$(grep -c '/man/' "$D/files")" ]
ok $? "every page is"
grep -q '^ExecStart=/usr/local/sbin/cyphonic' "$D/tree/usr/local/lib/systemd/system/cyphonic.service"
ok $? "units name the program where it is"
try "make uninstall works" make --no-print-directory DESTDIR="$D/tree" uninstall
files "$D/tree" >"$D/log"
[ ! -s "$D/log" ]
ok $? "and leaves no file"

# ---- make deb ----

for c in dpkg-deb dpkg-shlibdeps gzip; do
	command -v $c >/dev/null || { echo "# no $c: no package"; echo "1..$n"; exit 0; }
done
DEBEMAIL=nobody@debian.org O=$O dist/deb/build "$D" >"$D/log" 2>&1
ok $? "the package is built"
deb=$(ls "$D"/*.deb) || exit 1
echo "# ${deb##*/}: $(stat -c %s "$deb") octets"
[ "$(dpkg-deb -f "$deb" Version)" = "$("$O/cyphonic" --version | cut -d ' ' -f 2)" ] &&
	grep -q "^cyphonic ($(dpkg-deb -f "$deb" Version)) " dist/deb/changelog
ok $? "its version, the program's and the newest of the changelog are one"
dpkg-deb -f "$deb" Depends >"$D/log"
grep -q android-libboringssl "$D/log" && grep -q liblmdb0 "$D/log" && ! grep -qE 'libssl|-dev' "$D/log"
ok $? "it depends on the libraries it uses, and not on OpenSSL's"
! dpkg-deb -c "$deb" | grep -v ' root/root '
ok $? "all in it is root's"

# ---- in a copy of this computer ----

os() { chroot "$D/os/root" "$@"; }
mkdir "$D/os"
mount -t tmpfs none "$D/os" && mkdir "$D"/os/{up,work,root} &&
	mount -t overlay none -o "lowerdir=/,upperdir=$D/os/up,workdir=$D/os/work" "$D/os/root" \
		2>/dev/null || { echo "# no overlayfs: not installed"; echo "1..$n"; exit 0; }
mount -t proc none "$D/os/root/proc"
mount --bind /dev "$D/os/root/dev"
cp "$deb" "$D/os/root/cyphonic.deb"
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
install_it() { os dpkg --force-unsafe-io -i /cyphonic.deb; }

os dpkg --force-unsafe-io --purge cyphonic >/dev/null 2>&1
os sh -c 'userdel cyphonic; rm -rf /etc/cyphonic /var/lib/cyphonic' 2>/dev/null
try "it can be installed" install_it
try "its program says its version" os cyphonic --version
os cyphonic -t >"$D/log" 2>&1
[ $? = 1 ] && grep -q /etc/cyphonic/cyphonic.yaml "$D/log"
ok $? "which says which file it wants, as there is none"
os cp /usr/share/doc/cyphonic/examples/cyphonic.yaml /etc/cyphonic/
try "with the package's example it has all it needs, the user too" os cyphonic -t
[ "$(os stat -c '%U %a' /var/lib/cyphonic /run/cyphonic | tr '\n' ' ')" = "cyphonic 700 cyphonic 755 " ]
ok $? "the directories are that user's"
os sh -c 'ls /etc/systemd/system/*.wants/cyphonic* 2>/dev/null' >"$D/log"
[ ! -s "$D/log" ]
ok $? "nothing is enabled"
os sh -c 'echo "# mine" >>/etc/cyphonic/cyphonic.yaml; echo >/var/lib/cyphonic/kept'
install_it >"$D/log" 2>&1 && os dpkg -r cyphonic >>"$D/log" 2>&1 &&
	os sh -c 'grep -qx "# mine" /etc/cyphonic/cyphonic.yaml && [ -e /var/lib/cyphonic/kept ]'
ok $? "an upgrade and a removal touch neither configuration nor state"
try "it can be purged" os dpkg --purge cyphonic
(cd "$D/os/up" && find . -iname '*cyphonic*' ! -type c ! -path ./cyphonic.deb) >"$D/log"
[ ! -s "$D/log" ] && ! os getent passwd cyphonic >"$D/log" && ! os getent group cyphonic >"$D/log"
ok $? "and leaves no file, no user and no group"
echo "1..$n"
