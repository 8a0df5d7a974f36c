/*
 * resolv_bus.c - systemd-resolved asks us for the domain's names, and everybody else as before:
 * our TUN device gets a DNS server and routing-only domains, and nothing else of it is used.
 */
#include "net/io/resolv_way.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>

#define NAME "org.freedesktop.resolve1"
#define OBJECT "/org/freedesktop/resolve1"
#define MANAGER "org.freedesktop.resolve1.Manager"
#define PATIENCE (3 * SEC)
#define ZONES_MAX 64		/* resolved takes 256 domains a link at most, older ones fewer */

static sd_bus *bus_open(void)
{
	sd_bus *bus = NULL;

	if (sd_bus_open_system(&bus) < 0)
		return NULL;
	sd_bus_set_method_call_timeout(bus, PATIENCE);
	return bus;
}

/* ---- is it ours to ask? ---- */

static uint32_t owner_pid(sd_bus *bus)
{
	sd_bus_message *m = NULL;
	uint32_t pid = 0;

	if (sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
			       "org.freedesktop.DBus", "GetConnectionUnixProcessID", NULL, &m, "s",
			       NAME) >= 0)
		sd_bus_message_read(m, "u", &pid);
	sd_bus_message_unref(m);
	return pid;
}

/* Its stub's socket, 127.0.0.53 port 53, in our network namespace. */
static bool has_stub(void)
{
	FILE *f = fopen("/proc/net/udp", "re");
	char line[256];
	bool found = false;

	while (f && fgets(line, sizeof line, f))
		found |= strstr(line, " 3500007F:0035 ") != NULL;
	if (f)
		fclose(f);
	return found;
}

/* A system bus may be reached from a namespace whose links its resolved does not know. */
static bool is_here(uint32_t pid)
{
	char path[48];
	struct stat own, its;

	snprintf(path, sizeof path, "/proc/%u/ns/net", pid);
	if (pid && stat("/proc/self/ns/net", &own) == 0 && stat(path, &its) == 0)
		return own.st_dev == its.st_dev && own.st_ino == its.st_ino;
	return has_stub();
}

bool bus_is_there(char why[40])
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus *bus = bus_open();
	bool there = false;

	if (!bus) {
		strcpy(why, "no D-Bus");
		return false;
	}
	/* a call, not a look for the name: it starts a resolved that is there but not running */
	if (sd_bus_call_method(bus, NAME, OBJECT, "org.freedesktop.DBus.Peer", "Ping", &e, NULL, "") < 0)
		snprintf(why, 40, "%s", sd_bus_error_has_name(&e, SD_BUS_ERROR_SERVICE_UNKNOWN) ?
			 "not running" : "does not answer");
	else if (!is_here(owner_pid(bus)))
		strcpy(why, "another network namespace's");
	else
		there = true;
	sd_bus_error_free(&e);
	sd_bus_flush_close_unref(bus);
	return there;
}

/* ---- what it is told ---- */

