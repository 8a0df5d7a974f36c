/* verdict.h - every packet ends in exactly one verdict; see verdict.def for what each means. */
#ifndef VERDICT_H
#define VERDICT_H

#include "cyphonic.h"

enum verdict {
#define VERDICT(NAME, name, text) V_##NAME,
#include "net/proto/verdict.def"
#undef VERDICT
	V_COUNT
};

/* From a check that ends no packet: go on.  Never counted. */
#define V_PASSED V_COUNT

/* Packets by how they ended, one set per role and worker. */
struct verdicts {
	uint64_t count[V_COUNT];
};

/* Word for logs and metrics, e.g. "drop_replay". */
const char *verdict_name(enum verdict v);
/* The manual's sentence. */
const char *verdict_text(enum verdict v);

#endif
