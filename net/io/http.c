/* http.c - reads a request line and a Host, writes an answer, and that closes the connection. */
#include "net/io/http.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of "Host:" in the header, its octets in *n; NULL: none. */
static const char *host_of(const char *request, size_t *n)
{
	const char *line = strstr(request, "\r\n");

	for (; line; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, "host:", 5) == 0) {
			line += 7;
			line += strspn(line, " \t");
			*n = strcspn(line, "\r\n");
			return line;
		}
	return NULL;
}

static bool host_fits(const char *request)
{
	size_t n, i;
	const char *host = host_of(request, &n);

	if (!host)
		return true;
	if (n >= 9 && strncasecmp(host, "localhost", 9) == 0 && (n == 9 || host[9] == ':'))
		return true;
	for (i = 0; i < n; i++)
		if (!strchr(*host == '[' ? "0123456789abcdefABCDEF:.[]" : "0123456789.:", host[i]))
			return false;
	return true;
}

static bool is_metrics(const char *path)
{
	size_t n = strcspn(path, " ?\r\n");

	return n == 8 && strncmp(path, "/metrics", n) == 0;
}

enum http_answer http_read(const char *request, size_t n, bool check_host)
{
	const char *path;
	bool head;

	if (memchr(request, '\0', n))
		return HTTP_BAD;
	if (!strstr(request, "\r\n\r\n"))
		return HTTP_MORE;
	path = strchr(request, ' ');
	if (!path || path > strstr(request, "\r\n") || path[1] != '/' || !strstr(path, " HTTP/1."))
		return HTTP_BAD;
	head = strncmp(request, "HEAD ", 5) == 0;
	if (!head && strncmp(request, "GET ", 4) != 0)
		return HTTP_NO_METHOD;
	if (check_host && !host_fits(request))
		return HTTP_NO_HOST;
	if (!is_metrics(path + 1))
		return HTTP_NO_PATH;
	return head ? HTTP_HEAD : HTTP_GET;
}

char *http_write(enum http_answer what, const char *body, size_t n, size_t *out_n)
{
	static const char *const status[] = {
		[HTTP_MORE] = "431 Request Header Fields Too Large", [HTTP_GET] = "200 OK",
		[HTTP_HEAD] = "200 OK", [HTTP_BAD] = "400 Bad Request",
		[HTTP_NO_PATH] = "404 Not Found", [HTTP_NO_METHOD] = "405 Method Not Allowed",
		[HTTP_NO_HOST] = "421 Misdirected Request",
	};
	bool good = what == HTTP_GET || what == HTTP_HEAD;
	char *text = NULL;
	FILE *out;

	if (!good) {
		body = what == HTTP_NO_PATH ? "the figures are at /metrics\n" : "";
		n = strlen(body);
	}
	out = open_memstream(&text, out_n);
	if (!out)
		return NULL;
	fprintf(out, "HTTP/1.1 %s\r\nContent-Type: text/plain%s; charset=utf-8\r\n"
		"Content-Length: %zu\r\n%sConnection: close\r\n\r\n", status[what],
		good ? "; version=0.0.4" : "", n, what == HTTP_NO_METHOD ? "Allow: GET, HEAD\r\n" : "");
	if (what != HTTP_HEAD)
		fwrite(body, 1, n, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
