/* show.h - `cyphonic status` for people: the same answers that --json prints whole. */
#ifndef SHOW_H
#define SHOW_H

#include <jansson.h>
#include <stdio.h>

/* all: an object of the form cyphonic.status.v1. */
void show_status(FILE *out, json_t *all);

#endif
