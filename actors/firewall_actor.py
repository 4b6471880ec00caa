"""What routers want kept from coming in or going out: one set of rules for all of them, there while the program runs.

The rules do not follow the roles: an address that is not held here is not delivered here anyway.
"""

from typing import Any

import msgspec

from actors.core.status import DeviceStatus
from actors.messages import Message
from actors.planes import PlaneError
from actors.planes.network import Firewall, Rules
from actors.runtime.actor import Context

LOOK = 5.0
"""Seconds until it is seen to again: rules that were refused are tried again, those that others have swept away (a
firewall's reload, ``nft flush ruleset``) are put back."""


class FirewallSpec(msgspec.Struct, frozen=True):
    """The rules, and the id of who sees to them."""

    id: str
    rules: Rules


class Look(Message, frozen=True):
    """See to the rules."""


class FirewallActor:
    """A router whose addresses are not protected is told, by a fault."""

    def __init__(self, context: Context, spec: FirewallSpec, firewall: Firewall) -> None:
        self._context = context
        self._spec = spec
        self._firewall = firewall
        self._stood = False
        self._fault = ""

    def on_start(self) -> None:
        """Apply them at once: routers wait for it."""
        self._see_to_it()

    def receive(self, message: Any) -> None:
        """It is time to look."""
        if isinstance(message, Look):
            self._see_to_it()

    def on_stop(self, final: bool) -> None:
        """Remove the rules, unless a successor follows, which replaces them."""
        if final:
            try:
                self._firewall.apply(Rules())
            except PlaneError as error:
                self._context.log.error("firewall", error=str(error))

    def explain(self) -> list[str]:
        """For an operator: whom the rules are for, and what is wrong."""
        rules = self._spec.rules
        return [
            f"not in force: {self._fault}" if self._fault else "in force",
            *([f"nothing comes in for {', '.join(rules.closed)}"] if rules.closed else []),
            *([f"no group is reported through {', '.join(rules.silent)}"] if rules.silent else []),
        ]

    def _see_to_it(self) -> None:
        try:
            if not (self._stood and self._firewall.stands()):
                self._apply()
            self._fault = ""
        except PlaneError as error:
            if str(error) != self._fault:
                self._context.log.error("firewall", error=str(error))
            self._stood, self._fault = False, str(error)
        self._context.publish(DeviceStatus(self._spec.id, fault=self._fault))
        self._context.after("look", LOOK, Look())

    def _apply(self) -> None:
        if self._stood:
            self._context.log.warning("the rules of the firewall were gone and are put back")
        self._firewall.apply(self._spec.rules)
        self._stood = True
