/*
 * ca.c - the directory of the domain's certificate authority: a root that every node pins and
 * an intermediate (the issuer) that may only speak for the domain.  What is in a certificate
 * is issue.c's affair.
 *
 * The four files of the directory are made in the order of enum file, each by rename.  So
 * what an interrupted first start leaves is always a beginning of that order, and is
 * completed; any other gap means that a file was lost, and is named, never filled: a new
 * root would shut out every node that pins the old one.
 */
#include "crypto/x509.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE (CA_DIR_SIZE + 32)

enum file { ROOT_KEY, ROOT_CRT, ISSUER_KEY, ISSUER_CRT, FILES };

static const char *const file_name[FILES] = {
	"root.key", "root.crt", "issuer.key", "issuer.crt",
};

/* ---- its files ---- */

static const char *path_of(const struct ca *ca, enum file which, char out[PATH_SIZE])
{
	snprintf(out, PATH_SIZE, "%s/%s", ca->dir, file_name[which]);
	return out;
}

/* The rename counts only once the directory is on disk too. */
static bool sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return good;
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return fsync(fd) == 0;
}

static bool file_put(const struct ca *ca, enum file which, const uint8_t *text, size_t n, char *err)
{
	bool secret = which == ROOT_KEY || which == ISSUER_KEY;
	char path[PATH_SIZE], temporary[PATH_SIZE + 8];
	bool good;
	int fd;

	snprintf(temporary, sizeof temporary, "%s.new", path_of(ca, which, path));
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, secret ? 0600 : 0644);
	if (fd < 0)
		return x509_fail(err, "%.200s: cannot be made: %s", temporary, strerror(errno));
	good = write_all(fd, text, n);
	if (close(fd) != 0 || !good || rename(temporary, path) != 0 || !sync_dir(ca->dir)) {
		x509_fail(err, "%.200s: cannot be written: %s", path, strerror(errno));
		unlink(temporary);
		return false;
	}
	return true;
}

/* Writes whichever of key and x is given. */
static bool pem_save(const struct ca *ca, enum file which, EVP_PKEY *key, X509 *x, char *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const uint8_t *text;
	size_t n;
	bool good;

	if (bio && (key ? PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) :
			  PEM_write_bio_X509(bio, x)) && BIO_mem_contents(bio, &text, &n))
		good = file_put(ca, which, text, n, err);
	else
		good = x509_fail(err, "%s: out of memory", file_name[which]);
	BIO_free(bio);
	return good;
}

static EVP_PKEY *key_load(const struct ca *ca, enum file which, char *err)
{
	char path[PATH_SIZE];
	BIO *bio = BIO_new_file(path_of(ca, which, path), "r");
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	struct stat st;

	if (bio && stat(path, &st) == 0 && (st.st_mode & 077))
		cy_log(LOG_WARN, "%s: others can read this key (mode %03o): chmod 600 it", path,
		       (unsigned)st.st_mode & 0777);
	BIO_free(bio);
	if (key && EVP_PKEY_id(key) == EVP_PKEY_ED25519)
		return key;
	EVP_PKEY_free(key);
	x509_fail(err, "%.180s: holds no Ed25519 key in PEM%s; restore it from a backup", path,
		  bio ? "" : " that this user can read");
	return NULL;
}

static X509 *cert_load(const struct ca *ca, enum file which, char *err)
{
	char path[PATH_SIZE];
	BIO *bio = BIO_new_file(path_of(ca, which, path), "r");
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	if (!x)
		x509_fail(err, "%.180s: holds no certificate in PEM%s; restore it from a backup",
			  path, bio ? "" : " that this user can read");
	return x;
}

/* ---- opening ---- */

