/*
 * bundle.h - one archive for whoever shall help: what the daemon says, how it is configured, and
 * what surrounds it.
 *
 * No password, key or token is ever collected: only what status, metrics and log say, the
 * configuration's keys (not the file, where a comment may hold anything), and the host's
 * addresses and routes.
 */
#ifndef BUNDLE_H
#define BUNDLE_H

#include "net/io/ask.h"
#include "net/io/redact.h"
#include "store/config.h"

/*
 * Writes to `file`, through gzip when its name ends in gz; NULL: a name with the date in the
 * current directory; "-": standard output.  Parts that cannot be had say why.  Exit status.
 */
int bundle_write(const struct ask *a, const struct config *conf, const char *file,
		 enum redaction redaction);

#endif
