/* Our lines in somebody else's resolv.conf: in, out, and nothing else changed by that. */
#include "t/tap.h"
#include "crypto/aead.h"
#include "net/io/priv.h"
#include "net/io/resolv_way.h"
#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

static struct wish wish_of(const char *a, const char *b)
{
	struct wish w = { .tun = "cyphonic0", .domain = "cyphonic.internal" };

	w.owns += ip_parse(&w.own[w.owns], a, 53);
	w.owns += b && ip_parse(&w.own[w.owns], b, 53);
	return w;
}

/* In and out again: true when that changes nothing. */
static bool comes_back(const char *text, const struct wish *w)
{
	static char taken[RESOLV_TEXT], back[RESOLV_TEXT];
	struct claim c = { .pid = 4711 };

	if (!text_take(taken, text, w, &c))
		return false;
	text_give_back(back, taken, &c);
	return c.ours && c.pid == 4711 && !strcmp(c.tun, "cyphonic0") && !strcmp(back, text);
}

static void texts(void)
{
	static const struct {
		const char *what, *text;
	} some[] = {
		{ "an empty file", "" },
		{ "a usual one", "search example.org\nnameserver 192.0.2.53\noptions edns0\n" },
		{ "one without an end of its last line", "nameserver 192.0.2.53" },
		{ "indented servers", "  nameserver 192.0.2.53\n\tnameserver\t2001:db8::1\n" },
		{ "our own address among the servers", "nameserver 127.0.0.45\nnameserver 192.0.2.53\n" },
		{ "lines that look like ours", "#|nameserver 1.1.1.1\n#> x\n#-\n#|#|\n" },
		{ "another node's lines", "# Written by cyphonic (other0 1 127.0.0.9): x\nnameserver 127.0.0.9\n"
		  "#|nameserver 192.0.2.53\n" },
		{ "carriage returns and empty lines", "\r\nnameserver 192.0.2.53\r\n\n\n" },
	};
	struct wish one = wish_of("127.0.0.45", NULL), two = wish_of("127.0.0.45", "fd00::53");
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(some); i++)
		ok(comes_back(some[i].text, &one) && comes_back(some[i].text, &two),
		   "%s comes back as it was", some[i].what);
}

static void random_texts(void)
{
	static const char *const piece[] = {
		"nameserver 192.0.2.53\n", "nameserver 127.0.0.45\n", "#|", "#>", "#-", "\n", " ", "search a\n",
		"# Written by cyphonic (", "nameserver", "\t", "cyphonic0 4711 127.0.0.45): x\n", "x",
	};
	struct wish w = wish_of("127.0.0.45", "fd00::53");
	unsigned i, k, many = 20000 * scale(), wrong = 0;
	char text[1024];

	for (i = 0; i < many; i++) {
		text[0] = '\0';
		for (k = random_u32() % 24; k; k--)
			strcat(text, piece[random_u32() % ARRAY_SIZE(piece)]);
		wrong += !comes_back(text, &w);
	}
	ok(!wrong, "%u random files come back as they were", many);
}

static void whom(void)
{
	static char out[RESOLV_TEXT], back[RESOLV_TEXT];
	struct wish w = wish_of("127.0.0.45", NULL);
	struct claim c = { .pid = 1 };
	struct servers s;

	text_take(out, "nameserver 192.0.2.53\nsearch a\nnameserver 2001:db8::1\n", &w, &c);
	text_servers(out, &w, &s);
	ok(s.n == 0, "what is covered, and we ourselves, are asked by nobody");
	ok(strncmp(out, "# Written by cyphonic (", 23) == 0, "the first line says who wrote the file");
	ok(strstr(out, "\nnameserver 127.0.0.45\n") && strstr(out, "\nsearch a\n"),
	   "ours is the server, and the rest stays in force");
	strcat(out, "options timeout:1\n");
	text_give_back(back, out, &c);
	ok(!strcmp(back, "nameserver 192.0.2.53\nsearch a\nnameserver 2001:db8::1\noptions timeout:1\n"),
	   "what others write into it stays when ours goes");
	text_servers(back, &w, &s);
	ok(s.n == 2 && s.a[0].family == 4 && s.a[1].family == 6, "both families' servers are found");
	text_servers("nameserver fe80::1%lo\n", &w, &s);
	ok(s.n == 1 && s.a[0].scope == if_nametoindex("lo"), "a link-local one keeps its interface");
	text_servers("nameserver 1.2.3\nnameserverx 1.2.3.4\nnameserver\n", &w, &s);
	ok(s.n == 0, "what is no server is not taken for one");
}

static bool reads(const char *path, const char *want)
{
	static char text[RESOLV_TEXT];

	return file_text(path, text) && strcmp(text, want) == 0;
}

static void put(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(text, 1, n, f) != n || fclose(f))
		abort();
}

static void files(void)
{
	char dir[] = "/tmp/resolv.XXXXXX", path[64], err[RESOLV_ERR] = "";
	static char big[RESOLV_TEXT + 1];
	struct wish w = wish_of("127.0.0.45", NULL);
	struct servers s;
	bool wrote;

	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof path, "%s/resolv.conf", dir);
	put(path, "nameserver 192.0.2.53\n", 22);
	ok(file_up(path, &w, &s, &wrote, err) && wrote && s.n == 1, "a file is taken");
	ok(file_up(path, &w, &s, &wrote, err) && !wrote && s.n == 1, "taking it again writes nothing");
	ok(file_down(path, (int)getpid() + 1, err) && !reads(path, "nameserver 192.0.2.53\n"),
	   "another process does not give it back");
	ok(file_down(path, 0, err) && reads(path, "nameserver 192.0.2.53\n"), "a repair does");
	ok(file_down(path, 0, err) && reads(path, "nameserver 192.0.2.53\n"),
	   "and leaves a file alone that is not ours");

	memset(big, '#', sizeof big);
	put(path, big, sizeof big);
	ok(!file_up(path, &w, &s, &wrote, err) && strstr(err, path), "a file too long is left alone, by name");
	put(path, "a\0b", 3);
	ok(!file_up(path, &w, &s, &wrote, err), "so is one that is no text");
	unlink(path);
	mkdir(path, 0700);
	ok(!file_up(path, &w, &s, &wrote, err) && *err, "and a directory");
	rmdir(path);
	rmdir(dir);
}

static void requests(void)
{
	static const char *const bad[] = { "", "internal", "Cyphonic.internal", "cyphonic.internal.", "a..b",
					   "a b.c", "~a.b" };
	struct priv_request q = {
		.kind = PRIV_DNS_UP, .mtu = 1404, .bits4 = 15, .bits6 = 64,
		.ip4 = { 198, 18, 0, 3 }, .net4 = { 198, 18 },
		.ip6 = { 0xfd, 1, [15] = 3 }, .net6 = { 0xfd, 1 },
	};
	struct priv_answer a;
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		strcpy(q.domain, bad[i]);
		ok(priv_wrong(&q, 1404) != NULL, "a request for the domain '%s' is refused", bad[i]);
	}
	memset(q.domain, 'a', sizeof q.domain);
	ok(priv_wrong(&q, 1404) != NULL, "so is one without an end");
	strcpy(q.domain, "cyphonic.internal");
	ok(!priv_wrong(&q, 1404), "a good one passes");
	q.net4[3] = 1;
	ok(priv_wrong(&q, 1404) != NULL, "but not with a range that is none");
	priv_serve("nosuch0", 1404, &q, &a);
	ok(a.failed, "and never changes the TUN device");
}

int main(void)
{
	texts();
	random_texts();
	whom();
	files();
	requests();
	return done();
}
