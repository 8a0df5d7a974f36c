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

/* ---- a node; a relay registers like one ---- */

static void show_way(FILE *out, json_t *way)
{
	bool on = json_is_true(json_object_get(way, "registered"));

	fprintf(out, "  nms          %s %s%s%s\n", text(way, "nms"),
		on ? "registered, seen as " : "not registered", on ? text(way, "mapped") : "",
		on && json_is_true(json_object_get(way, "napt")) ? ", behind a NAPT" : "");
}

/* What others found in front of it; nothing where nobody looked. */
static void show_napt(FILE *out, json_t *way)
{
	json_t *relays = json_object_get(way, "relays"), *relay;
	size_t i;

	if (number(way, "found"))
		fprintf(out, "  napt %s    mapping %s, filtering %s (%s)\n",
			*text(way, "nms") == '[' ? "ipv6" : "ipv4", text(way, "mapping"),
			text(way, "filtering"), text(way, "kind"));
	json_array_foreach(relays, i, relay)
		fprintf(out, "%s%s in %.1f ms%s", i ? ", " : "  relays       ", text(relay, "addr"),
			json_number_value(json_object_get(relay, "rtt_ms")),
			i + 1 < json_array_size(relays) ? "" : "\n");
}

static void show_agent(FILE *out, json_t *agent)
{
	json_t *way;
	char when[32];
	size_t i;

	fprintf(out, "%s: %s\n", text(agent, "name"), text(agent, "state"));
	if (strcmp(text(agent, "trouble"), "-") != 0)
		fprintf(out, "  trouble      %s\n", text(agent, "trouble"));
	fprintf(out, "  addresses    %s  %s\n", text(agent, "ipv4"), text(agent, "ipv6"));
	json_array_foreach(json_object_get(agent, "ways"), i, way)
		show_way(out, way);
	json_array_foreach(json_object_get(agent, "ways"), i, way)
		show_napt(out, way);
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

/* Why it goes no better way; "" where there is none to be had. */
static const char *reason_of(json_t *path)
{
	const char *better = text(path, "better");

	return strcmp(better, "none") == 0 || strcmp(better, "-") == 0 ? "" : text(path, "why");
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
	fprintf(out, "%-28s %-15s %-24s %-9s %-7s %-22s %9s %9s %9s%s%s\n", text(peer, "name"),
		text(peer, "ipv4"), text(peer, "ipv6"), state, text(path, "via"),
		text(path, "remote"), rtt, octets(in, number(path, "octets_in")),
		octets(sent, number(path, "octets_out")), *reason_of(path) ? "  " : "",
		reason_of(path));
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
			fprintf(out, "\n%-28s %-15s %-24s %-9s %-7s %-22s %9s %9s %9s  %s\n", "PEER", "IPV4",
				"IPV6", "STATE", "VIA", "REMOTE", "RTT", "IN", "OUT", "WHY");
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
			if (json_is_integer(value) && strcmp(key, "worker") &&
			    strcmp(key, "workers") && strcmp(key, "key_expiry"))
				json_object_set_new(sum, key, json_integer(number(sum, key) +
							json_integer_value(value)));
	}
	if (n)
		fprintf(out, "%s: %u worker%s\n", role, n, n > 1 ? "s" : "");
	json_object_foreach(sum, key, value)
		fprintf(out, "  %-15s %lld\n", key, (long long)json_integer_value(value));
	json_decref(sum);
}

/* Every relay is in the list of one worker of the NMS. */
static void show_relays(FILE *out, json_t *workers)
{
	json_t *worker, *relay;
	bool first = true;
	size_t i, j;

	json_array_foreach(workers, i, worker)
		json_array_foreach(json_object_get(worker, "relays"), j, relay) {
			json_t *at = json_object_get(relay, "addresses");

			if (!is_role(worker, "nms"))
				continue;
			if (first)
				fprintf(out, "\n%-28s %-9s %7s %7s  %-12s %s\n", "RELAY", "STATE",
					"LOAD", "PATHS", "REGION", "ADDRESS");
			first = false;
			fprintf(out, "%-28s %-9s %5.1f %% %7lld  %-12s %s\n", text(relay, "name"),
				text(relay, "state"), (double)number(relay, "load") / 10,
				(long long)number(relay, "paths"), text(relay, "region"),
				json_array_size(at) ? json_string_value(json_array_get(at, 0)) : "-");
		}
	if (!first)
		fputc('\n', out);
}

static const char *octets_each_second(char out[24], double n)
{
	char text[16];

	snprintf(out, 24, "%s/s", octets(text, (json_int_t)n));
	return out;
}

/* ---- a relay ---- */

