# SPDX-License-Identifier: Apache-2.0
# The commands people type; the build itself is CMakeLists.txt. Each target does all set-up it needs.
.PHONY: all setup build test demo docs format clean

all: build

setup:
	@scripts/setup.sh

build: setup
	@cmake --preset release >/dev/null
	@cmake --build build

test: setup
	@scripts/test.sh

# Pages made from the option tables.
docs: build
	build/icseg docs commands >docs/commands.md
	build/icseg docs recipe >docs/recipe.md

# The main job on generated scenes, from nothing: see scripts/demo.sh.
demo: build
	@scripts/demo.sh

format:
	git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build build-debug build-sanitize
