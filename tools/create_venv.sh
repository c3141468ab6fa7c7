#!/bin/sh
# Make a virtual environment: create_venv.sh PYTHON DIRECTORY
# Debian splits venv and pip from python3; this installs them when it may.
set -eu
python=${1:?no Python 3.11 or newer found}
directory=$2
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$(dirname "$0")/install_system_packages.sh" python3-venv
fi
"$python" -m venv "$directory"
