/* askrelay.c - every worker of a relay has paths of its own: each is told to take no more. */
#include "net/io/ask.h"
#include "net/io/worker.h"
#include <errno.h>

#define PATIENCE_MS 3000

int ask_relay(const struct ask *a, const char *what)
{
	json_t *question = json_pack("{s:s}", "cmd", what), *answer;
	long long paths = 0;
	bool draining = false, silent = false;
	unsigned i;

	for (i = 0; i < WORKERS_MAX; i++) {
		answer = ask_one(a, a->role[0], i, question, PATIENCE_MS);
		if (!answer && errno != ETIMEDOUT)
			break;
		silent |= !answer;
		draining = json_is_true(json_object_get(answer, "draining"));
		paths += json_integer_value(json_object_get(answer, "paths"));
		json_decref(answer);
	}
	json_decref(question);
	if (i == 0 || silent)
		return ask_nobody(a, silent ? ETIMEDOUT : errno);
	if (!a->json) {
		fprintf(a->out, "%s, %lld path%s\n", draining ? "draining" : "taking new paths", paths,
			paths == 1 ? "" : "s");
		return 0;
	}
	answer = json_pack("{s:b, s:I}", "draining", draining, "paths", (json_int_t)paths);
	ask_print(a->out, "cyphonic.trs.v1", answer);
	json_decref(answer);
	return 0;
}
