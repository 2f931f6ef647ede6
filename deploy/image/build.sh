#!/bin/sh
# Build the lab's OCI image, out of Debian's packages, the wheel of this checkout and the packages of its lock.
# No image is pulled, and neither root nor a daemon is needed. Called by `make image`; docs/container.md says the rest.
#
# SOURCE_DATE_EPOCH  the date of everything in it: the same commit and the same Debian give the same image
# MIRROR             where Debian is fetched from, if not where mmdebstrap would
# FOLDER             where the image goes: dist
set -eu
umask 022
cd "$(dirname "$0")/../.."

SUITE=bookworm # whose Python is 3.11, the oldest that the lab is tested on and the one that the lock is made with
PYTHON=${PYTHON:-.venv/bin/python}
FOLDER=${FOLDER:-dist}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1700000000)}
export SOURCE_DATE_EPOCH

skip() {
    echo "No image was built: $*." >&2
    exit 77 # what automake's tests say for "skipped"
}

for tool in mmdebstrap umoci; do
    command -v "$tool" >/dev/null || skip "$tool is not installed (Debian: apt-get install mmdebstrap umoci)"
done
[ "$(id -u)" -eq 0 ] || unshare --user --map-auto --map-root-user true 2>/dev/null ||
    skip "without root it takes user namespaces and the ids of /etc/subuid (Debian: apt-get install uidmap)"
case $(dpkg --print-architecture) in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
    *) skip "the lock has no compiled packages for $(dpkg --print-architecture), only for amd64 and arm64" ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # without root, what fills the image is another user
mkdir -p "$FOLDER"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

echo "The wheel of this checkout, and the packages of requirements/run.txt"
"$PYTHON" -m hatchling build --target wheel --directory "$work/wheels" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2 && exit 1; }
for_image="--only-binary=:all: --implementation cp --python-version 3.11 --platform manylinux2014_$machine"
for glibc in 17 28 34; do for_image="$for_image --platform manylinux_2_${glibc}_$machine"; done
# shellcheck disable=SC2086 # words, meant to be split
"$PYTHON" -m pip --quiet download --require-hashes --no-deps -r requirements/run.txt -d "$work/locked" $for_image
# Of what was just checked, what the wheel needs and no more: the lock has the tools that build it, too.
# shellcheck disable=SC2086
PIP_CONFIG_FILE=/dev/null "$PYTHON" -m pip --isolated --quiet install --no-index --find-links "$work/locked" \
    --find-links "$work/wheels" --no-compile --target "$work/packages" $for_image "tlslab==$version"

echo "Debian $SUITE"
# Files alone, of packages that apt has verified: nothing of Debian is configured or runs, and there is no shell.
cp deploy/image/fill.sh "$work"
PACKAGES="$work/packages" mmdebstrap --quiet --variant=extract --include=python3.11-minimal,libpython3.11-stdlib \
    --extract-hook="$work/fill.sh" --skip=cleanup/apt,cleanup/mmdebstrap,cleanup/reproducible,output/dev "$SUITE" "$work/root.tar" ${MIRROR:+"$MIRROR"}

echo "The image"
umoci init --layout "$work/image"
umoci new --image "$work/image:$version"
created=$(date --utc --date "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
umoci raw add-layer --history.created "$created" --history.created_by "deploy/image/build.sh" \
    --image "$work/image:$version" "$work/root.tar"
umoci config --no-history --image "$work/image:$version" --created "$created" \
    --config.user 10001:10001 --config.workingdir / --config.volume /pki --config.stopsignal SIGTERM \
    --config.env PATH=/usr/local/bin:/usr/bin:/bin --config.env TLSLAB_HOME=/pki --config.env LANG=C.UTF-8 \
    --config.exposedports 8443/tcp --config.exposedports 8444/tcp --config.exposedports 8474/tcp \
    --config.entrypoint tlslab --config.entrypoint serve --config.entrypoint --host --config.entrypoint 0.0.0.0 \
    --config.entrypoint --ready-file --config.entrypoint - \
    --config.entrypoint --control --config.entrypoint 0.0.0.0:8474 \
    --config.cmd large-post-deadlock \
    --config.label org.opencontainers.image.title=tlslab --config.label "org.opencontainers.image.version=$version" \
    --config.label org.opencontainers.image.licenses=MIT
umoci gc --layout "$work/image"
# What it is called where it is loaded: umoci writes the tag alone, and podman and containerd look for this.
name=localhost/tlslab:$version
sed -i "s|\"annotations\":{|&\"io.containerd.image.name\":\"$name\",|" "$work/image/index.json"
archive="$FOLDER/tlslab-$version-$machine.oci.tar"
tar --create --file "$archive" --directory "$work/image" --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
    --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX .
echo "$archive holds $name: $(du -h "$archive" | cut -f1), sha256 $(sha256sum "$archive" | cut -d' ' -f1)"
