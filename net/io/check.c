/* check.c - messages of the configuration as JSON. */
#include "net/io/check.h"
#include "net/io/ask.h"

/* In what is no UTF-8, only ASCII is kept. */
static json_t *any_text(char *text)
{
	json_t *s = json_string(text);
	char *p;

	for (p = text; !s && *p; p++)
		if (*p & 0x80)
			*p = '?';
	return s ? s : json_string(text);
}

static void print_json(const char *file, char *lines)
{
	json_t *errors = json_array(), *answer;
	char *line, *rest = NULL, name[512];

	for (line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		json_array_append_new(errors, any_text(line));
	snprintf(name, sizeof name, "%s", file);
	answer = json_pack("{s:o, s:b, s:o}", "file", any_text(name), "good",
			   json_array_size(errors) == 0, "errors", errors);
	ask_print(stdout, "cyphonic.check.v1", answer);
	json_decref(answer);
}

void check_print(const char *file, char *lines, bool json)
{
	if (json)
		print_json(file, lines);
	else if (*lines)
		fputs(lines, stderr);
	else
		printf("%s: good\n", file);
}
