#!/bin/sh
# Installs upright with its service, every reader and OCRmyPDF into $1 (a virtual environment) from the sources in $2; what follows goes to pip.
# The container image is built by this script alone, so that what is tested without a container engine is what runs in one.
set -eu
target=$1
source=$2
shift 2
python3 -m venv "$target"
"$target/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check "$@" "$source[serve,pdf,dicom,jxl,parquet,s3,ocrmypdf]"
# Nothing is installed later: without pip and headers the image is smaller, and a break-in finds less.
"$target/bin/pip" uninstall --quiet --yes pip setuptools
find "$target" -depth -name __pycache__ -prune -exec rm -rf {} +
"$target/bin/python" -m compileall -q "$target/lib" || true
"$target/bin/upright" --version
