"""Packaging: ``pip install .`` gives the commands ``understudyd`` and ``understudyctl``."""

from pathlib import Path

from setuptools import find_packages, setup

REQUIRED = Path(__file__).with_name("requirements.txt").read_text().split()

# What only some checkers need: pip install "understudyd[redis,dns]"
EXTRAS = {
    "dns": ["dnspython>=2.9"],
    "grpc": ["h2>=4.4"],
    "ldap": ["ldap3>=2.9"],
    "mysql": ["PyMySQL>=1.2"],
    "pgsql": ["pg8000>=1.31"],
    "radius": ["pyrad>=2.6"],
    "redis": ["redis>=8.1"],
}

setup(
    name="understudyd",
    version="0.1.0",
    description="keepalived redesigned as actors: VRRP failover and load balancing, driven by named checkers",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=["actors", "actors.*", "loader", "loader.*", "plugins", "plugins.*"]),
    install_requires=REQUIRED,
    extras_require=EXTRAS,
    # A distribution of checkers declares its modules under this group: each is imported in the checkers' process, and
    # its classes that are marked with @checker become keywords, as if their file lay in plugins/:
    #     entry_points={"understudy.checkers": ["memcached = my_checkers.memcached"]}
    entry_points={
        "console_scripts": ["understudyd = actors.main:main", "understudyctl = actors.ctl:main"],
        "understudy.checkers": [],
    },
)
