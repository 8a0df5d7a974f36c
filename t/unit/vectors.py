#!/usr/bin/env python3
"""vectors.py - our own test vectors, made a second way.

Prints t/unit/vectors.h.  Everything comes from the standard library and python3-cryptography
(OpenSSL), nothing from this project's C code or its library: what the two agree on is what
man/cyphonic-protocol.7 and the headers in crypto/ say.

    t/unit/vectors.py >t/unit/vectors.h

Exit status 77: python3-cryptography is not there.
"""
import hashlib
import hmac
import struct
import sys

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
except ImportError:
    sys.exit(77)


# ---- primitives the library lacks ----

def extract(salt, ikm):
    return hmac.new(salt, ikm, hashlib.sha256).digest()


def expand(prk, info, n):
    out, block = b"", b""
    while len(out) < n:
        block = hmac.new(prk, block + info + bytes([len(out) // 32 + 1]), hashlib.sha256).digest()
        out += block
    return out[:n]


def siphash(key, data):
    mask = (1 << 64) - 1

    def turn(x, by):
        return (x << by | x >> (64 - by)) & mask

    def rounds(v, n):
        a, b, c, d = v
        for _ in range(n):
            a = (a + b) & mask
            c = (c + d) & mask
            b = turn(b, 13) ^ a
            d = turn(d, 16) ^ c
            a = turn(a, 32)
            c = (c + b) & mask
            a = (a + d) & mask
            b = turn(b, 17) ^ c
            d = turn(d, 21) ^ a
            c = turn(c, 32)
        return a, b, c, d

    k0, k1 = struct.unpack("<QQ", key)
    a, b, c, d = (k ^ int.from_bytes(text, "big") for k, text in
                  zip((k0, k1, k0, k1), (b"somepseu", b"dorandom", b"lygenera", b"tedbytes")))
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    for (word,) in struct.iter_unpack("<Q", padded):
        d ^= word
        a, b, c, d = rounds((a, b, c, d), 2)
        a ^= word
    a, b, c, d = rounds((a, b, c ^ 0xff, d), 4)
    return a ^ b ^ c ^ d


def aes(key, block):
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def polyval(key, data):
    """RFC 8452, section 3; bit i of the little-endian number is the coefficient of x^i."""
    poly = 1 << 128 | 1 << 127 | 1 << 126 | 1 << 121 | 1

    def dot(x, y):
        product = 0
        for i in range(128):
            if y >> i & 1:
                product ^= x << i
        for _ in range(128):      # times x^-128: make the low bit zero, then halve
            if product & 1:
                product ^= poly
            product >>= 1
        return product

    h, s = int.from_bytes(key, "little"), 0
    for i in range(0, len(data), 16):
        s = dot(s ^ int.from_bytes(data[i:i + 16], "little"), h)
    return s.to_bytes(16, "little")


def siv_seal(key, nonce, data, ad):
    """AES-128-GCM-SIV, RFC 8452, section 4."""
    halves = [aes(key, struct.pack("<I", i) + nonce)[:8] for i in range(4)]
    auth, enc = halves[0] + halves[1], halves[2] + halves[3]

    def pad(x):
        return x + bytes(-len(x) % 16)

    lengths = struct.pack("<QQ", 8 * len(ad), 8 * len(data))
    s = bytearray(polyval(auth, pad(ad) + pad(data) + lengths))
    for i, b in enumerate(nonce):
        s[i] ^= b
    s[15] &= 0x7f
    tag = aes(enc, bytes(s))
    counter, rest = struct.unpack("<I", tag[:4])[0], tag[4:15] + bytes([tag[15] | 0x80])
    out = b""
    for i in range(0, len(data), 16):
        stream = aes(enc, struct.pack("<I", (counter + i // 16) % 2 ** 32) + rest)
        out += bytes(x ^ y for x, y in zip(data[i:i + 16], stream))
    return out + tag


def public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def shared(private, peer):
    return X25519PrivateKey.from_private_bytes(private).exchange(
        X25519PublicKey.from_public_bytes(peer))


def check_primitives():
    assert siphash(bytes(range(16)), bytes(range(15))) == 0xa129ca6149be45e5
    assert siv_seal(b"\1" + bytes(15), b"\3" + bytes(11), b"\2" + bytes(7), b"\1").hex() == \
        "1e6daba35669f4273b0a1a2560969cdf790d99759abd1508"
    assert expand(extract(bytes(range(13)), b"\x0b" * 22), bytes(range(0xf0, 0xfa)), 42).hex() == \
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"


# ---- the figures ----

def octets(what, n):
    """n octets that look random, named so that they can be made anywhere."""
    return expand(hashlib.sha256(b"cyphonic vectors").digest(), what.encode(), n)


def emit(name, value):
    text = value.hex() if isinstance(value, bytes) else value
    lines = [text[i:i + 80] for i in range(0, len(text), 80)]
    print("#define V_%s \\\n%s" % (name, " \\\n".join('\t"%s"' % line for line in lines)))


def keys_of_signalling():
    common, tunnel = octets("common key", 16), octets("tunnel key", 16)
    temporary, end = octets("temporary key", 16), octets("end key", 16)
    node, path = octets("node id", 16), octets("path id", 16)
    for name, value in (("COMMON", common), ("TUNNEL", tunnel), ("TEMPORARY", temporary),
                        ("END", end), ("NODE_ID", node), ("PATH_ID", path)):
        emit(name, value)

    header, body = octets("signalling header", 32), octets("signalling body", 57)
    emit("SIGNAL_HEADER", header)
    emit("SIGNAL_BODY", body)
    for name, key, salt, use, who in (
            ("NODE", common, b"cyph4 common", b"node", node),
            ("SERVICE", common, b"cyph4 common", b"service", node),
            ("INITIATOR", tunnel, b"cyph4 tunnel", b"initiator", path),
            ("RESPONDER", tunnel, b"cyph4 tunnel", b"responder", path)):
        k = expand(extract(salt, key), use + who, 16)
        emit("SIGNAL_" + name, siv_seal(k, header[:12], body, header))

    k = expand(extract(b"cyph4 temporary", temporary), b"end key" + path, 16)
    nonce = octets("wrap nonce", 12)
    emit("WRAPPED_END", nonce + siv_seal(k, nonce, end, path))

    psk = extract(b"cyph kx2 psk", tunnel + temporary + end)
    emit("PSK", psk)
    return path, psk


def noise(path, psk):
    """Noise_KKpsk0_25519_AESGCM_SHA256, written out message by message."""
    s_i, s_r = octets("static initiator", 32), octets("static responder", 32)
    e_i, e_r = octets("ephemeral initiator", 32), octets("ephemeral responder", 32)
    for name, value in (("S_I", s_i), ("S_R", s_r), ("E_I", e_i), ("E_R", e_r)):
        emit(name, value)
    prologue = b"CYPHONIC-KX2" + bytes([4]) + path
    prologue += octets("tbs initiator", 32) + octets("tbs responder", 32)
    prologue += bytes([198, 18, 0, 1]) + octets("ip6 initiator", 16)
    prologue += bytes([198, 18, 0, 2]) + octets("ip6 responder", 16)
    emit("PROLOGUE", prologue)
    payloads = octets("payload 1", 16), octets("payload 2", 16)
    emit("PAYLOAD_1", payloads[0])
    emit("PAYLOAD_2", payloads[1])

    h = ck = b"Noise_KKpsk0_25519_AESGCM_SHA256"

    def mix_hash(data):
        nonlocal h
        h = hashlib.sha256(h + data).digest()

    for data in (prologue, public(s_i), public(s_r)):
        mix_hash(data)
    turns = ((e_i, payloads[0], ((e_i, s_r), (s_i, s_r))),
             (e_r, payloads[1], ((e_r, e_i), (e_r, s_i))))
    for number, (e, payload, pairs) in enumerate(turns, 1):
        if number == 1:
            out = expand(extract(ck, psk), b"", 96)
            ck = out[:32]
            mix_hash(out[32:64])
        mix_hash(public(e))
        for secret in [public(e)] + [shared(a, public(b)) for a, b in pairs]:
            out = expand(extract(ck, secret), b"", 64)
            ck, k = out[:32], out[32:]
        sealed = AESGCM(k).encrypt(bytes(12), payload, h)
        mix_hash(sealed)
        emit("MESSAGE_%d" % number, public(e) + sealed)
    out = expand(extract(ck, b""), b"", 64)
    exporter = expand(ck, b"cyph kx1 exp" + h, 32)
    emit("HANDSHAKE_HASH", h)
    emit("T_I2R", out[:32])
    emit("T_R2I", out[32:])
    emit("EXPORTER", exporter)
    return out[:32], exporter


def capsule(name, secret, generation):
    header, packet = octets("capsule header", 32), octets("capsule packet", 84)
    number = 0x1_0000_0007
    for suite, size, aead in ((1, 16, AESGCM), (2, 32, ChaCha20Poly1305), (3, 32, AESGCM)):
        tail = bytes([suite, generation])
        key, iv = expand(secret, b"cyph2 key" + tail, size), expand(secret, b"cyph2 iv" + tail, 12)
        nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
        emit("%s_IV_%d" % (name, suite), iv)
        emit("%s_SEALED_%d" % (name, suite), aead(key).encrypt(nonce, packet, header))


def data(secret, root):
    emit("CAPSULE_HEADER", octets("capsule header", 32))
    emit("CAPSULE_PACKET", octets("capsule packet", 84))
    capsule("CAPSULE", secret, 0)
    for generation in (1, 2):
        a, b = octets("rekey a %d" % generation, 32), octets("rekey b %d" % generation, 32)
        transcript = hashlib.sha256(b"request" + public(a) + b"response" + public(b)).digest()
        secret_shared = shared(a, public(b))
        out = expand(extract(root, secret_shared),
                     b"cyph2 rekey" + bytes([generation]) + transcript, 96)
        root, secret = out[:32], out[32:64]
        emit("REKEY_%d_SHARED" % generation, secret_shared)
        emit("REKEY_%d_TRANSCRIPT" % generation, transcript)
        emit("REKEY_%d_OUT" % generation, out)
    capsule("REKEYED", secret, 2)


def password():
    salt = octets("salt", 16)
    emit("PASSWORD_SALT", salt)
    emit("PASSWORD_HASH",
         hashlib.scrypt(b"correct horse", salt=salt, n=1 << 10, r=8, p=1, dklen=32))


def tokens():
    scv = octets("secret common value", 16)

    def shuffled(epoch):
        p = list(range(256))
        for i in range(255, 0, -1):
            message = b"token" + struct.pack(">QB", epoch % 2 ** 64, i)
            j = siphash(scv, message) % (i + 1)
            p[i], p[j] = p[j], p[i]
        return p

    def permutation(epoch):
        tail, p, spare = shuffled(epoch - 1)[248:], shuffled(epoch), 8
        for i in range(8):
            while p[i] in tail:
                p[i], p[spare] = p[spare], p[i]
                spare += 1
        return bytes(p)

    emit("SCV", scv)
    for name, epoch in (("0", 0), ("1", 1), ("A", 27_000_000), ("B", 27_000_001)):
        emit("TOKENS_" + name, permutation(epoch))
    print("#define V_TOKENS_A_EPOCH 27000000")


def main():
    check_primitives()
    print("/* vectors.h - made by t/unit/vectors.py: change that and run it again. */")
    print("#ifndef VECTORS_H\n#define VECTORS_H\n")
    path, psk = keys_of_signalling()
    data(*noise(path, psk))
    password()
    tokens()
    print("\n#endif")


main()
