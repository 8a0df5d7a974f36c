/* 160-node-id.c - Node IDs are the ones the published system's own program makes. */
#include "t/tap.h"
#include "t/unit/hex.h"
#include "crypto/aead.h"

static const struct {
	const char *fqdn, *id;
} known[] = {
	{ "2bac8cfcfa0a0e8fe7655cff0fec896866eff52e94efce030be15337.nms01.local.cyphonic.org",
	  "c8032745c1e75aae843896b7dfc42617" },
	{ "f6efb4e0355cae5a37ddd58a286d4bcbe6ff4ca585c67cb02f263aa3.nms01.local.cyphonic.org",
	  "a370e86e3e205da1a7c99de5c783cfba" },
};

int main(void)
{
	char name[NAME_SIZE];
	struct id a, b;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		node_id_of(&a, known[i].fqdn);
		ok(is_hex(a.b, 16, known[i].id), "%.8s... has the published Node ID %s",
		   known[i].fqdn,
		   known[i].id);
	}
	ok(a.b[6] >> 4 == 5 && a.b[8] >> 6 == 2, "it says that it is a UUID of version 5");
	node_id_of(&a, "alice.cyphonic.internal");
	node_id_of(&b, "bob.cyphonic.internal");
	ok(!id_equal(&a, &b), "two names have two Node IDs");
	name_canonical(name, "Alice.CYPHONIC.Internal.");
	node_id_of(&b, name);
	ok(id_equal(&a, &b), "two spellings of a name, made canonical, have one");
	return done();
}
