"""The part of the tree that concerns IPVS as a whole: its settings, and who tells other machines of its connections."""

from actors.children import Child
from actors.core.whole import Daemon, Timeouts
from actors.ipvs_settings_actor import IpvsSettingsActor, IpvsSettingsSpec
from actors.sync_daemon_actor import SyncDaemonActor, SyncDaemonSpec
from loader.model import Config


def ipvs_settings(config: Config) -> tuple[Child, ...]:
    """Who sets what concerns all services: nobody where nothing is set. It starts before them and stops after them."""
    defs = config.global_defs
    empties = defs.lvs_flush_on_stop == "all" and not defs.lvs_keep_on_stop
    if not _balances(config) or not (defs.lvs_timeouts or empties):
        return ()
    given = defs.lvs_timeouts
    timeouts = Timeouts(given.tcp, given.tcpfin, given.udp) if given else Timeouts()
    spec = IpvsSettingsSpec("ipvs/settings", timeouts, empties)
    return (Child(spec.id, IpvsSettingsActor, (spec,), ("ipvs",)),)


def sync_daemon(config: Config) -> tuple[Child, ...]:
    """Who tells other machines of connections, or listens to them, if anybody is to."""
    given = config.global_defs.lvs_sync_daemon
    if given is None or not _balances(config):
        return ()
    routers = {each.name: each.vrid for each in config.vrrp_instances}
    id = routers.get(given.instance, 0) if given.id is None else given.id
    daemon = Daemon("", given.interface, id, given.maxlen, given.port, given.ttl, given.group)
    spec = SyncDaemonSpec("ipvs/sync", daemon, f"vrrp/{given.instance}" if given.instance else "")
    return (Child(spec.id, SyncDaemonActor, (spec,), ("ipvs",)),)


def _balances(config: Config) -> bool:
    return bool(config.virtual_servers) and config.global_defs.dataplane == "ipvs"
