#!/bin/sh
# What the image installs, by version and hash: writes compose/requirements/ anew from pyproject.toml.
#
#   make lock                        keeps the pinned versions that pyproject.toml still takes
#   make lock UPGRADE=1              takes the newest that it takes
#
# For Python 3.13 (the base image's) on Linux, any processor. No address of a package index is written.
set -eu
cd "$(dirname "$0")/.."
bin=${1:-.venv/bin}
folder=compose/requirements
python=3.13

compile() {
    file=$folder/$1
    shift
    "$bin/uv" pip compile --quiet --universal --python-version "$python" --generate-hashes \
        --only-binary :all: --custom-compile-command "make lock" ${UPGRADE:+--upgrade} --output-file "$file" "$@" \
        >/dev/null
}

"$bin/python" -c 'import tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["build-system"]["requires"], sep="\n")' >"$folder/build.in"
trap 'rm -f "$folder/build.in"' EXIT
compile build.txt "$folder/build.in"
compile exporter.txt pyproject.toml
# What the target `soak` has beyond the exporter's.
compile report.txt pyproject.toml --extra report --constraints "$folder/exporter.txt" \
    $(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' "$folder/exporter.txt")
