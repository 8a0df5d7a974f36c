/*
 * steer.c - id_owner() once more, as classic BPF.
 *
 * In a SO_REUSEPORT program offset 0 is the first octet of the UDP payload, and a load
 * beyond the end ends the program with 0, which is the first worker.
 */
#include "net/io/steer.h"
#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>

#define ID_LAST 31	/* offset of the ID's last octet in the base header */

bool steer_attach(int fd, unsigned workers)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ID_LAST),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, workers),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	if (!workers) {
		errno = EINVAL;
		return false;
	}
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
			  sizeof program) == 0;
}