/* How many files there are, from the first without a gap; FILES + 1 with err if there is one. */
static unsigned files_present(const struct ca *ca, char *err)
{
	char path[PATH_SIZE];
	unsigned n = FILES, i;
	struct stat st;

	for (i = 0; i < FILES; i++) {
		bool there = stat(path_of(ca, i, path), &st) == 0;

		if (!there && errno != ENOENT) {
			x509_fail(err, "%.200s: %s", path, strerror(errno));
			return FILES + 1;
		}
		if (!there && n == FILES)
			n = i;
		if (there && n < FILES) {
			x509_fail(err, "%.100s/%s is missing though %s is there: restore it from a "
				  "backup (to start a new CA, which every node must pin anew, move "
				  "the directory away)", ca->dir, file_name[n], file_name[i]);
			return FILES + 1;
		}
	}
	return n;
}

/* Makes and keeps a key, or loads it. */
static EVP_PKEY *key_ready(struct ca *ca, enum file which, unsigned present, char *err)
{
	struct identity who;
	EVP_PKEY *key;

	if (which < present)
		return key_load(ca, which, err);
	identity_make(&who);
	key = x509_key(&who);
	wipe(&who, sizeof who);
	if (!key) {
		x509_fail(err, "%s cannot be made", file_name[which]);
	} else if (!pem_save(ca, which, key, NULL, err)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

static bool signed_by(X509 *x, EVP_PKEY *key)
{
	return X509_verify(x, key) == 1;
}

static bool cert_in_time(const struct ca *ca, enum file which, const X509 *x, uint64_t now,
			 char *err)
{
	char from[DATE_SIZE], to[DATE_SIZE], at[DATE_SIZE];
	uint64_t begin, end;
	bool known = x509_seconds(&begin, X509_get0_notBefore(x));

	known &= x509_seconds(&end, X509_get0_notAfter(x));
	if (!known || now < begin || now >= end)
		return x509_fail(err, "%.120s/%s is valid from %s to %s, but it is %s: %s", ca->dir,
				 file_name[which], x509_date(from, begin), x509_date(to, end),
				 x509_date(at, now), now < begin ? "check this host's clock" :
				 "a new CA is needed");
	return true;
}

static bool root_ready(struct ca *ca, unsigned present, uint64_t now, char *err)
{
	ca->root_key = key_ready(ca, ROOT_KEY, present, err);
	if (!ca->root_key)
		return false;
	if (ROOT_CRT >= present) {
		ca->root = x509_root_make(ca, now);
		if (!ca->root)
			return x509_fail(err, "the root certificate cannot be made");
		return pem_save(ca, ROOT_CRT, NULL, ca->root, err);
	}
	ca->root = cert_load(ca, ROOT_CRT, err);
	if (!ca->root)
		return false;
	if (X509_check_private_key(ca->root, ca->root_key) != 1 ||
	    !signed_by(ca->root, ca->root_key))
		return x509_fail(err, "%.120s: root.crt and root.key do not belong together; "
				 "restore both from one backup", ca->dir);
	return cert_in_time(ca, ROOT_CRT, ca->root, now, err);
}

/* True when the issuer's name constraint permits the domain and nothing else. */
static bool issuer_is_for(X509 *issuer, const char *domain)
{
	NAME_CONSTRAINTS *c = X509_get_ext_d2i(issuer, NID_name_constraints, NULL, NULL);
	const GENERAL_NAME *base = c && sk_GENERAL_SUBTREE_num(c->permittedSubtrees) == 1 ?
		sk_GENERAL_SUBTREE_value(c->permittedSubtrees, 0)->base : NULL;
	size_t n = strlen(domain);
	bool good = base && base->type == GEN_DNS &&
		    (size_t)ASN1_STRING_length(base->d.dNSName) == n &&
		    memcmp(ASN1_STRING_get0_data(base->d.dNSName), domain, n) == 0;

	NAME_CONSTRAINTS_free(c);
	return good;
}

static bool issuer_check(struct ca *ca, char *err)
{
	if (X509_check_private_key(ca->issuer, ca->issuer_key) != 1 ||
	    !signed_by(ca->issuer, ca->root_key))
		return x509_fail(err, "%.120s: issuer.crt does not belong to issuer.key and "
				 "root.key; restore all from one backup", ca->dir);
	if (!issuer_is_for(ca->issuer, ca->domain))
		return x509_fail(err, "%.80s/issuer.crt is not for the domain %.80s: set the "
				 "domain it was made for, or another state directory", ca->dir,
				 ca->domain);
	return true;
}

/*
 * Renewed at half its life under the same key and name, so leaves issued before hold under
 * the new certificate too.
 */
static bool issuer_ready(struct ca *ca, unsigned present, uint64_t now, char *err)
{
	uint64_t end, root_end;

	ca->issuer_key = key_ready(ca, ISSUER_KEY, present, err);
	if (!ca->issuer_key)
		return false;
	if (ISSUER_CRT < present) {
		ca->issuer = cert_load(ca, ISSUER_CRT, err);
		if (!ca->issuer || !issuer_check(ca, err))
			return false;
		x509_seconds(&end, X509_get0_notAfter(ca->issuer));
		x509_seconds(&root_end, X509_get0_notAfter(ca->root));
		if (now + CA_ISSUER_LIFE / 2 < end || (now < end && end >= root_end))
			return cert_in_time(ca, ISSUER_CRT, ca->issuer, now, err);
		X509_free(ca->issuer);
	}
	ca->issuer = x509_issuer_make(ca, now);
	if (!ca->issuer)
		return x509_fail(err, "the issuer's certificate cannot be made");
	return pem_save(ca, ISSUER_CRT, NULL, ca->issuer, err);
}

static bool keep_der(X509 *x, uint8_t out[CERT_CA_MAX], size_t *n, char *err)
{
	int size = i2d_X509(x, NULL);

	if (size <= 0 || size > CERT_CA_MAX)
		return x509_fail(err, "a CA certificate has %d octets of DER, at most %d are "
				 "allowed", size, CERT_CA_MAX);
	*n = (size_t)i2d_X509(x, &out);
	return true;
}

static bool ca_fill(struct ca *ca, const char *dir, const char *domain, uint64_t now, char *err)
{
	unsigned present;

	if (strlen(dir) >= sizeof ca->dir || !name_canonical(ca->domain, domain))
		return x509_fail(err, "no CA: the path of its directory is too long, or its domain "
				 "is no name");
	strcpy(ca->dir, dir);
	if (now < CA_BACKDATED || now > INT64_MAX / 2)
		return x509_fail(err, "no CA: this host's clock is wrong");
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return x509_fail(err, "%.200s: cannot be made: %s", dir, strerror(errno));
	present = files_present(ca, err);
	return present <= FILES && root_ready(ca, present, now, err) &&
	       issuer_ready(ca, present, now, err) &&
	       keep_der(ca->root, ca->root_der, &ca->root_len, err) &&
	       keep_der(ca->issuer, ca->issuer_der, &ca->issuer_len, err);
}

struct ca *ca_open(const char *dir, const char *domain, uint64_t now, char *err)
{
	struct ca *ca = calloc(1, sizeof *ca);

	if (!ca) {
		x509_fail(err, "no CA: out of memory");
	} else if (!ca_fill(ca, dir, domain, now, err)) {
		ca_free(ca);
		ca = NULL;
	}
	ERR_clear_error();
	return ca;
}

void ca_free(struct ca *ca)
{
	if (!ca)
		return;
	X509_free(ca->root);
	X509_free(ca->issuer);
	EVP_PKEY_free(ca->root_key);
	EVP_PKEY_free(ca->issuer_key);
	free(ca);
}

struct bytes ca_root(const struct ca *ca)
{
	return (struct bytes){ ca->root_der, ca->root_len };
}

struct bytes ca_issuer(const struct ca *ca)
{
	return (struct bytes){ ca->issuer_der, ca->issuer_len };
}
