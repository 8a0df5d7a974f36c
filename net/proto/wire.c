/*
 * wire.c - the only place that takes packets apart octet by octet and puts them together.
 *
 * A cursor remembers that it failed: parsers take all fields and ask once at the end.  What is
 * written here by hand is how each kind of field looks; which fields there are, and in which
 * order, comes from wire.def.
 */
#include "net/proto/wire.h"
#include "crypto/cert.h"
#include "crypto/keys.h"
#include "crypto/noise.h"

#define FIELD(message, name) sizeof(((struct msg_##message *)0)->name)
_Static_assert(FIELD(tunnel_request, end_key) == WRAPPED_END_KEY, "room for the sealed End Key");
_Static_assert(FIELD(tunnel_request, noise) == MSG_SIZE_offer + NOISE_OVERHEAD,
	       "room for a sealed offer");
_Static_assert(FIELD(tunnel_response, noise) == MSG_SIZE_offer + NOISE_OVERHEAD,
	       "room for a sealed choice");
#undef FIELD

/* Nobody may use a service to send more octets to a third party than he sent himself. */
#define NO_LONGER(answer, request) \
	_Static_assert((int)MSG_MAX_##answer <= (int)MSG_MIN_##request, #answer " > " #request)
NO_LONGER(registration_response, registration_request);
NO_LONGER(keep_alive_ack, keep_alive);
NO_LONGER(node_info_response, direction_request);
NO_LONGER(refusal, registration_request);
NO_LONGER(refusal, keep_alive);
NO_LONGER(refusal, direction_request);
NO_LONGER(refusal, route_confirmation);
#undef NO_LONGER

/* ---- reading ---- */

struct reader {
	const uint8_t *p, *end;
	bool failed;
};

/* The next n octets, or NULL once anything was missing. */
static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->failed || (size_t)(r->end - p) < n) {
		r->failed = true;
		return NULL;
	}
	r->p += n;
	return p;
}

static uint8_t take8(struct reader *r)
{
	const uint8_t *p = take(r, 1);

	return p ? *p : 0;
}

static uint16_t take16(struct reader *r)
{
	const uint8_t *p = take(r, 2);

	return p ? get16(p) : 0;
}

static uint32_t take32(struct reader *r)
{
	const uint8_t *p = take(r, 4);

	return p ? get32(p) : 0;
}

static uint64_t take64(struct reader *r)
{
	const uint8_t *p = take(r, 8);

	return p ? get64(p) : 0;
}

static void take_raw(struct reader *r, uint8_t *to, size_t n)
{
	const uint8_t *p = take(r, n);

	if (p)
		memcpy(to, p, n);
}

static struct bytes take_blob(struct reader *r, size_t max)
{
	struct bytes b = { .n = take16(r) };

	if (b.n > max)
		r->failed = true;
	b.p = take(r, b.n);
	if (r->failed)
		b.n = 0;
	return b;
}

static bool name_holds(const char *name)
{
	char canonical[NAME_SIZE];

	return !*name || (name_canonical(canonical, name) && strcmp(canonical, name) == 0);
}

static void take_name(struct reader *r, char to[NAME_SIZE])
{
	struct bytes b = take_blob(r, NAME_MAX_LEN);

	to[0] = '\0';
	if (!b.n)
		return;
	memcpy(to, b.p, b.n);
	to[b.n] = '\0';
	if (strlen(to) != b.n || !name_holds(to))
		r->failed = true;
}

static uint8_t take_count(struct reader *r, uint8_t max)
{
	uint8_t n = take8(r);

	if (n > max)
		r->failed = true;
	return r->failed ? 0 : n;
}

