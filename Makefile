# All of the build.  make | make test | make test SAN=1 | make soak | make bench | make install
# Needs the packages that t/run installs; see README.md.

CC ?= gcc
PREFIX ?= /usr/local
BORINGSSL ?=			# prefix of another BoringSSL build; empty: Debian's package

ifeq ($(SAN),1)
O := build/san
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else
O := build/plain
SANFLAGS :=
endif

MULTIARCH := $(shell $(CC) -print-multiarch)
ifeq ($(strip $(BORINGSSL)),)
BSSL_INC := /usr/include/android
BSSL_LIB := /usr/lib/$(MULTIARCH)/android
else
BSSL_INC := $(strip $(BORINGSSL))/include
BSSL_LIB := $(strip $(BORINGSSL))/lib
endif
ifeq ($(wildcard $(BSSL_LIB)/libssl.a),)
BSSL := -L$(BSSL_LIB) -Wl,-rpath,$(BSSL_LIB) -lssl -lcrypto
else
BSSL := $(BSSL_LIB)/libssl.a $(BSSL_LIB)/libcrypto.a -Wl,--exclude-libs,ALL -lstdc++ -lpthread
endif

CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wno-unused-parameter -fno-strict-aliasing -fstack-protector-strong -D_GNU_SOURCE \
	-I. -isystem $(BSSL_INC) $(SANFLAGS) $(CFLAGS)
LIBS := $(BSSL) -llmdb -lyaml -lev -lmnl -ljansson -lm
# a library that brings OpenSSL along would clash with BoringSSL's symbols: no warning, an error
ALL_LDFLAGS := -Wl,--fatal-warnings $(SANFLAGS) $(LDFLAGS)

LIB := $(wildcard text.c crypto/*.c store/*.c net/*.c net/proto/*.c net/io/*.c roles/*.c)
LIBO := $(LIB:%.c=$O/%.o)

UNIT := $(patsubst t/%.c,$O/t/%,$(wildcard t/unit/[0-9]*.c))
SIM := $(patsubst t/%.c,$O/t/%,$(wildcard t/sim/[0-9]*.c))
SIMO := $(patsubst %.c,$O/%.o,$(filter-out $(wildcard t/sim/[0-9]*.c),$(wildcard t/sim/*.c)))

all: $O/cyphonic
	@ln -sf $O/cyphonic cyphonic

$O/cyphonic: $O/cyphonic.o $(LIBO)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$O/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$O/t/unit/%: $O/t/unit/%.o $(LIBO)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$O/t/sim/%: $O/t/sim/%.o $(SIMO) $(LIBO)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

tests: all $(UNIT) $(SIM)

# TESTS="t/net/210-ping.t" runs those alone
test: tests
	O=$O t/prove $(TESTS)

soak: tests
	O=$O SCALE=$${SCALE:-16} t/prove $(TESTS)

# figures of this machine, in one run; as root
bench: all $O/t/load $O/t/measure
	O=$O t/bench

$O/t/load: $O/t/load.o $(LIBO)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$O/t/measure: $O/t/measure.o
	$(CC) $(ALL_LDFLAGS) -o $@ $^

# the generated tables of the manual, written anew after wire.def, verdict.def or config.def changed
manual: all
	t/doc/regenerate $O/cyphonic

clean:
	rm -rf build cyphonic

-include $(shell find $O -name '*.d' 2>/dev/null)

.PHONY: all tests test soak bench manual clean
.SECONDARY:
