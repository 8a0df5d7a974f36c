# login_stranger.py TO - an AS's door as strangers find it, for t/net/410-bad-login.t.
# Says "ok TITLE" or "not ok TITLE" for each case.
import os, resource, select, socket, ssl, struct, sys, time, warnings

TO = (sys.argv[1], 4501)
warnings.simplefilter("ignore")		# old TLS is what is tried here
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))

def say(good, title):
    print(("ok " if good else "not ok ") + title, flush=True)

def dial():
    return socket.create_connection(TO, timeout=5)

def until_end(s, most=20):
    """Octets until the other side ends, and after how long; None: it did not."""
    begin, got = time.monotonic(), b""
    s.settimeout(most)
    try:
        while True:
            p = s.recv(65536)
            if not p:
                break
            got += p
    except OSError as e:
        if isinstance(e, TimeoutError):
            return got, None
    return got, time.monotonic() - begin

def context(alpn=("cyphonic",), version=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    c.set_ciphers("ALL:@SECLEVEL=0")
    c.minimum_version = version or ssl.TLSVersion.MINIMUM_SUPPORTED
    if version:
        c.maximum_version = version
    if alpn:
        c.set_alpn_protocols(list(alpn))
    return c

def shake(**how):
    s = dial()
    try:
        return context(**how).wrap_socket(s, server_hostname="as.cyphonic.internal")
    except (ssl.SSLError, OSError):
        s.close()
        return None

# ---- what is no TLS ----

def plain(title, octets):
    s = dial()
    s.sendall(octets)
    got, took = until_end(s, 5)
    say(took is not None and took < 1 and (not got or got[0] == 21) and len(got) < 64,
        title + " is shown out within a second")
    s.close()

def hello(size):
    body = b"\3\3" + os.urandom(32) + b"\0" + struct.pack("!H", size) + os.urandom(size)
    return b"\1" + struct.pack("!I", len(body))[1:] + body

def records(octets, piece):
    return b"".join(b"\x16\3\1" + struct.pack("!H", len(octets[i:i + piece])) + octets[i:i + piece]
                    for i in range(0, len(octets), piece))

plain("an HTTP request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
plain("an SSH banner", b"SSH-2.0-OpenSSH_9.2\r\n")
plain("noise", os.urandom(4096))
plain("zeros", bytes(4096))
plain("a record of 64 KiB", b"\x16\3\1\xff\xff" + os.urandom(65535))
plain("a ClientHello of 64 KiB", records(hello(65400), 16384))
plain("an alert before all else", b"\x15\3\3\0\2\2\x28")
plain("data before the handshake", b"\x17\3\3\0\4abcd")

# ---- the wrong TLS ----

for version, name in ((ssl.TLSVersion.TLSv1, "1.0"), (ssl.TLSVersion.TLSv1_1, "1.1"),
                      (ssl.TLSVersion.TLSv1_2, "1.2")):
    say(shake(version=version) is None, "TLS %s is refused" % name)
say(shake(alpn=("http/1.1", "h2")) is None, "so is another protocol in ALPN")

def no_alpn():
    s = shake(alpn=None)
    return s is None or until_end(s, 3)[1] is not None
say(no_alpn(), "and none")

class Memory:
    """A client whose octets can be cut at will."""
    def __init__(self):
        self.i, self.o = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.t = context().wrap_bio(self.i, self.o, server_hostname="x")
    def step(self):
        try:
            self.t.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.o.read()

def piecemeal(pause):
    s, m = dial(), Memory()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for b in m.step():
        s.send(bytes([b]))
        time.sleep(pause)
    s.settimeout(3)
    got = s.recv(65536)
    s.close()
    return got[:1] == b"\x16"
say(piecemeal(0), "a handshake octet by octet is understood")

# ---- logins that are none ----

def login(account=b"alice", password=b"x", device=b"laptop", auth=1, kind=1, csr=b"", version=4,
          type_=3, length=None, tail=b""):
    body = bytes(16) + bytes([auth, kind])
    for blob in (account, device, password, csr):
        body += struct.pack("!H", len(blob)) + blob
    n = 32 + len(body) if length is None else length
    return struct.pack("!IBBBBIHBB16x", 1, version, 0, type_, 0, 0, n & 0xffff, 0, 0) + body + tail

def answer(octets, end=False):
    """None: the door was shut without one."""
    s = shake()
    if not s:
        return "no handshake"
    s.sendall(octets)
    if end:
        s.shutdown(socket.SHUT_WR)
    got, took = until_end(s, 8)
    return "silence" if took is None else got or None

def shut(title, octets, end=False):
    a = answer(octets, end)
    say(a is None, title + " gets no answer, and the door is shut")
    if a is not None:
        print("# %r" % (a,), flush=True)

def refused(title, octets):
    a = answer(octets)
    # result is the first field of the answer's body: neither 0 nor more than a reason
    good = isinstance(a, bytes) and len(a) > 34 and a[6] == 4 and a[32:34] != b"\0\0"
    say(good, title + " is refused in words")
    if not good:
        print("# %r" % (a,), flush=True)
    return a[32:34] if good else None

shut("noise inside TLS", os.urandom(200))
shut("another version", login(version=3))
shut("another type", login(type_=4))
shut("a length shorter than a header", login(length=8))
shut("a length beyond every bound", login(length=65535))
shut("half a request and an end", login()[:40], end=True)
shut("a request of one octet too many", login(length=4097) + bytes(4000))
answers = {
    "a request with octets left over": login(tail=b"GET / HTTP/1.1\r\n\r\n"),
    "a field longer than the message": login()[:50] + b"\xff\xff" + login()[52:],
}
wrong = refused("a wrong password", login())
same = [refused("an unknown account", login(account=b"nobody")),
        refused("an empty account", login(account=b"")),
        refused("an account with a NUL", login(account=b"alice\0x")),
        refused("an account of format codes", login(account=b"%s%n%s%n")),
        refused("an account with a quote", login(account=b"' or 1=1 --")),
        refused("an account in capitals", login(account=b"ALICE")),
        refused("an account with a blank behind", login(account=b"alice ")),
        refused("an empty password", login(password=b"")),
        refused("a device of another", login(device=b"bob-box"))]
say(all(r == wrong for r in same), "who is refused does not learn why")
refused("another way to prove oneself", login(auth=9))
refused("another kind of device", login(kind=77))
for title, octets in answers.items():
    a = answer(octets)
    say(a is None or (isinstance(a, bytes) and a[32:34] != b"\0\0"), title + " lets nobody in")

# ---- many, slow, silent ----

begin = time.monotonic()
silent = [dial() for i in range(40)]
slow = dial()
flood = [dial() for i in range(1000)]
time.sleep(0.5)
poll = select.poll()
for s in flood:
    poll.register(s, select.POLLIN)
ended = len(poll.poll(0))
say(ended >= 900, "of a thousand idle connections from one net few stay (%d were closed)" % ended)
m = Memory().step()
dead = False
for i in range(12):
    try:
        slow.send(m[i:i + 1])
        slow.settimeout(0.7)
        dead = not slow.recv(100)
    except socket.timeout:
        pass
    except OSError:
        dead = True
    if dead:
        break
took = time.monotonic() - begin
say(dead and took < 8, "who sends an octet now and then is shown out (after %.1f s)" % took)
left = sum(1 for s in silent if until_end(s, max(0.1, begin + 8 - time.monotonic()))[1] is None)
say(left == 0, "who says nothing too (%d left after %.1f s)" % (left, time.monotonic() - begin))
