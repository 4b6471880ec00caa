"""Tests on a real IPVS kernel: Debian's, booted once under qemu. What runs in the guest lies in ``inside/``."""
