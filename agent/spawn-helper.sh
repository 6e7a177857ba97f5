#!/bin/sh
# Runs the script of one job and outlives the agent: the exit status and the output go to files
# of the job's folder, so that an agent that comes back finds how it ended (rule R11).
#
# usage: spawn-helper.sh <job folder> <blocks> <PATH of the job> <owner> <cgroup> <program> [argument...]
#   blocks:  of 512 bytes, that stdout and stderr may each fill on disk
#   owner:   "uid:gid" of the script if it runs as another user, else empty
#   cgroup:  control group to enter with all that the script starts, else empty
#   program: absolute; what runs the script
#   stdin:   one line, once the agent has journalled the start. End of file instead means that the
#            agent died before that: nothing is run, so a start that is not journalled never was.
#   exit:    the script's status, which is also in the file `exit`; 125 without a file `stdout` if
#            nothing was run.
folder=$1 blocks=$2 path=$3 owner=$4 cgroup=$5
shift 5
umask 077

# A handler, not "ignore": children would inherit the latter. The group is told to end by TERM;
# this shell stays to write down how it ended.
trap : HUP INT QUIT TERM

echo "$$" >"$folder/pid"
# A host where that fails finds the job's processes by their mark.
[ -z "$cgroup" ] || echo 0 2>/dev/null >"$cgroup/cgroup.procs"
read -r go || exit 125
mkfifo "$folder/stdout.pipe" "$folder/stderr.pipe" || exit 125
# So that the script may open /dev/stdout by that name.
[ -z "$owner" ] || chown "$owner" "$folder/stdout.pipe" "$folder/stderr.pipe" || exit 125

# Keeps at most $blocks in the file $1, whatever is written and whether the agent lives or not,
# then swallows the rest: a service that the script left behind must not die of a closed pipe.
# The marker says that the writers are gone and the file is whole.
keep() {
  trap '' HUP INT QUIT TERM
  (
    ulimit -c 0
    ulimit -f "$blocks"
    exec cat >"$folder/$1"
  ) 2>/dev/null || cat >/dev/null
  : >"$folder/$1.end"
}
keep stdout <"$folder/stdout.pipe" >/dev/null 2>&1 &
keep stderr <"$folder/stderr.pipe" >/dev/null 2>&1 &

(
  PATH=$path
  export PATH
  umask 022
  exec "$@"
) >"$folder/stdout.pipe" 2>"$folder/stderr.pipe" <"$folder/stdin"
status=$?
# One write with its newline: whoever reads a status without one reads again.
echo "$status" >"$folder/exit"
exit "$status"
