# How an unmodified program sees the machine: its meters over the host's, in a mount namespace that ends with it.
# usage: unshare --mount sh -eu namespace.sh ROOT SCRATCH COMMAND...   (as root; SCRATCH is an empty directory)
root=$1 host=$2
shift 2
mount --rbind /sys "$host"

# Directory $1 of /sys keeps its entries, except that $2 is the machine's, or missing where the machine has none.
replace() {
    [ -d "/sys/$1" ] || return 0
    mount -t tmpfs -o mode=755 machine "/sys/$1"
    for entry in "$host/$1"/*; do
        [ "${entry##*/}" = "$2" ] || ln -s "$entry" "/sys/$1/"
    done
    [ -e "$root/sys/$1/$2" ] || return 0
    mkdir "/sys/$1/$2"
    mount --bind "$root/sys/$1/$2" "/sys/$1/$2"
}
replace class powercap
replace devices/virtual powercap
replace bus/event_source/devices power

if [ -d /dev/cpu ]; then
    if [ -d "$root/dev/cpu" ]; then mount --bind "$root/dev/cpu" /dev/cpu; else mount -t tmpfs machine /dev/cpu; fi
elif [ -d "$root/dev/cpu" ]; then
    echo "namespace.sh: this kernel has no /dev/cpu to put the machine's MSRs over (modprobe msr)" >&2
    exit 1
fi
if [ -e "$root/proc/cpuinfo" ]; then mount --bind "$root/proc/cpuinfo" /proc/cpuinfo; fi
exec "$@"
