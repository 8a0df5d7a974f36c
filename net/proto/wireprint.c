/*
 * wireprint.c - wire.def for readers other than the compiler: the tables of
 * cyphonic-protocol(7), and a dictionary that spares the fuzzer the guessing.
 */
#include "net/proto/verdict.h"
#include "net/proto/wire.h"
#include <ctype.h>
#include <stdarg.h>

#define BEGIN ".\\\" BEGIN wire-manual: written by 'cyphonic print wire-manual', do not edit"
#define END_MARK ".\\\" END wire-manual"

/* A line of text that roff must not take for a request. */
static void print_text(FILE *f, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", f);
	for (; *text; text++)
		fputs(*text == '\\' ? "\\e" : (char[]){ *text, '\0' }, f);
	fputc('\n', f);
}

/* The text as a sentence. */
static void print_sentence(FILE *f, const char *text)
{
	fputc(toupper((unsigned char)*text), f);
	fputs(text + 1, f);
	fputs(".\n", f);
}

static void print_table(FILE *f, const char *columns, const char *titles)
{
	fprintf(f, ".Bl -column %s\n.It %s\n", columns, titles);
}

/* One field: how many octets, its name, what it means. */
__attribute__((format(printf, 4, 5)))
static void print_field(FILE *f, const char *name, const char *text, const char *octets, ...)
{
	va_list ap;

	fputs(".It \"", f);
	va_start(ap, octets);
	vfprintf(f, octets, ap);
	va_end(ap);
	fprintf(f, "\" Ta %s Ta\n", name);
	print_text(f, text);
}

static void print_struct(FILE *f, const char *name, const char *text, int min, int max)
{
	fprintf(f, ".Ss Octets of %s\n", name);
	print_sentence(f, text);
	if (min == max)
		fprintf(f, "%d octets.\n", min);
	else
		fprintf(f, "%d to %d octets.\n", min, max);
	print_table(f, "\"1 + 160\" \"secret_common_value\" \"meaning\"",
		    "Sy octets Ta Sy field Ta Sy meaning");
}

static void print_structs(FILE *f)
{
#define STRUCT(name, text) print_struct(f, #name, text, MSG_MIN_##name, MSG_MAX_##name);
#define U8(name, text) print_field(f, #name, text, "1");
#define U16(name, text) print_field(f, #name, text, "2");
#define U32(name, text) print_field(f, #name, text, "4");
#define U64(name, text) print_field(f, #name, text, "8");
#define RAW(name, octets, text) print_field(f, #name, text, "%d", octets);
#define IDF(name, text) print_field(f, #name, text, "16");
#define NAME(name, text) print_field(f, #name, text, "2 + n");
#define BLOB(name, max, text) print_field(f, #name, text " (n at most " #max ")", "2 + n");
#define LIST(name, part, max, text) \
	print_field(f, #name, text " (" #part ", n at most " #max ")", "1 + %dn", MSG_SIZE_##part);
#define END(name) fputs(".El\n", f);
#include "net/proto/wire.def"
}

static void print_types(FILE *f)
{
	fputs(".Ss Types\n", f);
	print_table(f, "\"24\" \"notification_registration\" \"COMMON\" \"later\" \"meaning\"",
		    "Sy type Ta Sy name Ta Sy key Ta Sy state Ta Sy meaning");
#define TYPE(number, NAME_, name, state, key, text) \
	fprintf(f, ".It %d Ta %s Ta %s Ta %s Ta\n", number, #name, #key, \
		type_used(number) ? "used" : "later"); \
	print_text(f, text);
#include "net/proto/wire.def"
	fputs(".El\n", f);
}

static void print_flags(FILE *f)
{
	fputs(".Ss Flags\n", f);
	print_table(f, "\"0x80\" \"generation\" \"meaning\"", "Sy bits Ta Sy name Ta Sy meaning");
#define FLAG(name, NAME_, mask, text) \
	fprintf(f, ".It 0x%02x Ta %s Ta\n", mask, #name); \
	print_text(f, text);
#include "net/proto/wire.def"
	fputs(".El\n", f);
}

static void print_ext(FILE *f, int number, const char *name, int octets, bool used,
		      const char *text)
{
	fprintf(f, ".It %d Ta %s Ta ", number, name);
	if (octets)
		fprintf(f, "%d", octets);
	else
		fputs("any", f);
	fprintf(f, " Ta %s Ta\n", used ? "used" : "later");
	print_text(f, text);
}

static void print_extensions(FILE *f)
{
	enum { LATER, USED };

	fputs(".Ss Extension headers\n", f);
	print_table(f, "\"number\" \"challenge\" \"octets\" \"later\" \"meaning\"",
		    "Sy number Ta Sy name Ta Sy octets Ta Sy state Ta Sy meaning");
#define EXT(number, NAME_, name, state, octets, text) \
	print_ext(f, number, #name, octets, state == USED, text);
#include "net/proto/wire.def"
	fputs(".El\n", f);
}

static void print_reasons(FILE *f)
{
	fputs(".Ss Reasons\n", f);
	print_table(f, "\"number\" \"not_registered\" \"meaning\"",
		    "Sy number Ta Sy name Ta Sy meaning");
#define REASON(number, NAME_, name, text) \
	fprintf(f, ".It %d Ta %s Ta\n", number, #name); \
	print_text(f, text);
#include "net/proto/wire.def"
	fputs(".El\n", f);
}

static void print_verdicts(FILE *f)
{
	enum verdict v;

	fputs(".Ss Verdicts\n", f);
	print_table(f, "\"drop_unreachable\" \"meaning\"", "Sy name Ta Sy meaning");
	for (v = 0; v < V_COUNT; v++) {
		fprintf(f, ".It %s Ta\n", verdict_name(v));
		print_text(f, verdict_text(v));
	}
	fputs(".El\n", f);
}

void wire_print_manual(FILE *f)
{
	fputs(BEGIN "\n", f);
	print_types(f);
	print_flags(f);
	print_extensions(f);
	print_structs(f);
	print_reasons(f);
	print_verdicts(f);
	fputs(END_MARK "\n", f);
}

void wire_print_dictionary(FILE *f)
{
	fputs("# version, flags, type, count of the base header\n", f);
#define TYPE(number, NAME_, name, state, key, text) \
	fprintf(f, "%s=\"\\x%02x\\x00\\x%02x\\x00\"\n", #name, PROTO_VERSION, number);
#include "net/proto/wire.def"
#define FLAG(name, NAME_, mask, text) \
	fprintf(f, "capsule_%s=\"\\x%02x\\x%02x\\x%02x\"\n", #name, PROTO_VERSION, mask, \
		TYPE_CAPSULE);
#include "net/proto/wire.def"
	fputs("# next and length of an extension that ends the chain, and links to it\n", f);
#define EXT(number, NAME_, name, state, octets, text) \
	fprintf(f, "ext_%s=\"\\x00\\x%02x\"\nnext_%s=\"\\x%02x\"\nmust_%s=\"\\x%02x\"\n", #name, \
		octets ? octets / 4 : 1, #name, number, #name, number | EXT_REFUSE_UNKNOWN);
#include "net/proto/wire.def"
#define REASON(number, NAME_, name, text) \
	fprintf(f, "reason_%s=\"\\x%02x\\x%02x\"\n", #name, number >> 8, number & 0xff);
#include "net/proto/wire.def"
}
