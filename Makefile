# All of the build.  make | make test | make test SAN=1 | make soak | make bench | make install
# Needs the packages that t/run installs; see README.md.

# BORINGSSL=PREFIX takes another BoringSSL build than Debian's package
BORINGSSL ?=

ifeq ($(FUZZING),1)
O := build/fuzz
CC := clang
SANFLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
else ifeq ($(SAN),1)
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
LIBS := $(BSSL) -llmdb -lyaml -lev -lmnl -ljansson -lsystemd -lresolv -lm
# a library that brings OpenSSL along would clash with BoringSSL's symbols: no warning, an error
ALL_LDFLAGS := -Wl,--fatal-warnings $(SANFLAGS) $(LDFLAGS)

LIB := $(wildcard text.c crypto/*.c store/*.c net/*.c net/proto/*.c net/io/*.c roles/*.c)
LIBO := $(LIB:%.c=$O/%.o)
LIBA := $O/libcyphonic.a

UNIT := $(patsubst t/%.c,$O/t/%,$(wildcard t/unit/[0-9]*.c))
SIM := $(patsubst t/%.c,$O/t/%,$(wildcard t/sim/[0-9]*.c))
SIMO := $(patsubst %.c,$O/%.o,$(filter-out $(wildcard t/sim/[0-9]*.c),$(wildcard t/sim/*.c)))

all: $O/cyphonic
	@ln -sf $O/cyphonic cyphonic

# the program and every test take from it what they need
$(LIBA): $(LIBO)
	@rm -f $@
	$(AR) rcs $@ $^

$O/cyphonic: $O/cyphonic.o $(LIBA)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$O/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$O/t/unit/%: $O/t/unit/%.o $(LIBA)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# the simulator's ledger sees every seal
$O/t/sim/%: $O/t/sim/%.o $(SIMO) $(LIBA)
	$(CC) $(ALL_LDFLAGS) -Wl,--wrap=aead_seal -o $@ $^ $(LIBS)

tests: all $(UNIT) $(SIM)

# TESTS="t/net/210-ping.t" runs those alone
test: tests
	O=$O t/prove $(TESTS)

soak: tests
	O=$O SCALE=$${SCALE:-16} t/prove $(TESTS)

# figures of this machine, in one run; as root
bench: all $O/t/load $O/t/measure
	O=$O t/bench

$O/t/load: $O/t/load.o $(LIBA)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$O/t/measure: $O/t/measure.o
	$(CC) $(ALL_LDFLAGS) -o $@ $^

# each target for FUZZ_SECONDS; libFuzzer prints the executions
FUZZ := $(patsubst t/fuzz/%.c,build/fuzz/t/fuzz/%,$(wildcard t/fuzz/*.c))
FUZZ_SECONDS ?= 60
fuzz: all
	$(MAKE) FUZZING=1 $(FUZZ)
	$O/cyphonic print wire-dictionary >build/fuzz/wire.dict
	for f in $(FUZZ); do mkdir -p build/fuzz/corpus/$${f##*/}; \
		$$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -dict=build/fuzz/wire.dict \
			build/fuzz/corpus/$${f##*/} $$(ls -d t/fuzz/corpus/$${f##*/} 2>/dev/null) || exit 1; done

build/fuzz/t/fuzz/%: build/fuzz/t/fuzz/%.o $(LIBA)
	$(CC) -fsanitize=fuzzer $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# the generated tables of the manual, written anew after wire.def, verdict.def or config.def changed
manual: all
	t/doc/regenerate $O/cyphonic

include dist/install.mk

clean:
	rm -rf build cyphonic

-include $(shell find $O -name '*.d' 2>/dev/null)

.PHONY: all tests test soak bench fuzz manual clean
.SECONDARY:
