#!/bin/sh
# demo-disk-check.sh MAX: ends with 0 if the cache holds at most MAX files.
set -eu
max=$1
cd "${DEMO_DIR:?not a host with a demo service}/cache"
count=$(find . -maxdepth 1 -type f | wc -l)
echo "$((count)) files"
[ "$count" -le "$max" ]