static void show_relay(FILE *out, json_t *agent)
{
	json_t *way;
	char when[32];
	size_t i;

	fprintf(out, "relay %s: %s\n", text(agent, "name"), text(agent, "state"));
	if (strcmp(text(agent, "trouble"), "-") != 0)
		fprintf(out, "  trouble      %s\n", text(agent, "trouble"));
	if (strcmp(text(agent, "region"), "-") != 0)
		fprintf(out, "  region       %s\n", text(agent, "region"));
	fprintf(out, "  load         %.1f %%\n", 100 * json_number_value(json_object_get(agent, "load")));
	json_array_foreach(json_object_get(agent, "ways"), i, way)
		show_way(out, way);
	if (number(agent, "key_expiry"))
		fprintf(out, "  common key   until %s\n", date(when, number(agent, "key_expiry")));
}

static void show_trs(FILE *out, json_t *workers)
{
	json_t *worker;
	size_t i;

	json_array_foreach(workers, i, worker)
		if (is_role(worker, "trs") && json_is_true(json_object_get(worker, "agent")))
			show_relay(out, worker);
	show_service(out, workers, "trs");
}

/* ---- all of it ---- */

static void add_numbers(json_t *sum, json_t *numbers)
{
	json_t *value;
	const char *key;

	json_object_foreach(numbers, key, value)
		json_object_set_new(sum, key, json_real(json_number_value(json_object_get(sum, key)) +
						       json_number_value(value)));
}

/* Sums of one part over all workers. */
static json_t *summed(json_t *workers, const char *part)
{
	json_t *worker, *sum = json_object();
	size_t i;

	json_array_foreach(workers, i, worker)
		add_numbers(sum, json_object_get(worker, part));
	return sum;
}

/* How packets ended, and what was lost on the way out; with rates if there are any. */
static void show_packets(FILE *out, json_t *workers)
{
	json_t *verdicts = summed(workers, "verdicts"), *lost = summed(workers, "lost");
	json_t *rates = summed(workers, "rates"), *value;
	bool moving = json_object_size(rates) > 0;
	const char *key;

	if (json_object_size(verdicts))
		fprintf(out, "\n%-20s %12s%s\n", "VERDICT", "PACKETS", moving ? "        PER S" : "");
	json_object_foreach(verdicts, key, value) {
		fprintf(out, "%-20s %12.0f", key, json_number_value(value));
		if (moving)
			fprintf(out, " %12.1f", json_number_value(json_object_get(rates, key)));
		fputc('\n', out);
	}
	json_object_foreach(lost, key, value)
		if (json_number_value(value) > 0)
			fprintf(out, "lost: %-14s %12.0f\n", key, json_number_value(value));
	if (json_object_get(rates, "octets_in")) {
		char in[24], sent[24];

		fprintf(out, "tunnels: %s in, %s out\n", octets_each_second(in,
			json_number_value(json_object_get(rates, "octets_in"))), octets_each_second(sent,
			json_number_value(json_object_get(rates, "octets_out"))));
	}
	json_decref(verdicts);
	json_decref(lost);
	json_decref(rates);
}

static const char *span(char out[32], json_int_t s)
{
	if (s < 60)
		snprintf(out, 32, "%lld s", (long long)s);
	else if (s < 3600)
		snprintf(out, 32, "%lld min", (long long)s / 60);
	else if (s < 172800)
		snprintf(out, 32, "%lld h %lld min", (long long)s / 3600, (long long)s / 60 % 60);
	else
		snprintf(out, 32, "%lld d %lld h", (long long)s / 86400, (long long)s / 3600 % 24);
	return out;
}

/* The process as a whole; the clock is that of whoever answered first. */
static void show_daemon(FILE *out, json_t *daemon, json_t *workers)
{
	json_t *clock = json_object_get(json_array_get(workers, 0), "time");
	json_t *store = json_object_get(daemon, "store");
	char when[32], room[16];

	if (daemon)
		fprintf(out, "\ndaemon: pid %lld, up %s\n", (long long)number(daemon, "pid"),
			span(when, number(daemon, "uptime")));
	if (clock)
		fprintf(out, "  cloud time   %s, %+.3f s from this host's clock\n",
			date(when, number(clock, "cloud_ms") / 1000),
			(double)number(clock, "difference_ms") / 1000);
	if (store)
		fprintf(out, "  store        %s, %s%s\n", octets(room, number(store, "octets")),
			number(store, "copied") ? "last copy " : "no copy yet",
			number(store, "copied") ? date(when, number(store, "copied")) : "");
	if (number(daemon, "deaths"))
		fprintf(out, "  restarts     %lld\n", (long long)number(daemon, "deaths"));
}

void show_status(FILE *out, json_t *all)
{
	json_t *workers = json_object_get(all, "workers"), *worker;
	size_t i;

	show_node(out, workers);
	show_service(out, workers, "as");
	show_service(out, workers, "nms");
	show_relays(out, workers);
	show_trs(out, workers);
	json_array_foreach(workers, i, worker)
		if (json_object_get(worker, "error"))
			fprintf(out, "%s.%lld: %s\n", text(worker, "role"),
				(long long)number(worker, "worker"), text(worker, "error"));
	show_daemon(out, json_object_get(all, "daemon"), workers);
	show_packets(out, workers);
}
