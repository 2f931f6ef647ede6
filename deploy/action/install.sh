#!/usr/bin/env bash
# Install tlslab for a job, from the checkout of the action itself, with the versions that it was tested with.
# A step of action.yml. TLSLAB_PYTHON is the Python to use; GitHub sets GITHUB_PATH and RUNNER_TEMP.
set -eu
checkout="$(cd "$(dirname "$0")/../.." && pwd)"
place="$RUNNER_TEMP/tlslab"

if [ -x "$place/venv/bin/tlslab" ]; then
    exit 0 # an earlier step of this job used the action
fi
"$TLSLAB_PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "::error title=tlslab::It needs Python 3.11 or newer, and '$TLSLAB_PYTHON' is not: put actions/setup-python in front."
    exit 1
}
"$TLSLAB_PYTHON" -m venv "$place/venv"
pip=("$place/venv/bin/python" -m pip --quiet --disable-pip-version-check install)
"${pip[@]}" --require-hashes -r "$checkout/requirements/run.txt"
"${pip[@]}" --no-deps --no-build-isolation "$checkout"

mkdir "$place/bin" # the command alone: the job's own Python stays the first on its path
ln -s "$place/venv/bin/tlslab" "$place/bin/tlslab"
echo "$place/bin" >>"$GITHUB_PATH"
