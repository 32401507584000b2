#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs `make TARGET` on a bare system: a minimal Debian 12 in a folder, an ordinary user with sudo, a clone of the last
# commit. The exit status is that of make. The folder is removed at the end.
# Usage: scripts/fresh_debian.sh [TARGET]      TARGET: test (default), demo, ...
#   SUITE=trixie   Debian 13 instead (oneDNN 3.7; the formatting check needs clang-format 14 and is left out there)
# Needs root, debootstrap and the network.
set -eu
cd "$(dirname "$0")/.."
command -v debootstrap >/dev/null || { echo 'fresh_debian: install debootstrap' >&2; exit 1; }
root=$(mktemp -d /var/tmp/icseg_debian.XXXXXX)
trap 'rm -rf --one-file-system "$root"' EXIT
chmod 755 "$root"

debootstrap --variant=minbase --include=git,make,ca-certificates,sudo "${SUITE:-bookworm}" "$root"
cp /etc/resolv.conf "$root/etc/"
chroot "$root" useradd -m someone
echo 'someone ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/someone"
git clone -q . "$root/home/someone/icseg"
chroot "$root" chown -R someone: /home/someone
# shellcheck disable=SC2016 # expanded inside; the mounts end with their name space
unshare --mount bash -eu -c '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    chroot "$1" su - someone -c "make -C icseg $2"' fresh "$root" "${1:-test}"
