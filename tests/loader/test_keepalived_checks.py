"""Every keyword that keepalived has for its checks is taken, within a real_server as there."""

import msgspec
import pytest

from loader import load_from
from loader.fields import Block
from plugins.api import describe
from plugins.registry import shipped

CHECKS = {
    "TCP_CHECK": "",
    "HTTP_GET": """
        virtualhost www.example.com
        http_protocol 1.0C
        enable_sni
        sni_name www.example.com
        fast_recovery
        tls_compliant on
        url {
            path /
            digest 640205b7b0fc66c1ea91c463fac6334d
            status_code 200-299 401
            virtualhost www.example.com
            regex "a+"
            regex_no_match
            regex_options caseless dollar_endonly utf
            regex_min_offset 1
            regex_max_offset 100
            regex_stack 1024 4096
            tls_compliant
        }
        url {
            path /second
        }""",
    "SMTP_CHECK": """
        helo_name mail.example.com""",
    "DNS_CHECK": """
        type DNSKEY
        name example.com""",
    "UDP_CHECK": """
        payload 01 02 ff
        require_reply ab XX
        min_reply_length 1
        max_reply_length 10""",
    "PING_CHECK": "",
    "MISC_CHECK": """
        misc_path "/usr/local/bin/check --port '80 81'"
        misc_timeout 5
        misc_dynamic
        user nobody nogroup""",
}
CONNECTION = """
        connect_ip 10.0.9.9
        connect_port 8080
        bindto 10.0.0.1
        bind_port 1025
        bind_if lo
        connect_timeout 2.5
        fwmark 7"""
COMMON = """
        retry 2
        delay_before_retry 1.5
        warmup 3
        delay_loop 4
        alpha on
        log_all_failures"""


class OneText:
    """The only file there is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self, path: str) -> str:
        return self._text

    def secret(self, path: str) -> str:
        raise FileNotFoundError

    def find(self, pattern: str) -> list[str]:
        return []


@pytest.mark.parametrize("keyword", [*CHECKS, "SSL_GET"])
def test_a_check_of_keepaliveds_is_taken_with_every_keyword(keyword: str) -> None:
    own = CHECKS["HTTP_GET" if keyword == "SSL_GET" else keyword]
    connection = "" if keyword == "MISC_CHECK" else CONNECTION
    text = (
        "virtual_server 10.0.0.1 80 {\n    protocol TCP\n    real_server 10.0.0.2 80 {\n"
        f"        {keyword} {{{own}{connection}{COMMON}\n        }}\n    }}\n}}\n"
    )
    blocks = {name: msgspec.convert(describe(cls), Block) for name, cls in shipped().items()}
    loaded = load_from(OneText(text), "test.conf", lambda _: blocks)
    assert loaded.config is not None, loaded.render()
    told = {
        "HTTP_GET": ["there is no TLS in HTTP_GET"] * 2
        + ["every check fetches all urls", "there is no TLS in HTTP_GET", "a search needs no stack of its own"],
        "SSL_GET": ["every check fetches all urls", "a search needs no stack of its own"],
    }
    assert [each.message.partition("no effect: ")[2] for each in loaded.diagnostics] == told.get(keyword, [])
