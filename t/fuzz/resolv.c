/*
 * resolv.c - libFuzzer entry: the system's resolv.conf.  Our lines go in and out again, and
 * nothing else is changed by that.
 */
#include "t/fuzz/base/base.h"
#if __has_include("net/io/resolv_way.h")
#include "net/io/resolv_way.h"

static void in_and_out(const char *text, const struct wish *w)
{
	static char taken[RESOLV_TEXT], back[RESOLV_TEXT];
	struct claim c = { .pid = 4711 };
	struct servers s = { 0 };

	text_servers(text, w, &s);
	must(s.n <= PRIV_SERVERS);
	/* by itself, as after a crash of who wrote it */
	text_give_back(back, text, &c);
	c = (struct claim){ .pid = 4711 };
	if (!text_take(taken, text, w, &c))
		return;
	text_servers(taken, w, &s);
	text_give_back(back, taken, &c);
	must(c.ours && c.pid == 4711 && strcmp(c.tun, "cyphonic0") == 0);
	must(strcmp(back, text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct wish w = { .tun = "cyphonic0", .domain = "cyphonic.internal", .owns = 2 };
	char *text = malloc(n + 1);

	if (!text)
		abort();
	memcpy(text, p, n);
	text[n] = '\0';
	ip_parse(&w.own[0], "127.0.0.45", 53);
	ip_parse(&w.own[1], "fd00::53", 53);
	in_and_out(text, &w);
	free(text);
	return 0;
}
#else
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	return 0;
}
#endif
