/*
 * config.c - libFuzzer entry: a configuration file; the first octet is the --role.  What was
 * taken is within the bounds of its table, what was not gets a line that names the file.
 */
#include "store/config_table.h"
#include "t/fuzz/base/base.h"

static void check_value(const struct config *c, const struct key *k)
{
	const uint8_t *at = (const uint8_t *)c + k->offset;
	const struct address_list *list = (const void *)at;
	const struct prefix *prefix = (const void *)at;
	uint64_t v = k->kind == KEY_NUMBER ? *(const uint32_t *)at : k->kind == KEY_DURATION ?
		     *(const uint64_t *)at : 0;
	unsigned i;

	switch (k->kind) {
	case KEY_STRING:
		must(memchr(at, '\0', k->room));
		break;
	case KEY_NUMBER:
	case KEY_DURATION:
		must(v == k->number || (v >= k->low && v <= k->high));
		break;
	case KEY_ADDRESSES:
		must(list->n <= k->room);
		for (i = 0; i < list->n; i++)
			must(list->a[i].family == 4 || list->a[i].family == 6);
		break;
	case KEY_PREFIX:
		must(prefix->family == 0 || prefix->family == k->room);
		must(prefix->family == 0 || (prefix->bits >= k->low && prefix->bits <= k->high));
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint32_t roles[] = { 0, ROLE_NODE, ROLE_AS | ROLE_NMS, ROLE_NMS };
	char *said = NULL;
	const struct key *k;
	const char *file;
	size_t len;
	struct config c;
	FILE *errors;
	int wrong;

	if (!n)
		return 0;
	file = fuzz_file(p + 1, n - 1);
	errors = open_memstream(&said, &len);
	must(errors);
	wrong = config_load(&c, file, roles[p[0] & 3], errors);
	fclose(errors);
	if (wrong)
		must(strncmp(said, file, strlen(file)) == 0 && said[len - 1] == '\n');
	for (k = config_table(); !wrong && k->kind != KEY_TABLE_END; k++)
		check_value(&c, k);
	/* nothing an operator wrote may move his terminal's cursor */
	for (; len; len--)
		must(said[len - 1] == '\n' || (said[len - 1] >= ' ' && said[len - 1] != 127));
	free(said);
	return 0;
}
