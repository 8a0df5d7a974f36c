/*
 * config_value.c - one value of the configuration: its text into its member, or a message
 * that says what would be right.
 */
#include "store/config_table.h"
#include <net/if.h>
#include <stdarg.h>

/* ---- words for messages ---- */

const char *config_quote(char out[CONFIG_QUOTE], const char *text)
{
	size_t i, n = strlen(text), used = 0;

	for (i = 0; i < n && i < 64; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = c >= 0x20 && c < 0x7f;

		used += (size_t)snprintf(out + used, CONFIG_QUOTE - used,
					 plain ? "%c" : "\\x%02x", c);
	}
	snprintf(out + used, CONFIG_QUOTE - used, n > 64 ? "..." : "");
	return out;
}

const char *config_duration(char out[CONFIG_DURATION], uint64_t ms)
{
	static const struct { uint64_t ms; char unit[3]; } units[] = {
		{ 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" }
	};
	size_t i = 0;

	while (i < ARRAY_SIZE(units) - 1 && (ms < units[i].ms || ms % units[i].ms))
		i++;
	snprintf(out, CONFIG_DURATION, "%llu%s", (unsigned long long)(ms / units[i].ms),
		 units[i].unit);
	return out;
}

const char *prefix_text(char out[ADDR_TEXT], const struct prefix *p)
{
	struct addr a = { .family = p->family };
	size_t n;

	memcpy(a.ip, p->ip, sizeof a.ip);
	n = strlen(ip_text(out, &a));
	snprintf(out + n, ADDR_TEXT - n, "/%u", p->bits);
	return out;
}

/* "'node.mtu' RULE, not 'TEXT'".  Always false. */
__attribute__((format(printf, 4, 5)))
static bool refuse(char *err, const struct key *k, const char *text, const char *rule, ...)
{
	char name[CONFIG_NAME], quoted[CONFIG_QUOTE], what[256];
	va_list ap;

	va_start(ap, rule);
	vsnprintf(what, sizeof what, rule, ap);
	va_end(ap);
	snprintf(err, CONFIG_MESSAGE, "'%s' %s, not '%s'", config_name(name, k), what,
		 config_quote(quoted, text));
	return false;
}

/* ---- numbers and durations ---- */

/*
 * Decimal digits at *p, which moves behind them.  Ten at most, so that nothing wraps; no
 * leading zero, because YAML 1.1 takes one for octal and YAML 1.2 does not.
 */
static bool take_digits(const char **p, uint64_t *v)
{
	const char *start = *p;

	for (*v = 0; **p >= '0' && **p <= '9'; (*p)++) {
		if (*p - start == 10)
			return false;
		*v = *v * 10 + (uint64_t)(**p - '0');
	}
	return *p > start && (*start != '0' || *p == start + 1);
}

static bool whole_number(const char *text, uint64_t low, uint64_t high, uint64_t *v)
{
	return take_digits(&text, v) && *text == '\0' && *v >= low && *v <= high;
}

static bool number_value(uint32_t *to, const struct key *k, const char *text, char *err)
{
	uint64_t v;

	if (!whole_number(text, k->low, k->high, &v))
		return refuse(err, k, text, "must be a number from %llu to %llu",
			      (unsigned long long)k->low, (unsigned long long)k->high);
	*to = (uint32_t)v;
	return true;
}

static uint64_t unit_ms(const char *unit)
{
	static const struct { char name[3]; uint64_t ms; } units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(unit, units[i].name) == 0)
			return units[i].ms;
	return 0;
}

static bool duration_value(uint64_t *to, const struct key *k, const char *text, char *err)
{
	char low[CONFIG_DURATION], high[CONFIG_DURATION];
	const char *p = text;
	uint64_t v;
	bool number = take_digits(&p, &v);

	if (number && *p == '\0')
		return refuse(err, k, text, "needs a unit (ms, s, m, h or d), as in '%llus'",
			      (unsigned long long)v);
	if (number)
		v *= unit_ms(p);
	if (!number || unit_ms(p) == 0 || v < k->low || v > k->high)
		return refuse(err, k, text, "must be a time from %s to %s, unit ms, s, m, h or d",
			      config_duration(low, k->low), config_duration(high, k->high));
	*to = v;
	return true;
}

/* ---- strings ---- */

static bool is_word(const char *s)
{
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "0123456789._@-")] == '\0';
}

#define TEXT_SIZE 256		/* the largest STRING of config.def */

