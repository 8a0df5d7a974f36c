/* survey_who.h - whom netcheck asks: words of the command line into addresses. */
#ifndef SURVEY_WHO_H
#define SURVEY_WHO_H

#include "net/io/survey.h"

/* Fills plan's servers and as.  Exit status as of survey_run(); what is wrong was said. */
int survey_who(struct netcheck_plan *plan, const struct survey *s);

#endif
