/* http.h - as much HTTP/1.1 as a request for figures needs. */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum http_answer {
	HTTP_MORE,		/* the request is not whole yet; when there is no more room: 431 */
	HTTP_GET, HTTP_HEAD,	/* of /metrics */
	HTTP_BAD, HTTP_NO_PATH, HTTP_NO_METHOD, HTTP_NO_HOST,
};

/*
 * What to do about n octets of a request.  check_host: a request of a web page that gave our
 * address a name of its own is refused (HTTP_NO_HOST): the name must be an address or localhost.
 */
enum http_answer http_read(const char *request, size_t n, bool check_host);
/* The whole answer, allocated, its octets in *out_n; NULL without memory. */
char *http_write(enum http_answer what, const char *body, size_t n, size_t *out_n);

#endif
