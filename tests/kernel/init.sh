#!/bin/busybox sh
# The guest's first process: what a kernel needs to be a machine, then the tests, then the end.
/bin/busybox --install -s /bin 2>/dev/null
export PATH=/sbin:/usr/sbin:/bin:/usr/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /run/netns
mount -t devpts pts /dev/pts
mount -t tmpfs tmpfs /run
chmod 1777 /tmp  # no file system of its own: the project may lie below it
ln -s /proc/self/fd /dev/fd
hostname guest
ip link set lo up
echo 1 > /proc/sys/kernel/printk
modprobe ip_vs
stty -F /dev/ttyS1 raw
. /guest/environment
cd -P /guest/project || exit 1
echo "guest: the kernel is up after $(cut -d ' ' -f 1 /proc/uptime) s"
"$(cat /guest/python)" -m pytest -p tests.kernel.reporting -p no:cacheprovider -q --color=no @/guest/tests < /dev/null
echo "guest: pytest ended with $?"
reboot -f
