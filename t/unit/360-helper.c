/*
 * The real helper process: killed while it writes, on a full disk, and over damaged files.  The
 * test is the workers that ask it to log devices in.
 */
#include "crypto/cert.h"
#include "net/io/helper.h"
#include "net/proto/wire.h"
#include "roles/as_notes.h"
#include "store/config.h"
#include "store/keep.h"
#include "t/unit/store.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define WORKERS 4
#define MANY 64
#define SECRET "correct horse"

struct office {
	struct config conf;
	struct helper_setup setup;
	int mine[WORKERS];
	pid_t pid;
	uint64_t clock;			/* cloud ms: each request has its own */
	unsigned under_way[WORKERS];
	bool waits[1024];		/* by device: a request is under way */
	struct msg_login_response answer;
	uint64_t expiry[1024];		/* of the newest answer */
	uint8_t key[1024][16];
};

/* ---- a domain ---- */

static struct device login_device(unsigned i, unsigned cert)
{
	struct device d = device_number(i);

	snprintf(d.fqdn, sizeof d.fqdn, "n%05u.cyphonic.internal", i);
	snprintf(d.owner, sizeof d.owner, "u%u", i % 16);
	node_id_of(&d.node_id, d.fqdn);
	d.disabled = 0;
	d.cert_len = (uint16_t)cert;
	return d;
}

static void domain(const char *dir, unsigned devices, unsigned cert)
{
	struct account a = { .created = 1 };
	char path[100];
	struct device d;
	struct store *s;
	unsigned i;

	snprintf(path, sizeof path, "%s/ca", dir);
	mkdir(path, 0700);
	s = must_open(dir, STORE_WRITE, 0, 0, boot_one);
	password_make(&a.password, SECRET, strlen(SECRET), 4);
	for (i = 0; i < 16; i++) {
		snprintf(a.id, sizeof a.id, "u%u", i);
		account_put(s, &a, true);
	}
	for (i = 0; i < devices; i++) {
		if (i % 16 == 0)
			store_begin(s);
		d = login_device(i, cert);
		device_put(s, &d, true);
		if (i % 16 == 15)
			store_end(s, true);
	}
	store_close(s);
}

static void furnish(struct office *o, const char *dir)
{
	unsigned w;
	int fd[2];

	memset(o, 0, sizeof *o);
	config_defaults(&o->conf);
	snprintf(o->conf.state, sizeof o->conf.state, "%s", dir);
	o->conf.scrypt_cost = 4;
	o->clock = 1800000000000;
	o->setup.conf = &o->conf;
	o->setup.helper[0] = &helper_as;
	o->setup.workers = WORKERS;
	memcpy(o->setup.boot_id, boot_one, 16);
	for (w = 0; w < WORKERS; w++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) != 0)
			exit(99);
		o->mine[w] = fd[0];
		o->setup.fd[w] = fd[1];
	}
}

static void close_office(struct office *o)
{
	unsigned w;

	for (w = 0; w < WORKERS; w++) {
		close(o->mine[w]);
		close(o->setup.fd[w]);
	}
}

static void start_helper(struct office *o)
{
	o->pid = fork();
	if (o->pid == 0) {
		/* a test that gives up leaves none behind */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!getenv("CY_TEST_LOG") && !freopen("/dev/null", "w", stderr))
			_exit(9);
		_exit(helper_run(&o->setup));
	}
}

static int end_helper(struct office *o, int signal)
{
	int status = 0;

	kill(o->pid, signal);
	waitpid(o->pid, &status, 0);
	return status;
}

/* ---- logging in ---- */

