/* 115-login-answers.c - an AS that is trusted but says nonsense: the node names it and stays out. */
#include "t/sim/lab.h"
#include "t/tap.h"

static void no_nms(struct config *c)
{
	c->as_nms.n = 0;
}

static void nms_nowhere(struct config *c)
{
	memset(c->as_nms.a[1].ip, 0, sizeof c->as_nms.a[1].ip);
}

static void nms_without_port(struct config *c)
{
	c->as_nms.a[0].port = 0;
}

static void nms_is_a_group(struct config *c)
{
	ip_parse(&c->as_nms.a[0], "224.0.0.1", 4501);
}

static void key_is_over(struct config *c)
{
	c->key_lifetime = 0;
}

static void refused(void (*tune)(struct config *c), const char *why, const char *title)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 115, .computers = 1, .tune = tune });
	struct computer *c = &l->computer[0];
	const char *status;

	world_run(l->world, SEC);
	computer_start(c);
	world_run(l->world, 2 * SEC);
	status = computer_status(c, "{\"cmd\":\"status\"}\n");
	if (!ok(!c->tun_up && !computer_online(c) && strstr(status, why), "%s", title))
		diag("%s", status);
	lab_free(l);
}

int main(void)
{
	refused(no_nms, "answer names no NMS", "an answer without an NMS is refused by name");
	refused(nms_nowhere, "an NMS address in its answer is no host's", "so is one with an NMS at ::");
	refused(nms_without_port, "an NMS address in its answer is no host's", "and at port 0");
	refused(nms_is_a_group, "an NMS address in its answer is no host's", "and at a multicast address");
	refused(key_is_over, "the Common Key in its answer is over already", "and a key that is over before it began");
	return done();
}
