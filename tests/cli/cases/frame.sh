# SPDX-License-Identifier: Apache-2.0
# The program without a command: help, version, unknown words, exit status.
expect 0 '^icseg [0-9]+\.[0-9]+\.[0-9]+$' icseg --version
expect 0 '^Usage: icseg COMMAND' icseg --help
expect 0 '^Usage: icseg COMMAND' icseg help
expect 0 "^Usage: icseg predict CHECKPOINT" icseg help predict
refuse 2 "^icseg: error: frobnicate: unknown command" icseg help frobnicate
expect 2 '^Usage: icseg COMMAND' icseg
refuse 2 '^icseg: error: frobnicate: unknown command; see icseg --help$' icseg frobnicate
refuse 2 '^icseg: error: --versoin: unknown option; did you mean --version\?$' icseg --versoin
refuse 2 '^icseg: error: unknown command' icseg ''
expect 0 '^Usage: icseg docs PAGE \[COMMAND\]$' icseg docs --help
expect 0 '^Usage: icseg docs PAGE \[COMMAND\]$' icseg docs commands -h
refuse 2 '^icseg docs: error: PAGE is missing' icseg docs
refuse 2 '^icseg docs: error: PAGE: "comands" is not accepted; .*did you mean commands\?$' icseg docs comands
refuse 2 '^icseg docs: error: COMMAND is for the page man$' icseg docs commands more
refuse 2 '^icseg docs: error: --page: unknown option; see --help$' icseg docs --page commands
refuse 1 '^icseg docs: error: cannot write the results to standard output$' bash -c "'$program' docs commands >/dev/full"
expect 0 '^\| `lr` \| a number above 0 \| 0\.0001 \|' icseg docs recipe
expect 0 '^## icseg [a-z]+$' icseg docs commands
