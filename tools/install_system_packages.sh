#!/bin/sh
# Install the Debian packages named, unless they are there: install_system_packages.sh PACKAGE...
# Without apt-get, or the right to use it, it says what to install and stops.
set -eu
# Debian's own tools refuse to run twice at once.
exec 9<"$0"
flock 9
missing=""
for package in "$@"; do
    # A package that brings a command of its own name may have come from elsewhere.
    if ! command -v "$package" >/dev/null && ! dpkg -s "$package" >/dev/null 2>&1; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    as_root="sudo -n"
fi
if ! command -v apt-get >/dev/null || ! $as_root true 2>/dev/null; then
    echo "Please install:$missing" >&2
    exit 1
fi
echo "Installing:$missing"
# What they start goes on: it must not hold the lock.
$as_root apt-get update -qq 9>&-
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null 9>&-
