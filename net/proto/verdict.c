/* verdict.c - the words and sentences of verdict.def. */
#include "net/proto/verdict.h"

const char *verdict_name(enum verdict v)
{
	static const char *const name[] = {
#define VERDICT(NAME, name, text) #name,
#include "net/proto/verdict.def"
#undef VERDICT
	};

	return (unsigned)v < V_COUNT ? name[v] : "passed";
}

const char *verdict_text(enum verdict v)
{
	static const char *const text[] = {
#define VERDICT(NAME, name, text) text,
#include "net/proto/verdict.def"
#undef VERDICT
	};

	return (unsigned)v < V_COUNT ? text[v] : "a check that ends no packet was passed";
}