#define STRUCT(name, text) static void take_##name(struct reader *r, struct msg_##name *m) {
#define U8(name, text) m->name = take8(r);
#define U16(name, text) m->name = take16(r);
#define U32(name, text) m->name = take32(r);
#define U64(name, text) m->name = take64(r);
#define RAW(name, octets, text) take_raw(r, m->name, octets);
#define IDF(name, text) take_raw(r, m->name.b, sizeof m->name.b);
#define NAME(name, text) take_name(r, m->name);
#define BLOB(name, max, text) m->name = take_blob(r, max);
#define LIST(name, part, max, text) \
	m->name##_n = take_count(r, max); \
	for (unsigned i = 0; i < m->name##_n; i++) \
		take_##part(r, &m->name[i]);
#define END(name) }
#include "net/proto/wire.def"

#define STRUCT(name, text) \
	long msg_read_##name(struct msg_##name *m, const uint8_t *p, size_t n) \
	{ \
		struct reader r = { .p = p, .end = p + n }; \
\
		memset(m, 0, sizeof *m); \
		take_##name(&r, m); \
		return r.failed ? -1 : (long)(r.p - p); \
	}
#define END(name)
#include "net/proto/wire.def"

/* ---- writing ---- */

struct writer {
	uint8_t *p, *end;
	bool failed;
};

/* Room for the next n octets, or NULL once anything did not fit. */
static uint8_t *room(struct writer *w, size_t n)
{
	uint8_t *p = w->p;

	if (w->failed || (size_t)(w->end - p) < n) {
		w->failed = true;
		return NULL;
	}
	w->p += n;
	return p;
}

static void add8(struct writer *w, uint8_t v)
{
	uint8_t *p = room(w, 1);

	if (p)
		*p = v;
}

static void add16(struct writer *w, uint16_t v)
{
	uint8_t *p = room(w, 2);

	if (p)
		put16(p, v);
}

static void add32(struct writer *w, uint32_t v)
{
	uint8_t *p = room(w, 4);

	if (p)
		put32(p, v);
}

static void add64(struct writer *w, uint64_t v)
{
	uint8_t *p = room(w, 8);

	if (p)
		put64(p, v);
}

static void add_raw(struct writer *w, const void *from, size_t n)
{
	uint8_t *p = room(w, n);

	if (p && n)
		memcpy(p, from, n);
}

static void add_blob(struct writer *w, struct bytes b, size_t max)
{
	if (b.n > max)
		w->failed = true;
	add16(w, (uint16_t)b.n);
	add_raw(w, b.p, b.n);
}

static void add_name(struct writer *w, const char name[NAME_SIZE])
{
	size_t n = strnlen(name, NAME_SIZE);

	if (n == NAME_SIZE || !name_holds(name)) {
		w->failed = true;
		return;
	}
	add_blob(w, (struct bytes){ (const uint8_t *)name, n }, NAME_MAX_LEN);
}

static void add_count(struct writer *w, uint8_t n, uint8_t max)
{
	if (n > max)
		w->failed = true;
	add8(w, n);
}

#define STRUCT(name, text) static void add_##name(struct writer *w, const struct msg_##name *m) {
#define U8(name, text) add8(w, m->name);
#define U16(name, text) add16(w, m->name);
#define U32(name, text) add32(w, m->name);
#define U64(name, text) add64(w, m->name);
#define RAW(name, octets, text) add_raw(w, m->name, octets);
#define IDF(name, text) add_raw(w, m->name.b, sizeof m->name.b);
#define NAME(name, text) add_name(w, m->name);
#define BLOB(name, max, text) add_blob(w, m->name, max);
#define LIST(name, part, max, text) \
	add_count(w, m->name##_n, max); \
	for (unsigned i = 0; !w->failed && i < m->name##_n; i++) \
		add_##part(w, &m->name[i]);
#define END(name) }
#include "net/proto/wire.def"

#define STRUCT(name, text) \
	size_t msg_write_##name(uint8_t *out, size_t cap, const struct msg_##name *m) \
	{ \
		struct writer w = { .p = out, .end = out + cap }; \
\
		add_##name(&w, m); \
		return w.failed ? 0 : (size_t)(w.p - out); \
	}
#define END(name)
#include "net/proto/wire.def"

/* ---- what is known of numbers ---- */

enum row_state { STATE_UNKNOWN, STATE_LATER, STATE_USED };

struct type_row {
	const char *name, *text;
	enum row_state state;
	enum type_key key;
};

static const struct type_row *type_row(uint8_t type)
{
	static const struct type_row unknown = { "unknown", "unknown", STATE_UNKNOWN, KEY_NONE };
	static const struct type_row rows[256] = {
#define TYPE(number, NAME_, name, state, key, text) \
		[number] = { #name, text, STATE_##state, KEY_##key },
#include "net/proto/wire.def"
	};

	return rows[type].name ? &rows[type] : &unknown;
}

const char *type_name(uint8_t type)
{
	return type_row(type)->name;
}

const char *type_text(uint8_t type)
{
	return type_row(type)->text;
}

bool type_known(uint8_t type)
{
	return type_row(type)->state != STATE_UNKNOWN;
}

bool type_used(uint8_t type)
{
	return type_row(type)->state == STATE_USED;
}

enum type_key type_key(uint8_t type)
{
	return type_row(type)->key;
}

const char *reason_name(uint16_t reason)
{
	switch (reason) {
	case 0:
		return "ok";
#define REASON(number, NAME_, name, text) case number: return #name;
#include "net/proto/wire.def"
	}
	return "unknown";
}

const char *reason_text(uint16_t reason)
{
	switch (reason) {
	case 0:
		return "done";
#define REASON(number, NAME_, name, text) case number: return text;
#include "net/proto/wire.def"
	}
	return "unknown";
}
