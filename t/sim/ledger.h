/*
 * ledger.h - the book of every (key, nonce) under which anything was sealed in this process.
 * Linked in by --wrap=aead_seal; knows keys by aead.key_name only.
 */
#ifndef T_SIM_LEDGER_H
#define T_SIM_LEDGER_H

#include "cyphonic.h"

/* From now on every seal is entered; empties the book. */
void ledger_open(void);
void ledger_close(void);
uint64_t ledger_seals(void);
/* Seals under a key and nonce that were used before, whatever the plaintext. */
uint64_t ledger_duplicates(void);

#endif
