#!/usr/bin/perl
# Every kind of bad input and the test that tries it: a file, then for each case a part of the
# title (or of the table) that stands in it.
use strict;
use warnings;
use Test::More;

my ($file, $text, $cases, @bad) = ('', '', 0);
while (<DATA>) {
	chomp;
	next if /^(?:#|$)/;
	if (/^\S/) {
		$file = $_;
		open my $f, '<', $file or die "$file: $!";
		local $/;
		$text = <$f>;
		$text =~ s/"\s*\n\s*"//g;
		next;
	}
	my ($case, $title) = /^\t(.*?): (.*)$/ or die "line $.: $_";
	$cases++;
	push @bad, "$file: $case: no '$title'" if index($text, $title) < 0;
}
ok(!@bad, "each of $cases kinds of bad input has its test") or diag(join "\n", @bad);
done_testing();

__DATA__

# ---- configuration ----
t/unit/230-config.c
	missing: a missing file is named
	empty: an empty file without --role= lacks a role
	a directory: a directory is refused
	a FIFO: a FIFO is refused at once, not waited for
	a device: a device is refused
	writable by others: may write is refused with the remedy
	a loop of links: a loop of links is refused
	too large: a file above 1 MiB is refused
	a NUL: a NUL is refused with line and column
	a byte order mark, CR LF: a byte order mark and CR LF are accepted
	not UTF-8: what is not UTF-8 is refused with line and column
	no end of the last line: the last line needs no end
	unknown key: a misspelt key gets the nearest one
	unknown section: a key like no other gets no guess
	a key twice: a key given twice is refused with both lines
	open quote: an open quote is refused
	open bracket: an open bracket is refused
	port 0: port 0 is refused with the range
	port 65536: port 65536 is refused
	port -1: a negative port is refused
	hexadecimal port: a hexadecimal port is refused
	two ports: two ports are refused
	port by name: a service name is refused
	overflow: a number that would wrap is refused
	duration without unit: a duration without a unit is refused
	duration of nothing: a duration of nothing is refused
	negative duration: a negative duration is refused
	contradiction: a keepalive longer than a path lives is refused, both keys named
	octal IPv4: octal IPv4 is refused
	short IPv4: three numbers are refused
	long IPv4: five numbers are refused
	256 in IPv4: 256 is refused
	link-local without scope: link-local IPv6 without an interface is refused
	prefix too long: /33 is refused
	host bits: host bits are refused, the right prefix shown
	overlap: a service's address inside the virtual range is refused
	an address twice: an address listed twice is refused
	label of 64: a label of 64 is refused
	underscore: an underscore in the domain is refused
	case and trailing dot: names are kept in canonical form
	other scripts: a name in another script is refused, shown escaped
	unknown word: an unknown word is refused with the known ones
	printf's codes: printf's codes come back as they are
	terminal codes: a terminal's escape code comes back escaped
	secret readable by others: a file others may read is refused
t/net/430-bad-config.t
	unreadable: a file one may not read ends it
	a line of a megabyte: a line of a megabyte
	half-written: a half-written file
	noise: noise
	depth: brackets without end
	unknown user: a user there is none of
	missing password file: a missing password file is named
	open password file: so does one that others may read
	damaged key: so does a damaged key
	all mistakes before anything is touched: nothing was made
t/unit/340-priv.c
	what a worker may ask of the master: a request with %s is refused

# ---- command line ----
t/net/110-verbs.t
	unknown option: and an option
	abbreviation: options cannot be abbreviated
	option without value: an option without its argument is refused
	value for a flag: and an argument for an option that takes none
	option of another verb: and an option of another verb
	unknown verb: a mistyped verb is refused
	extra word: so does one too many
	newline: cannot forge a line of the log
	no daemon: status without a daemon says so
	password too long: and one that is too long
	password file open to others: a password file that others can read is refused
t/net/625-why.t
	a name that is none: what is no name ends with status 1
	nobody's name: finds "nobody" a nobody "1 none not_found none"
	one's own name: finds "the node itself" a host-a "1 none itself none"
t/net/420-bad-command-line.t
	help beside a broken configuration: -h helps even beside
	version beside others: does nothing else
	option twice: an option twice with different values is refused
	conflict: two roles in conflict are both named
	empty word: an empty word is refused
	control codes: control codes come back without their power
	not UTF-8: so does what is not UTF-8
	128 KiB: a word of 130,000 letters
	--: behind -- nothing is an option
	- as file: - is no configuration
	numbers: numbers with sign, blank, base, point
	long path: a path without end is refused
	printf's codes: printf's codes mean nothing
	not root: without the right to make a TUN device
	no TUN device: without /dev/net/tun
	foreign interface: an interface of its name that is not its own
	after kill -9: after kill -9 it starts again
	foreign control socket: who may not ask the daemon is told so
	a daemon that hangs: a daemon that does not answer is given up
	closed pipe: a closed pipe ends it in silence
	full disk behind stdout: a full disk behind standard output
	closed standard files: closed standard files are /dev/null
	no terminal: no password is asked for where nobody sits
	umask 0: umask 0 opens nothing to others
	deleted directory: a working directory that is gone
	language: nor does the language
t/net/620-netcheck.t
	no server: a word that is no server is refused
	unknown host: a name that cannot be resolved ends it
	nobody to ask: a configuration that names nobody to ask
t/net/200-start.t
	second instance: a second daemon on the same state directory

# ---- datagrams ----
t/net/stranger.py
	0 octets: yield b""
	65,507 octets: yield random.randbytes(65507)
	length field too small: length=75
	length field too large: length=77
	octets behind the message: tail=b"x"
	extension of length 0: # length 0
	extension beyond the end: # beyond the end
	extension twice: # twice
	too many extensions: # more than eight
	must-understand extension: # unknown: refuse
	source port 0: ((nms, 0)
	source is the receiver: (to, port)
	source is a service: (nms, 4501)
	forged ICMP: Port unreachable and "too big, take 100"
	number far ahead: 2**31, 2**32 - 1
t/net/400-bad-packets.t
	every short length: no message at all
	unknown version: another version
	unknown type: no such type
	reserved type: a type for later
	what only the cloud says: what only an NMS or a peer says
	wrong token: every token, no key
	right token, wrong tag: pass the turnstile and fail by their tag
	unknown name: every token, unknown names
	capsule on an unknown path: a path it does not have
	forged capsules on a standing path: capsules on the standing path
	forged ICMP does not close it: it is still the same path
t/unit/030-ext.c
	every small chain: every small chain is walked inside its bounds
t/unit/040-gate.c
	truncations: every truncation is drop_short
	types and flags: all 65,536 pairs of type and flags
t/sim/190-bit-flips.c
	every bit: nothing changes and nothing is said
t/sim/160-replay.c
	duplicates: all %u are dropped
	stamped before the start: replays to an NMS restarted this moment are stale
t/unit/130-replay.c
	window: the window agrees with a slow one
t/unit/120-noise.c
	low order keys: an ephemeral key of low order is refused
t/sim/170-rekey.c
	limits of a key: rekey
t/unit/070-ip.c
	inner version 5: version 5 is no packet
	inner header too short: a header shorter than 20 octets is none
	inner length: no truncation of it is a packet
t/fuzz/tunnel.c
	inner source: !memcmp(ip.src
t/fuzz/nms.c
	authentic nonsense at the NMS: Sealed by a node
t/fuzz/node.c
	authentic nonsense at a node: signal_or_capsule
t/fuzz/trs.c
	authentic nonsense at a relay: Sealed: type, flags
t/unit/420-trs.c
	third address on a path: a third address may send nothing
	replayed Hole Punching: replayed from its address or another
	raced Hole Punching: a copy that is quicker than the original
	forged Relay Request: a forged Relay Request makes no path
	address to be probed: never to loopback, multicast, link-local

# ---- abuse of relays and of hole punching ----
t/sim/660-abuse.c
	replay of a whole relayed path: each copy that is relayed or comes to an end is dropped there
	replay from elsewhere: but from nowhere else
	replay, later: it is good no longer
	races: she is nowhere taken for one of them
	a race for data: she gets no octet of data
	a race after a silence: after a silence of 1.5 s too
	a third address in every state: in each state of a tunnel
t/sim/661-forgers.c
	a forged Relay Request, Probe Request: takes no Relay Request and no Probe Request under another key
	a forged Relay Report, Vantage Report: takes nothing in the name of a node or a relay
	a member as a relay: under her own name she is no relay
	candidates: nobody is called at loopback, multicast, broadcast, link-local, the virtual range
	a victim as candidate: nor at a victim's public address
	a victim in the LAN: to one that she names in the other's LAN
	a Hole Punching from a victim's address: one Hole Punching from a victim's address
t/sim/662-amplify.c
	every type, of strangers: no stranger gets an answer
	every type, of members: a member gets no more octets of the NMS
	a refusal: no refusal is longer than what it refuses
	both ports of a relay: who has her NAPT looked at too, whichever port
	two services: none gets two
	a flood: spoofed datagrams with good tokens and known names
t/sim/663-places.c
	every address of a table, in a Route Direction: in Route Directions a node writes to
	the same in a Probe Request: nor does a relay that is to probe them
	the same in a registration: tells of a node's own addresses those that mean something
	the same as a mapped address: at none that is not a host's
	the same as a vantage point: from a host's address, or its own host's
t/net/655-abuse.t
	Hole Punchings from a victim's address, by the kernel: the victim gets
	a third address, by the kernel: are not bound to it
	replay of capsules, by the kernel: no program sees anything twice
	everything forged from a victim's address: from the victim's address get no answer
	STUN from a victim's address: STUN requests of
	200,000 datagrams: datagrams from everywhere
t/unit/425-trs-model.c
	any order of requests, bindings, data: relay and model never differ

# ---- logins ----
t/net/login_stranger.py
	HTTP: an HTTP request
	SSH: an SSH banner
	noise: "noise"
	TLS 1.0 to 1.2: "TLS %s is refused"
	ClientHello of 64 KiB: a ClientHello of 64 KiB
	octet by octet: a handshake octet by octet is understood
	silence: who says nothing too
	slow: who sends an octet now and then is shown out
	half-open in numbers: of a thousand idle connections from one net
	ALPN: another protocol in ALPN
	truncation: half a request and an end
	length of 64 KiB: a length beyond every bound
	length too short: a length shorter than a header
	pipelined: a request with octets left over
	unknown version: another version
	field too long: a field longer than the message
	empty name: an empty account
	NUL in a name: an account with a NUL
	format codes in a name: an account of format codes
	quotes in a name: an account with a quote
	another case: an account in capitals
	blank behind: an account with a blank behind
	empty password: an empty password
	unknown account: an unknown account
	one answer for all: who is refused does not learn why
t/net/410-bad-login.t
	others are served meanwhile: a node of another net logs in
	key updates without end: who only ever wants new keys is shown out
t/unit/180-tls.c
	expired: an expired certificate is refused
	root not pinned: a root that is not the pinned one is refused
	damaged handshake: a handshake with a damaged octet does not succeed
t/sim/110-login.c
	wrong password: a wrong password does not let in
	name of another: nor another owner's device
	no AS: without an AS there is no login
t/sim/115-login-answers.c
	NMS at no address: an NMS at ::
	NMS at port 0: and at port 0
	no NMS: an answer without an NMS
	key over: a key that is over before it began
t/fuzz/login.c
	every other answer: what an AS says inside TLS to a node
t/unit/175-ca.c
	requests with wrong keys: a request with X25519 key of low order
t/unit/200-store.c
	range exhausted: a full range says so

# ---- DNS ----
t/unit/400-dnsmsg.c
	short: less than a header gets no answer
	no question: no question is FORMERR
	two questions: two questions are FORMERR
	an answer: an answer gets no answer
	other opcodes: an UPDATE is NOTIMP
	the root: the root may be asked for
	name of 256: one of 256 is FORMERR
	128 labels: 128 labels are FORMERR
	pointer, label of 64: in the question is FORMERR
	cut short: a query cut short anywhere is FORMERR
	odd octets in labels: a dot, a zero or an underscore inside a label
	EDNS 1: EDNS version 1 is BADVERS
	two OPT: two OPT records are FORMERR
	OPT with a name: an OPT record with a name is FORMERR
	cookie of odd size: a cookie of seven octets is FORMERR
	unknown option: an unknown EDNS option is ignored
	answer cut short: an answer cut short anywhere is refused
	data over the end: data that reach over the end are refused
	CNAME loop: two CNAMEs that lead to each other are refused
	CNAME chain: one of 17 is refused
	pointer forward: a pointer forward to a good name is refused
	TTL: a TTL of %u is passed on as %u
	our range from upstream: the address next to the range is passed on
t/unit/410-dns.c
	ANY: ANY gets a HINFO and no more
	no such family: AAAA of a node with IPv4 alone is NODATA
	other class: another class than IN is REFUSED
	unknown name: an unknown name is NXDOMAIN with an SOA
	case: in the case of the question
	nothing leaks upstream: none of these went upstream
	NMS silent: then it is SERVFAIL
	10,000 names: of 10,000 names at once
	one name often: is looked up once
	TCP lengths: lengths no query can have close the connection
	TCP idle: for five seconds
	TCP in numbers: of 1,000 connections
	wrong ID or question: an answer with another ID or question is ignored
	second answer: a second answer is ignored
	truncated: a truncated answer is asked for by TCP
	damaged answers: is SERVFAIL
	malformed PTR: so is a number that is no octet

# ---- STUN ----
t/unit/440-stun.c
	cut short: no truncation of an answer is one
	octets behind it: nor is it with octets behind it
	another cookie: nor with another cookie
	another method: another method is no message of ours
	length beyond the end: an attribute longer than the message is refused
	address of odd size: and an IPv6 one of 4 octets
	address of no family: so is one of a third family
	behind the fingerprint: and what stands behind the fingerprint
	false fingerprint: a false fingerprint gets no answer
	amplification: a request shorter than its answer gets none
	answer to a third: nobody has an answer sent to another port
	loop of two servers: an answer gets no answer
	damaged anywhere: damaged messages none was answered with more than it had
t/unit/450-netcheck.c
	forged answers: of other ids, none is believed
	a server that lies: a server cannot send us to loopback
t/fuzz/stun.c
	every other message: two servers cannot be made to talk to each other

# ---- the store: damage beyond this is the checker's ----
t/unit/205-store-damage.c
	empty file: an empty file becomes an empty store
	not LMDB: a file that is not LMDB is refused with the remedy
	flipped octets: no flipped octet of a record's
	octets anywhere: octets flipped anywhere in the file never make a wrong value
	other layout: a record of another layout is not guessed at
	lock file: a lock file nobody uses may hold anything
	full map: a full map says so
	full disk: a full disk says so
	named pipe: a named pipe is refused, not waited for
	a file for a directory: a file in the directory's place is refused by name
	another's: another user's store is refused
t/unit/210-store-crash.c
	killed writer: kill
t/fuzz/record.c
	every record: octets that stand in the store with a right checksum
