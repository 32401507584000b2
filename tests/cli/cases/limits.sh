# SPDX-License-Identifier: Apache-2.0
# Limits of memory and stack that the system sets for the process: a message, not a segmentation fault.
source "$root/tests/cli/tiny_model.sh"

with_stack() { (ulimit -s "$1" && icseg "${@:2}"); } # KIB ARGUMENTS...
refuse 1 'info: error: the limit on the stack is 64 KiB, and icseg needs 256 KiB; raise it' with_stack 64 info "$tiny"
expect 0 'tensors|classes' with_stack 256 info "$tiny"
expect 0 'Usage' with_stack 64 info --help

# oneDNN, which generates code, does not check whether it got the memory. Below 50 MiB the program cannot be loaded.
never_dies() {
    local mib status dead=
    for ((mib = 50; mib < 130; mib += 4)); do
        (ulimit -v $((mib * 1024)) && OMP_NUM_THREADS=1 icseg info "$tiny") >"$work/log" 2>&1
        status=$?
        [ $status -le 2 ] || grep -q 'error while loading shared libraries' "$work/log" || dead+=" $mib MiB: $status"
    done
    echo "$dead"
    [ -z "$dead" ]
}
check 'limits of memory' never_dies
