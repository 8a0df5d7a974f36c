/* text.c - text forms of the vocabulary in cyphonic.h. */
#include "cyphonic.h"
#include <arpa/inet.h>
#include <stdio.h>

const char *ip_text(char out[ADDR_TEXT], const struct addr *a)
{
	if (a->family != 4 && a->family != 6)
		return strcpy(out, "-");
	inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->ip, out, ADDR_TEXT);
	if (a->scope) {
		size_t n = strlen(out);

		snprintf(out + n, ADDR_TEXT - n, "%%%u", (unsigned)a->scope);
	}
	return out;
}

const char *addr_text(char out[ADDR_TEXT], const struct addr *a)
{
	char ip[ADDR_TEXT];

	if (a->family != 4 && a->family != 6)
		return strcpy(out, "-");
	snprintf(out, ADDR_TEXT, a->family == 4 ? "%.46s:%u" : "[%.55s]:%u", ip_text(ip, a), a->port);
	return out;
}

bool ip_parse(struct addr *a, const char *text, uint16_t port)
{
	uint8_t ip[16] = { 0 };
	uint8_t family = 0;

	if (inet_pton(AF_INET, text, ip) == 1)
		family = 4;
	else if (inet_pton(AF_INET6, text, ip) == 1)
		family = 6;
	/* ::ffff:0:0/96 is IPv4 in disguise: whoever means it shall say it */
	if (!family || (family == 6 && memcmp(ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0))
		return false;
	memset(a, 0, sizeof *a);
	a->family = family;
	a->port = port;
	memcpy(a->ip, ip, sizeof ip);
	return true;
}

const char *hex_text(char *out, const uint8_t *p, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		out[2 * i] = digit[p[i] >> 4];
		out[2 * i + 1] = digit[p[i] & 15];
	}
	out[2 * n] = '\0';
	return out;
}

const char *id_text(char out[33], const struct id *id)
{
	return hex_text(out, id->b, sizeof id->b);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_parse(uint8_t *out, size_t n, const char *text)
{
	size_t i;

	if (strlen(text) != 2 * n)
		return false;
	for (i = 0; i < n; i++) {
		int hi = hex_digit(text[2 * i]), lo = hex_digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

static bool label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool name_canonical(char out[NAME_SIZE], const char *name)
{
	char buf[NAME_SIZE];
	size_t n = strlen(name), i, label = 0;

	if (n && name[n - 1] == '.')
		n--;
	if (n == 0 || n > NAME_MAX_LEN)
		return false;
	for (i = 0; i < n; i++) {
		char c = name[i];

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (c == '.') {
			if (label == 0 || buf[i - 1] == '-')
				return false;
			label = 0;
		} else if (!label_char(c) || ++label > 63 || (c == '-' && label == 1)) {
			return false;
		}
		buf[i] = c;
	}
	if (label == 0 || buf[n - 1] == '-')
		return false;
	buf[n] = '\0';
	memcpy(out, buf, n + 1);
	return true;
}

bool name_within(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);

	if (d == 0 || n < d || strcmp(name + n - d, domain) != 0)
		return false;
	return n == d || name[n - d - 1] == '.';
}

unsigned text_distance(const char *a, const char *b)
{
	unsigned row[32], i, k, n = (unsigned)MIN(strlen(b), ARRAY_SIZE(row) - 1);

	for (k = 0; k <= n; k++)
		row[k] = k;
	for (i = 0; a[i]; i++) {
		unsigned corner = i;

		row[0] = i + 1;
		for (k = 1; k <= n; k++) {
			unsigned change = corner + (a[i] != b[k - 1]);

			corner = row[k];
			row[k] = MIN(change, MIN(row[k], row[k - 1]) + 1);
		}
	}
	return row[n];
}
