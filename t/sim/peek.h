/* peek.h - what a story may look at inside a node: its tunnels. */
#ifndef T_SIM_PEEK_H
#define T_SIM_PEEK_H

#include "roles/node.h"
#include "t/sim/lab.h"

/* Tunnels of all workers, of any state. */
unsigned peek_tunnels(const struct computer *c);
/* One that is up to that peer, NULL: none. */
const struct tunnel *peek_tunnel(const struct computer *c, const struct computer *peer);
/* By which kind of way its tunnel to that peer goes; -1: it has none that is up, or knows none. */
int peek_way(const struct computer *c, const struct computer *peer);
/* What it found its NAPT or firewall to be. */
struct behaviour peek_behaviour(const struct computer *c, unsigned family);
/* Both have one tunnel to each other, the same, and it is up. */
bool peek_joined(const struct computer *a, const struct computer *b);

#endif
