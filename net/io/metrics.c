/* metrics.c - the table of figures, sheets of them, and their text form. */
#include "net/io/metrics.h"
#include <stdlib.h>

enum metric_kind { COUNTER, GAUGE };

static const struct {
	const char *name, *labels, *text;
	enum metric_kind kind;
} table[METRICS] = {
#define METRIC(NAME, name_, kind_, labels_, text_) \
	[M_##NAME] = { "cyphonic_" #name_, labels_, text_, kind_ },
#include "net/io/metrics.def"
#undef METRIC
};

static const char *const kind_name[] = { [COUNTER] = "counter", [GAUGE] = "gauge" };

/* role="as",verdict="delivered" from the table's names and these values. */
static void label_text(char out[METRIC_LABELS], enum metric m, const char *one, const char *two)
{
	const char *names = table[m].labels, *comma = strchr(names, ',');

	if (!*names)
		*out = '\0';
	else if (!comma)
		snprintf(out, METRIC_LABELS, "{%s=\"%s\"}", names, one);
	else
		snprintf(out, METRIC_LABELS, "{%.*s=\"%s\",%s=\"%s\"}", (int)(comma - names), names, one,
			 comma + 1, two);
}

static struct figure *figure_at(struct sheet *s, enum metric m, const char *labels)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->figure[i].metric == m && strcmp(s->figure[i].labels, labels) == 0)
			return &s->figure[i];
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->figure = realloc(s->figure, s->room * sizeof *s->figure);
		if (!s->figure)
			abort();
	}
	s->figure[s->n] = (struct figure){ .metric = m };
	snprintf(s->figure[s->n].labels, METRIC_LABELS, "%s", labels);
	return &s->figure[s->n++];
}

void sheet_add(struct sheet *s, enum metric m, double value, const char *one, const char *two)
{
	char labels[METRIC_LABELS];

	label_text(labels, m, one, two);
	figure_at(s, m, labels)->value += value;
}

void sheet_merge(struct sheet *s, const struct sheet *from, bool counters_only)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		if (!counters_only || table[from->figure[i].metric].kind == COUNTER)
			figure_at(s, from->figure[i].metric, from->figure[i].labels)->value +=
				from->figure[i].value;
}

bool sheet_fell(const struct sheet *now, const struct sheet *before)
{
	size_t i, k;

	for (i = 0; i < before->n; i++)
		for (k = 0; k < now->n; k++)
			if (table[now->figure[k].metric].kind == COUNTER &&
			    now->figure[k].metric == before->figure[i].metric &&
			    strcmp(now->figure[k].labels, before->figure[i].labels) == 0 &&
			    now->figure[k].value < before->figure[i].value)
				return true;
	return false;
}

void sheet_clear(struct sheet *s)
{
	free(s->figure);
	*s = (struct sheet){ 0 };
}

void sheet_print(const struct sheet *s, FILE *out)
{
	enum metric m;
	bool said;
	size_t i;

	for (m = 0; m < METRICS; m++) {
		said = false;
		for (i = 0; i < s->n; i++) {
			if (s->figure[i].metric != m)
				continue;
			if (!said)
				fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", table[m].name,
					table[m].text, table[m].name, kind_name[table[m].kind]);
			said = true;
			fprintf(out, "%s%s %.15g\n", table[m].name, s->figure[i].labels,
				s->figure[i].value);
		}
	}
}

void metrics_print_manual(FILE *out)
{
	const char *p;
	enum metric m;

	fprintf(out, ".\\\" BEGIN metrics-manual: made by 'cyphonic print metrics-manual'\n"
		".Bl -tag -width Ds\n");
	for (m = 0; m < METRICS; m++) {
		fprintf(out, ".It Ic %s%s%s%s , No %s\n", table[m].name, *table[m].labels ? "{" : "",
			table[m].labels, *table[m].labels ? "}" : "", kind_name[table[m].kind]);
		for (p = table[m].text; *p; p++) {
			fputc(*p, out);
			/* a line of mdoc for each sentence and part of one */
			if ((*p == ';' || *p == ':') && p[1] == ' ') {
				fputc('\n', out);
				p++;
			}
		}
		fputc('\n', out);
	}
	fprintf(out, ".El\n.\\\" END metrics-manual\n");
}
