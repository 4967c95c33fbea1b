# rustydb: the one entrance.
#
#   make            build build/rustydb
#   make run        install what is missing, build, serve ./rustydb-data on 127.0.0.1:8080
#   make check      install what is missing, build, lint, run the test suite
#   make check-all  the suite under the sanitizers too, long crash and soak tests, fuzzing
#   make delivery   subscribers that are cut, a daemon that is killed, for minutes
#   make soak       the main job with hundreds of crashes (SOAK_KILLS=300)
#   make fuzz       throw random input at the parsers, FUZZ_SECONDS=60 each
#   make bench      measure (see docs/performance.md)
#   make help       all of it

ifeq ($(origin CC),default)
CC := gcc
endif
VERSION := 0.1.0

# ---- where things go: one folder per kind of build ------------------------------------------------
# SAN=address,undefined or SAN=thread builds the same tree with sanitizers.
empty :=
space := $(empty) $(empty)
comma := ,
B := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))

# V=1 shows whole commands.
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %s  %s\n' $(1) $@)

# ---- Debian packages ------------------------------------------------------------------------------
BUILD_PACKAGES := gcc libc6-dev make pkg-config libwebsockets-dev libwebsockets-evlib-uv libuv1-dev \
	libcurl4-openssl-dev libjansson-dev libssl-dev libreadline-dev libsqlite3-dev libinih-dev \
	zlib1g-dev libyaml-dev libcjose-dev libcrypt-dev libseccomp-dev
CHECK_PACKAGES := $(BUILD_PACKAGES) bats parallel libcmocka-dev valgrind clang libclang-rt-dev clang-format-19 \
	cppcheck shellcheck iso-codes jq curl openssl sqlite3 procps python3 python3-websockets python3-jsonschema python3-yaml util-linux mandoc \
	chromium fonts-dejavu-core $(if $(shell command -v npm),,npm)
PKGS := libwebsockets libuv libcurl jansson libcrypto libssl readline sqlite3 inih zlib cjose libcrypt libseccomp

# As many jobs as there are processors, unless the caller says otherwise.
ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all units run check check-all lint unit bats bench delivery soak fuzz valgrind deps deps-check clean help \
	format tidy install

# Goals that set the machine up by themselves.
SELF_SETUP := $(filter run check check-all bench delivery soak fuzz,$(MAKECMDGOALS))
NEED_DEPS := $(if $(filter run,$(SELF_SETUP)),deps)$(if $(filter-out run,$(SELF_SETUP)),deps-check)

# ---- flags ----------------------------------------------------------------------------------------
CSTD := -std=gnu17
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wpointer-arith -Wformat=2 -Wno-format-nonliteral -Wno-missing-field-initializers
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
OPT := -O2 -g
ifeq ($(SAN),)
HARDEN += -D_FORTIFY_SOURCE=2
else
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined)
endif
CPPFLAGS += -D_GNU_SOURCE -DRUSTYDB_VERSION='"$(VERSION)"' -I. -Ilibcore -Ibuild/gen
ALL_CFLAGS = $(CSTD) $(OPT) $(WARN) $(HARDEN) $(PKG_CFLAGS) $(CPPFLAGS) $(CFLAGS)
LINK_FLAGS := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(if $(SAN),-fsanitize=$(SAN))
LIBS = $(PKG_LIBS) -lpthread -lm -ldl

