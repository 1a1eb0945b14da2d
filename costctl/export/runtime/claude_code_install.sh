#!/bin/sh
# Puts the three files where claude-code-router 2 looks for them; a configuration that was there is kept beside it.
# The path of router.js has to be whole: the router fills in variables of providers, and not this one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place="$HOME/.claude-code-router"
mkdir -p "$place"
if [ -f "$place/config.json" ]; then cp "$place/config.json" "$place/config.json.before-costctl"; fi
cp "$here/router.js" "$here/costctl_route.py" "$place/"
awk -v home="$HOME" '{ at = index($0, "$HOME"); print at ? substr($0, 1, at - 1) home substr($0, at + 5) : $0 }' \
  "$here/config.json" > "$place/config.json"
