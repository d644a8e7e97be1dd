# Ingot's one entry for people and CI; "make" lists what there is. The work is
# done by the go command and by tools/ingot.

BOARD    ?= imx6ulevk
BOARDS   := imx6ulevk imx6ullevk usbarmory
GO       ?= go
FUZZTIME ?= 1m

FIRMWARE := firmware/cmd/ingot-firmware
CERTS    := $(FIRMWARE)/certs
INGOT    := build/ingot

export GO

.PHONY: help
help: ## list the targets
	@echo "make TARGET [BOARD=$(BOARD)] [PORT=8443] [CONFIG=FILE] [LOAD=NAME] [GO=$(GO)]"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 17

.PHONY: run
run: qemu $(INGOT) ## build the firmware, boot it in QEMU, say how to talk to it (CONFIG=FILE: one that is configured)
	$(INGOT) run --board $(BOARD) $(if $(PORT),--port $(PORT)) $(if $(CONFIG),--config $(CONFIG))

.PHONY: image
image: certs $(INGOT) ## build the firmware image, build/ingot-firmware.elf
	$(INGOT) build --board $(BOARD) -o build/ingot-firmware.elf ./$(FIRMWARE)

.PHONY: certs
certs: $(CERTS)/image ## make development certificates if there are none

$(CERTS)/image: | $(INGOT)
	$(INGOT) certs init $(CERTS)

.PHONY: test
test: peers vet unit board networks fuzz-short ## everything that is tested, with the end-to-end tests in QEMU

.PHONY: vet
vet: certs ## gofmt, and go vet for the host and the boards
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	for b in $(BOARDS); do \
		GOOS=linux GOARCH=arm GOARM=7 CGO_ENABLED=0 $(GO) vet -unsafeptr=false -tags $$b ./kernel/... ./board/... ./net/... ./certs/... ./tlsio/... ./firmware/... ./internal/armcrypto/... ./qemu/selftest ./qemu/consttime/guest ./qemu/interrupts/guest || exit 1; \
	done

.PHONY: unit
unit: certs qemu ## go test of every package
	$(GO) test -count=1 -timeout 30m ./...

.PHONY: board
board: qemu $(INGOT) ## the tests of what images are made of, on the emulated board
	$(GO) run ./qemu/suites -ingot $(INGOT)

# The same tests on our own stack, over a good wire and a bad one.
.PHONY: networks
networks: ## the tests of tlsio on the netstack, over wires (internal/simnet)
	for n in wire wire:3; do \
		INGOT_TEST_NETWORK=$$n $(GO) test -count=1 -short -run '^Test' ./tlsio ./tlsio/server ./tlsio/jsonmsg || exit 1; \
	done

.PHONY: test-go
test-go: qemu ## Go's own run-programs as images in QEMU; GOTESTDIR= where GOROOT has no test/
	$(GO) run ./tools/gotest -board $(BOARD) $(if $(GOTESTDIR),-dir $(GOTESTDIR))

# Wycheproof's vectors, too, if WYCHEPROOF names the folder that has them.
.PHONY: test-crypto
test-crypto: qemu $(INGOT) ## the assembly of ciphers in QEMU: a million comparisons each, the standard library's tests, traces
	INGOT_CRYPTO_CASES=1000000 INGOT_SECRETS=100 $(GO) test -count=1 -v -timeout 4h ./internal/armcrypto ./qemu/consttime ./qemu/interrupts
	$(INGOT) test -timeout 4h ./internal/armcrypto/fiat ./internal/armcrypto/field

.PHONY: fuzz
fuzz: ## every fuzzer for FUZZTIME (1m) each
	tools/fuzz.sh $(FUZZTIME)

.PHONY: fuzz-short
fuzz-short:
	tools/fuzz.sh 3000x

.PHONY: bench
bench: certs qemu $(INGOT) ## measure tlsio beside crypto/tls, the firmware in QEMU (build/bench.json), and bundles
	$(GO) test -count=1 -v -run Figure ./tlsio/bench -strict
	$(INGOT) bench --board $(BOARD) -o build/bench.json
	$(GO) test -count=1 -v -run TestFigureBoot ./tools/ingot
	$(INGOT) test --board $(BOARD) -run "^$$" -bench "LoadBundle|RootsFor" ./certs

# Instructions only: they are the same on any machine. What has changed, for better or
# worse, is an error; 'make bench-baseline' notes it.
BASELINE := tools/bench/baseline.json

.PHONY: bench-compare
bench-compare: certs qemu $(INGOT) ## compare instruction counts with those in tools/bench/baseline.json
	$(INGOT) bench --board $(BOARD) --part count,layers,relay --baseline $(BASELINE)

.PHONY: bench-baseline
bench-baseline: certs qemu $(INGOT) ## write that file
	$(INGOT) bench --board $(BOARD) --part count,layers,relay -o $(BASELINE)

.PHONY: profile
profile: certs qemu $(INGOT) ## what the firmware's instructions are spent on, as a flame graph (LOAD=handshake, tls-in ...)
	$(INGOT) profile --board $(BOARD) $(if $(LOAD),--load $(LOAD))

.PHONY: profile-boot
profile-boot: certs qemu $(INGOT) ## instructions from reset to the first handshake, docs/boot.svg
	$(INGOT) profile --board $(BOARD) --boot --svg docs/boot.svg

.PHONY: qemu
qemu:
	@tools/install.sh qemu-system-arm

# What the end-to-end tests talk to; without them those tests would be skipped.
.PHONY: peers
peers:
	@PATH="$$PATH:/usr/sbin" tools/install.sh openssl curl gnutls-cli:gnutls-bin tshark node:nodejs ssh-keygen:openssh-client chromium gdb-multiarch mkimage:u-boot-tools imx_usb:imx-usb-loader mosquitto mosquitto_pub:mosquitto-clients

# The go command knows better than make what is up to date.
.PHONY: $(INGOT)
$(INGOT):
	@$(GO) build -o $@ ./tools/ingot

.PHONY: site
site: ## the documentation as HTML, build/site/index.html
	$(GO) run ./tools/site -o build/site

.PHONY: clean
clean: ## remove what was built, but not the certificates
	rm -rf build
