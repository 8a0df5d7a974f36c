/* text.c - libFuzzer entry: names, addresses and hex digits as text. */
#include "t/fuzz/base/base.h"

static void name(const char *text)
{
	char out[NAME_SIZE], again[NAME_SIZE];

	if (!name_canonical(out, text))
		return;
	must(strlen(out) > 0 && strlen(out) <= NAME_MAX_LEN);
	must(name_canonical(again, out) && strcmp(out, again) == 0);
	must(name_within(out, out));
}

static void address(const char *text)
{
	struct addr a, b;
	char out[ADDR_TEXT];

	if (!ip_parse(&a, text, 4503))
		return;
	must(a.family == 4 || a.family == 6);
	ip_text(out, &a);
	must(ip_parse(&b, out, 4503) && addr_same_ip(&a, &b));
	addr_text(out, &a);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *text = malloc(n + 1), hex[2 * 16 + 1];
	uint8_t octets[16];

	if (!text)
		abort();
	memcpy(text, p, n);
	text[n] = '\0';
	name(text);
	address(text);
	if (hex_parse(octets, sizeof octets, text))
		must(strcasecmp(hex_text(hex, octets, sizeof octets), text) == 0);
	free(text);
	return 0;
}
