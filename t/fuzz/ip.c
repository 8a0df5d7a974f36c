/* ip.c - libFuzzer entry: virtual IP packets, and the ICMP answers to them. */
#include "net/proto/ip.h"
#include "t/fuzz/base/base.h"

static const uint8_t own4[4] = { 198, 18, 0, 9 }, own6[16] = { 0xfd, [15] = 9 };

/* What we say must be a packet of its own, to whom the other came from. */
static void answer(const struct ip_view *v, const uint8_t *p, size_t n)
{
	uint8_t out[1280];
	struct ip_view a;
	size_t len = ip_unreachable(out, p, n, own4, own6), size = v->family == 4 ? 4 : 16;

	if (!len)
		return;
	must(len <= (v->family == 4 ? 576 : 1280) && !v->multicast);
	must(ip_look(&a, out, len) && a.len == len && a.family == v->family);
	must(!memcmp(a.dst, v->src, size) && !memcmp(a.src, v->family == 4 ? own4 : own6, size));
	if (v->family == 4)
		must(ip_checksum(0, out, 20) == 0 && ip_checksum(0, out + 20, len - 20) == 0);
	/* nobody answers an answer */
	must(!ip_unreachable(out, out, len, own4, own6));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct ip_view v;

	if (ip_look(&v, p, n)) {
		must(v.len <= n && v.src >= p && v.dst + (v.family == 4 ? 4 : 16) <= p + v.len);
		answer(&v, p, n);
	} else {
		must(!ip_unreachable((uint8_t[1280]){ 0 }, p, n, own4, own6));
	}
	ip_checksum(0, p, n);
	return 0;
}
