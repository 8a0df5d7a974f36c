/*
 * forget.c - connection tracking of this network namespace forgets everything.
 *
 * A box that starts anew has no mappings; new rules alone would leave the flows that stand.
 */
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct message {
	struct nlmsghdr head;
	union {
		struct nfgenmsg of;
		struct nlmsgerr error;
	};
};

int main(void)
{
	struct message m = {
		.head.nlmsg_len = NLMSG_LENGTH(sizeof m.of),
		.head.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
		.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		.of.version = NFNETLINK_V0,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0 || send(fd, &m, m.head.nlmsg_len, 0) < 0 || recv(fd, &m, sizeof m, 0) < 0) {
		perror("netlink");
		return 1;
	}
	if (m.head.nlmsg_type != NLMSG_ERROR || m.error.error) {
		fprintf(stderr, "flush: %s\n", strerror(-m.error.error));
		return 1;
	}
	return 0;
}
