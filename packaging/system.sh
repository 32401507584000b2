# SPDX-License-Identifier: Apache-2.0
# Fresh Debian systems in folders, for the scripts beside this one. To be sourced.

# fresh_system SUITE FOLDER [PACKAGE...]: a minimal system; the packages are installed too.
fresh_system() {
    local suite=$1 folder=$2 packages
    shift 2
    command -v debootstrap >/dev/null || { echo "install debootstrap" >&2; return 1; }
    [ "$(id -u)" -eq 0 ] || { echo "a fresh system needs root" >&2; return 1; }
    packages=$(IFS=,; echo "$*")
    debootstrap --variant=minbase ${packages:+--include="$packages"} "$suite" "$folder" >"$folder.log" 2>&1 ||
        { tail -n 5 "$folder.log" >&2; return 1; }
    cp /etc/resolv.conf "$folder/etc/"
}

# inside FOLDER COMMAND...: runs it in the system. Mounts end with their name space.
inside() {
    local folder=$1
    shift
    # shellcheck disable=SC2016 # expanded inside
    unshare --mount bash -eu -c '
        folder=$1
        shift
        mount -t proc proc "$folder/proc"
        mount --rbind /dev "$folder/dev"
        exec env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$folder" "$@"' inside "$folder" "$@"
}
