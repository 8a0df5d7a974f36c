/* fingerprint.c - what a node pins, told without opening the CA: no private key is read. */
#include "crypto/x509.h"
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

bool ca_fingerprint(const char *dir, uint8_t sha[32], char *err)
{
	char path[CA_DIR_SIZE + 32];
	uint8_t *der = NULL;
	long n = 0;
	BIO *file;
	bool good;

	snprintf(path, sizeof path, "%s/root.crt", dir);
	file = BIO_new_file(path, "r");
	if (!file && errno == ENOENT)
		return x509_fail(err, "there is no CA in %.180s yet: start the AS once", dir);
	if (!file)
		return x509_fail(err, "%.180s: %s%s", path, strerror(errno),
				 errno == EACCES ? ": try sudo" : "");
	good = PEM_bytes_read_bio(&der, &n, NULL, PEM_STRING_X509, file, NULL, NULL);
	if (good)
		sha256(sha, der, (size_t)n);
	else
		x509_fail(err, "%.200s holds no certificate", path);
	OPENSSL_free(der);
	BIO_free(file);
	return good;
}
