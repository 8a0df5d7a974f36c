# All of the build.  make | make test | make test SAN=1 | make soak | make bench | make install
# Needs the packages that t/run installs; see README.md.

# BORINGSSL=PREFIX takes another BoringSSL build than Debian's package
BORINGSSL ?=

ifeq ($(FUZZING),1)
O := build/fuzz
CC := clang
SANFLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
else ifeq ($(COVERAGE),1)
O := build/coverage
SANFLAGS := --coverage -O0
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
NET := $(patsubst t/%.c,$O/t/%,$(wildcard t/net/*.c))
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

# who owns every service and every wire; and the program with nodes that are no match for him
BLIND := $(patsubst %,$O/t/net/blind/%,attacker broken published)
$O/t/net/blind/attacker: $(patsubst %.c,$O/%.o,$(wildcard t/net/blind/attack*.c)) $(LIBA)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$O/t/net/blind/broken: $O/cyphonic.o $O/t/net/blind/leak.o $(LIBA)
	$(CC) $(ALL_LDFLAGS) $(LEAK:%=-Wl,--wrap=%) -o $@ $^ $(LIBS)
$O/t/net/blind/published: $O/cyphonic.o $O/t/net/blind/psk.o $(LIBA)
	$(CC) $(ALL_LDFLAGS) $(PSK:%=-Wl,--wrap=%) -o $@ $^ $(LIBS)
LEAK := keyring_install tunnel_send session_open
PSK := keyring_install keys_psk

# the laboratory's tools stand alone
$O/t/net/%: $O/t/net/%.o
	$(CC) $(ALL_LDFLAGS) -o $@ $^

tests: all $(UNIT) $(SIM) $(NET) $(BLIND) $(patsubst t/%.c,$O/t/%,$(wildcard t/fuzz/*.c))

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

# each target for FUZZ_SECONDS, or FUZZ_RUNS executions if given; ends at the first finding
FUZZ := $(patsubst t/fuzz/%.c,%,$(wildcard t/fuzz/*.c))
FUZZO := $(patsubst %.c,$O/%.o,t/fuzz/base/base.c t/fuzz/base/accept.c t/sim/random.c)
FUZZ_OPEN := aead_open tls_server tls_client tls_context_free tls_new tls_free tls_feed tls_take \
	tls_read tls_write tls_end tls_state tls_error
FUZZ_WRAP := $(FUZZ_OPEN:%=-Wl,--wrap=%)
$O/t/fuzz/files: FUZZ_WRAP += -Wl,--wrap=state_load
$O/t/fuzz/priv: FUZZ_WRAP += -Wl,--wrap=if_nametoindex -Wl,--wrap=mnl_socket_open2

fuzz: all
	@command -v clang >/dev/null || { echo "make fuzz needs clang: apt-get install clang"; exit 1; }
	$(MAKE) FUZZING=1 $(FUZZ:%=build/fuzz/t/fuzz/%)
	$O/cyphonic print wire-dictionary >build/fuzz/wire.dict
	t/fuzz/run $(FUZZ)

# the corpora, each input once, without libFuzzer
FUZZ_REPLAY := $(FUZZ:%=$O/t/fuzz/%)
ifeq ($(FUZZING),1)
FUZZ_MAIN := -fsanitize=fuzzer
else
FUZZO += $O/t/fuzz/base/replay.o
endif
$O/t/fuzz/%: $O/t/fuzz/%.o $(FUZZO) $(LIBA)
	$(CC) $(FUZZ_MAIN) $(ALL_LDFLAGS) $(FUZZ_WRAP) -o $@ $^ $(LIBS)

# lines of what reads foreign octets that corpora and tests reach
PARSERS := text.c crypto/cert.c crypto/trust.c crypto/issue.c net/proto/wire.c net/proto/ext.c \
	net/proto/gate.c net/proto/ip.c net/proto/dnsmsg.c net/proto/dns.c net/proto/dnstcp.c \
	net/proto/dnsup.c net/proto/stun.c net/proto/login.c net/proto/register.c net/proto/session.c \
	net/proto/capsule.c net/proto/tunnel.c net/proto/rekey.c net/proto/route.c net/proto/punch.c \
	net/proto/vantage.c net/proto/vantage_point.c store/record.c store/state.c \
	store/config_file.c store/config_yaml.c store/config_value.c \
	roles/control.c roles/as.c roles/as_helper.c roles/nms.c roles/nms_register.c \
	roles/nms_relays.c roles/nms_vantage.c roles/nms_way.c roles/netcheck.c roles/node_route.c \
	roles/node_ask.c roles/node_login.c roles/node_vantage.c roles/trs.c roles/trs_agent.c \
	roles/trs_paths.c roles/trs_vantage.c
fuzz-coverage:
	$(MAKE) COVERAGE=1 CFLAGS='-O0 -g' coverage-programs
	t/fuzz/coverage build/coverage $(PARSERS)
coverage-programs: $(UNIT) $(SIM) $(FUZZ_REPLAY)

# first inputs from a run of the simulator, beside those that are there
$O/t/fuzz/base/seeds: $O/t/fuzz/base/seeds.o $(filter-out %/ledger.o,$(SIMO)) $(LIBA)
	$(CC) $(ALL_LDFLAGS) $(SEEN:%=-Wl,--wrap=%) -o $@ $^ $(LIBS)
SEEN := aead_seal tls_write db_put ca_issue
fuzz-seeds: $O/t/fuzz/base/seeds
	$O/t/fuzz/base/seeds t/fuzz/corpus

# the generated tables of the manual, written anew after wire.def, verdict.def or config.def changed
manual: all
	t/doc/regenerate $O/cyphonic

include dist/install.mk

clean:
	rm -rf build cyphonic

-include $(shell find $O -name '*.d' 2>/dev/null)

.PHONY: all tests test soak bench fuzz fuzz-coverage coverage-programs fuzz-seeds manual clean
.SECONDARY:
