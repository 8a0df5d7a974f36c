/* 336-http.c - requests for figures: the few that are served, the many that are not. */
#include "net/io/http.h"
#include "t/tap.h"

static void check(const char *request, bool tcp, enum http_answer want, const char *title)
{
	enum http_answer got = http_read(request, strlen(request), tcp);

	ok(got == want, "%s", title);
	if (got != want)
		diag("got %d, want %d", (int)got, (int)want);
}

/* Octets by chance end in no crash, and in no figures. */
static void test_any(void)
{
	static const char piece[][16] = { "GET ", "/metrics", " HTTP/1.1", "\r\n", "\r\n\r\n", "Host:", " ",
		":", "HEAD ", "/", "x", "?", "[", "]", "127.0.0.1", "POST " };
	char text[400];
	unsigned i, k, served = 0;

	srand(4711);
	for (i = 0; i < 100000 * scale(); i++) {
		text[0] = '\0';
		for (k = 0; k < 12; k++)
			strcat(text, piece[(unsigned)rand() % ARRAY_SIZE(piece)]);
		served += http_read(text, strlen(text), rand() % 2) == HTTP_GET && strncmp(text, "GET ", 4) != 0;
	}
	ok(served == 0, "nothing that does not begin with GET gets figures");
}

int main(void)
{
	size_t n;
	char *text;

	check("GET /metrics HTTP/1.1\r\n", true, HTTP_MORE, "half a request waits for the rest");
	check("GET /metrics HTTP/1.1\r\n\r\n", true, HTTP_GET, "a request without a host is served");
	check("GET /metrics?x=1 HTTP/1.0\r\nHost: 127.0.0.1:9470\r\n\r\n", true, HTTP_GET, "so is one with an address");
	check("GET /metrics HTTP/1.1\r\nhost:[::1]:9470\r\n\r\n", true, HTTP_GET, "of either family");
	check("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", true, HTTP_GET, "or localhost");
	check("GET /metrics HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", true, HTTP_NO_HOST, "but no name like it");
	check("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", true, HTTP_NO_HOST, "nor any other");
	check("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", false, HTTP_GET, "on a Unix socket names mean nothing");
	check("HEAD /metrics HTTP/1.1\r\n\r\n", true, HTTP_HEAD, "HEAD is known");
	check("PUT /metrics HTTP/1.1\r\n\r\n", true, HTTP_NO_METHOD, "PUT is not");
	check("GET /metricsx HTTP/1.1\r\n\r\n", true, HTTP_NO_PATH, "a longer path is another");
	check("GET metrics HTTP/1.1\r\n\r\n", true, HTTP_BAD, "a path without / is bad");
	check("GET /metrics\r\n\r\n", true, HTTP_BAD, "a request without version is bad");
	check("\r\n\r\n", true, HTTP_BAD, "none at all is bad");
	test_any();
	text = http_write(HTTP_GET, "x 1\n", 4, &n);
	ok(text && n == strlen(text) && strstr(text, "Content-Length: 4\r\n") && strcmp(text + n - 8, "\r\n\r\nx 1\n") == 0,
	   "an answer has its length and ends with its text");
	free(text);
	return done();
}
