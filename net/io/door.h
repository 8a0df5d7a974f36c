/*
 * door.h - every socket the roles are reached by, made by the master before it forks.
 *
 * A socket of a SO_REUSEPORT group gets its index by the order of bind(), and the steering
 * program counts on it: worker order, and never closed while the master lives.
 */
#ifndef DOOR_H
#define DOOR_H

#include "net/io/worker.h"
#include "store/config.h"

#define DOOR_PATH 108		/* room for door_control_path() */

/*
 * Fills door[] of all w[0].count workers from their roles and the configuration:
 *	as	PORT_AS, TCP, a socket per worker on each address
 *	nms	PORT_MAIN, UDP, IPv4 and IPv6, a socket per worker, steered by ID
 *	trs	the same, with GRO; PORT_STUN likewise, which is done without if the port is taken:
 *		conf->trs_stun_port is then 0
 *	node	as nms, with GRO; a taken port is replaced by a free one, written back to conf->node_port;
 *		PORT_DNS, UDP and TCP, worker 0 alone
 * A host without IPv6 (or IPv4) is normal where no address was asked for by name.  False
 * with a line in err (256); what was opened so far stays open, the process is about to end.
 */
bool doors_open(struct worker_setup *w, struct config *conf, char *err);

/* The node's TUN device, made under this name (IFF_NO_PI, no address yet); -1 with err (256). */
int door_tun(const char *name, char *err);

/* RUN/ROLE.INDEX.sock */
const char *door_control_path(char out[DOOR_PATH], const char *run, const char *role,
			      unsigned index);
/*
 * PORT_CTL: a listening Unix socket per role and worker, mode 0660, owned by uid and gid when
 * root.  Left-overs are removed; sockets that still answer are somebody else's and refused.
 */
bool doors_control_open(struct worker_setup *w, uint32_t uid, uint32_t gid, char *err);
/* One more of the kind, at this path, whatever was left there; -1 with err (256). */
int door_unix(const char *path, uint32_t uid, uint32_t gid, char *err);
void doors_control_remove(const struct worker_setup *w);

#endif