/* Brings text into its canonical form; returns NULL, or the rule it breaks. */
static const char *checked_text(char out[TEXT_SIZE], enum key_check check, const char *text)
{
	uint8_t hash[32];

	switch (check) {
	case CHECK_NAME:
		return name_canonical(out, text) ? NULL :
		       "must be a domain name: labels of letters, digits and inner hyphens, "
		       "63 each and 253 in all at most, other scripts in their xn-- form";
	case CHECK_LABEL:
		return !strchr(text, '.') && name_canonical(out, text) ? NULL :
		       "must be one label of a name: at most 63 letters, digits and inner hyphens";
	case CHECK_HEX64:
		if (!hex_parse(hash, sizeof hash, text))
			return "must be 64 hexadecimal digits";
		hex_text(out, hash, sizeof hash);
		return NULL;
	case CHECK_PATH:
		snprintf(out, TEXT_SIZE, "%s", text);
		return text[0] == '/' ? NULL : "must be an absolute path (begin with '/')";
	default:
		snprintf(out, TEXT_SIZE, "%s", text);
		return is_word(text) ? NULL : "must be of letters, digits and . _ @ - only";
	}
}

static bool string_value(char *to, const struct key *k, const char *text, char *err)
{
	char out[TEXT_SIZE], name[CONFIG_NAME];
	const char *rule;

	if (!*text && (k->role || *k->def)) {
		snprintf(err, CONFIG_MESSAGE,
			 "'%s' must not be empty: give it a value or delete the line",
			 config_name(name, k));
		return false;
	}
	if (k->check != CHECK_NAME && strlen(text) >= k->room)
		return refuse(err, k, text, "must be at most %u octets long",
			      (unsigned)k->room - 1);
	rule = *text ? checked_text(out, k->check, text) : NULL;
	if (rule)
		return refuse(err, k, text, "%s", rule);
	memset(to, 0, k->room);		/* two configurations are compared by their octets */
	snprintf(to, k->room, "%s", *text ? out : "");
	return true;
}

/* ---- addresses ---- */

/*
 * "HOST", "IPV4:PORT", "[IPV6]" or "[IPV6]:PORT" into its halves; port stays as it is when
 * none is given.
 */
static bool split_address(const char *text, char host[ADDR_TEXT], uint64_t *port)
{
	const char *from = text, *end, *rest;

	if (*text == '[') {
		from = text + 1;
		end = strchr(from, ']');
		if (!end || !memchr(from, ':', (size_t)(end - from)))
			return false;
		rest = end + 1;
	} else {
		end = strchr(text, ':');
		if (!end || strchr(end + 1, ':'))
			end = text + strlen(text);
		rest = end;
	}
	if ((size_t)(end - from) >= ADDR_TEXT)
		return false;
	memcpy(host, from, (size_t)(end - from));
	host[end - from] = '\0';
	return *rest == '\0' || (*rest == ':' && whole_number(rest + 1, 1, 65535, port));
}

static bool is_zero(const uint8_t *p, size_t n)
{
	while (n && p[n - 1] == 0)
		n--;
	return n == 0;
}

