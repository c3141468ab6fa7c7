#!/bin/sh
# Install the Debian packages named, unless they are there: install_system_packages.sh PACKAGE...
# Without root, or without apt-get, it says what to install and stops.
set -eu
missing=""
for package in "$@"; do
    # A package that brings a command of its own name may have come from elsewhere.
    if ! command -v "$package" >/dev/null && ! dpkg -s "$package" >/dev/null 2>&1; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Please install:$missing" >&2
    exit 1
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
