#!/bin/sh
# The last step of a Debian root, before anything of Hydra's comes into it. The only argument is the root's folder.
set -eu
root=${1%/}

# Mount points must have their modes here: runc ignores those of a tmpfs whose folder is in the image.
mkdir -p "$root/tmp" "$root/workspace"
chmod 1777 "$root/tmp" "$root/workspace"

# The user that agents run as where the fence is not in the container; git and shells want a name for it.
grep -q '^agent:' "$root/etc/passwd" || echo 'agent:x:1000:1000::/tmp:/bin/sh' >>"$root/etc/passwd"
grep -q '^agent:' "$root/etc/group" || echo 'agent:x:1000:' >>"$root/etc/group"

# No program may lend anybody rights that the container was not given: neither by its mode nor by its capabilities.
find "$root/" -xdev -type f -perm /6000 -exec chmod a-s {} +
if [ -x "$root/usr/bin/python3" ]; then
  chroot "$root/" /usr/bin/python3 -c '
import os
for folder, _, names in os.walk("/"):
    if folder in ("/proc", "/sys", "/dev"):
        continue
    for name in names:
        path = os.path.join(folder, name)
        try:
            os.removexattr(path, "security.capability", follow_symlinks=False)
        except OSError:
            pass
'
fi

# What differs from build to build, and what nobody reads.
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/*.log "$root"/var/log/apt "$root"/var/cache/ldconfig/aux-cache
: >"$root/etc/machine-id"
chroot "$root/" dpkg-query -W -f '${Package} ${Version} ${Architecture}\n' >"$root/usr/share/hydra-packages"
