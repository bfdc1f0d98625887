#!/usr/bin/env bash
# DVC: a relative core.site_cache_dir is taken from the folder in which dvc is called, not from .dvc/config.
#
# Guess: paths in .dvc/config are relative to the file, as documented for cache.dir and for a remote's url, so that a
#   committed `site_cache_dir = tmp/site` gives every clone a site cache of its own in .dvc/tmp.
# Versions: dvc 3.67.1.
# Seen: cache.dir follows the file, core.site_cache_dir the current folder: each folder in which dvc is called gets one.
#   With `.dvc/tmp/site` a first `dvc root` makes sub/.dvc/tmp/site; DVC then takes `sub` for the root of a repository,
#   in which it finds no stage, and a later command in `sub` works on another repository than the first.
# Output seen:
#   cache.dir of ../cache, asked for in project and in project/sub: the same folder
#   site caches of .dvc/tmp/site after commands there: project/.dvc/tmp/site project/sub/.dvc/tmp/site
#   root of the repository, asked for in project/sub: .. and then .
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check dvc==3.67.1

export PATH="$work/venv/bin:$PATH" DVC_NO_ANALYTICS=true
export XDG_CONFIG_HOME="$work/configuration" XDG_CACHE_HOME="$work/other-cache"
unset DVC_SITE_CACHE_DIR
mkdir -p project/sub
cd project
DVC_SITE_CACHE_DIR="$work/first" dvc init --quiet --no-scm
dvc config core.check_update false
dvc config cache.dir "$PWD/../cache"
dvc config core.site_cache_dir .dvc/tmp/site
grep -E "dir = " .dvc/config >&2

here=$(dvc cache dir | xargs realpath -m)
first=$(cd sub && dvc root)
there=$(cd sub && DVC_SITE_CACHE_DIR="$work/first" dvc --cd .. cache dir | xargs realpath -m)
dvc status > /dev/null
(cd sub && dvc status > /dev/null)
second=$(cd sub && dvc root)
made=$(cd .. && find project -type d -path '*/tmp/site' | sort | tr '\n' ' ')
if [ "$here" = "$there" ]; then same="the same folder"; else same="$here and $there"; fi
echo "cache.dir of ../cache, asked for in project and in project/sub: $same"
echo "site caches of .dvc/tmp/site after commands there: $made"
echo "root of the repository, asked for in project/sub: $first and then $second"
if [ "$made" != "project/.dvc/tmp/site project/sub/.dvc/tmp/site " ] || [ "$first $second" != ".. ." ]; then
    echo "the behaviour has changed" >&2
    exit 1
fi
