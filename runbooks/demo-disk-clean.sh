#!/bin/sh
# demo-disk-clean.sh KEEP: removes the oldest files of the cache until KEEP are left. It touches
# nothing but files directly in the cache of this host's demo service.
set -eu
keep=$1
cd "${DEMO_DIR:?not a host with a demo service}/cache"
before=$(find . -maxdepth 1 -type f | wc -l)
ls -1t | tail -n "+$((keep + 1))" | while IFS= read -r name; do
  if [ -f "./$name" ]; then rm -f -- "./$name"; fi
done
after=$(find . -maxdepth 1 -type f | wc -l)
echo "removed $((before - after)) of $before files"
