#!/bin/sh
# Makes upright_VERSION_ARCH.deb in $2 from the sources in $1. On Debian 12 or newer:
#   apt-get install python3-venv && sh deploy/debian/build.sh . dist && apt-get install ./dist/upright_*.deb
# onnxruntime and pi-heif are no packages of Debian 12, so the package carries an environment of its own below
# /usr/lib/upright, made with Debian's Python, as dh-virtualenv would; it needs no network when it is installed.
set -eu
source=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$source/src/upright/__init__.py")
machine=$(dpkg --print-architecture)
python=$(python3 -c 'import sys; print("python3.%d" % sys.version_info[1])')
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
home=/usr/lib/upright
/usr/bin/python3 -m venv "$root$home"
"$root$home/bin/pip" install --quiet --no-cache-dir --no-compile --disable-pip-version-check "$source[pdf]"
"$root$home/bin/pip" uninstall --quiet --yes pip setuptools
# The environment was made elsewhere: scripts name the Python that it will have.
grep -rlI "$root" "$root$home/bin" "$root$home/pyvenv.cfg" | xargs sed -i "s#$root##g"
rm -rf "$root$home/include" "$root$home"/bin/activate* "$root$home"/bin/Activate.ps1
mkdir -p "$root/usr/bin" "$root/usr/share/doc/upright" "$root/DEBIAN"
ln -s "../lib/upright/bin/upright" "$root/usr/bin/upright"
cp -r "$root$home/share/." "$root/usr/share"
rm -rf "$root$home/share"
gzip -9n "$root/usr/share/man/man1/upright.1"
cp "$source/NOTICE" "$root/usr/share/doc/upright/copyright"
cat > "$root/DEBIAN/control" <<END
Package: upright
Version: $version
Architecture: $machine
Maintainer: The upright developers <upright@localhost>
Depends: $python
Section: graphics
Priority: optional
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Description: tells which way up a picture belongs, and sets it right
 Finds the orientation of photographs and documents from their pixels alone,
 and sets them right without losing anything, with undo.
END
dpkg-deb --root-owner-group -Zgzip --build "$root" "$out/upright_${version}_$machine.deb"
