#!/bin/sh
# Make what is published, in dist: release.sh BIN, where BIN has the programs of requirements/release.txt and build.txt.
# What is made depends on the commit alone: times in it are the commit's.
set -eu
bin=$1
if [ -n "$(git status --porcelain)" ]; then
    echo "Commit or stash what has changed: a release is what a commit holds." >&2
    exit 1
fi
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
umask 022
rm -rf dist
"$bin/python" -m build --no-isolation --outdir dist .
for lock in runtime container; do
    "$bin/cyclonedx-py" requirements "requirements/$lock.txt" --pyproject pyproject.toml --mc-type application \
        --output-reproducible --output-file "dist/indelible-$lock.cdx.json"
done
cd dist
sha256sum -- * >SHA256SUMS
cat SHA256SUMS
if grep -q '\.invalid"' ../pyproject.toml; then
    echo "Not to be published yet: pyproject.toml has addresses under .invalid, in place of the maintainers' and the home page." >&2
fi
