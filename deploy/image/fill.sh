#!/bin/sh
# Put the lab into the image's root, the folder $1, and take out what it does not need. Called by mmdebstrap, for
# build.sh; PACKAGES is the folder with the lab and what it imports.
set -eu
umask 022
root=${1:?}
packages="$root/usr/local/lib/python3.11/dist-packages"

mkdir -p "$packages" "$root/usr/local/bin" "$root/pki" "$root/tmp" "$root/proc" "$root/sys"
cp -R "${PACKAGES:?}/." "$packages"
rm -rf "${packages:?}/bin" # scripts that begin with the path of another Python
sed -i '/^\.\..*\/bin\//d' "$packages"/*.dist-info/RECORD
cat >"$root/usr/local/bin/tlslab" <<'END'
#!/usr/bin/python3.11 -I
from tlslab.cli import main

main()
END
echo 'root:x:0:0:root:/:/usr/sbin/nologin
tlslab:x:10001:10001:tlslab:/pki:/usr/sbin/nologin' >"$root/etc/passwd"
echo 'root:x:0:
tlslab:x:10001:' >"$root/etc/group"

# Licences stay. Python is the only program, and what it needs of this machine's settings a container gets from its own.
find "$root/usr/share/doc" -type f ! -name copyright -delete
find "$root/usr/bin" ! -type d ! -name python3.11 -delete
for unused in bin sbin usr/sbin usr/libexec usr/share/man usr/share/locale usr/share/info usr/share/lintian \
    etc/apt etc/cron.daily etc/dpkg etc/logrotate.d etc/fstab etc/hostname etc/resolv.conf var; do
    rm -rf "${root:?}/$unused"
done
rm -rf "${root:?}"/usr/lib/*/gconv # tables of character sets; Python has its own

# Compiled here, for who runs it cannot write there; by hash, for a date would make each image another.
chroot "$root" /usr/bin/python3.11 -I -m compileall -q --invalidation-mode unchecked-hash \
    /usr/lib/python3.11 /usr/local/lib/python3.11
chmod 755 "$root/usr/local/bin/tlslab"
chmod 1777 "$root/tmp"
chmod 700 "$root/pki"
chown -R 10001:10001 "$root/pki"