# ---- sources --------------------------------------------------------------------------------------
LIB_SRC := $(sort $(wildcard libcore/*/*.c libcore/*/*/*.c daemon/*.c daemon/*/*.c cli/*.c cli/*/*.c))
CMD_SRC := $(sort $(wildcard cmd/*.c))
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_LIB := $(sort $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c)))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
SPECGEN_SRC := $(sort $(wildcard openapi/gen/*.c))
ALL_C := $(LIB_SRC) $(CMD_SRC) $(UNIT_SRC) $(UNIT_LIB) $(FUZZ_SRC) $(SPECGEN_SRC)
ALL_H := $(sort $(wildcard libcore/*/*.h libcore/*/*/*.h daemon/*.h daemon/*/*.h cli/*.h cli/*/*.h \
	cmd/*.h openapi/gen/*.h tests/unit/*.h tests/fuzz/*.h))

LIB_OBJ := $(LIB_SRC:%.c=$B/obj/%.o) $B/obj/build/gen/assets.o
CMD_OBJ := $(CMD_SRC:%.c=$B/obj/%.o)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$B/unit/%)
UNIT_LIB_OBJ := $(UNIT_LIB:%.c=$B/obj/%.o)

all: $B/rustydb build/compile_commands.json

# What pkg-config says is kept in a file, so that it is asked once and after the packages are there.
ifeq ($(filter clean help deps deps-check format,$(MAKECMDGOALS)),)
include $B/packages.mk
endif

$B/packages.mk: Makefile | $(NEED_DEPS)
	@mkdir -p $(@D)
	@pkg-config --exists $(PKGS) || { echo 'Missing libraries; "make deps" installs them:'; \
	  pkg-config --print-errors --exists $(PKGS); exit 1; }
	@{ echo "PKG_CFLAGS := $$(pkg-config --cflags $(PKGS))"; \
	   echo "PKG_LIBS := $$(pkg-config --libs $(PKGS))"; } > $@

$B/rustydb: $(CMD_OBJ) $B/librustydb.a
	$(call say,LD)
	$Q$(CC) $(LINK_FLAGS) -o $@ $^ $(LIBS)

$B/librustydb.a: $(LIB_OBJ)
	@rm -f $@
	$Qar rcs $@ $^

$B/obj/%.o: %.c $B/packages.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$Q$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# What it tells of how it was built.
$B/obj/daemon/api/build.o: CPPFLAGS += -DRUSTYDB_CFLAGS='"$(CSTD) $(OPT) $(HARDEN)"' \
	-DRUSTYDB_LDFLAGS='"$(LINK_FLAGS)"'

$B/unit/%: $B/obj/tests/unit/%.o $(UNIT_LIB_OBJ) $B/librustydb.a
	@mkdir -p $(@D)
	$(call say,LD)
	$Q$(CC) $(LINK_FLAGS) -o $@ $^ -lcmocka $(LIBS)

# ---- the specification ----------------------------------------------------------------------------
# specgen runs here and now, so it is built without sanitizers, once for all kinds of builds.
SPEC := openapi/asyncapi.yaml openapi/openapi.yaml $(sort $(wildcard openapi/tags/*.yaml))

build/gen/specgen: $(SPECGEN_SRC) $(wildcard openapi/gen/*.h) libcore/base/errors.def Makefile | $B/packages.mk
	@mkdir -p $(@D)
	$(call say,LD)
	$Q$(CC) $(CSTD) -O1 -g $(WARN) -D_GNU_SOURCE -I. $$(pkg-config --cflags jansson yaml-0.1) -o $@ \
	  $(SPECGEN_SRC) $$(pkg-config --libs jansson yaml-0.1)

build/gen/operations.inc: build/gen/specgen $(SPEC)
	$(call say,SPEC)
	$Qbuild/gen/specgen build/gen $(VERSION) $(SPEC)
build/gen/operations.h build/gen/openapi.json build/gen/openapi.yaml build/gen/asyncapi.yaml: build/gen/operations.inc ;

# ---- pages ----------------------------------------------------------------------------------------
# Swagger UI comes from npm, as package-lock.json says. Without npm there is a page that says so.
UI := build/gen/ui
UI_FROM_NPM := swagger-ui.css:text/css swagger-ui-bundle.js:text/javascript \
	swagger-ui-bundle.js.LICENSE.txt:text/plain LICENSE:text/plain NOTICE:text/plain
UI_OWN := rustydb.css:text/css rustydb.js:text/javascript favicon.svg:image/svg+xml

$(UI)/done: openapi/ui/package.json openapi/ui/package-lock.json openapi/ui/.npmrc
	@rm -rf $(@D); mkdir -p $(@D); cp $^ $(@D)
	$(call say,NPM)
	$Qif ! command -v npm >/dev/null; then \
	  echo 'There is no npm: the daemon is built without Swagger UI.' >&2; \
	elif ! (cd $(@D) && npm ci --loglevel=error >npm.log 2>&1); then \
	  rm -rf $(@D)/node_modules; \
	  echo 'npm could not fetch Swagger UI (see $(@D)/npm.log): the daemon is built without it.' >&2; fi
	@touch $@

build/gen/assets.c: openapi/gen/embed $(UI)/done $(wildcard openapi/ui/*) build/gen/operations.inc
	$(call say,EMBED)
	$Qset -- --plain /api-docs/openapi.json application/json build/gen/openapi.json \
	    --plain /api-docs/openapi.yaml application/yaml build/gen/openapi.yaml \
	    --plain /api-docs/asyncapi.yaml application/yaml build/gen/asyncapi.yaml; \
	for f in $(UI_OWN); do set -- "$$@" --gzip $${f%%:*} $${f#*:} openapi/ui/$${f%%:*}; done; \
	page=missing; \
	if [ -d $(UI)/node_modules ]; then page=index; \
	  for f in $(UI_FROM_NPM); do \
	    set -- "$$@" --gzip $${f%%:*} $${f#*:} $(UI)/node_modules/swagger-ui-dist/$${f%%:*}; done; fi; \
	openapi/gen/embed $@ "$$@" --plain index.html text/html openapi/ui/$$page.html

$B/obj/build/gen/assets.o: build/gen/assets.c

# What is made must be there before the first object is.
$(LIB_OBJ) $(CMD_OBJ) $(UNIT_SRC:%.c=$B/obj/%.o) $(UNIT_LIB_OBJ) $(ALL_C:%.c=build/fuzz/obj/%.o): | build/gen/operations.inc

.PRECIOUS: $B/obj/%.o
-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(UNIT_SRC:%.c=$B/obj/%.d) $(UNIT_LIB_OBJ:.o=.d)

build/compile_commands.json: Makefile $(ALL_C)
	@mkdir -p $(@D)
	@{ echo '['; sep=; for f in $(ALL_C); do \
	  printf '%s{"directory":"%s","file":"%s","arguments":["cc"' "$$sep" "$(CURDIR)" "$$f"; \
	  for a in $(filter-out -Werror -DRUSTYDB_VERSION=%,$(ALL_CFLAGS)); do printf ',"%s"' "$$a"; done; \
	  printf ',"-DRUSTYDB_VERSION=\\"$(VERSION)\\"","-c","%s"]}' "$$f"; sep=",$$(printf '\nx')"; sep="$${sep%x}"; \
	done; echo ']'; } > $@

# ---- set-up ---------------------------------------------------------------------------------------
# $(1): packages. Says what it installs; where apt-get is absent, says what is needed and stops.
define install_missing
	@missing=; for p in $(1); do \
	  dpkg-query -W -f '$${Status}\n' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; \
	done 2>/dev/null; \
	if [ -n "$$missing" ]; then \
	  if ! command -v apt-get >/dev/null; then \
	    echo "This needs the following (by their Debian names):$$missing" >&2; exit 1; fi; \
	  as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  if [ -n "$$as_root" ] && ! command -v sudo >/dev/null; then \
	    echo "As root, run: apt-get install$$missing" >&2; exit 1; fi; \
	  echo "Installing:$$missing"; \
	  $$as_root apt-get update -q >/dev/null && \
	  DEBIAN_FRONTEND=noninteractive $$as_root apt-get install -y -q --no-install-recommends $$missing >/dev/null; \
	fi
endef

deps:
	$(call install_missing,$(BUILD_PACKAGES))
deps-check:
	$(call install_missing,$(CHECK_PACKAGES))

# ---- run ------------------------------------------------------------------------------------------
run: $B/rustydb
	@exec $B/rustydb serve --data ./rustydb-data --listen 127.0.0.1:8080 --hints

# ---- checks ---------------------------------------------------------------------------------------
units: $(UNIT_BIN)
unit: $(UNIT_BIN)
	@tests/run --build $B unit
bats: $B/rustydb
	@tests/run --build $B bats
valgrind: $(UNIT_BIN)
	@tests/run --build $B valgrind
delivery: $B/rustydb
	@tests/delivery.sh $B/rustydb
soak: $B/rustydb
	@tests/soak.sh $B/rustydb
bench: $B/rustydb
	@tests/bench/run.sh $B/rustydb
check: $B/rustydb $(UNIT_BIN)
	@tests/run --build $B lint unit valgrind bats
check-all:
	@tests/run --all

# Fuzz targets: everything built by clang with libFuzzer and the sanitizers; each target takes what it
# needs from the archive.
FUZZ_FLAGS := $(CSTD) -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=build/fuzz/%)
FUZZ_LIB_OBJ := $(LIB_SRC:%.c=build/fuzz/obj/%.o) build/fuzz/obj/build/gen/assets.o

build/fuzz/obj/%.o: %.c build/packages.mk
	@mkdir -p $(@D)
	$(call say,FUZZ)
	$Qclang $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link $(PKG_CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

build/fuzz/librustydb.a: $(FUZZ_LIB_OBJ)
	@rm -f $@
	$Qar rcs $@ $^

build/fuzz/fuzz_%: build/fuzz/obj/tests/fuzz/fuzz_%.o build/fuzz/librustydb.a
	$(call say,LINK)
	$Qclang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

.PRECIOUS: build/fuzz/obj/%.o
-include $(FUZZ_LIB_OBJ:.o=.d) $(FUZZ_SRC:%.c=build/fuzz/obj/%.d)

fuzz: $(FUZZ_BIN)
	@tests/fuzz/run $^

lint:
	@tests/lint/run
format:
	clang-format-19 -i $(ALL_C) $(ALL_H)

clean:
	rm -rf build
help:
	@sed -n 's/^#   make/make/p' Makefile
