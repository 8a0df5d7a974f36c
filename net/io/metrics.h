/*
 * metrics.h - figures as Prometheus reads them: a table says which there are (metrics.def), a
 * sheet holds their values.
 */
#ifndef METRICS_H
#define METRICS_H

#include "cyphonic.h"
#include <stdio.h>

enum metric {
#define METRIC(NAME, name, kind, labels, text) M_##NAME,
#include "net/io/metrics.def"
#undef METRIC
	METRICS
};

#define METRIC_LABELS 96

struct sheet {
	struct figure {
		enum metric metric;
		char labels[METRIC_LABELS];	/* {role="as",...}, or "" */
		double value;
	} *figure;
	size_t n, room;
};

/*
 * Adds to the figure with these labels' values (NULL: as many as the table has), making it with
 * 0 if there is none.  Values are words of ours: letters, digits, '.', '_', '-', '+'.
 */
void sheet_add(struct sheet *s, enum metric metric, double value, const char *label1,
	       const char *label2);
/* Adds all figures, or the counters alone, of another sheet. */
void sheet_merge(struct sheet *s, const struct sheet *from, bool counters_only);
/* Did any counter fall? */
bool sheet_fell(const struct sheet *now, const struct sheet *before);
void sheet_clear(struct sheet *s);
/* Text exposition format 0.0.4. */
void sheet_print(const struct sheet *s, FILE *out);
/* The manual's list, in mdoc. */
void metrics_print_manual(FILE *out);

#endif
