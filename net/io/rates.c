/* rates.c - the daemon keeps no history: whoever wants rates looks twice. */
#include "net/io/rates.h"
#include <stdbool.h>
#include <string.h>

static json_int_t number(json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool is_same(json_t *a, json_t *b)
{
	const char *x = json_string_value(json_object_get(a, "role"));
	const char *y = json_string_value(json_object_get(b, "role"));

	return x && y && strcmp(x, y) == 0 && number(a, "worker") == number(b, "worker") &&
	       number(json_object_get(a, "time"), "started") ==
	       number(json_object_get(b, "time"), "started");
}

static void add(json_t *rates, json_t *counters, json_t *then, double seconds)
{
	json_t *value;
	const char *key;

	json_object_foreach(counters, key, value) {
		json_int_t more = json_integer_value(value) - number(then, key);

		if (more >= 0)
			json_object_set_new(rates, key, json_real((double)more / seconds));
	}
}

void rates_add(json_t *all, json_t *before, double seconds)
{
	json_t *worker, *then;
	size_t i, j;

	json_array_foreach(json_object_get(all, "workers"), i, worker)
		json_array_foreach(json_object_get(before, "workers"), j, then) {
			json_t *rates;

			if (!is_same(worker, then))
				continue;
			rates = json_object();
			add(rates, json_object_get(worker, "verdicts"),
			    json_object_get(then, "verdicts"), seconds);
			add(rates, json_object_get(worker, "totals"),
			    json_object_get(then, "totals"), seconds);
			json_object_set_new(worker, "rates", rates);
		}
}