static bool ask(struct office *o, unsigned i, const struct identity *who)
{
	uint8_t p[HELPER_MESSAGE_MAX], csr[2048];
	char account[16], device[16];
	struct msg_login_request m = { .auth = 1, .kind = 1 };
	unsigned w = i % WORKERS;
	size_t n;

	m.account.n = (size_t)snprintf(account, sizeof account, "u%u", i % 16);
	m.account.p = (const uint8_t *)account;
	m.device.n = (size_t)snprintf(device, sizeof device, "n%05u", i);
	m.device.p = (const uint8_t *)device;
	m.password = (struct bytes){ (const uint8_t *)SECRET, strlen(SECRET) };
	m.csr.p = csr;
	if (who)
		m.csr.n = identity_csr(who, "n.cyphonic.internal", csr, sizeof csr);
	memset(p, 0, 1 + AS_REQUEST_HEAD);
	p[1] = AS_LOGIN;
	put32(p + 2, i);
	/* the time ends the head, whatever else stands in it */
	put64(p + 1 + AS_REQUEST_HEAD - 8, o->clock++);
	n = msg_write_login_request(p + 1 + AS_REQUEST_HEAD, sizeof p - 1 - AS_REQUEST_HEAD, &m);
	if (send(o->mine[w], p, 1 + AS_REQUEST_HEAD + n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return false;
	o->waits[i] = true;
	o->under_way[w]++;
	return true;
}

/* The device that an answer came for, from this worker's socket; -1: none is there. */
static int answer(struct office *o, unsigned w)
{
	static uint8_t p[1 + HELPER_MESSAGE_MAX];
	ssize_t n = recv(o->mine[w], p, sizeof p, MSG_DONTWAIT);
	unsigned i;

	if (n < 1 + AS_ANSWER_HEAD)
		return -1;
	i = get32(p + 2);
	if (i >= ARRAY_SIZE(o->waits) ||
	    msg_read_login_response(&o->answer, p + 1 + AS_ANSWER_HEAD,
				    (size_t)n - 1 - AS_ANSWER_HEAD) < 0)
		exit(98);
	o->waits[i] = false;
	o->under_way[w]--;
	if (!o->answer.result) {
		o->expiry[i] = o->answer.expiry;
		memcpy(o->key[i], o->answer.common_key, 16);
	}
	return (int)i;
}

static void wait_a_little(struct office *o)
{
	struct pollfd p[WORKERS];
	unsigned w;

	for (w = 0; w < WORKERS; w++)
		p[w] = (struct pollfd){ .fd = o->mine[w], .events = POLLIN };
	poll(p, WORKERS, 100);
}

/* One login from question to answer; the result, or -1. */
static int log_in(struct office *o, unsigned i, const struct identity *who)
{
	unsigned tries;

	if (!ask(o, i, who))
		return -1;
	for (tries = 0; tries < 200; tries++) {
		if (answer(o, i % WORKERS) == (int)i)
			return o->answer.result;
		wait_a_little(o);
	}
	return -1;
}

/* ---- killed ---- */

/* As many logins as the helper takes, until so many are acknowledged; the seconds it took. */
static double many_logins(struct office *o, unsigned wanted, unsigned *acked)
{
	unsigned n = 0, i, w;
	double start = 0;

	while (n < wanted) {
		for (i = 0; i < MANY; i++)
			if (!o->waits[i] && o->under_way[i % WORKERS] < 8)
				ask(o, i, NULL);
		wait_a_little(o);
		for (w = 0; w < WORKERS; w++)
			while (answer(o, w) >= 0)
				n++;
		/* from the first answer on: before it, the helper starts */
		if (n && start == 0) {
			start = seconds();
			wanted += n;
			*acked -= n;
		}
	}
	*acked += n;
	return seconds() - start;
}

static void forget_mail(struct office *o)
{
	uint8_t p[1 + HELPER_MESSAGE_MAX];
	unsigned w;

	for (w = 0; w < WORKERS; w++) {
		while (answer(o, w) >= 0)
			;
		while (recv(o->setup.fd[w], p, sizeof p, MSG_DONTWAIT) > 0)
			;
		o->under_way[w] = 0;
	}
	memset(o->waits, 0, sizeof o->waits);
}

/* Acknowledged logins that are not in the store: neither they nor a later one. */
static unsigned lost_logins(const struct office *o, const char *dir)
{
	struct store *s = must_open(dir, STORE_READ, 0, 1, boot_one);
	unsigned i, lost = 0;
	struct device d, e;

	for (i = 0; i < MANY; i++) {
		d = login_device(i, 300);
		if (device_by_id(s, &d.node_id, &e) != STORE_OK || e.key_expiry < o->expiry[i])
			lost++;
		else if (e.key_expiry == o->expiry[i])
			lost += memcmp(e.common_key.b, o->key[i], 16) != 0;
	}
	store_close(s);
	return lost;
}

static void killed(const char *dir)
{
	unsigned i, rounds = 100 * scale(), lost = 0, acked = 0, early = 0, seed = 11;
	struct office *o = malloc(sizeof *o);
	double took = 0;

	domain(dir, MANY, 300);
	furnish(o, dir);
	for (i = 0; i < rounds; i++) {
		start_helper(o);
		took += many_logins(o, 20 + (unsigned)rand_r(&seed) % 60, &acked);
		/* some die amid a group, some amid the commit: requests are under way */
		usleep((unsigned)rand_r(&seed) % 3000);
		early += !WIFSIGNALED(end_helper(o, SIGKILL));
		forget_mail(o);
		lost += lost_logins(o, dir);
	}
	diag("%u helpers killed, %u account writes acknowledged, %.0f/s while they lived; %u lost",
	     rounds, acked, acked / took, lost);
	ok(early == 0, "every helper lived until it was killed");
	ok(lost == 0, "no acknowledged write is lost");
	ok(acked / took >= 300, "they wrote at least 300 a second");
	close_office(o);
	free(o);
}

/* ---- damaged files ---- */

static struct {
	uint8_t *p;
	size_t n;
} whole;

static void load_whole(const char *path)
{
	FILE *in = fopen(path, "r");

	whole.p = malloc(1 << 20);
	if (!in || !whole.p)
		exit(99);
	whole.n = fread(whole.p, 1, 1 << 20, in);
	fclose(in);
}

static void save_hurt(const char *path, unsigned *seed)
{
	uint8_t *p = malloc(whole.n);
	FILE *out = fopen(path, "w");
	size_t n = whole.n;
	unsigned k;

	if (!p || !out)
		exit(99);
	memcpy(p, whole.p, n);
	for (k = 0; k < 6; k++)
		p[(size_t)rand_r(seed) % n] ^= (uint8_t)(1 << rand_r(seed) % 8);
	if (rand_r(seed) % 8 == 0)
		n = (size_t)rand_r(seed) % n;
	fwrite(p, 1, n, out);
	fclose(out);
	free(p);
}

/* The checker may die: it shall not fill the log of the test. */
static int quiet(void)
{
	int keep = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	close(null);
	return keep;
}

static void damaged(const char *dir)
{
	char data[100], copies[100], err[256], name[COPY_NAME], command[300];
	unsigned i, k, trials = 40 * scale(), unready = 0, died = 0, wrong = 0, refused = 0, right = 0;
	unsigned seed = 5;
	struct office *o = malloc(sizeof *o);
	struct identity who;
	int keep;

	identity_make(&who);
	domain(dir, MANY, 300);
	furnish(o, dir);
	/* the CA is made by the first */
	start_helper(o);
	ok(log_in(o, 0, &who) == 0 && end_helper(o, SIGTERM) == 0, "a helper serves and ends in order");
	snprintf(data, sizeof data, "%s/accounts/data.mdb", dir);
	snprintf(copies, sizeof copies, "%s/copies", dir);
	if (!store_copy(dir, 1, 1700000000, name, err))
		exit(99);
	load_whole(data);
	for (i = 0; i < trials; i++) {
		save_hurt(data, &seed);
		keep = quiet();
		unready += !store_mend(dir, boot_one, 1, err);
		dup2(keep, STDERR_FILENO);
		close(keep);
		forget_mail(o);
		start_helper(o);
		for (k = 0; k < 12; k++) {
			unsigned which = (unsigned)rand_r(&seed) % MANY;
			struct device d = login_device(which, 300);
			int result = log_in(o, which, NULL);

			right += result == 0;
			refused += result == REASON_INTERNAL || result == REASON_BAD_LOGIN;
			wrong += result == 0 && (memcmp(o->answer.ip4, d.ip4, 4) != 0 ||
						 strcmp(o->answer.fqdn, d.fqdn) != 0 ||
						 !id_equal(&o->answer.node_id, &d.node_id));
			wrong += result != 0 && result != REASON_INTERNAL && result != REASON_BAD_LOGIN;
		}
		died += end_helper(o, SIGTERM) != 0;
	}
	diag("%u damaged files: %u logins right, %u refused, %u wrong; %u helpers died", trials, right,
	     refused, wrong, died);
	ok(unready == 0 && died == 0, "no helper dies of a damaged file that was looked at before");
	ok(wrong == 0 && right > refused, "a login over a damaged file is right, or refused");
	snprintf(command, sizeof command, "rm -rf %s/accounts.damaged.*", dir);
	if (system(command) != 0)
		diag("left behind: %s", dir);
	close_office(o);
	free(whole.p);
	free(o);
}

/* ---- a full disk ---- */

static void fill_disk(const char *dir, bool full)
{
	static uint8_t page[4096];
	char path[100];
	int fd;

	snprintf(path, sizeof path, "%s/filler", dir);
	unlink(path);
	if (!full)
		return;
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	while (write(fd, page, sizeof page) > 0)
		;
	close(fd);
}

/* Records without a certificate grow at their first login, so that the file must grow too. */
static void disk_full(const char *dir)
{
	struct office *o = malloc(sizeof *o);
	struct identity who;
	unsigned n, in = 0, wrong = 0;
	struct device d, e;
	struct store *s;
	int result = 0;

	identity_make(&who);
	domain(dir, 400, 0);
	furnish(o, dir);
	start_helper(o);
	ok(log_in(o, 0, &who) == 0, "on a small disk a device logs in");
	fill_disk(dir, true);
	for (n = 1; n < 400 && result == 0; n++)
		result = log_in(o, n, &who);
	n--;
	diag("%u devices more logged in on the full disk, by the file's own free pages", n - 1);
	ok(result == REASON_INTERNAL, "on a full disk a login is refused: the service failed");
	ok(o->answer.expiry == 0 && o->answer.common_key[0] == 0 && o->answer.certificate.n == 0,
	   "and nothing of it is in the answer");
	s = must_open(dir, STORE_WRITE, 0, 1, boot_one);
	for (in = 0; in < 400; in++) {
		d = login_device(in, 0);
		wrong += device_by_id(s, &d.node_id, &e) != STORE_OK ||
			 (e.cert_len != 0) != (in < n);
	}
	store_close(s);
	ok(wrong == 0, "all is there that was acknowledged, nothing that was refused");
	fill_disk(dir, false);
	ok(log_in(o, n, &who) == 0 && log_in(o, n + 1, &who) == 0,
	   "with space again it goes on by itself");
	ok(end_helper(o, SIGTERM) == 0, "and the helper had not to be started again");
	close_office(o);
	free(o);
}

/* One that knows no lock file yet must not die of a signal for want of room. */
static void no_room_to_open(const char *dir)
{
	char err[256] = "", path[100];
	int status;
	pid_t pid;

	snprintf(path, sizeof path, "%s/accounts/lock.mdb", dir);
	unlink(path);
	fill_disk(dir, true);
	pid = fork();
	if (pid == 0) {
		struct store *s = store_open(dir, STORE_READ, 0, 1, boot_two, err);
		struct device d = login_device(1, 0), e;

		if (s)
			_exit(device_by_id(s, &d.node_id, &e) ? 1 : 2);
		_exit(strstr(err, "free space") ? 0 : 3);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2),
	   "who opens the store on a full disk is told, not killed");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		diag("status %x", (unsigned)status);
	fill_disk(dir, false);
}

int main(void)
{
	char dir[64], tiny[64];

	scratch_make(dir);
	killed(dir);
	scratch_remove(dir);
	mkdir(dir, 0700);
	damaged(dir);
	scratch_remove(dir);
	scratch_make(tiny);
	if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", tiny, "tmpfs", 0, "size=2m,mode=700") == 0) {
		disk_full(tiny);
		no_room_to_open(tiny);
		umount(tiny);
	} else {
		ok(true, "a full disk # SKIP no mount namespace");
	}
	scratch_remove(tiny);
	return done();
}
