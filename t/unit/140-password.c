/* 140-password.c - password hashes: published and own vectors, costs out of bounds. */
#include "t/tap.h"
#include "t/unit/hex.h"
#include "t/unit/vectors.h"
#include "crypto/password.h"
#include <openssl/evp.h>

static void test_vectors(void)
{
	struct password_hash h = { .log2_n = 10, .r = 8, .p = 1 };
	uint8_t out[64];

	ok(EVP_PBE_scrypt("pleaseletmein", 13, (const uint8_t *)"SodiumChloride", 14, 16384, 8, 1,
			  0,
			  out, 64) &&
	   is_hex(out, 64, "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
			   "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"),
	   "the library's scrypt gives the vector of RFC 7914 at N = 16384");
	unhex(h.salt, sizeof h.salt, V_PASSWORD_SALT);
	unhex(h.hash, sizeof h.hash, V_PASSWORD_HASH);
	ok(password_check(&h, "correct horse", 13), "a hash another program made is recognised");
	ok(!password_check(&h, "correct horsf", 13), "another password is not");
	ok(!password_check(&h, "correct horse", 12), "nor its beginning");
}

static void test_make(void)
{
	struct password_hash h, again;
	unsigned bit, taken = 0;

	ok(password_make(&h, "tr\0ub4dor", 9, 4) && password_check(&h, "tr\0ub4dor", 9),
	   "a password is recognised by the hash made of it");
	ok(h.log2_n == 4 && h.r == 8 && h.p == 1, "the cost stands in the record");
	ok(!password_check(&h, "tr\0ub4doR", 9), "octets after a zero count");
	password_make(&again, "tr\0ub4dor", 9, 4);
	ok(memcmp(h.salt, again.salt, 16) && memcmp(h.hash, again.hash, 32),
	   "the same password twice has two salts and two hashes");
	for (bit = 0; bit < 256; bit++) {
		again = h;
		again.hash[bit / 8] ^= 1 << bit % 8;
		taken += password_check(&again, "tr\0ub4dor", 9);
	}
	ok(taken == 0, "no hash with a flipped bit is recognised");
	ok(password_make(&h, "", 0, 4) && password_check(&h, "", 0) && password_check(&h, NULL, 0),
	   "an empty password is a password");
	ok(!password_check(&h, "x", 1), "and not any password");
}

static void test_bounds(void)
{
	static const struct { uint8_t log2_n, r, p; } bad[] = {
		{ 0, 8, 1 }, { 21, 8, 1 }, { 63, 8, 1 }, { 64, 8, 1 }, { 255, 8, 1 }, { 4, 0, 1 },
		{ 4, 255, 1 }, { 4, 8, 0 }, { 4, 8, 255 }, { 20, 255, 255 },
	};
	struct password_hash h;
	size_t i;

	password_make(&h, "a", 1, 4);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		h.log2_n = bad[i].log2_n;
		h.r = bad[i].r;
		h.p = bad[i].p;
		ok(!password_check(&h, "a", 1), "a record of cost %u, %u, %u is refused at once",
		   h.log2_n,
		   h.r, h.p);
	}
	ok(!password_make(&h, "a", 1, 0) && !password_make(&h, "a", 1, 21),
	   "no hash is made at a cost out of bounds");
	ok(password_make(&h, "a", 1, 1) && password_check(&h, "a", 1), "the lowest cost works");
	ok(password_make(&h, "a", 1, 15) && password_check(&h, "a", 1), "so does the default one");
	ok(password_make(&h, "a", 1, 16) && password_check(&h, "a", 1),
	   "and one above the library's own limit of memory");
}

int main(void)
{
	test_vectors();
	test_make();
	test_bounds();
	return done();
}
