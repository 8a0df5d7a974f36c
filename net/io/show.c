/*
 * show.c - status as a page: who this is, whom it talks to, what the services count, and how
 * packets ended.
 */
#include "net/io/show.h"
#include <stdbool.h>
#include <string.h>
#include <time.h>

static const char *text(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && *s ? s : "-";
}

static json_int_t number(json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool is_role(json_t *worker, const char *role)
{
	return strcmp(text(worker, "role"), role) == 0;
}

static const char *date(char out[32], json_int_t s)
{
	time_t t = (time_t)s;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%d %H:%M UTC", &tm);
	return out;
}

static const char *octets(char out[16], json_int_t n)
{
	static const char unit[] = " KMGTP";
	double v = (double)n;
	unsigned i = 0;

	while (v >= 9999.5 && unit[i + 1]) {
		v /= 1000;
		i++;
	}
	snprintf(out, 16, i ? "%.0f %cB" : "%.0f B", v, unit[i]);
	return out;
}

/* ---- a node ---- */

static void show_agent(FILE *out, json_t *agent)
{
	json_t *way;
	char when[32];
	size_t i;

	fprintf(out, "%s: %s\n", text(agent, "name"), text(agent, "state"));
	if (strcmp(text(agent, "trouble"), "-") != 0)
		fprintf(out, "  trouble      %s\n", text(agent, "trouble"));
	fprintf(out, "  addresses    %s  %s\n", text(agent, "ipv4"), text(agent, "ipv6"));
	json_array_foreach(json_object_get(agent, "ways"), i, way) {
		bool on = json_is_true(json_object_get(way, "registered"));

		fprintf(out, "  nms          %s %s%s%s\n", text(way, "nms"),
			on ? "registered, seen as " : "not registered", on ? text(way, "mapped") : "",
			on && json_is_true(json_object_get(way, "napt")) ? ", behind a NAPT" : "");
	}
	if (number(agent, "key_expiry"))
		fprintf(out, "  common key   until %s\n", date(when, number(agent, "key_expiry")));
	if (number(agent, "certificate_expiry"))
		fprintf(out, "  certificate  until %s\n",
			date(when, number(agent, "certificate_expiry")));
}

/* The path to this peer, whichever worker has it; the one that is up first. */
static json_t *path_of(json_t *workers, const char *peer)
{
	json_t *worker, *path, *found = NULL;
	size_t i, j;

	json_array_foreach(workers, i, worker)
		json_array_foreach(json_object_get(worker, "paths"), j, path)
			if (strcmp(text(path, "peer"), peer) == 0 &&
			    (!found || strcmp(text(path, "state"), "up") == 0))
				found = path;
	return found;
}

static void show_peer(FILE *out, json_t *peer, json_t *path)
{
	const char *state = text(peer, "state"), *reason = text(peer, "reason");
	char in[16], sent[16], rtt[16] = "-";

	if (strcmp(reason, "ok") != 0)
		state = reason;
	if (json_number_value(json_object_get(path, "rtt_ms")) > 0)
		snprintf(rtt, sizeof rtt, "%.2f ms",
			 json_number_value(json_object_get(path, "rtt_ms")));
	fprintf(out, "%-28s %-15s %-24s %-9s %-7s %-22s %9s %9s %9s\n", text(peer, "name"),
		text(peer, "ipv4"), text(peer, "ipv6"), state, text(path, "via"),
		text(path, "remote"), rtt, octets(in, number(path, "octets_in")),
		octets(sent, number(path, "octets_out")));
}

static void show_node(FILE *out, json_t *workers)
{
	json_t *worker, *peer;
	size_t i, j;

	json_array_foreach(workers, i, worker) {
		json_t *peers = json_object_get(worker, "peers");

		if (!is_role(worker, "node") || !json_is_true(json_object_get(worker, "agent")))
			continue;
		show_agent(out, worker);
		if (json_array_size(peers))
			fprintf(out, "\n%-28s %-15s %-24s %-9s %-7s %-22s %9s %9s %9s\n", "PEER", "IPV4",
				"IPV6", "STATE", "VIA", "REMOTE", "RTT", "IN", "OUT");
		json_array_foreach(peers, j, peer)
			show_peer(out, peer, path_of(workers, text(peer, "name")));
	}
}

/* ---- services: whole numbers of all their workers together ---- */

static void show_service(FILE *out, json_t *workers, const char *role)
{
	json_t *worker, *value, *sum = json_object();
	const char *key;
	size_t i;
	unsigned n = 0;

	json_array_foreach(workers, i, worker) {
		if (!is_role(worker, role))
			continue;
		n++;
		json_object_foreach(worker, key, value)
			if (json_is_integer(value) && strcmp(key, "worker") && strcmp(key, "workers"))
				json_object_set_new(sum, key, json_integer(number(sum, key) +
							json_integer_value(value)));
	}
	if (n)
		fprintf(out, "%s: %u worker%s\n", role, n, n > 1 ? "s" : "");
	json_object_foreach(sum, key, value)
		fprintf(out, "  %-12s %lld\n", key, (long long)json_integer_value(value));
	json_decref(sum);
}

/* ---- how packets ended ---- */

static void show_verdicts(FILE *out, json_t *workers)
{
	json_t *worker, *value, *sum = json_object();
	const char *key;
	size_t i;

	json_array_foreach(workers, i, worker)
		json_object_foreach(json_object_get(worker, "verdicts"), key, value)
			json_object_set_new(sum, key, json_integer(number(sum, key) +
						json_integer_value(value)));
	if (json_object_size(sum))
		fprintf(out, "\n%-20s %12s\n", "VERDICT", "PACKETS");
	json_object_foreach(sum, key, value)
		fprintf(out, "%-20s %12lld\n", key, (long long)json_integer_value(value));
	json_decref(sum);
}

void show_status(FILE *out, json_t *workers)
{
	json_t *worker;
	size_t i;

	show_node(out, workers);
	show_service(out, workers, "as");
	show_service(out, workers, "nms");
	json_array_foreach(workers, i, worker)
		if (json_object_get(worker, "error"))
			fprintf(out, "%s.%lld: %s\n", text(worker, "role"),
				(long long)number(worker, "worker"), text(worker, "error"));
	show_verdicts(out, workers);
}
