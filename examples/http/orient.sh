#!/bin/sh
# upright serve, then: sh orient.sh photo.jpg [ADDRESS]
set -eu
address=${2:-http://127.0.0.1:8000}
curl -sS --fail-with-body --data-binary "@$1" "$address/v1/orientation"
echo
