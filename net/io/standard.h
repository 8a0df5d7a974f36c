/* standard.h - descriptors 0 to 2, whatever the program was started with. */
#ifndef STANDARD_H
#define STANDARD_H

#include "cyphonic.h"

/* Opens /dev/null in the place of those that are closed; false when that cannot be. */
bool standard_files(void);

#endif
