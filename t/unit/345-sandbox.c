/*
 * What a confined child cannot do any more, tried in forked ones with the parent as master;
 * and the lines between the two.
 */
#include "net/io/sandbox.h"
#include "net/io/ward.h"
#include "t/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GOOD 100		/* an exit status that is no errno met here */

static char dir[] = "/tmp/cyphonic-sandbox.XXXXXX", inside[64], outside[64], given[64];

struct crime {
	const char *what;
	long (*commit)(void);
	int node, service;	/* errno it must end with, 0: it must work */
};

static long open_shadow(void) { return open("/etc/shadow", O_RDONLY); }
static long open_outside(void) { return open(outside, O_RDONLY); }
static long write_given(void) { return open(given, O_WRONLY); }
static long read_given(void) { return open(given, O_RDONLY); }
static long list_root(void) { return open("/", O_RDONLY | O_DIRECTORY); }
static long make_outside(void) { return open("/tmp/cyphonic-sandbox-x", O_WRONLY | O_CREAT, 0600); }
static long make_inside(void) { return open(inside, O_RDWR | O_CREAT | O_TRUNC, 0600); }
static long read_memory(void) { return open("/proc/self/mem", O_RDWR); }
static long execute(void) { return execl("/bin/true", "true", NULL); }
static long fork_one(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static long make_namespace(void) { return syscall(SYS_unshare, 0x10000000); }
static long kill_parent(void) { return kill(getppid(), SIGTERM); }
static long signal_parent(void) { return syscall(SYS_tgkill, getppid(), getppid(), 0); }
static long signal_self(void) { return syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0); }
static long trace(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0); }
static long look_into(void) { return syscall(SYS_process_vm_readv, getppid(), 0, 0, 0, 0, 0); }
static long become_root(void) { return setuid(0); }
static long talk_unix(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static long talk_netlink(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static long talk_raw(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static long talk_ip(void) { return socket(AF_INET, SOCK_STREAM, 0); }

static long map_code(void)
{
	return (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long map_data(void)
{
	return (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static const struct crime crime[] = {
	{ "read /etc/shadow", open_shadow, EACCES, EACCES },
	{ "read a file that anybody may read", open_outside, EACCES, EACCES },
	{ "write where it may read", write_given, EACCES, EACCES },
	{ "read what it was given", read_given, 0, EACCES },
	{ "list the root directory", list_root, EACCES, EACCES },
	{ "make a file in /tmp", make_outside, EACCES, EACCES },
	{ "make a file in its state directory", make_inside, 0, 0 },
	{ "write its own memory as a file", read_memory, EACCES, EACCES },
	{ "run a program", execute, EPERM, EPERM },
	{ "fork", fork_one, EPERM, EPERM },
	{ "make a user namespace", make_namespace, EPERM, EPERM },
	{ "kill the master", kill_parent, EPERM, EPERM },
	{ "send the master a signal by thread", signal_parent, EPERM, EPERM },
	{ "send itself one, as abort() does", signal_self, 0, 0 },
	{ "be traced", trace, EPERM, EPERM },
	{ "read another process's memory", look_into, EPERM, EPERM },
	{ "change its user", become_root, EPERM, EPERM },
	{ "open a Unix socket", talk_unix, EPERM, EPERM },
	{ "open a netlink socket", talk_netlink, EPERM, EPERM },
	{ "open a packet socket", talk_raw, EPERM, EPERM },
	{ "open a TCP socket", talk_ip, 0, EPERM },
	{ "map memory that can be executed", map_code, EPERM, EPERM },
	{ "map memory", map_data, 0, 0 },
	{ "make written memory executable", make_code, EPERM, EPERM },
};

static struct sandbox box_of(bool node)
{
	struct sandbox s = {
		.who = node ? SANDBOX_WORKER | SANDBOX_NODE : SANDBOX_WORKER,
		.write = { dir }, .read = { node ? given : NULL },
	};

	return s;
}

/* The child's life: confined, one crime, its errno as exit status. */
static void live(struct ward *w, bool node, const struct crime *c)
{
	struct sandbox s = box_of(node);
	struct sandbox_state state;

	ward_take(w, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	sandbox_enter(&s, &state);
	if (state.listener >= 0)
		ward_hand_listener(w, state.listener);
	ward_answer(w, NULL, 0);
	_exit(c->commit() >= 0 ? GOOD : errno);
}

/* The master's: serves until the child has died.  Its exit status. */
static int attend(struct ward *w, pid_t child)
{
	struct pollfd p = { .fd = ward_fd(w), .events = POLLIN };
	int status, turns = 5000;

	while (waitpid(child, &status, WNOHANG) == 0) {
		poll(&p, 1, 1);
		ward_serve(w);
		if (!turns--)
			kill(child, SIGKILL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Version of the kernel's Landlock, 0 if it has none. */
static unsigned landlock(void)
{
	struct sandbox s = box_of(true);
	struct sandbox_state state;
	pid_t child = fork();
	int status;

	if (child == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		sandbox_enter(&s, &state);
		_exit((int)state.landlock);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 0;
}

static void try_crime(bool node, const struct crime *c)
{
	struct ward *w = ward_new(1);
	int want = node ? c->node : c->service, got;
	pid_t child = fork();

	if (child == 0)
		live(w, node, c);
	got = attend(w, child);
	ok(got == (want ? want : GOOD), "%s %s %s", node ? "a node" : "a service",
	   want ? "cannot" : "can", c->what) ||
		(diag("got %d (%s), want %d", got, strerror(got), want), true);
	if (want == EPERM && !ok(ward_charge(w, 0)->refused == 1, "and the master hears of it"))
		diag("%d calls, the last is %d", (int)ward_charge(w, 0)->refused,
		     ward_charge(w, 0)->refused_call);
	ward_free(w);
}

static void connects(void)
{
	struct sandbox s = box_of(true);
	struct sandbox_state state;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), status, e;
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		sandbox_enter(&s, &state);
		at.sin_port = htons(1);
		e = connect(fd, (struct sockaddr *)&at, sizeof at) < 0 ? errno : GOOD;
		_exit(e);
	}
	waitpid(child, &status, 0);
	close(fd);
	ok(WIFEXITED(status) && (WEXITSTATUS(status) == ECONNREFUSED || WEXITSTATUS(status) == GOOD),
	   "a node can call the AS: somebody answers, or refuses");
}

static void lines(void)
{
	struct ward *w = ward_new(2);
	struct summary said = { .text = "ready\nMAINPID=1\x1b", .of = "peers", .count = 3 };
	const struct charge *c = ward_charge(w, 1);
	pid_t child;
	int status;

	ok(!c->open && !c->missed, "a child that has said nothing is not open");
	ward_ask(w, 1);
	ward_ask(w, 1);
	ok(c->missed == 2, "questions it leaves open are counted");
	child = fork();
	if (child == 0) {
		ward_take(w, 1);
		_exit(!ward_answer(w, &said, 1));
	}
	waitpid(child, &status, 0);
	ward_serve(w);
	ok(status == 0 && c->open && !c->missed, "one answer answers all of them");
	ok(c->roles == 1 && c->said[0].count == 3, "and brings what the child says of its roles");
	ok(!strchr(c->said[0].text, '\n') && !strchr(c->said[0].text, 0x1b),
	   "which cannot hold a line end, as that would be a message of its own to systemd");
	ok(!ward_charge(w, 0)->open, "nobody else has answered");
	ward_ask(w, 1);
	ward_forget(w, 1);
	ok(!c->open && !c->missed && !c->roles, "its successor begins anew");
	ward_free(w);
}

static void reach(void)
{
	char out[SANDBOX_PATH], link[80];

	snprintf(link, sizeof link, "%s/link", dir);
	ok(symlink(outside, link) == 0 && !strcmp(sandbox_reach(out, link), "/tmp"),
	   "a file to read is reached by its directory, links followed") || (diag("%s", out), true);
	ok(!strcmp(sandbox_reach(out, "/etc/hostname"), "/etc/hostname"), "but not all of /etc");
	unlink(link);
}

static void write_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd >= 0)
		close(fd);
}

int main(void)
{
	char text[160];
	struct sandbox_state no = { .seccomp_error = ENOSYS, .landlock_error = EOPNOTSUPP };
	unsigned i, version;

	lines();
	if (!mkdtemp(dir))
		return 1;
	snprintf(inside, sizeof inside, "%s/inside", dir);
	snprintf(outside, sizeof outside, "%s-outside", dir);
	snprintf(given, sizeof given, "%s-given", dir);
	write_file(outside);
	write_file(given);
	reach();
	ok(strstr(sandbox_text(text, &no), "seccomp no (") && strstr(text, ", landlock no ("),
	   "what the kernel lacks is said: %s", text);
	if (!sandbox_possible()) {
		diag("no sandbox in a build for the address sanitizer");
		return done();
	}
	version = landlock();
	diag("Landlock version of this kernel: %u", version);
	for (i = 0; i < 2 * ARRAY_SIZE(crime); i++)
		if (version || (i & 1 ? crime[i / 2].node : crime[i / 2].service) != EACCES)
			try_crime(i & 1, &crime[i / 2]);
	connects();
	unlink(inside);
	unlink(outside);
	unlink(given);
	rmdir(dir);
	return done();
}
