# SPDX-License-Identifier: Apache-2.0
# Reads the output of `ctest -V` of cmocka's programs and prints "N passed, N failed", over cases. A program that crashes
# or takes too long counts as one failure.
/^[0-9]+: .*\[  PASSED  \] [0-9]+ test/ {split($0, a, "PASSED  ] "); p += a[2] + 0; summed[$1 + 0] = 1}
/^[0-9]+: .*\[  FAILED  \] [0-9]+ test/ {split($0, a, "FAILED  ] "); f += a[2] + 0; failed[$1 + 0] = 1}
/^[0-9]+: .*GROUP (SETUP|TEARDOWN)/ {f++; failed[$1 + 0] = 1} # which cmocka does not count itself
/^ *[0-9]+\/[0-9]+ Test +#[0-9]+:/ {
    id = $0; sub(/.*#/, "", id); id += 0
    if (/ Passed / ? !summed[id] : !failed[id]) f++
}
/No tests were found/ {f++}
END {printf "%d passed, %d failed", p, f}
