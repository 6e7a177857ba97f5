#!/bin/sh
# Ends with 0 if the demo service answers its health check.
set -eu
exec "${DEMO_NODE:?not a host with a demo service}" "${DEMO_SERVICE:?}" check
