/*
 * sandbox.c - a seccomp filter written from sandbox.def, and a Landlock domain.
 *
 * Refused calls fail with EPERM instead of killing: a C library that is newer than the list
 * may try a call and do without.  The kernel holds the caller until the master has seen the
 * call's number, so none is refused in silence.
 */
#include "net/io/sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0			/* no list for this one: sandbox_enter() says so */
#endif

bool sandbox_possible(void)
{
#ifdef __SANITIZE_ADDRESS__
	return false;
#else
	return true;
#endif
}

/* ---- seccomp ---- */

enum {
	WORKER = SANDBOX_WORKER,
	NODE = SANDBOX_NODE,
	HELPER = SANDBOX_HELPER,
	REPORTER = SANDBOX_REPORTER,
	ANY = WORKER | NODE | HELPER | REPORTER,
};

struct rule {
	unsigned who, call;
	int arg;			/* -1: any arguments */
	uint32_t bits, value;
};

struct program {
	struct sock_filter code[1024];
	unsigned n;
};

static void add(struct program *p, struct sock_filter line)
{
	p->code[p->n++] = line;
}

static void load(struct program *p, size_t offset)
{
	add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* Goes on if what was loaded is value, else skips so many lines. */
static void unless_skip(struct program *p, uint32_t value, uint8_t skip)
{
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip));
}

static void give(struct program *p, uint32_t action)
{
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* The call's number is loaded before and after. */
static void add_rule(struct program *p, const struct rule *r)
{
	size_t args = offsetof(struct seccomp_data, args);

	if (r->arg < 0) {
		unless_skip(p, r->call, 1);
		give(p, SECCOMP_RET_ALLOW);
		return;
	}
	unless_skip(p, r->call, 5);
	/* the low half, as both architectures are little-endian */
	load(p, args + (unsigned)r->arg * sizeof(uint64_t));
	add(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, r->bits));
	unless_skip(p, r->value, 1);
	give(p, SECCOMP_RET_ALLOW);
	load(p, offsetof(struct seccomp_data, nr));
}

static void write_program(struct program *p, unsigned who, uint32_t otherwise)
{
	const struct rule rules[] = {
#define CALL(who, name) { who, SYS_##name, -1, 0, 0 },
#define CALL_IF(who, name, arg, bits, value) { who, SYS_##name, arg, bits, value },
#include "net/io/sandbox.def"
#undef CALL
#undef CALL_IF
	};
	unsigned i;

	_Static_assert(ARRAY_SIZE(rules) * 6 + 8 < ARRAY_SIZE(p->code), "the program has room");
	p->n = 0;
	load(p, offsetof(struct seccomp_data, arch));
	unless_skip(p, ARCH, 1);
	add(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1));
	give(p, SECCOMP_RET_KILL_PROCESS);
	load(p, offsetof(struct seccomp_data, nr));
	for (i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].who & who)
			add_rule(p, &rules[i]);
	give(p, otherwise);
}

