"""Reload: what did not change is not looked into again, and the outcome is the same as without a cache."""

from loader import Cache, Loaded, load_from
from tests.loader.house import Memory, messages, read, schemas

TEXT = """
TH_TCP_CHECK tcp {
}
virtual_server 10.0.0.1 80 {
    protocol TCP
    real_server 10.0.1.1 80 {
        checkers tcp
    }
}
virtual_server 10.0.0.2 80 {
    protocol TCP
    real_server 10.0.1.1 80 {
        checkers tcp nobody
        weight x
    }
}
"""
GOOD = TEXT.replace(" nobody", "").replace("weight x", "weight 2")


def counted(text: str, cache: Cache, server: str = "") -> tuple[Loaded, int, int]:
    loaded = read(text, cache=cache, others={"server.conf": server})
    fresh = read(text, others={"server.conf": server})
    assert (loaded.config, loaded.diagnostics) == (fresh.config, fresh.diagnostics)
    assert places(loaded) == places(fresh)
    return loaded, cache.decoded, cache.reused


def places(loaded: Loaded) -> list[str]:
    if loaded.config is None:
        return []
    services = loaded.config.virtual_servers
    inner = [server.at.within(service.at) for service in services for server in service.real_servers]
    return [str(at) for at in (*(c.at for c in loaded.config.checkers), *(s.at for s in services), *inner)]


def test_the_first_load_decodes_every_block() -> None:
    assert counted(GOOD, Cache())[1:] == (3, 0)


def test_an_unchanged_file_decodes_nothing() -> None:
    cache = Cache()
    first, *_ = counted(GOOD, cache)
    second, decoded, reused = counted(GOOD, cache)
    assert (decoded, reused) == (0, 3)
    assert first.config is not None
    assert second.config is not None
    assert first.config.virtual_servers[0] is second.config.virtual_servers[0]


def test_only_the_changed_block_is_decoded() -> None:
    cache = Cache()
    counted(GOOD, cache)
    assert counted(GOOD.replace("weight 2", "weight 3"), cache)[1:] == (1, 2)


def test_blocks_that_only_moved_are_not_decoded_and_know_their_new_place() -> None:
    cache = Cache()
    counted(GOOD, cache)
    loaded, decoded, reused = counted("# one more line\n  " + GOOD, cache)
    assert (decoded, reused) == (0, 3)
    assert places(loaded)[1:] == ["lb.conf:5:1", "lb.conf:11:1", "lb.conf:7:5", "lb.conf:13:5"]


def test_problems_of_a_kept_block_move_with_it() -> None:
    cache = Cache()
    assert messages(counted(TEXT, cache)[0]) == [
        "13:22 error: no checker is named 'nobody'",
        "14:16 error: 'x' is not a whole number",
    ]
    loaded, decoded, _ = counted("\n\n" + TEXT, cache)
    assert decoded == 0
    assert messages(loaded) == [
        "15:22 error: no checker is named 'nobody'",
        "16:16 error: 'x' is not a whole number",
    ]


def test_a_kept_block_that_now_stands_twice_is_an_error() -> None:
    cache = Cache()
    counted(GOOD, cache)
    loaded, decoded, _ = counted(GOOD + GOOD[GOOD.index("virtual") :], cache)
    assert decoded == 0
    assert messages(loaded) == [
        "17:16 error: 'virtual_server 10.0.0.1 80' is declared twice",
        "23:16 error: 'virtual_server 10.0.0.2 80' is declared twice",
    ]


def test_what_a_load_did_not_need_is_forgotten() -> None:
    cache = Cache()
    counted(GOOD, cache)
    counted("", cache)
    assert counted(GOOD, cache)[1:] == (3, 0)


def test_a_block_that_includes_is_always_decoded() -> None:
    text = "virtual_server 10.0.0.1 80 {\nprotocol TCP\ninclude server.conf\n}"
    cache = Cache()
    counted(text, cache, "real_server 10.0.1.1 80 { }")
    loaded, decoded, _ = counted(text, cache, "real_server 10.0.1.2 80 { }")
    assert decoded == 1
    assert loaded.config is not None
    assert loaded.config.virtual_servers[0].real_servers[0].address == "10.0.1.2"


def test_other_users_make_everything_new() -> None:
    cache = Cache()
    text = GOOD.replace("checkers tcp", "checkers tcp\nnotify_up /bin/x www", 1)
    read(text, frozenset(), cache)
    loaded = read(text, frozenset({"www"}), cache)
    assert loaded.config is not None
    script = loaded.config.virtual_servers[0].real_servers[0].notify_up
    assert (cache.decoded, script.user if script else "") == (3, "www")


def test_another_schema_makes_its_own_checkers_and_the_services_new() -> None:
    cache = Cache()
    read(GOOD, cache=cache)
    changed = {"TCP_CHECK": schemas("")["HTTP_GET"]}
    loaded = load_from(Memory({"lb.conf": GOOD}), "lb.conf", lambda location: changed, cache=cache)
    assert (cache.decoded, messages(loaded)) == (3, ["2:1 error: TH_TCP_CHECK needs 'url'"])
