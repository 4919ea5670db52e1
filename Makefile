# SPDX-License-Identifier: MIT
# filch: `make help` lists what there is to make. All of it lands in build/.

VERSION := 0.1.0
SONAME  := libfilch.so.0

prefix     ?= /usr/local
bindir     ?= $(prefix)/bin
includedir ?= $(prefix)/include
libdir     ?= $(prefix)/lib
DESTDIR    ?=

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := $(if $(findstring clang,$(CC)),clang++,g++)
endif
OBJCOPY    ?= objcopy
PKG_CONFIG ?= pkg-config
CFLAGS     ?= -O2 -g
CXXFLAGS   ?= $(CFLAGS)

# A compiler that is not yet installed (make deps) cannot say what it builds for.
ARCH := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine 2>/dev/null)) $(shell uname -m))

# B is where everything goes: a directory for each sanitizer, so that they do not mix.
ifeq ($(SAN),)
B := build
else ifeq ($(SAN),address)
B := build/address
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(SAN),thread)
B := build/thread
SAN_FLAGS := -fsanitize=thread
else
$(error SAN is address or thread, not "$(SAN)")
endif
O := $(B)/obj
# A sanitizer build also checks what the header leaves unchecked: joins that do not match forks.
SAN_DEFS := $(if $(SAN),-DFILCH_DEBUG -fno-omit-frame-pointer)

COMMON := -D_GNU_SOURCE -Iruntime/include -pthread -Wall -Wextra -Wpedantic $(SAN_FLAGS) $(SAN_DEFS)
C_FLAGS    = -std=c11 $(COMMON) $(CPPFLAGS) $(CFLAGS)
CXX_FLAGS  = -std=c++17 $(COMMON) $(CPPFLAGS) $(CXXFLAGS)
STRICT    := $(if $(WERROR),-Werror)
LINK_FLAGS = $(SAN_FLAGS) -pthread $(CFLAGS) $(LDFLAGS)
# Lazily: on a fresh machine pkg-config is only there once `deps` has run.
# Without liburing there is epoll alone.
URING      = $(shell $(PKG_CONFIG) --exists liburing 2>/dev/null && echo liburing)
LIBS       = $(if $(URING),$(shell $(PKG_CONFIG) --libs $(URING)))

# What the objects of a directory need beyond that. The runtime's go into both libraries;
# initial-exec: a thread-local read in the shared one costs no call of __tls_get_addr. No LTO:
# names in an object that is not yet code cannot be made local.
FLAGS_runtime := -fPIC -fvisibility=hidden -fno-plt -ftls-model=initial-exec -fno-lto
LLHTTP := /usr/share/llhttp
LLHTTP_FLAGS := -isystem /usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1
FLAGS_server := $(LLHTTP_FLAGS)
FLAGS_tests  := -Iruntime $(LLHTTP_FLAGS)
TEST_LIBS    := -lcriterion
ifneq ($(filter thread,$(SAN))$(STAND_IN),)
# Criterion does not run under ThreadSanitizer, nor beside its own twin for another architecture: the
# same tests run on a stand-in.
FLAGS_tests += -isystem tests/tsan
TEST_LIBS   :=
endif

V ?=
Q := $(if $(V),,@)
SILENT := $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(V)$(SILENT),,@printf '  %-8s %s\n' '$(1)' '$(@:$(CURDIR)/%=%)';)

# With `deps` among the goals nothing compiles before the packages are there, with -j too.
DEPS := $(filter deps deps-rivals deps-aarch64,$(MAKECMDGOALS))

