# The daily commands. Each is one line of xtask; only the Rust toolchain is looked after here, because xtask needs it.

.PHONY: run stop test lint bench clean toolchain

run stop test lint bench clean: toolchain
	@cargo xtask $@

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

RUST_IS_NEW := cargo --version 2>/dev/null | awk '{ split($$2, v, "."); exit !(v[1] > 1 || v[2] >= 95) }'

toolchain:
	@$(RUST_IS_NEW) && command -v cc >/dev/null || { \
	  echo "installing the Rust toolchain and a C compiler from Debian's packages"; \
	  $(SUDO) apt-get update -q && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
	    cargo-web rustc-web rust-web-clippy rustfmt-web gcc g++ libc6-dev ca-certificates; }
	@$(RUST_IS_NEW) || { \
	  echo "Rust 1.95 or newer is needed and the package sources of this machine give: $$(cargo --version 2>&1)." >&2; \
	  echo "Debian brings it as a security update: enable the security suite in /etc/apt/sources.list and run this again." >&2; \
	  exit 1; }
