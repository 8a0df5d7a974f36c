/* rates.h - what counters did between two looks at a status. */
#ifndef RATES_H
#define RATES_H

#include <jansson.h>

/*
 * Adds "rates" to every worker of `all`: its verdicts and totals per second since the status
 * `before`, which was taken so many seconds ago.  A worker that was replaced has none.
 */
void rates_add(json_t *all, json_t *before, double seconds);

#endif