static int add_servers(sd_bus_message *m, const struct wish *w)
{
	unsigned i;
	int r = sd_bus_message_open_container(m, 'a', "(iay)");

	for (i = 0; i < w->owns && r >= 0; i++) {
		const struct addr *a = &w->own[i];

		r = sd_bus_message_open_container(m, 'r', "iay");
		if (r >= 0)
			r = sd_bus_message_append(m, "i", a->family == 4 ? AF_INET : AF_INET6);
		if (r >= 0)
			r = sd_bus_message_append_array(m, 'y', a->ip, a->family == 4 ? 4 : 16);
		if (r >= 0)
			r = sd_bus_message_close_container(m);
	}
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* The zones of all addresses from net/bits, up to whole octets. */
static int add_zones4(sd_bus_message *m, const struct wish *w)
{
	unsigned whole = (w->bits4 + 7u) / 8, zones = 1u << (whole * 8 - w->bits4), i, k;
	char name[64], part[8];
	int r = 0;

	for (i = 0; i < zones && zones <= ZONES_MAX && w->bits4 && r >= 0; i++) {
		name[0] = '\0';
		for (k = whole; k-- > 0;) {
			snprintf(part, sizeof part, "%u.", w->net4[k] + (k == whole - 1 ? i : 0));
			strcat(name, part);
		}
		strcat(name, "in-addr.arpa");
		r = sd_bus_message_append(m, "(sb)", name, 1);
	}
	return r;
}

static int add_zone6(sd_bus_message *m, const struct wish *w)
{
	char name[2 * 32 + 16] = "", part[8];
	unsigned k;

	if (!w->bits6 || w->bits6 % 4)
		return 0;
	for (k = w->bits6 / 4u; k-- > 0;) {
		snprintf(part, sizeof part, "%x.", w->net6[k / 2] >> (k % 2 ? 0 : 4) & 15);
		strcat(name, part);
	}
	strcat(name, "ip6.arpa");
	return sd_bus_message_append(m, "(sb)", name, 1);
}

/* true: only to say who is asked, not to complete names */
static int add_domains(sd_bus_message *m, const struct wish *w)
{
	int r = sd_bus_message_open_container(m, 'a', "(sb)");

	if (r >= 0)
		r = sd_bus_message_append(m, "(sb)", w->domain, 1);
	if (r >= 0)
		r = add_zones4(m, w);
	if (r >= 0)
		r = add_zone6(m, w);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static bool tell_list(sd_bus *bus, const struct wish *w, const char *method,
		      int (*add)(sd_bus_message *m, const struct wish *w), char *err)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(bus, &m, NAME, OBJECT, MANAGER, method);

	if (r >= 0)
		r = sd_bus_message_append(m, "i", (int)w->ifindex);
	if (r >= 0)
		r = add(m, w);
	if (r >= 0)
		r = sd_bus_call(bus, m, PATIENCE, &e, NULL);
	if (r < 0)
		snprintf(err, RESOLV_ERR, "systemd-resolved refuses %s: %.120s", method,
			 e.message ? e.message : strerror(-r));
	sd_bus_error_free(&e);
	sd_bus_message_unref(m);
	return r >= 0;
}

/* What an older resolved does not know it does not do either. */
static void tell_rest(sd_bus *bus, int ifindex)
{
	static const char *const no[] = { "SetLinkLLMNR", "SetLinkMulticastDNS", "SetLinkDNSSEC",
					  "SetLinkDNSOverTLS" };
	unsigned i;

	sd_bus_call_method(bus, NAME, OBJECT, MANAGER, "SetLinkDefaultRoute", NULL, NULL, "ib",
			   ifindex, 0);
	for (i = 0; i < ARRAY_SIZE(no); i++)
		sd_bus_call_method(bus, NAME, OBJECT, MANAGER, no[i], NULL, NULL, "is", ifindex, "no");
	sd_bus_call_method(bus, NAME, OBJECT, MANAGER, "FlushCaches", NULL, NULL, "");
}

bool bus_up(const struct wish *w, char *err)
{
	sd_bus *bus = bus_open();
	bool good;

	if (!bus) {
		snprintf(err, RESOLV_ERR, "no D-Bus to reach systemd-resolved by: set node.resolver to auto");
		return false;
	}
	/* domains first: a server without them would be asked for everything */
	good = tell_list(bus, w, "SetLinkDomains", add_domains, err);
	if (good) {
		tell_rest(bus, (int)w->ifindex);
		good = tell_list(bus, w, "SetLinkDNS", add_servers, err);
	}
	sd_bus_flush_close_unref(bus);
	if (!good)
		bus_down(w->ifindex);
	return good;
}

void bus_down(unsigned ifindex)
{
	sd_bus *bus = bus_open();

	if (!bus)
		return;
	sd_bus_call_method(bus, NAME, OBJECT, MANAGER, "RevertLink", NULL, NULL, "i", (int)ifindex);
	sd_bus_call_method(bus, NAME, OBJECT, MANAGER, "FlushCaches", NULL, NULL, "");
	sd_bus_flush_close_unref(bus);
}
