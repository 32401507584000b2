# SPDX-License-Identifier: Apache-2.0
# Short commands. CMakeLists.txt is the build. Each target does the set-up that it needs.
.PHONY: all setup build install packages test test-python test-clients demo docs reference abi format clean
PREFIX ?= /usr/local

all: build

setup:
	@scripts/setup.sh

build: setup
	@cmake --preset release >/dev/null
	@cmake --build build

# The program, library, headers, recipes, documents, manual pages, completions and an example data set, into PREFIX.
install: build
	cmake --install build --prefix $(PREFIX)

# A tarball, a wheel for Python, and packages for Debian 12 and 13 in dist/, each tried where nothing else is installed.
# Needs root.
packages:
	@packaging/test.sh

test: setup
	@scripts/test.sh

# The Python package, in a virtual environment in build-python/; needs pip and, the first time, the network.
test-python: setup
	@scripts/test_python.sh

# The server, with real clients and bad ones, in a virtual environment in build-clients/. apt-get install curl chromium
# chromium-driver, or the tests that need them are skipped.
test-clients: build
	@scripts/test_clients.sh

# Writes the pages that are made from the option tables.
docs: build
	build/icseg docs commands >docs/commands.md
	build/icseg docs recipe >docs/recipe.md

# The API's reference as web pages: build/reference/html/index.html.
reference: setup
	ICSEG_VERSION=$$(sed -n 's/^project(icseg VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt) ICSEG_REFERENCE=build/reference \
		doxygen docs/Doxyfile

# Compares the binary interface with that of the last release. `scripts/abi.sh --update` writes the dump of a release.
abi: setup
	@cmake --preset sanitize >/dev/null
	@cmake --build build-sanitize --target icseg_shared
	@scripts/abi.sh build-sanitize

# Trains, evaluates and predicts on generated scenes: scripts/demo.sh.
demo: build
	@scripts/demo.sh

format:
	git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build build-debug build-sanitize build-threads build-coverage build-python build-clients build-tarball build-wheel dist
