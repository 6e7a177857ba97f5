#!/bin/sh
# Starts the demo service unless it answers; ends when it does, or fails after 10 s.
set -eu
exec "${DEMO_NODE:?not a host with a demo service}" "${DEMO_SERVICE:?}" start