static long filter(struct program *p, unsigned who, uint32_t otherwise, unsigned flags)
{
	struct sock_fprog prog = { .filter = p->code };

	write_program(p, who, otherwise);
	prog.len = (unsigned short)p->n;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static void enter_seccomp(const struct sandbox *s, struct sandbox_state *state)
{
	struct program p;
	long fd;

	state->seccomp_error = ENOSYS;
	if (!ARCH)
		return;
	fd = filter(&p, s->who, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	if (fd >= 0)
		state->listener = (int)fd;
	/* somebody outside listens already, or Linux before 5.0: the kernel's log has to do */
	else if (filter(&p, s->who, SECCOMP_RET_ERRNO | EPERM, SECCOMP_FILTER_FLAG_LOG) < 0)
		state->seccomp_error = errno;
	else
		fd = 0;
	state->seccomp = fd >= 0;
}

int sandbox_refuse(int listener)
{
	struct seccomp_notif call;
	struct seccomp_notif_resp no = { .error = -EPERM };

	memset(&call, 0, sizeof call);	/* the kernel insists */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return -1;
	no.id = call.id;
	/* it fails when the caller has died meanwhile, which is no matter */
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &no);
	return call.data.nr;
}

/* ---- Landlock: what linux/landlock.h has by version, as an older header may lack it ---- */

#define FILES_1 0x1fffu		/* all rights to files of version 1 */
#define FILES_REFER 0x2000u	/* version 2 */
#define FILES_TRUNCATE 0x4000u	/* 3 */
#define FILES_IOCTL 0x8000u	/* 5 */
#define NET_BIND 1u		/* 4 */
#define NET_CONNECT 2u		/* 4 */
#define SCOPE_ALL 3u		/* 6: abstract Unix sockets and signals, within this process */

#define FILES_READ LANDLOCK_ACCESS_FS_READ_FILE
#define FILES_WRITE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | \
	LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	LANDLOCK_ACCESS_FS_MAKE_REG | FILES_REFER | FILES_TRUNCATE)

struct ruleset {
	uint64_t files, net, scope;
};

static struct ruleset handled(unsigned version, unsigned who, size_t *size)
{
	struct ruleset r = { .files = FILES_1 };

	if (version >= 2)
		r.files |= FILES_REFER;
	if (version >= 3)
		r.files |= FILES_TRUNCATE;
	if (version >= 5)
		r.files |= FILES_IOCTL;
	r.net = who & SANDBOX_NODE ? NET_BIND : NET_BIND | NET_CONNECT;
	r.scope = SCOPE_ALL;
	*size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
	return r;
}

static bool allow(int ruleset, const char *path, uint64_t files)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = files };
	struct stat st;
	bool good;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return true;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FILES_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | FILES_TRUNCATE;
	good = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	close(rule.parent_fd);
	return good;
}

static bool restrict_self(const struct sandbox *s, int ruleset, uint64_t files)
{
	bool good = true;
	unsigned i;

	for (i = 0; good && i < ARRAY_SIZE(s->write) && s->write[i]; i++)
		good = allow(ruleset, s->write[i], files & FILES_WRITE);
	for (i = 0; good && i < ARRAY_SIZE(s->read) && s->read[i]; i++)
		good = allow(ruleset, s->read[i], files & FILES_READ);
	return good && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
}

static void enter_landlock(const struct sandbox *s, struct sandbox_state *state)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset r;
	size_t size;
	int fd = -1;

	if (version > 0) {
		r = handled((unsigned)version, s->who, &size);
		fd = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
	}
	if (fd >= 0 && restrict_self(s, fd, r.files))
		state->landlock = (unsigned)version;
	else
		state->landlock_error = errno;
	if (fd >= 0)
		close(fd);
}

const char *sandbox_reach(char out[SANDBOX_PATH], const char *file)
{
	char *real = realpath(file, NULL), *slash;

	snprintf(out, SANDBOX_PATH, "%s", real ? real : file);
	free(real);
	slash = strrchr(out, '/');
	if (slash && slash != out && strncmp(out, "/etc/", (size_t)(slash - out) + 1) != 0)
		*slash = '\0';
	return out;
}

/* ---- both ---- */

void sandbox_enter(const struct sandbox *s, struct sandbox_state *state)
{
	*state = (struct sandbox_state){ .listener = -1 };
	enter_landlock(s, state);
	enter_seccomp(s, state);
}

const char *sandbox_text(char *out, const struct sandbox_state *state)
{
	int n = state->seccomp ? snprintf(out, 80, "seccomp yes")
			       : snprintf(out, 80, "seccomp no (%s)", strerror(state->seccomp_error));

	if (state->landlock)
		snprintf(out + n, 80, ", landlock yes (version %u)", state->landlock);
	else
		snprintf(out + n, 80, ", landlock no (%s)", strerror(state->landlock_error));
	return out;
}
