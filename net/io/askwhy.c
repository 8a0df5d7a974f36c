/* askwhy.c - the verb why: a few lines on the way a path goes and on what keeps it from a better one. */
#include "net/io/ask.h"
#include <jansson.h>

#define WAIT_MS 5000		/* long enough for a path to be made */

static const char *text(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static bool is_none(json_t *o, const char *key)
{
	return strcmp(text(o, key), "none") == 0;
}

static void show_end(FILE *out, const char *who, json_t *families)
{
	json_t *f;
	size_t i;

	json_array_foreach(families, i, f)
		fprintf(out, "  %-8s IPv%lld: mapping %s, filtering %s\n", who,
			(long long)json_integer_value(json_object_get(f, "family")),
			text(f, "mapping"), text(f, "filtering"));
}

static void show_ways(FILE *out, json_t *ways)
{
	json_t *way;
	size_t i;

	json_array_foreach(ways, i, way)
		fprintf(out, "  %-8s %-24s %s%s\n", text(way, "kind"), text(way, "address"),
			text(way, "state"), json_is_true(json_object_get(way, "used")) ? ", in use" : "");
}

static void show_way(FILE *out, json_t *o)
{
	json_t *rtt = json_object_get(o, "rtt_ms");

	fprintf(out, "%s: ", text(o, "name"));
	if (is_none(o, "way"))
		fputs("no path", out);
	else
		fprintf(out, "%s, %s", text(o, "way_text"), text(o, "remote"));
	if (rtt)
		fprintf(out, ", %.2f ms", json_number_value(rtt));
	fputc('\n', out);
}

static void show_why(FILE *out, json_t *o)
{
	show_way(out, o);
	if (is_none(o, "better"))
		fprintf(out, "why: %s\n", text(o, "code"));
	else
		fprintf(out, "better: %s, why not: %s\n", text(o, "better_text"), text(o, "code"));
	fprintf(out, "  %s\n", text(o, "text"));
	if (*text(o, "detail"))
		fprintf(out, "  %s\n", text(o, "detail"));
	if (*text(o, "help"))
		fprintf(out, "  what would help: %s\n", text(o, "help"));
	if (!json_array_size(json_object_get(o, "ways")))
		return;
	show_end(out, "here", json_object_get(o, "here"));
	show_end(out, "there", json_object_get(o, "there"));
	show_ways(out, json_object_get(o, "ways"));
}

int ask_why(const struct ask *a, const char *name)
{
	json_t *question = json_pack("{s:s, s:s, s:i}", "cmd", "why", "name", name,
				     "wait_ms", WAIT_MS);
	json_t *answer;
	int status;

	if (!question) {
		cy_log(LOG_ERROR_, "the name is no UTF-8 text");
		return 1;
	}
	answer = ask_agent(a, question);
	json_decref(question);
	if (!answer)
		return 1;
	status = is_none(answer, "way") || json_object_get(answer, "error");
	if (a->json)
		ask_print(a->out, "cyphonic.why.v1", answer);
	else if (json_object_get(answer, "error"))
		fprintf(a->out, "%s: %s\n", name, text(answer, "error"));
	else
		show_why(a->out, answer);
	json_decref(answer);
	return status;
}
