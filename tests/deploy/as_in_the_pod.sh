#!/bin/sh
# Run a command as the audit's pod would: as user 65532, with the whole file system read-only but for the pod's
# volumes, without the machine's environment.  Needs root, and a kernel with overlay file systems.
#   unshare --mount sh as_in_the_pod.sh WORK UID:GID "SOURCE:TARGET[:ro] ..." "READ_FROM ..." COMMAND...
# Everything is mounted in this process's own mount namespace and goes away with it.
set -eu
work=$1 user=$2 volumes=$3 sources=$4
shift 4
mount --make-rprivate /
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
root=$work/root
# The pod's volumes.  What lies below one of them on this machine (the checkout, say) stays in reach.
for volume in $volumes; do
    target=$(echo "$volume" | cut -d: -f2)
    mkdir -p "$root$target"
    mount --bind "$(echo "$volume" | cut -d: -f1)" "$root$target"
done
for source in $sources; do
    case $source in /tmp/*) mkdir -p "$root$source" && mount --bind "$source" "$root$source" ;; esac
    while [ "$source" != / ]; do
        case $source in /tmp/* | /tmp) ;; *) chmod a+rx "$root$source" ;; esac
        source=$(dirname "$source")
    done
done
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,ro "$root"
for volume in $volumes; do
    case $volume in *:ro) mount -o remount,bind,ro "$root$(echo "$volume" | cut -d: -f2)" ;; esac
done
exec chroot --userspec="$user" --groups= "$root" "$@"
