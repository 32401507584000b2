#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A disk that fills up (by the shim, and a real small file system where mounting is allowed), folders and file systems that
# are read-only.
group=disk
source "$(dirname "$0")/common.sh"
sizes=$((quick ? 2 : 25))

bytes_written() { du -sb --apparent-size "$base/new/$1" | cut -f 1; } # JOB: about as many
no_leftovers() { [ -z "$(leftovers)" ] || problem=${problem:-"left $(leftovers | head -n 1)"}; }

resumes() { # after a failure there is space again
    if [ -z "$problem" ] && [[ $1 = train || $1 = resume ]]; then
        attempt resume
        [ $status -eq 0 ] && right resume || problem="the run cannot be resumed to the same result"
    fi
}

full_disk() { # JOB SPACE
    local problem
    begin "$1"
    with_fault "$1" FAULT_CALL=write FAULT_SPACE="$2"
    problem=$(fault_of_run "$1" 'out/.*No space left on device')
    if hit && [ $status -eq 0 ]; then problem="exit status 0 on a full disk"; fi
    no_leftovers
    resumes "$1"
    verdict "$problem" "$1: space for $2 bytes"
}

# In a mount namespace of its own, whose mounts end with it.
can_mount() { unshare --mount --map-root-user mount -t tmpfs none "$scratch" 2>/dev/null; }
on_small_disk() { # OPTIONS COMMAND...: out/ is a tmpfs while the command runs
    # shellcheck disable=SC2016
    unshare --mount --map-root-user bash -c '
        mv out before && mkdir out && mount -t tmpfs -o "$1" none out && cp -r before/. out || exit 99
        "${@:2}"
        status=$?
        cp -r out after
        exit $status' _ "$@"
}
small_disk() { # JOB OPTIONS
    local problem
    begin "$1"
    attempt "$1" "$BASH" -c "$(declare -f on_small_disk)"'; on_small_disk "$@"' _ "$2"
    if [ $status -eq 99 ]; then return; fi # not even the old files fit
    rm -r "$work/out"
    mv "$work/after" "$work/out"
    problem=$(fault_of_run "$1" 'out/.*No space left on device')
    no_leftovers
    resumes "$1"
    verdict "$problem" "$1: a file system with $2"
}

# Folders without write permission are closed to root, too.
powerless=(env)
[ "$(id -u)" -ne 0 ] || powerless=(setpriv --bounding-set -all --inh-caps -all)

closed() { # JOB
    local problem
    begin "$1"
    find "$work/out" -type d -exec chmod 555 {} +
    attempt "$1" "${powerless[@]}"
    find "$work/out" -type d -exec chmod 755 {} +
    problem=$(fault_of_run "$1" 'out.*Permission denied')
    [ $status -ne 0 ] || problem="exit status 0 in a folder without write permission"
    no_leftovers
    verdict "$problem" "$1: a folder without write permission"
}

read_only() { # JOB: every change of the file system fails
    local problem
    begin "$1"
    with_fault "$1" FAULT_CALL=write,openat,mkdir,mkdtemp,rename,renameat,linkat,unlink,unlinkat,remove,rmdir,ftruncate,fchmod \
        FAULT_AT=1+ FAULT_DO=EROFS
    problem=$(fault_of_run "$1" 'out.*Read-only file system')
    [ $status -ne 0 ] || problem="exit status 0 on a read-only file system"
    verdict "$problem" "$1: a read-only file system"
}

mounting=1
can_mount || mounting=
for job in "${writing_jobs[@]}"; do
    most=$(($(bytes_written "$job") * 2))
    for size in $(points "$most" "$sizes"); do full_disk "$job" $((size - 1)); done
    full_disk "$job" 0
    if [ "$mounting" ]; then
        for size in $(points $((most / 1024 + 8)) "$sizes"); do small_disk "$job" "size=${size}k"; done
        for size in $(points 24 "$sizes"); do small_disk "$job" "nr_inodes=$size"; done
    fi
    closed "$job"
    read_only "$job"
done
finish "${mounting:+with small file systems}"