RUNTIME_O := $(patsubst %.c,$(O)/%.o,$(wildcard runtime/*.c)) \
	$(patsubst %.S,$(O)/%.o,$(wildcard runtime/switch_$(ARCH).S))
LLHTTP_O  := $(patsubst %,$(O)/llhttp/%.o,api http llhttp)
SERVER_O  := $(patsubst %.c,$(O)/%.o,$(wildcard server/*.c))
UNIT      := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*.c))
FUZZ      := $(B)/tests/fuzz/request
STRESS    := $(patsubst %.c,$(B)/%,$(wildcard tests/stress/*.c))
LIB_A     := $(B)/libfilch.a
LIB_SO    := $(B)/libfilch.so.$(VERSION)
FILCHD    := $(if $(SERVER_O),$(B)/filchd)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps deps-rivals deps-aarch64 serve check check-unit check-aarch64 stress full-length fuzz bench bench-quick \
	install uninstall lint format \
	help clean FORCE

all: $(LIB_A) $(LIB_SO) $(FILCHD) ## libraries and filchd (the default)

-include bench/Makefile.inc # BENCH: the programs of the bench, and how to make them

# ---- objects --------------------------------------------------------------------------------

# Files that change only when what they say does: with another compiler or other flags everything
# is made anew, and with a source more or less the programs are linked anew.
remember = @mkdir -p $(@D); echo '$(1)' | cmp -s - $@ || echo '$(1)' > $@

$(O)/flags: FORCE | $(DEPS)
	$(call remember,$(CC) $(C_FLAGS) $(WHOLE) $(CXX) $(CXX_FLAGS) $(LINK_FLAGS) $(URING))

$(O)/sources: FORCE
	$(call remember,$(RUNTIME_O) $(SERVER_O))

FLAGS_of = $(FLAGS_$(firstword $(subst /, ,$*)))

$(O)/%.o: %.c $(O)/flags | $(DEPS)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(C_FLAGS) $(FLAGS_of) $(STRICT) -MMD -MP -c -o $@ $<

$(O)/%.o: %.cpp $(O)/flags | $(DEPS)
	@mkdir -p $(@D)
	$(call say,CXX)$(CXX) $(CXX_FLAGS) $(FLAGS_of) $(STRICT) -MMD -MP -c -o $@ $<

$(O)/%.o: %.S $(O)/flags | $(DEPS)
	@mkdir -p $(@D)
	$(call say,AS)$(CC) $(SAN_FLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(O)/llhttp/%.o: $(LLHTTP)/%.c $(O)/flags | $(DEPS)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(C_FLAGS) $(LLHTTP_FLAGS) -w -c -o $@ $<

$(LLHTTP)/%.c: | $(DEPS)
	@test -e $@ || { echo "filch: $@ is missing: make deps" >&2; exit 1; }

-include $(shell find $(O) -name '*.d' 2>/dev/null)

# A request passes through many small functions, half of them llhttp's. Only where nothing waits: a
# task may go on in another thread, whose errno lies elsewhere. Only where the flags are ours; clang
# would need a linker of its own for it. And what is cleared for each request, 500 bytes, is left to the
# C library: gcc's own way (rep stos) takes a tenth of a pipelined request.
WHOLE   := $(if $(SAN)$(findstring clang,$(CC))$(filter-out file,$(origin CFLAGS)),,\
             -O3 -flto=auto -fno-builtin-memset)
WHOLE_O := $(patsubst %,$(O)/server/%.o,buffer chunks reply request target text) $(LLHTTP_O)
$(WHOLE_O): private C_FLAGS += $(WHOLE)

# ---- the libraries and filchd ---------------------------------------------------------------

# One object, in which everything but the API has become local: nothing can clash with the
# names of a program that links the archive.
$(O)/libfilch.o: $(RUNTIME_O) $(O)/sources
	$(call say,LD)$(CC) -r -nostdlib -o $@ $(RUNTIME_O)
	$(Q)$(OBJCOPY) --localize-hidden $@

$(LIB_A): $(O)/libfilch.o
	$(call say,AR)rm -f $@ && $(AR) rcs $@ $^

# nodelete: a thread on its way out must not outlive its code (dlclose).
$(LIB_SO): $(RUNTIME_O) $(O)/sources runtime/filch.map
	$(call say,LD)$(CC) -shared $(LINK_FLAGS) -Wl,-soname,$(SONAME) \
		-Wl,--version-script=runtime/filch.map -Wl,-z,nodelete -o $@ $(RUNTIME_O) $(LIBS)
	$(Q)ln -sf $(@F) $(B)/$(SONAME) && ln -sf $(@F) $(B)/libfilch.so

$(O)/server/dashboard.o: server/dashboard/index.html # which it takes in

$(B)/filchd: $(SERVER_O) $(LLHTTP_O) $(LIB_A) $(O)/sources
	$(call say,LD)$(CC) $(LINK_FLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)

serve: $(B)/filchd | $(DEPS) ## filchd on http://127.0.0.1:8080 until Ctrl-C; ARGS= for more options
	$(Q)exec $(B)/filchd --listen 127.0.0.1:8080 $(ARGS)

# ---- tests and bench ------------------------------------------------------------------------

# A test is one file and one program. It may include a part's own header, so it is linked with
# the objects: in the library those names are local.
$(B)/tests/%: $(O)/tests/%.o $(RUNTIME_O) $(O)/sources
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LINK_FLAGS) -o $@ $(filter %.o,$^) $(LIBS) $(TEST_LIBS)

# The fuzz target replays its corpus; with clang's libFuzzer it looks for more by itself.
FUZZED := $(addprefix server/,buffer chunks request target text)
FUZZ_C := tests/fuzz/request.c $(FUZZED:%=%.c) $(patsubst %,$(LLHTTP)/%.c,api http llhttp)

$(FUZZ): $(O)/tests/fuzz/request.o $(FUZZED:%=$(O)/%.o) $(LLHTTP_O)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LINK_FLAGS) -o $@ $^

FUZZ_SECONDS ?= 60
fuzz: | $(DEPS) ## looks for requests that are read in two ways, for a minute (FUZZ_SECONDS=)
	@mkdir -p $(B)/fuzz/corpus
	$(call say,CC)clang -std=c11 $(COMMON) -g -O1 $(LLHTTP_FLAGS) -DLIBFUZZER -w \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o $(B)/fuzz/request $(FUZZ_C)
	$(Q)cd $(B)/fuzz && ./request -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -print_final_stats=1 \
		corpus $(CURDIR)/tests/fuzz/corpus

RUN_TESTS = B='$(B)' SAN='$(SAN)' SAN_FLAGS='$(SAN_FLAGS)' CC='$(CC)' \
	UNIT='$(UNIT)' STRESS='$(STRESS)' tests/run

check: all $(UNIT) $(STRESS) $(FUZZ) | $(DEPS) ## every test; SAN=address or SAN=thread: under a sanitizer
	$(Q)$(RUN_TESTS)

check-unit: $(UNIT) | $(DEPS) ## the unit tests alone
	$(Q)$(RUN_TESTS) unit

check-aarch64: | $(DEPS) ## the unit tests that depend on the processor, for aarch64, under qemu
	$(Q)tests/aarch64 || [ $$? = 77 ]

stress: | $(DEPS) ## the tests at full length (check runs a hundredth), with more patience
	$(Q)$(MAKE) --no-print-directory B=$(B)/stress CPPFLAGS=-DWATCHDOG=3600 full-length

full-length: $(UNIT) $(STRESS)
	$(Q)$(RUN_TESTS) stress

bench: all $(BENCH) | $(DEPS) ## the bench: programs into build/bench, then bench/run
	$(Q)B='$(B)' bench/run $(ARGS)

bench-quick: all $(BENCH) | $(DEPS) ## the same, in about two minutes
	$(Q)B='$(B)' bench/run --quick $(ARGS)

lint: | $(DEPS) ## what no compiler checks: orders, reasons, sizes, the header on its own
	$(Q)CC='$(CC)' .ci/lint

format: ## clang-format over the C sources
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

# ---- packages -------------------------------------------------------------------------------

deps: ## the Debian packages of .ci/apt.txt that are missing
	$(Q).ci/install .ci/apt.txt

deps-rivals: ## the rivals in the bench: Go, Rust; nginx, h2o, lighttpd, which are not started
	$(Q).ci/install .ci/apt-rivals.txt

deps-aarch64: ## a compiler, libraries and an emulator for check-aarch64
	$(Q).ci/install .ci/apt-aarch64.txt

# ---- install --------------------------------------------------------------------------------

D = $(DESTDIR)

install: all ## into prefix (/usr/local), below DESTDIR; also bindir, includedir, libdir
	$(Q)install -d '$D$(bindir)' '$D$(includedir)' '$D$(libdir)/pkgconfig'
	$(Q)install -m 644 runtime/include/filch.h runtime/include/filch_task.h '$D$(includedir)'
	$(Q)install -m 644 $(LIB_A) '$D$(libdir)/libfilch.a'
	$(Q)install -m 755 $(LIB_SO) '$D$(libdir)/libfilch.so.$(VERSION)'
	$(Q)ln -sf libfilch.so.$(VERSION) '$D$(libdir)/$(SONAME)'
	$(Q)ln -sf libfilch.so.$(VERSION) '$D$(libdir)/libfilch.so'
	$(Q)sed -e 's|@prefix@|$(prefix)|;s|@includedir@|$(includedir)|;s|@libdir@|$(libdir)|' \
		-e 's|@version@|$(VERSION)|;s|@uring@|$(if $(URING), $(URING))|' runtime/filch.pc.in > '$D$(libdir)/pkgconfig/filch.pc'
	$(Q)chmod 644 '$D$(libdir)/pkgconfig/filch.pc'
	$(Q)$(if $(FILCHD),install -m 755 $(FILCHD) '$D$(bindir)/filchd')
	$(Q)$(if $(DESTDIR),,ldconfig 2> /dev/null || true)

uninstall: ## takes away what install put there
	$(Q)rm -f '$D$(includedir)/filch.h' '$D$(includedir)/filch_task.h' '$D$(libdir)/libfilch.a' '$D$(libdir)/libfilch.so' \
		'$D$(libdir)/$(SONAME)' '$D$(libdir)/libfilch.so.$(VERSION)' \
		'$D$(libdir)/pkgconfig/filch.pc' '$D$(bindir)/filchd'

clean: ## removes build/
	$(Q)rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile bench/Makefile.inc
	@echo "  V=1 shows the commands; CC=clang, CFLAGS=..., SAN=address|thread, WERROR=1"