static bool is_link_local6(const struct addr *a)
{
	return a->family == 6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

/* The rule that keeps this address out, or NULL. */
static const char *address_rule(const struct addr *a, bool scoped, bool listen)
{
	if (is_zero(a->ip, sizeof a->ip))
		return listen ? NULL : "must be the address of one host";
	if (a->family == 4 ? a->ip[0] == 0 || a->ip[0] >= 224 : a->ip[0] == 0xff)
		return "must be a unicast address";
	if (is_link_local6(a) && !scoped)
		return "needs its interface, as in 'fe80::1%eth0'";
	if (is_link_local6(a) && a->scope == 0)
		return "must name an interface of this computer behind the %";
	if (scoped && !is_link_local6(a))
		return "must have an interface behind a % only if it is link-local (fe80::/10)";
	return NULL;
}

static bool is_loopback(const struct addr *a)
{
	return a->family == 4 ? a->ip[0] == 127 : is_zero(a->ip, 15) && a->ip[15] == 1;
}

static bool address_value(struct address_list *to, const struct key *k, const char *text, char *err)
{
	char host[ADDR_TEXT];
	const char *rule = "must be an IP address (names are not looked up) with or without a "
			   "port: 192.0.2.1, 192.0.2.1:4501, 2001:db8::1 or [2001:db8::1]:4501";
	uint64_t port = k->number;
	struct addr a = { 0 };
	char *scope = NULL;
	unsigned i;

	if (split_address(text, host, &port)) {
		scope = strchr(host, '%');
		if (scope)
			*scope++ = '\0';
		if (ip_parse(&a, host, (uint16_t)port)) {
			a.scope = scope ? if_nametoindex(scope) : 0;
			rule = address_rule(&a, scope != NULL, k->check == CHECK_LISTEN);
			if (!rule && k->check == CHECK_LOOPBACK && !is_loopback(&a))
				rule = "must be an address of this computer alone, such as 127.0.0.1 or "
				       "[::1]: whoever reaches it may read everything there";
		} else if (strncasecmp(host, "::ffff:", 7) == 0) {
			rule = "must be written as the IPv4 address it stands for";
		}
	}
	if (rule)
		return refuse(err, k, text, "%s", rule);
	for (i = 0; i < to->n; i++)
		if (addr_equal(&a, &to->a[i]))
			return refuse(err, k, text, "must list each address once");
	if (to->n == k->room)
		return refuse(err, k, text, "must list at most %u addresses", (unsigned)k->room);
	to->a[to->n++] = a;
	return true;
}

/* ---- prefixes ---- */

bool prefix_has(const struct prefix *p, const uint8_t *ip)
{
	unsigned whole = p->bits / 8, rest = p->bits % 8;

	if (p->family == 0 || memcmp(p->ip, ip, whole) != 0)
		return false;
	return rest == 0 || (p->ip[whole] ^ ip[whole]) >> (8 - rest) == 0;
}

static void clear_host_bits(struct prefix *p)
{
	unsigned i;

	for (i = p->bits; i < 128; i++)
		p->ip[i / 8] &= (uint8_t)~(0x80 >> i % 8);
}

/* Loopback, link-local, multicast, "this network": ranges with a meaning of their own. */
static bool is_special(const struct prefix *p)
{
	const uint8_t *b = p->ip;

	if (p->family == 6)
		return is_zero(b, 8) || b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
	return b[0] == 0 || b[0] == 127 || b[0] >= 224 || (b[0] == 169 && b[1] == 254);
}

static bool prefix_value(struct prefix *to, const struct key *k, const char *text, char *err)
{
	const char *slash = strchr(text, '/');
	char host[ADDR_TEXT], right[ADDR_TEXT], bits_rule[32];
	uint64_t bits = 0;
	struct prefix p;
	struct addr a;

	if (!*text && !*k->def) {
		memset(to, 0, sizeof *to);
		return true;
	}
	snprintf(host, sizeof host, "%.*s", slash ? (int)(slash - text) : 0, text);
	snprintf(bits_rule, sizeof bits_rule, k->low == k->high ? "/%u" : "/%u to /%u",
		 (unsigned)k->low, (unsigned)k->high);
	if (!ip_parse(&a, host, 0) || a.family != k->room ||
	    !whole_number(slash + 1, k->low, k->high, &bits))
		return refuse(err, k, text, "must be an IPv%u range of %s, as '%s'",
			      (unsigned)k->room, bits_rule, *k->def ? k->def : "fd12:3456:789a::/64");
	p = (struct prefix){ .family = a.family, .bits = (uint8_t)bits };
	memcpy(p.ip, a.ip, sizeof p.ip);
	clear_host_bits(&p);
	if (memcmp(p.ip, a.ip, sizeof p.ip) != 0)
		return refuse(err, k, text, "must have no bits set behind its /%u: write '%s'",
			      (unsigned)p.bits, prefix_text(right, &p));
	if (is_special(&p))
		return refuse(err, k, text, "must be a range of ordinary addresses");
	*to = p;
	return true;
}

/* ---- words from a list ---- */

static bool enum_value(uint8_t *to, const struct key *k, const char *text, char *err)
{
	const char *p = k->names;
	uint8_t i;

	for (i = 0; *p; i++) {
		size_t n = strcspn(p, "|");

		if (strlen(text) == n && memcmp(text, p, n) == 0) {
			*to = i;
			return true;
		}
		p += n + (p[n] == '|');
	}
	return refuse(err, k, text, "must be one of %s", k->names);
}

static const struct { char name[5]; uint32_t bits; } roles[] = {
	{ "node", ROLE_NODE }, { "as", ROLE_AS }, { "nms", ROLE_NMS }, { "trs", ROLE_TRS },
	{ "all", ROLE_AS | ROLE_NMS | ROLE_TRS }
};

uint32_t config_role(const char *word)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(roles); i++)
		if (strcmp(word, roles[i].name) == 0)
			return roles[i].bits;
	return 0;
}

const char *config_role_name(uint32_t bits)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(roles) && roles[i].bits != bits; i++)
		;
	return i < ARRAY_SIZE(roles) ? roles[i].name : "?";
}

static bool role_value(uint32_t *to, const struct key *k, const char *text, char *err)
{
	if (!config_role(text))
		return refuse(err, k, text, "must be one of node|as|nms|trs|all");
	*to |= config_role(text);
	return true;
}

bool config_value(struct config *c, const struct key *k, const char *text, char *err)
{
	void *to = (char *)c + k->offset;

	switch (k->kind) {
	case KEY_STRING:
		return string_value(to, k, text, err);
	case KEY_NUMBER:
		return number_value(to, k, text, err);
	case KEY_DURATION:
		return duration_value(to, k, text, err);
	case KEY_ADDRESSES:
		return address_value(to, k, text, err);
	case KEY_PREFIX:
		return prefix_value(to, k, text, err);
	case KEY_ENUM:
		return enum_value(to, k, text, err);
	case KEY_ROLES:
		return role_value(to, k, text, err);
	default:
		return false;
	}
}
