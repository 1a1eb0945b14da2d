#!/bin/sh
# Puts the files where claude-code-router 3 looks for them. It reads config.json once, while it has no database of its
# own; keys that the file names as $NAME are then taken from the environment and kept in that database.
# Afterwards: python3 ~/.claude-code-router/costctl_serve.py &   and   ccr serve
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place="$HOME/.claude-code-router"
mkdir -p "$place"
cp "$here/costctl-route.js" "$here/costctl_route.py" "$here/costctl_serve.py" "$place/"
if [ -f "$place/config.sqlite" ]; then
  echo "claude-code-router has a database and reads no config.json any more: the script is new, the seed is not read." >&2
  echo "Enter its providers and its two rules by hand, or move $place/config.sqlite away and run this again." >&2
  exit 1
fi
if [ -f "$place/config.json" ]; then cp "$place/config.json" "$place/config.json.before-costctl"; fi
cp "$here/config.json" "$place/config.json"
