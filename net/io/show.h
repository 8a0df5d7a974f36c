/* show.h - `cyphonic status` for people: the same answers that --json prints whole. */
#ifndef SHOW_H
#define SHOW_H

#include <jansson.h>
#include <stdio.h>

/* workers: an array of every worker's status, as cyphonic.status.v1 has it. */
void show_status(FILE *out, json_t *workers);

#endif
